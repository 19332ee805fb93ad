"""MovieLens by name: one `Dataset` type, whichever source and format the files come in.

>>> from lib.data.dataset import load
>>> ratings = load("ml-100k").interactions  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from lib.data import readers
from lib.data.catalogue import Entry, entries, entry
from lib.data.errors import CorruptDataset, DatasetUnavailable, UnknownDataset
from lib.data.genres import genre_matrix
from lib.data.interactions import Interactions, InvalidRatings
from lib.data.sources import Files, find

FOLDS = ("u1", "u2", "u3", "u4", "u5")
"""The published folds of ml-100k."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with their side tables, and where they came from.

    Parameters
    ----------
    name, title : str
        ``ml-100k``, "MovieLens 100K".
    interactions : Interactions
        In the source file's order, with the side tables that the data set has. ``user_table`` (None for
        ml-latest-small and ml-20m): ``age`` in years (ml-1m: the lower end of an age group), ``gender`` "F" or "M",
        ``occupation``, ``zip_code``. ``item_table``: ``title`` without its year, ``year`` (Int64, may be missing),
        ``genres`` joined by ``|`` (empty: none); ml-latest-small and ml-20m also
        ``tags``, what people wrote about the film, likewise joined. Tags were partly written after rating the film;
        who wrote them is left out.
    citation, licence : str
        For every report on the data.
    checksums : dict of str to str
        The sha256 of each file that was read.
    source : str
        Which source served it: ``MOVIELENS_DIR``, ``data/raw``, ``GroupLens`` or ``package index``.
    origin : str
        How that source came by the files.
    """

    name: str
    title: str
    interactions: Interactions
    citation: str
    licence: str
    checksums: dict[str, str] = field(default_factory=dict)
    source: str = ""
    origin: str = ""

    def __repr__(self) -> str:
        return f"Dataset({self.name}: {self.interactions!r}, from {self.source})"


def load(
    name: str = "ml-100k", *, directory: Path | str | None = None, cache: Path | str | None = None
) -> Dataset:
    """Load a data set by name, fetching it on first use.

    Parameters
    ----------
    name : str
        A name of the manifest: ml-100k, ml-1m, ml-latest-small or ml-20m; or the path of a folder that holds a reader's
        own ratings, brought into the project's form by ``run_notebooks.py --dataset FILE``.
    directory : path, optional
        A folder of the user's with unpacked data sets or official zips; default: ``MOVIELENS_DIR``.
    cache : path, optional
        Where fetched files are kept; default: ``data/raw``.

    Raises
    ------
    UnknownDataset
        No data set has that name.
    DatasetUnavailable
        No source could serve it; the message lists what each answered and what to do.
    CorruptDataset
        A file has a wrong checksum, cannot be read, or does not hold what the manifest counts.
    """
    if "/" in name or "\\" in name:
        # By name, as what reads a reader's own ratings must not count among what MovieLens's results depend on.
        return import_module("lib.data.prepared").load_prepared(Path(name))
    known = entry(name)
    files = find(known, directory=directory, cache=cache)
    frame, user_table, item_table = _tables(known, files)
    try:
        interactions = Interactions.from_frame(
            frame, scale=known.scale, user_table=user_table, item_table=item_table, source=known.title
        )
    except InvalidRatings as error:
        raise CorruptDataset(f"{next(iter(files.places.values()))}: {error}") from error
    _check_counts(known, interactions)
    interactions = replace(interactions, origin=(known.name,))
    return Dataset(
        known.name, known.title, interactions, known.citation, known.licence, files.checksums, files.source,
        files.origin,
    )  # fmt: skip


def published_fold(name: str, fold: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a published fold, u1 to u5 of ml-100k.

    Fold uN's test ratings are lines 20,000 (N - 1) + 1 to 20,000 N of u.data, its training ratings all others.

    Returns
    -------
    train, test : ndarray of int64, shapes (80000,) and (20000,)
        Row indices into the data set's interactions, ascending.

    Raises
    ------
    ValueError
        The data set has no published folds, or none of that name.
    """
    if entry(name).name != "ml-100k":
        raise ValueError(f"{name} has no published folds; only ml-100k has ({', '.join(FOLDS)})")
    if fold not in FOLDS:
        raise ValueError(f"ml-100k has no fold {fold!r}; its folds are {', '.join(FOLDS)}")
    rows = np.arange(entry(name).counts["ratings"])
    size = len(rows) // len(FOLDS)
    start = FOLDS.index(fold) * size
    return np.concatenate([rows[:start], rows[start + size :]]), rows[start : start + size]


def _tables(known: Entry, files: Files):
    """Parse the files of a data set's format into ratings, user table and item table."""

    def read(reader, name, **options):
        return reader(files.content[name], files.places.get(name, name), **options)

    if known.format == "ml-100k":
        items = (
            read(readers.read_items_100k, "u.item")
            if "u.item" in files.content
            else read(readers.read_items_rebuilt, "items.tsv")
        )
        return (
            read(readers.read_ratings, "u.data", separator="\t"),
            read(readers.read_users_100k, "u.user"),
            items,
        )
    if known.format == "ml-1m":
        return (
            read(readers.read_ratings, "ratings.dat", separator="::"),
            read(readers.read_users_1m, "users.dat"),
            read(readers.read_items_1m, "movies.dat"),
        )
    ratings = read(
        readers.read_ratings, "ratings.csv", separator=",", header="userId,movieId,rating,timestamp"
    )
    items = read(readers.read_items_csv, "movies.csv")
    return ratings, None, items.assign(tags=read(readers.read_tags_csv, "tags.csv", items=items.index))


def _check_counts(known: Entry, interactions: Interactions) -> None:
    """Hold the parsed ratings to the manifest's counts: the last net, and the only one where no sha256 is known."""
    found = {
        "ratings": len(interactions),
        "users": int(np.count_nonzero(interactions.user_counts)),
        "items": int(np.count_nonzero(interactions.item_counts)),
    }
    if found != known.counts:
        told = [f"{kind}: expected {known.counts[kind]:,}, found {found[kind]:,}" for kind in found]
        raise CorruptDataset(
            f"{known.title} is not the edition that the manifest names ({'; '.join(told)}). Get {known.url} again."
        )


__all__ = [
    "FOLDS",
    "CorruptDataset",
    "Dataset",
    "DatasetUnavailable",
    "UnknownDataset",
    "entries",
    "entry",
    "genre_matrix",
    "load",
    "published_fold",
]
