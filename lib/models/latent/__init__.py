"""Koren's family, plain matrix factorisation and the neighbourhood models, with their engine of stochastic gradient descent."""
