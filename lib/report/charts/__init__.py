"""Figures that several notebooks draw."""
