"""Neural models, and the sparse network in numba that the linear ones of them share."""
