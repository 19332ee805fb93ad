"""What a reader brings or tries: own ratings, an own model, the explorer.

It imports `lib.report` and all rooms below it, not the runner.
"""
