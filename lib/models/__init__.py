"""The models, a folder a family, and the registry that knows them by name; a module loads when its model is first asked for.

It imports `lib.data` and `lib.metrics`.
"""

from __future__ import annotations

import difflib
from importlib import import_module

from lib.models.base import NotFitted, Recommender

REGISTRY: dict[str, str] = {
    "global_mean": "lib.models.baselines.means:GlobalMean",
    "user_mean": "lib.models.baselines.means:UserMean",
    "item_mean": "lib.models.baselines.means:ItemMean",
    "bias": "lib.models.baselines.bias:Bias",
    "random_order": "lib.models.baselines.random_order:RandomOrder",
    "most_popular": "lib.models.baselines.most_popular:MostPopular",
    "svd": "lib.models.latent.svd:SVD",
    "soft_impute": "lib.models.imputation.soft_impute:SoftImpute",
    "hard_impute": "lib.models.imputation.hard_impute:HardImpute",
    "two_tower": "lib.models.networks.two_tower:TwoTower",
    "side_information_als": "lib.models.side_information.side_information_als:SideInformationALS",
    "factorisation_machine": "lib.models.bayesian.factorisation_machine:FactorisationMachine",
    "matrix_factorisation": "lib.models.latent.matrix_factorisation:MatrixFactorisation",
    "softmax": "lib.models.networks.softmax:Softmax",
    "ease": "lib.models.lists.ease:EASE",
    "item_knn": "lib.models.lists.item_knn:ItemKNN",
    "bpr": "lib.models.lists.bpr:BPR",
    "implicit_als": "lib.models.lists.implicit_als:ImplicitALS",
    "autorec": "lib.models.networks.autorec:AutoRec",
    "multi_vae": "lib.models.networks.multi_vae:MultiVAE",
    "neural_mf": "lib.models.networks.neural_mf:NeuralMF",
    "correlation_neighbours": "lib.models.latent.correlation_neighbours:CorrelationNeighbours",
    "interpolated_neighbours": "lib.models.latent.interpolated_neighbours:InterpolatedNeighbours",
    "biased_svd": "lib.models.latent.biased_svd:BiasedSVD",
    "nsvd": "lib.models.latent.nsvd:NSVD",
    "neighbourhood": "lib.models.latent.neighbourhood:Neighbourhood",
    "asymmetric_svd": "lib.models.latent.asymmetric_svd:AsymmetricSVD",
    "svdpp": "lib.models.latent.svdpp:SVDpp",
    "integrated": "lib.models.latent.integrated:Integrated",
    "timesvdpp": "lib.models.latent.timesvdpp:TimeSVDpp",
    "timed_factorisation_machine": "lib.models.bayesian.timed_factorisation_machine:TimedFactorisationMachine",
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
