"""Project C's study: which models' embeddings are looked at, and what is measured of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lib.data.feature_groups import genre_matrix
from lib.data.interactions import Interactions
from lib.experiment.fit import Fit, Fitted, Stopping
from lib.metrics import evaluate_ranking, recommend
from lib.metrics.lists import TopK, top_k
from lib.metrics.rating import rmse
from lib.models.base import Recommender
from lib.studies.embeddings import measures
from lib.studies.embeddings.neighbours import SIMILARITIES, similarities

COURSE: dict[str, Any] = {"learning_rate": 20.0, "n_epochs": 100}  # the scale of the course's notebook, which C follows

NARROW = {**COURSE, "initial_scale": 0.05}
FEATURES = ("genres", "year")

VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {  # label, model, hyperparameters beside `n_factors`, `seed`
    "plain": ("Plain, wide start", "matrix_factorisation", {**COURSE, "initial_scale": 0.5}),
    "plain_small": ("Plain, small start", "matrix_factorisation", NARROW),
    "l2": ("L2", "matrix_factorisation", {**NARROW, "l2": 0.1}),
    "gravity": ("L2 and gravity", "matrix_factorisation", {**NARROW, "l2": 0.1, "gravity": 1.0}),
    "softmax": ("Softmax", "softmax", {"n_epochs": 30}),
    "softmax_separate": ("Softmax, separate embeddings", "softmax", {"n_epochs": 30, "shared": False}),
    "softmax_hidden": ("Softmax, hidden layer", "softmax", {"n_epochs": 30, "hidden_sizes": (64,)}),
    "softmax_features": ("Softmax, genres and year", "softmax", {"n_epochs": 30, "groups": FEATURES}),
}


def variant_fit(name: str, *, seed: int, measure: Mapping[str, Mapping], validation: str = "", **changes) -> Fit:
    """Return a variant's fit, labelled with its `changes`; errors on `validation` are followed, nothing stops by them."""
    _, model, parameters = VARIANTS[name]
    stopping = Stopping(validation=validation, refit=False) if validation else None
    labels = {"variant": name, "seed": seed, **changes}
    return Fit(model, {**parameters, **changes}, seed=seed, measure=measure, stopping=stopping, labels=labels)


def sweep_fits(
    given: Mapping[str, Mapping[str, Any]],
    sweeps: Mapping[str, tuple[Sequence[str], str, Sequence[Any]]],
    *,
    n_starts: int,
    sweep_starts: int,
    measure: Mapping[str, Mapping[str, Any]],
) -> list[Fit]:
    """Return the fits of all variants at their `given` hyperparameters, then of variants with one of these swept.

    Labelled ``section``: ``main``, or the sweep's name; `sweeps` have by name the variants, the hyperparameter and its values.
    """
    wanted: list[tuple] = [("main", name, start, {}) for name in given for start in range(n_starts)]
    for section, (names, swept, values) in sweeps.items():
        points = product(names, values, range(sweep_starts))
        wanted += [(section, name, start, {swept: value}) for name, value, start in points]
    fits = []
    for section, name, start, changes in wanted:
        fit = variant_fit(name, seed=start, measure=measure, **{**given[name], **changes})
        fits.append(replace(fit, labels={**fit.labels, "section": section}))
    return fits


def recommended(model: Recommender, train: Interactions, k: int, kind: str | float) -> TopK:
    """Recommend k unseen films to each user by dot product (as the model scores) or another of the `similarities`.

    Films without a training rating, whose embeddings are arbitrary, are never recommended.
    """
    if kind == "dot" and not (train.item_counts == 0).any():
        return recommend(model, train, k)
    rated = np.flatnonzero(train.item_counts)
    users = np.flatnonzero(train.user_counts)
    scores = similarities(model.user_embeddings_[users], model.item_embeddings_[rated], kind)
    top = top_k(scores, k, train.matrix[users][:, rated], users=users)
    items = np.where(top.items >= 0, rated[top.items], -1)
    return TopK(users.astype(np.int32), items.astype(np.int32), top.scores, train.n_items)


