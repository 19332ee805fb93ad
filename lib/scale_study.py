"""One epoch of a model on made-up data of a large data set's shape: seconds, and the memory it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lib.grid import Grid
from lib.models import create
from lib.neural_study import PUBLISHED_AUTOREC
from lib.processes import source_version
from lib.provenance import collect_provenance
from lib.ranking_study import PUBLISHED_BPR
from lib.results import runs_folder
from lib.stored_grids import grid_rows
from lib.synthetic import made_up_ratings

ITEM_AUTOREC = {"form": "item", "hidden_sizes": (500,)}
"""The network of the original paper, in its size."""

Subjects = Mapping[str, tuple[str, Mapping[str, Any]]]
"""A registered model and its hyperparameters, with one epoch, by the name that readers see."""

NETWORKS: Subjects = {
    "User AutoRec, D's size": ("autorec", {**PUBLISHED_AUTOREC, "epochs": 1}),
    "Item AutoRec": ("autorec", {**ITEM_AUTOREC, "epochs": 1}),
    "BPR, D's settings": ("bpr", {**PUBLISHED_BPR, "n_epochs": 1}),
    "BPR": ("bpr", {"n_factors": 128, "n_epochs": 1}),
}

NETWORK_MODULES = (
    "lib.models.autorec", "lib.models.autorec_network", "lib.models.autorec_answers",
    "lib.models.row_centring", "lib.models.sparse_network", "lib.models.sparse_kernels", "lib.models.adam",
    "lib.models.bpr", "lib.models.bpr_engine", "lib.models.bpr_sampling",
)  # fmt: skip


def epochs_at_scale(
    subjects: Subjects, n_ratings: int, n_users: int, n_items: int, *, modules: Sequence[str], runs_dir: str | Path = "",
    stored: Path | None = None, seed: int = 0, say: Callable[[str], None] | None = print,
) -> list[dict[str, Any]]:  # fmt: skip
    """Time one epoch of each subject, each in a new process with one thread.

    Parameters
    ----------
    subjects : mapping
    n_ratings, n_users, n_items : int
        Of the made-up data (`lib.synthetic.made_up_ratings`).
    modules : sequence of str
        What the subjects' speed depends on.
    runs_dir : str or Path
        Folder of all runs, for measurements that are finished; empty for the project's own.
    stored : Path, optional
        Folder of measurements that are kept for good (`lib.stored_grids`): one that is there is not made again.
    seed : int
        Of the data.

    Returns
    -------
    list of dict
        ``model``, ``ratings``, ``seconds`` (fit of one epoch, preparation of the data included), ``mebibytes`` (the most
        memory that the process held meanwhile, the ratings included), and ``machine`` and ``day`` of the measurement.
    """
    rows = []
    for name, (model, parameters) in subjects.items():
        context = {"shape": (n_ratings, n_users, n_items, seed)}
        version = source_version("lib.scale_study", *modules)
        store = runs_folder(runs_dir) / ".grids" / "scale"
        with Grid(measure, context=context, store=store, version=version, workers=1, say=say) as grid:
            jobs = [{"model": model, "parameters": dict(parameters)}]
            (found,) = grid_rows(grid, jobs, name=f"scale_{model}", uses=("shape",), runs_dir=runs_dir, stored=stored)  # fmt: skip
        rows.append(
            {
                "model": name,
                "ratings": n_ratings,
                "seconds": found["seconds_fit"],
                "mebibytes": found["mebibytes"],
                "machine": found["machine"],
                "day": found["day"],
            }
        )
    return rows


def measure(context: Mapping[str, Any], *, model: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Make the data and fit one epoch of one model; everything was compiled on small data before."""
    where = collect_provenance()
    n_ratings, n_users, n_items, seed = context["shape"]
    create(model, **parameters).fit(made_up_ratings(2_000, 200, 100, seed=seed))
    data = made_up_ratings(n_ratings, n_users, n_items, seed=seed)
    forget_peak()
    start = time.perf_counter()
    create(model, **parameters).fit(data)
    seconds = time.perf_counter() - start
    return {
        "seconds_fit": seconds, "mebibytes": peak_mebibytes(), "machine": where["processor"], "day": where["finished"][:10],
    }  # fmt: skip


def where_measured(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say on which machines, and when, measurements were made."""
    return "; ".join(
        dict.fromkeys(f"{row['machine'] or 'an unnamed processor'}, {row['day']}" for row in rows)
    )


def forget_peak() -> None:
    """Have the kernel count the peak of this process's memory from now on, where it can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mebibytes() -> float:
    """Return the most memory that this process has held, as far as it is known since `forget_peak`; NaN on Windows."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:
        return float("nan")
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    )  # bytes on macOS, the one other system here
