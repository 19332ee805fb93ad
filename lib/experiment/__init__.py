"""The one way in which anything is fitted and measured: a fit, its key, its record, the store, the search, the engine.

It may import models, metrics, data sets and splits; nothing of studies, reports or the runner.
"""
