"""What a reader sees: executed notebooks become an HTML site, a PDF and tidy tables.

It imports `lib.claims` and all rooms below it, and knows nothing of how runs are started.
"""

from lib.report.build import build
from lib.report.errors import RenderingError

__all__ = ["RenderingError", "build"]
