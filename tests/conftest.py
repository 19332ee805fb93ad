"""Data for all tests: planted ratings made here, and MovieLens where this machine can have it."""

from __future__ import annotations

import gc
import os

import numpy as np
import pandas as pd
import pytest

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before numpy loads: parallel tests must not fight over cores
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # nor burn them: Numba's threads sleep between loops

from lib.data.interactions import Interactions  # noqa: E402


def pytest_collection_finish(session):
    """Spare garbage collections, of which each measured fit begins with one, what all tests' modules hold."""
    gc.collect()
    gc.freeze()


GENRES = ("Action", "Comedy", "Drama", "Film-Noir")


def planted_interactions(
    *, n_users=80, n_items=60, density=0.5, rank=2, noise=0.15, seed=0, tables=True
) -> Interactions:
    """Ratings in 1 to 5 with biases and a low-rank taste; the last user and the last two items have none."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(n_users, rank)) @ rng.normal(size=(rank, n_items)) * 0.8
    truth = 3.2 + 0.3 * rng.normal(size=(n_users, 1)) + 0.3 * rng.normal(size=n_items) + taste
    ratings = np.clip(truth + noise * rng.normal(size=truth.shape), 1, 5)
    rated = rng.random(truth.shape) < density
    rated[-1], rated[:, -2:] = False, False
    users, items = np.nonzero(rated)
    order = rng.permutation(len(users))
    users, items = users[order], items[order]
    frame = pd.DataFrame(
        {
            "user": users + 1000,  # raw ids that are not codes
            "item": items + 1,
            "rating": ratings[users, items].astype(np.float32),
            "timestamp": rng.integers(8e8, 9e8, len(users)),
        }
    )
    user_table = pd.DataFrame(
        {
            "age": rng.integers(18, 70, n_users),
            "gender": rng.choice(["F", "M"], n_users),
            "occupation": rng.choice(["artist", "writer", "other"], n_users),
            "zip_code": "00000",
        },
        index=pd.Index(np.arange(n_users) + 1000, name="user"),
    )
    item_table = pd.DataFrame(
        {
            "title": [f"Film <b>{i}</b>, The" for i in range(n_items)],
            "year": pd.array(rng.integers(1950, 1999, n_items), dtype="Int64"),
            "genres": ["|".join(rng.choice(GENRES, rng.integers(1, 3), replace=False)) for _ in range(n_items)],
        },
        index=pd.Index(np.arange(n_items) + 1, name="item"),
    )
    return Interactions.from_frame(
        frame,
        scale=(1, 5),
        user_table=user_table if tables else None,
        item_table=item_table if tables else None,
    )


@pytest.fixture(scope="session", autouse=True)
def _records(tmp_path_factory):
    """Keep what fits leave apart from the reader's own records."""
    os.environ["REPORT_RECORDS"] = str(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="session")
def planted() -> Interactions:
    """Planted ratings with side tables."""
    return planted_interactions()


@pytest.fixture(scope="session")
def ml_100k():
    """Load MovieLens 100K, or skip with the reason why it cannot be had."""
    from lib.data.dataset import load
    from lib.data.errors import DatasetUnavailable

    try:
        return load("ml-100k")
    except DatasetUnavailable as error:
        pytest.skip(f"ml-100k cannot be had here: {error}")


@pytest.fixture
def shown(monkeypatch):
    """Catch what a notebook would show."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **options: bundles.append((bundle, options)))
    return bundles
