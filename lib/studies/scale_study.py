"""One epoch of a model on made-up data of a large data set's shape: seconds, and the memory it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lib.data.made_up import made_up_ratings
from lib.experiment.fit import Fit, Parts
from lib.experiment.run import run_fits
from lib.models.fitting import fit_model
from lib.studies.neural_study import PUBLISHED_AUTOREC
from lib.studies.ranking_study import PUBLISHED_BPR

Subjects = Mapping[str, tuple[str, Mapping[str, Any]]]
"""A registered model and its hyperparameters, with one epoch, by the name that readers see."""

NETWORKS: Subjects = {
    "User AutoRec, D's size": ("autorec", {**PUBLISHED_AUTOREC, "epochs": 1}),
    # The network of the original paper, in its size.
    "Item AutoRec": ("autorec", {"form": "item", "hidden_sizes": (500,), "epochs": 1}),
    "BPR, D's settings": ("bpr", {**PUBLISHED_BPR, "n_epochs": 1}),
    "BPR": ("bpr", {"n_factors": 128, "n_epochs": 1}),
}

KOREN: Subjects = {
    "SVD (Koren), 50 factors": ("biased_svd", {"n_factors": 50, "n_epochs": 1}),
    "Asymmetric-SVD, 50 factors": ("asymmetric_svd", {"n_factors": 50, "n_epochs": 1}),
    "SVD++, 50 factors": ("svdpp", {"n_factors": 50, "n_epochs": 1}),
}


def epochs_at_scale(
    subjects: Subjects, n_ratings: int, n_users: int, n_items: int, *, seed: int = 0
) -> tuple[pd.DataFrame, str]:
    """Time one epoch of each subject, one after the other, on made-up data (`lib.data.made_up.made_up_ratings`).

    Seconds are of the fit, preparation of the data included, ``mebibytes`` the most that the process held meanwhile,
    the ratings included; no row where `n_ratings` is 0. Returned with it are the machines and days in words.
    """
    shape = {"n_ratings": n_ratings, "n_users": n_users, "n_items": n_items, "seed": seed}
    rows, places = [], []
    for name, (model, parameters) in subjects.items() if n_ratings else ():
        prepare = (f"{__name__}:made_up", shape)
        fit = Fit(model, parameters, test="train", prepare=prepare, measure={"cost": {}}, keep="scale")
        (found,) = run_fits([fit], {})  # one at a time: several would not fit into memory everywhere
        rows.append([name, n_ratings, found["seconds_fit"], found["held_mib"]])
        places.append(f"{found.made['machine'] or 'an unnamed processor'}, {found.made['day']}")
    table = pd.DataFrame(rows, columns=["model", "ratings", "seconds", "mebibytes"])
    return table, "; ".join(dict.fromkeys(places))


def made_up(parts: Parts, fit: Fit, **shape: int) -> Parts:
    """Make the ratings; everything is compiled on a few others before."""
    fit_model(fit.model, made_up_ratings(2_000, 200, 100, seed=shape["seed"]), **fit.parameters)
    return {"train": made_up_ratings(**shape)}
