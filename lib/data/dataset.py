"""MovieLens by name: one `Dataset` type, whichever source and format the files come in.

>>> from lib.data.dataset import load
>>> ratings = load("ml-100k").interactions  # doctest: +SKIP
"""

from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from lib.data import readers
from lib.data.archives import digest
from lib.data.catalogue import Entry, entry
from lib.data.errors import CorruptDataset
from lib.data.interactions import Interactions, InvalidRatings
from lib.data.sources import Files, find


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with their side tables, and where they came from.

    `interactions` are in the source file's order, with the side tables that the data set has. ``user_table`` (None for
    ml-latest-small and ml-20m): ``age`` in years (ml-1m: the lower end of an age group), ``gender`` "F" or "M",
    ``occupation``, ``zip_code``. ``item_table``: ``title`` without its year, ``year`` (Int64, may be missing),
    ``genres`` joined by ``|`` (empty: none); ml-latest-small and ml-20m also ``tags``, what people wrote about the
    film, likewise joined. Tags were partly written after rating the film; who wrote them is left out. `checksums` are
    the sha256 of each file that was read; `source` is which one served it, as in `lib.data.sources.Files`.
    """

    name: str
    title: str
    interactions: Interactions
    checksums: dict[str, str] = field(default_factory=dict)
    source: str = ""

    def __repr__(self) -> str:
        return f"Dataset({self.name}: {self.interactions!r}, from {self.source})"


def load(name: str = "ml-100k") -> Dataset:
    """Load a data set by name, fetching it on first use: ml-100k, ml-1m, ml-latest-small or ml-20m.

    Or, by the path of its folder, a reader's own ratings, brought into the project's form by ``run_notebooks.py
    --dataset FILE``.

    UnknownDataset: no data set has that name. DatasetUnavailable: no source could serve it; the message lists what each
    answered and what to do. CorruptDataset: a file has a wrong checksum, cannot be read, or does not hold what the
    manifest counts.
    """
    if "/" in name or "\\" in name:
        # By name, as what reads a reader's own ratings must not count among what MovieLens's results depend on.
        return import_module("lib.data.prepared").load_prepared(Path(name))
    known = entry(name)
    files = find(known)
    frame, user_table, item_table = _tables(known, files)
    options = {"scale": known.scale, "user_table": user_table, "item_table": item_table}
    try:
        interactions = Interactions.from_frame(frame, source=known.title, **options)
    except InvalidRatings as error:
        raise CorruptDataset(f"{next(iter(files.places.values()))}: {error}") from error
    _check_counts(known, interactions)
    checksums = {file: digest(content) for file, content in files.content.items()}
    interactions = replace(interactions, origin=(known.name,))
    return Dataset(known.name, known.title, interactions, checksums, files.source)


def _tables(known: Entry, files: Files):
    """Parse the files of a data set's format into ratings, user table and item table."""

    def read(reader, name, **options):
        return reader(files.content[name], files.places[name], **options)

    if known.format == "ml-100k":
        ratings, users = read(readers.read_ratings, "u.data", separator="\t"), read(readers.read_users_100k, "u.user")
        rebuilt = "u.item" not in files.content
        items = read(readers.read_items_rebuilt, "items.tsv") if rebuilt else read(readers.read_items_100k, "u.item")
        return ratings, users, items
    if known.format == "ml-1m":
        ratings = read(readers.read_ratings, "ratings.dat", separator="::")
        return ratings, read(readers.read_users_1m, "users.dat"), read(readers.read_items_1m, "movies.dat")
    header = "userId,movieId,rating,timestamp"
    ratings = read(readers.read_ratings, "ratings.csv", separator=",", header=header)
    items = read(readers.read_items_csv, "movies.csv")
    return ratings, None, items.assign(tags=read(readers.read_tags_csv, "tags.csv", items=items.index))


def _check_counts(known: Entry, interactions: Interactions) -> None:
    """Hold the ratings to the manifest's counts: the last net, and the only one where no sha256 is known."""
    found = {"ratings": len(interactions), "users": np.count_nonzero(interactions.user_counts)}
    found["items"] = np.count_nonzero(interactions.item_counts)
    if found != known.counts:
        told = [f"{kind}: expected {known.counts[kind]:,}, found {found[kind]:,}" for kind in found]
        raise CorruptDataset(
            f"{known.title} is not the edition that the manifest names ({'; '.join(told)}). Get {known.url} again."
        )
