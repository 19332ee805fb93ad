"""Looking at what a model has learned about films: neighbours, norms, structure, folding, projections."""
