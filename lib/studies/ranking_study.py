"""Project D's ranking study: which models are ranked, how their hyperparameters are chosen, and how lists are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.experiment.fit import Fit, Fitted
from lib.experiment.space import Choice, Integer, Real
from lib.metrics.lists import TopK
from lib.models.recommendations import HIT, titles_of
from lib.studies.side_information_study import USUAL, penalties
from lib.studies.variants import Variant, by_name, magnitudes

STEPS_OF_D = {"optimiser": "adam", "learning_rate": 3e-3, "batch_size": 8192, "n_epochs": 15, "clip_norm": 5.0}
PUBLISHED_BPR = {**STEPS_OF_D, "n_factors": 128, "sampling": "user", "initial_scale": 0.05, "l2": 1e-6}
"""Project D's settings of BPR."""


def list_variants(threshold: float, *, most_epochs: int = 150) -> dict[str, Variant]:
    """Return the models that are fitted for lists here, simplest first; searched ones are searched for nDCG.

    Whether a model learns from all ratings or from liked films only, `threshold` or more, is searched; D's document
    does not show from which its BPR does, and is taken to mean liked ones.
    """
    learned = {"threshold": Choice((None, threshold))}
    near = magnitudes(n_neighbours=(20, 400), shrinkage=(0.1, 100.0))
    als = magnitudes(n_factors=(16, 128), l2=(0.1, 300.0), alpha=(0.3, 30.0))
    bpr = magnitudes(n_factors=(16, 128), learning_rate=(5e-3, 0.2), l2=(1e-4, 0.1))
    bpr |= magnitudes(n_epochs=(min(20, most_epochs), most_epochs)) | {"negative_power": Real(0.0, 1.0)}
    return by_name(
        Variant.of("random_order"),
        Variant.of("most_popular"),
        Variant.of("item_knn", learned | near),
        Variant.of("ease", learned | magnitudes(l2=(10.0, 3000.0))),
        Variant.of("implicit_als", learned | als),
        Variant("bpr_published", "BPR, D's settings", "bpr", {**PUBLISHED_BPR, "threshold": threshold}),
        Variant.of("bpr", learned | bpr, optimiser="sgd"),
    )


def rating_variants() -> dict[str, Variant]:
    """Return the models of ratings, and C's embeddings, that are ranked too, as their pages found best; by RMSE."""
    sets = ("raters", "rated")
    svd = magnitudes(n_factors=(8, 64)) | {"n_epochs": Integer(10, 40)}
    svd |= magnitudes(lr_all=(2e-3, 2e-2), reg_all=(2e-2, 0.2))
    als = magnitudes(n_factors=(2, 32)) | penalties(sets, USUAL)
    gravity = {"learning_rate": 20.0, "n_epochs": 100, "initial_scale": 0.05, "l2": 0.1, "gravity": 1.0}
    machine = {"n_factors": 10, "n_iterations": 100, "n_samples": 75}
    return by_name(
        Variant.of("bias"),
        Variant.of("svd", svd, centre="none", estimate_limit=None),
        Variant.of("soft_impute", magnitudes(shrinkage=(5.0, 80.0))),
        Variant.of("side_information_als", als, groups=sets, feature_biases=True, n_iterations=15),
        Variant.of("factorisation_machine", None, groups=sets, **machine),
        Variant.of("two_tower"),
        Variant.of("matrix_factorisation", None, n_factors=32, **gravity),
        Variant.of("softmax", n_factors=32, n_epochs=30),
    )


def validation_fit(variant: Variant, *, k: int, threshold: float) -> Fit:
    """Return the fit of a search, on ``train``, judged on ``validation`` by what the model is for: RMSE, or nDCG at k."""
    score = {"by": "purpose", "k": k, "threshold": threshold}
    return Fit(variant.model, variant.fixed, test="validation", measure={"score": score})


def list_fits(
    variants: Mapping[str, Variant],
    chosen: Mapping[str, Mapping],
    starts: Mapping[str, int],
    *,
    ks: Sequence[int],
    threshold: float,
) -> list[Fit]:
    """Return the fits that draw everybody's lists, on ``train``, labelled ``variant`` and ``seed``.

    `chosen` has a point of each variant's search, `starts` the number of random starts of those to fit. Starts after
    the first are repeats: the project keeps their hits.
    """
    fits = []
    for name, n_starts in starts.items():
        one = variants[name]
        parameters = one.parameters(chosen.get(name, {}))
        labels = {"variant": name, "seed": 0}
        first = Fit(one.model, parameters, test="", measure={"lists": {"k": max(ks)}}, labels=labels)
        repeat = replace(first, test="test", keep="ranking", measure={"hits": {"ks": list(ks), "threshold": threshold}})
        fits += [first, *(replace(repeat, seed=n, labels={**labels, "seed": n}) for n in range(1, n_starts))]
    return fits


def epoch_fits(one: Variant, chosen: Mapping, n_epochs: int, *, ks: Sequence[int], threshold: float) -> list[Fit]:
    """Return fits of a variant with 1 to `n_epochs` epochs, each the longer one's beginning: its `loss`, and its lists' hits."""
    measure: dict[str, Mapping] = {"hits": {"ks": list(ks), "threshold": threshold}, f"{__name__}:loss": {}}
    return [
        Fit(one.model, {**one.parameters(chosen), "n_epochs": n}, measure=measure, labels={"n_epochs": n})
        for n in range(1, n_epochs + 1)
    ]


def loss(fitted: Fitted) -> dict[str, float]:
    """Return ``loss``, the training loss of the last epoch."""
    return {"loss": float(fitted.model.train_loss_[-1])}


def example(
    lists: Mapping[str, TopK], train: Interactions, test: Interactions, user_id, n: int, threshold: float
) -> pd.DataFrame:
    """Put models' first `n` films for a user (raw id, or ValueError) side by side, an asterisk at liked test films."""
    code = int(train.user_codes([user_id])[0])
    if code < 0:
        raise ValueError(f"user {user_id} is not in the data; choose one of {train.n_users:,} users")
    liked = set(test.items[(test.users == code) & (test.ratings >= threshold)].tolist())
    columns: dict[str, list] = {"rank": list(range(1, n + 1))}
    for name, top in lists.items():
        items = top.items[np.flatnonzero(top.users == code)[0], :n]
        titles = titles_of(train, items)
        columns[name] = [title + HIT * (item in liked) for title, item in zip(titles, items, strict=True)]
    return pd.DataFrame(columns)
