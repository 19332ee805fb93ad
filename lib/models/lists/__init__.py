"""Models that order films instead of predicting ratings."""