def embeddings(
    fitted: Fitted, *, k: int, least_ratings: int, threshold: float, similarity: str | float = "cosine"
) -> dict[str, float]:
    """Measure predictions, lists, norms, neighbours and structure.

    Lists and neighbourhoods hold k films; films with fewer than `least_ratings` are no neighbours; a test rating of
    `threshold` or more is relevant; folding is that of neighbours by `similarity`. Errors are unclipped mean squares as
    project C has them, and the clipped ``test_rmse``, all NaN for a model that predicts no ratings.
    """
    model, train, test = fitted.model, fitted.train, fitted.test
    found = dict.fromkeys(("train_mse", "test_mse", "test_rmse"), np.nan)
    if model.predicts_ratings:
        known, asked = (model.predict(part.users, part.items) for part in (train, test))
        found = {"train_mse": rmse(train.ratings, known) ** 2, "test_mse": rmse(test.ratings, asked) ** 2}
        found["test_rmse"] = rmse(test.ratings, test.scale.clip(asked))
    for kind in SIMILARITIES:
        top = recommended(model, train, k, kind)
        metrics = evaluate_ranking(top, test, threshold=threshold).metrics()
        found |= {f"{metric}_{kind}": metrics[f"{metric}@{k}"] for metric in ("ndcg", "coverage")}
        found[f"popularity_{kind}"] = measures.neighbour_popularity(top.items, train.item_counts)
    return found | embedding_measures(model.item_embeddings_, train, k, least_ratings, similarity)


def embedding_measures(
    embeddings: np.ndarray, train: Interactions, k: int, least_ratings: int, similarity: str | float = "cosine"
) -> dict[str, float]:
    """Measure film embeddings by themselves: norms, neighbours, structure, folding."""
    films, genres, names = looked_at(train, least_ratings)
    main = measures.main_genres(genres, names)[films]
    found = {
        "norm_popularity": measures.norm_popularity(embeddings, train.item_counts),
        "rare_norm": measures.rare_to_popular_norm(embeddings, train.item_counts),
        "effective_rank": measures.effective_rank(embeddings[films]),
        "silhouette": measures.silhouette(embeddings[films], main),
    }
    for kind in dict.fromkeys((*SIMILARITIES, similarity)):
        near = measures.film_neighbours(embeddings, films, k, kind=kind)
        measured = neighbour_measures(near, films, genres, train)
        for name in ("genre_agreement", "neighbour_popularity"):
            found[f"{name}_{kind}"] = measured.pop(name)
        found |= measured if kind == similarity else {}
    return found


def by_power(
    models: Mapping[str, Recommender],
    train: Interactions,
    test: Interactions,
    powers: Iterable[float],
    *,
    k: int,
    threshold: float,
    least_ratings: int,
) -> pd.DataFrame:
    """Measure lists and neighbours by similarities between cosine (power 0) and dot product (power 1), a row a model and power.

    ``variant``, ``power``, ``ndcg``, ``times_random`` (popularity of listed films over that of a rated film at random) and
    ``genre_agreement``.
    """
    films, genres, _ = looked_at(train, least_ratings)
    at_random, rows = train.item_counts[train.item_counts > 0].mean(), []
    for (name, model), power in product(models.items(), powers):
        top = recommended(model, train, k, power)
        ndcg = evaluate_ranking(top, test, threshold=threshold).metrics()[f"ndcg@{k}"]
        popularity = measures.neighbour_popularity(top.items, train.item_counts)
        near = measures.film_neighbours(model.item_embeddings_, films, k, kind=power)
        agreement = measures.genre_agreement(near, films, genres).mean()
        rows.append((name, power, ndcg, popularity / at_random, agreement))
    return pd.DataFrame(rows, columns=["variant", "power", "ndcg", "times_random", "genre_agreement"])


def neighbour_measures(near: np.ndarray, films: np.ndarray, genres: np.ndarray, train: Interactions) -> dict:
    """Measure the neighbours of some films: shared genres, popularity, folding."""
    folded, _ = measures.folding(near, films, train)
    agreement = float(measures.genre_agreement(near, films, genres).mean())
    popularity = measures.neighbour_popularity(near, train.item_counts)
    return {"genre_agreement": agreement, "neighbour_popularity": popularity, **folded}


def looked_at(train: Interactions, least_ratings: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return films with enough ratings and a genre (fewer than two: ValueError), all films' genres, and their names."""
    names, flags = genre_matrix(train.item_table)
    genres = flags > 0
    films = np.flatnonzero((train.item_counts >= least_ratings) & genres.any(axis=1))
    if len(films) < 2:
        raise ValueError(f"fewer than two films have {least_ratings} ratings; lower least_ratings")
    return films, genres, tuple(names)


def reference_measures(train: Interactions, k: int, least_ratings: int) -> dict[str, dict[str, float]]:
    """Return what neighbours by chance, and by common raters (item-kNN on who rated what), reach on the same films."""
    films, genres, _ = looked_at(train, least_ratings)
    raters = measures.co_rating_embeddings(train)[films].toarray()
    near = films[measures.film_neighbours(raters, np.arange(len(films)), k)]
    _, folded = measures.folding(near, films, train)
    agreement, popularity = measures.chance_agreement(films, genres), float(train.item_counts[films].mean())
    chance = {"genre_agreement": agreement, "neighbour_popularity": popularity, **folded}
    return {"chance": chance, "co_rating": neighbour_measures(near, films, genres, train)}
