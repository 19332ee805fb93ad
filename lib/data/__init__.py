"""Ratings and what comes with them: data sets by name, their readers and sources, splits, folds, features and made-up
ratings.

It imports no other room.
"""
