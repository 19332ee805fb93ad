"""Soft-Impute and Hard-Impute on sparse plus low-rank matrices, and fancyimpute's as a reference."""
