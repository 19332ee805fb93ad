"""Seconds and memory of one pass of each family over 100,000 to 20 million ratings: ``python -m benchmarks.costs [RATINGS ...]``.

Made-up ratings have the shapes of MovieLens' four sizes. A size is a process of its own, in which models and peers are fitted one
after the other on one core, after a fit of a few ratings that compiles. It takes half an hour and writes reports/data/costs.csv,
of which the page of the one table draws curves.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from functools import partial as bound
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.pairs import clocked, installed, on_threads
from lib import ROOT
from lib.data.files import whole_file
from lib.data.interactions import Interactions
from lib.data.made_up import made_up_ratings
from lib.experiment.peak_memory import PeakMemory
from lib.models import cards, create

TARGET = ROOT / "reports" / "data" / "costs.csv"
SHAPES = (
    (100_000, 943, 1_682),
    (1_000_000, 6_040, 3_706),
    (10_000_000, 69_878, 10_677),
    (20_000_000, 138_493, 26_744),
)
MOST_FILMS = {"ease": 11_000}
"""Films for which a dense matrix of films and films is still inverted here."""

EPOCH, FACTORS = {"n_epochs": 1}, {"n_factors": 50}
SUBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bias": ("fit", {}),
    "biased_svd": ("epoch, 50 factors", FACTORS | EPOCH),
    "svdpp": ("epoch, 50 factors", FACTORS | EPOCH),
    "asymmetric_svd": ("epoch, 50 factors", FACTORS | EPOCH),
    "soft_impute": ("iteration", {"max_iterations": 1}),
    "side_information_als": ("iteration, 32 factors", {"n_factors": 32, "n_iterations": 1}),
    "factorisation_machine": ("sweep, 10 factors", {"n_factors": 10, "n_iterations": 1, "n_samples": 1}),
    "autorec": ("epoch", {"form": "item", "hidden_sizes": (500,), "epochs": 1}),
    "neural_mf": ("epoch", {"epochs": 1}),
    "two_tower": ("epoch", {"epochs": 1}),
    "item_knn": ("fit, 100 neighbours", {}),
    "ease": ("fit", {}),
    "implicit_als": ("iteration, 64 factors", {"n_factors": 64, "n_iterations": 1}),
    "bpr": ("epoch, 64 factors", {"n_factors": 64} | EPOCH),
}
"""What is timed of a model, and with which hyperparameters."""


def _cornac(data: Interactions) -> Callable[[], Any]:
    import cornac

    triples = list(zip(data.users.tolist(), data.items.tolist(), data.ratings.tolist(), strict=True))
    known = cornac.data.Dataset.from_uir(triples, seed=0)
    return lambda: cornac.models.MF(k=50, max_iter=1, num_threads=1, seed=0).fit(known)


def _implicit(data: Interactions) -> Callable[[], Any]:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    matrix = sparse.csr_matrix(data.matrix, dtype=np.float32)
    model = BayesianPersonalizedRanking(factors=64, iterations=1, num_threads=1, random_state=0)
    return lambda: model.fit(matrix, show_progress=False)


def _cmfrec(data: Interactions) -> Callable[[], Any]:
    import cmfrec

    frame = pd.DataFrame({"UserId": data.users, "ItemId": data.items, "Rating": data.ratings})
    return lambda: cmfrec.CMF(method="als", k=32, lambda_=10.0, niter=1, nthreads=1, verbose=False).fit(frame)


PEERS = {
    "biased_svd": ("cornac", _cornac),
    "bpr": ("implicit", _implicit),
    "side_information_als": ("cmfrec", _cmfrec),
}
"""By model, a peer that does the same pass, and what makes its fit of data in its own form."""


def costs(shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Return a row a subject and a peer for one size: ``seconds``, and ``mebibytes`` by which the process grew at its peak."""
    data, few = made_up_ratings(*shape), made_up_ratings(2_000, 200, 100)
    rows = []

    def measure(name: str, peer: str, what: str, fit: Callable[[], Any]) -> None:
        with on_threads(1), PeakMemory() as memory:
            seconds, _ = clocked(fit)
        told = {"model": name, "label": cards()[name].label, "family": cards()[name].family, "peer": peer}
        rows.append({**told, "pass": what, "ratings": shape[0], "seconds": seconds, "mebibytes": memory.mib})
        print(f"  {name} {peer}: {seconds:.2f} s, {memory.mib:.0f} MiB", flush=True)

    for name, (what, parameters) in SUBJECTS.items():
        if shape[2] > MOST_FILMS.get(name, shape[2]):
            continue
        create(name, **parameters).fit(few)
        measure(name, "", what, bound(create(name, **parameters).fit, data))
        if name in PEERS and installed(PEERS[name][0]):
            peer, made = PEERS[name]
            measure(name, peer, what, made(data))
    return rows


def main(wanted: list[str]) -> None:
    """Measure all sizes, or those with so many ratings, each in a process of its own; the others keep their rows."""
    for shape in SHAPES:
        if wanted and str(shape[0]) not in wanted:
            continue
        print(f"{shape[0]:,} ratings", flush=True)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            table = pd.DataFrame(pool.apply(costs, (shape,))).round({"seconds": 4, "mebibytes": 1})
        if TARGET.exists():
            kept = pd.read_csv(TARGET, keep_default_na=False)
            table = pd.concat([kept[kept["ratings"] != shape[0]], table])
        with whole_file(TARGET) as partial:
            table.sort_values("ratings", kind="stable").to_csv(partial, index=False)


if __name__ == "__main__":
    main(sys.argv[1:])
