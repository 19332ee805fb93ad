"""What only one study needs: its spaces, grids, measurements and findings, a file a study.

It imports the rooms that compute: `lib.experiment`, `lib.models`, `lib.statistics`, `lib.metrics` and `lib.data`.
"""
