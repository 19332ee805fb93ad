"""Factorisation machines by Gibbs sampling."""
