"""What a reader sees: executed notebooks become an HTML site, a PDF and tidy tables.

It imports `lib.claims` and all rooms below it, and knows nothing of how runs are started.
"""
