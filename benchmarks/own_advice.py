"""Hold the first paragraph of a report on own ratings against scikit-surprise and implicit: ``python -m benchmarks.own_advice``.

Five made-up files have the shapes of public ones: half stars, 0 to 10 with zeros, counts, one rating a user, text ids
with times. Each goes through the runner in its quick profile, in minutes all. The peers, with their own defaults, see the
ratings of the same first split, and the rows printed set what the paragraph names beside the best of them; ``own_advice.txt`` has them as they were.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

from lib import ROOT
from lib.data.dataset import load
from lib.data.splits import Split
from lib.metrics import evaluate_ranking, rmse
from lib.metrics.lists import TopK
from lib.workbench.own_ratings.protocol import parted
from tests.workbench.own_ratings.shapes import SHAPES

K = 10
WITHIN = 0.02
"""The advised model may be worse than the best peer by so large a share of its value: as much as another seed moves it."""


def surprise_errors(split: Split) -> dict[str, float]:
    """Return test errors of scikit-surprise's models, in the file's units."""
    from surprise import SVD, BaselineOnly, Dataset, KNNBaseline, Reader

    train, test = split.train.frame(), split.test.frame()
    data = Dataset.load_from_df(train[["user", "item", "rating"]], Reader(rating_scale=tuple(split.train.scale)))
    told = {"verbose": False}
    models = {"SVD": SVD(random_state=0), "KNNBaseline": KNNBaseline(**told), "BaselineOnly": BaselineOnly(**told)}
    found = {"global mean": rmse(test["rating"], np.full(len(test), train["rating"].mean()))}
    for name, model in models.items():
        model.fit(data.build_full_trainset())
        answers = [model.predict(user, item).est for user, item in zip(test["user"], test["item"], strict=True)]
        found[name] = rmse(test["rating"], np.array(answers))
    return found


def implicit_lists(split: Split, threshold: float) -> dict[str, float]:
    """Return the nDCG of lists of the library implicit's models, and of the most popular items."""
    from implicit.als import AlternatingLeastSquares
    from implicit.nearest_neighbours import CosineRecommender, TFIDFRecommender

    train = split.train
    matrix = sparse.csr_matrix(train.matrix, dtype=np.float32)
    users, found = np.arange(train.n_users, dtype=np.int32), {}
    models = {"ALS": AlternatingLeastSquares(32, random_state=0, num_threads=1)}
    models |= {"TF-IDF": TFIDFRecommender(50, num_threads=1), "cosine": CosineRecommender(50, num_threads=1)}
    for name, model in models.items():
        model.fit(matrix, show_progress=False)
        items, _ = model.recommend(users, matrix, N=K, filter_already_liked_items=True)
        found[name] = _ndcg(np.asarray(items), split, threshold)
    scores = np.tile(train.item_counts.astype(float), (train.n_users, 1))
    scores[train.users, train.items] = -1.0
    found["most popular"] = _ndcg(np.argsort(-scores, axis=1, kind="stable")[:, :K], split, threshold)
    return found


def _ndcg(items: np.ndarray, split: Split, threshold: float) -> float:
    rows = [list(dict.fromkeys(row[row >= 0].tolist())) for row in items]
    items = np.array([row + [-1] * (K - len(row)) for row in rows], dtype=np.int32)
    top = TopK(np.arange(len(items), dtype=np.int32), items, np.zeros(items.shape), split.train.n_items)
    return evaluate_ranking(top, split.test, k=K, threshold=threshold).metrics()[f"ndcg@{K}"]


def run_shape(file: Path, output: Path) -> list[dict]:
    """Report on one file, fit the peers, and return what the report advises beside the best peer, by metric."""
    command = [sys.executable, ROOT / "run_notebooks.py", "--dataset", file, "--profile", "quick", "--no-pdf"]
    done = subprocess.run([*command, "--output-dir", output], capture_output=True, text=True, check=True, cwd=ROOT)
    advice = [line for line in done.stdout.splitlines() if line.startswith("advice ")]
    print(f"\n{file.name}", *advice, sep="\n", flush=True)
    run = output / "runs" / "own_ratings"
    threshold = json.loads((run / "provenance.json").read_text())["parameters"]["threshold"]
    data = load(str(output / "ratings"))
    split = next(iter(parted(data, seed=42)[0].values()))
    peers = {f"nDCG@{K}": implicit_lists(split, threshold)}
    peers |= {} if data.meta["counted"] else {"RMSE": surprise_errors(split)}
    rows = []
    for metric, found in peers.items():
        worst_first = sorted(found, key=found.get, reverse=metric == "RMSE")
        line = next(line for line in advice if "later" not in line and f" ({metric} " in line)
        label, _, rest = line.partition(" take ")[2].partition(f" ({metric} ")
        value = float(rest.partition(")")[0])
        best = found[worst_first[-1]]
        right = value <= best * (1 + WITHIN) if metric == "RMSE" else value >= best * (1 - WITHIN)
        told = ", ".join(f"{name} {found[name]:.3f}" for name in worst_first[::-1])
        told = {"file": file.name, "metric": metric, "advised": label, "value": value, "peers": told}
        rows.append({**told, "right": "right" if right else "WRONG"})
    return rows


if __name__ == "__main__":
    wanted = [shape for shape in SHAPES if shape.__name__ in (sys.argv[1:] or [shape.__name__])]
    with tempfile.TemporaryDirectory() as folder:
        table = [row for shape in wanted for row in run_shape(shape(Path(folder)), Path(folder) / shape.__name__)]
    print()
    for row in table:
        print("{file}: {metric} of {advised} {value:.3f}; peers: {peers}; {right}".format(**row))
    sys.exit(0 if all(row["right"] == "right" for row in table) else 1)
