"""What may be said of a difference: resampling, significance, multiple testing, agreement between models.

It imports `lib.data` and `lib.metrics`.
"""
