"""The one way in which anything is fitted and measured: a fit, its key, its record, the store, the search, the engine.

It imports `lib.data`, `lib.metrics`, `lib.statistics` and `lib.models`; nothing of studies, the report or the runner.
"""
