"""The one way in which anything is fitted and measured: a fit, its key, its record, the store, the search, the engine.

It may import `lib.models`, `lib.metrics`, `lib.statistics` and `lib.data` and what lies loose beside them; nothing of
studies, reports or the runner.
"""
