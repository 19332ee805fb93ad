"""Ratings: data sets by name, their readers and sources, splits, folds, features of users and films, made-up data.

It imports no other room.
"""
