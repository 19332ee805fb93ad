"""The models by name. Modules load on first use, so that asking for a mean does not import TensorFlow."""

from __future__ import annotations

import difflib
from importlib import import_module

from lib.models.base import NotFitted, Recommender

REGISTRY: dict[str, str] = {
    "global_mean": "lib.models.means:GlobalMean",
    "user_mean": "lib.models.means:UserMean",
    "item_mean": "lib.models.means:ItemMean",
    "bias": "lib.models.bias:Bias",
    "random_order": "lib.models.random_order:RandomOrder",
    "most_popular": "lib.models.most_popular:MostPopular",
    "svd": "lib.models.svd:SVD",
    "soft_impute": "lib.models.soft_impute:SoftImpute",
    "hard_impute": "lib.models.hard_impute:HardImpute",
    "two_tower": "lib.models.two_tower:TwoTower",
    "side_information_als": "lib.models.side_information_als:SideInformationALS",
    "factorisation_machine": "lib.models.factorisation_machine:FactorisationMachine",
    "matrix_factorisation": "lib.models.matrix_factorisation:MatrixFactorisation",
    "softmax": "lib.models.softmax:Softmax",
    "ease": "lib.models.ease:EASE",
    "item_knn": "lib.models.item_knn:ItemKNN",
    "bpr": "lib.models.bpr:BPR",
    "implicit_als": "lib.models.implicit_als:ImplicitALS",
    "autorec": "lib.models.autorec:AutoRec",
    "multi_vae": "lib.models.multi_vae:MultiVAE",
    "neural_mf": "lib.models.neural_mf:NeuralMF",
    "correlation_neighbours": "lib.models.correlation_neighbours:CorrelationNeighbours",
    "interpolated_neighbours": "lib.models.interpolated_neighbours:InterpolatedNeighbours",
    "biased_svd": "lib.models.biased_svd:BiasedSVD",
    "nsvd": "lib.models.nsvd:NSVD",
    "neighbourhood": "lib.models.neighbourhood:Neighbourhood",
    "asymmetric_svd": "lib.models.asymmetric_svd:AsymmetricSVD",
    "svdpp": "lib.models.svdpp:SVDpp",
    "integrated": "lib.models.integrated:Integrated",
    "timesvdpp": "lib.models.timesvdpp:TimeSVDpp",
    "timed_factorisation_machine": "lib.models.timed_factorisation_machine:TimedFactorisationMachine",
}
"""A model's one name, used in results, tables and figures, and where its class lives."""

LABELS = {
    "global_mean": "Global mean",
    "user_mean": "User mean",
    "item_mean": "Film mean",
    "bias": "Bias model",
    "random_order": "At random",
    "most_popular": "Most popular",
    "svd": "SVD",
    "soft_impute": "Soft-Impute",
    "hard_impute": "Hard-Impute",
    "two_tower": "Two-tower",
    "side_information_als": "Side-information ALS",
    "factorisation_machine": "Bayesian factorisation machine",
    "matrix_factorisation": "Dot-product factorisation",
    "softmax": "Softmax model",
    "ease": "EASE",
    "item_knn": "Item-kNN",
    "bpr": "MF-BPR",
    "implicit_als": "Implicit ALS",
    "autorec": "AutoRec",
    "multi_vae": "Multi-VAE",
    "neural_mf": "NeuralMF",
    "correlation_neighbours": "CorNgbr",
    "interpolated_neighbours": "WgtNgbr",
    "biased_svd": "SVD, Koren's form",
    "nsvd": "NSVD",
    "neighbourhood": "Revised neighbourhood",
    "asymmetric_svd": "Asymmetric-SVD",
    "svdpp": "SVD++",
    "integrated": "Integrated model",
    "timesvdpp": "timeSVD++",
    "timed_factorisation_machine": "Factorisation machine with time",
}
"""What tables and figures call a model; a model without a label is shown by its name."""


def model_class(name: str) -> type[Recommender]:
    """Return a model's class, by its registered name or by ``module:Class``.

    Raises
    ------
    KeyError
        No model has that name; the message names the nearest ones.
    """
    if name not in REGISTRY and ":" not in name:
        near = difflib.get_close_matches(name, REGISTRY, n=2) or list(REGISTRY)
        raise KeyError(f"no model is called {name!r}; did you mean {' or '.join(near)}?")
    module, _, attribute = REGISTRY.get(name, name).partition(":")
    return getattr(import_module(module), attribute)


def create(name: str, **parameters) -> Recommender:
    """Make an unfitted model by its registered name; an unknown parameter is an error that names the near miss."""
    cls = model_class(name)
    known = cls.parameter_names()
    for parameter in parameters:
        if parameter not in known:
            near = difflib.get_close_matches(parameter, known, n=2) or known
            raise TypeError(f"{name} has no parameter {parameter!r}; did you mean {' or '.join(near)}?")
    return cls(**parameters)


def label(name: str) -> str:
    """Return what a reader sees for a model's name; a variant such as ``svd_tuned`` is named after its family."""
    if name in LABELS:
        return LABELS[name]
    for family in sorted(LABELS, key=len, reverse=True):
        if name.startswith(f"{family}_"):
            return f"{LABELS[family]}, {name.removeprefix(f'{family}_').replace('_', ' ')}"
    return name


__all__ = ["LABELS", "REGISTRY", "NotFitted", "Recommender", "create", "label", "model_class"]
