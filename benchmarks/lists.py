"""Models of lists: EASE, item-kNN, Bayesian personalised ranking, on one thread and two.

The error is one less nDCG at 10 over the whole catalogue on the test ratings of a tenth held out. irspack comes as source: it
needs a C++ compiler. The bits of ours do not depend on the threads; EASE's time does through BLAS alone.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from benchmarks.pairs import Side, compare, installed, list_error
from lib.data.dataset import load
from lib.data.splits import Split, make_split
from lib.models import create

NEIGHBOURS, SHRINKAGE, L2 = 100, 10.0, 300.0
"""Both peers count a film itself among its neighbours: ours has one less."""
FACTORS, EPOCHS, RATE, PENALTY = 64, 15, 0.05, 0.01


def run() -> list[dict]:
    split = make_split(load("ml-1m"), "random_90_10", seed=42)
    for name in ("ease", "item_knn"):  # compiles
        create(name).fit(split.train.take(np.arange(5000)))
    create("bpr", n_factors=2, n_epochs=1).fit(split.train.take(np.arange(5000)))
    matrix = sparse.csr_matrix(split.train.matrix, dtype=np.float32)
    matrix.data[:] = 1
    rows = []
    for threads in (1, 2):
        rows += [_bpr(split, matrix, threads), _knn_implicit(split, matrix, threads)]
        if installed("irspack"):
            rows += [_ease(split, matrix, threads), _knn_irspack(split, matrix, threads)]
    return rows


def _ours(name: str, split: Split, **parameters) -> Side:
    takes_seed = "seed" in create(name).parameters

    def fit(seed: int):
        return create(name, **parameters, **({"seed": seed} if takes_seed else {})).fit(split.train)

    return Side(name, fit, lambda model: list_error(split, model.score(np.arange(split.train.n_users))))


def _ease(split: Split, matrix, threads: int) -> dict:
    from irspack import DenseSLIMRecommender

    def fit(_: int):
        return DenseSLIMRecommender(matrix, reg=L2).learn()

    peer = Side("irspack", fit, lambda model: list_error(split, model.get_score(np.arange(matrix.shape[0]))))
    options = {"dataset": "ml-1m", "threads": threads, "headline": threads == 1}
    note = f"l2 of {L2:g}; error: 1 - nDCG@10"
    return compare("ease", _ours("ease", split, l2=L2), peer, note=note, **options)


def _knn_irspack(split: Split, matrix, threads: int) -> dict:
    from irspack import CosineKNNRecommender

    def fit(_: int):
        options = {"top_k": NEIGHBOURS, "shrinkage": SHRINKAGE, "normalize": True, "n_threads": threads}
        return CosineKNNRecommender(matrix, **options).learn()

    peer = Side("irspack", fit, lambda model: list_error(split, model.get_score(np.arange(matrix.shape[0]))))
    return _knn(split, peer, threads, SHRINKAGE)


def _knn_implicit(split: Split, matrix, threads: int) -> dict:
    from implicit.nearest_neighbours import CosineRecommender

    def fit(_: int):
        model = CosineRecommender(K=NEIGHBOURS, num_threads=threads)
        model.fit(matrix, show_progress=False)
        return model

    def error(model) -> float:
        return list_error(split, (matrix @ model.similarity).toarray())

    return _knn(split, Side("implicit", fit, error), threads, 0.0, headline=threads == 1)


def _knn(split: Split, peer: Side, threads: int, shrinkage: float, *, headline: bool = False) -> dict:
    ours = _ours("item_knn", split, n_neighbours=NEIGHBOURS - 1, shrinkage=shrinkage)
    note = f"{NEIGHBOURS} neighbours by cosine, the film itself among them, shrinkage {shrinkage:g}; error: 1 - nDCG@10"
    return compare("knn", ours, peer, dataset="ml-1m", note=note, threads=threads, headline=headline)


def _bpr(split: Split, matrix, threads: int) -> dict:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    settings = {"n_factors": FACTORS, "n_epochs": EPOCHS, "learning_rate": RATE, "l2": PENALTY}
    # The peer's start is even over a width of one over the factors.
    ours = _ours("bpr", split, **settings, initial_scale=1 / (FACTORS * np.sqrt(12)))

    def fit(seed: int):
        model = BayesianPersonalizedRanking(
            factors=FACTORS, iterations=EPOCHS, learning_rate=RATE, regularization=PENALTY, num_threads=threads,
            random_state=seed,
        )  # fmt: skip
        model.fit(matrix, show_progress=False)
        return model

    peer = Side("implicit", fit, lambda model: list_error(split, model.user_factors @ model.item_factors.T))
    note = f"{FACTORS} factors, {EPOCHS} epochs, a triplet a rating; error: 1 - nDCG@10"
    options = {"dataset": "ml-1m", "threads": threads, "headline": threads == 1}
    return compare("bpr", ours, peer, note=note, **options)


if __name__ == "__main__":
    for row in run():
        print(row)
