"""Alternating least squares that uses features of users and films."""
