"""All faults of all kinds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults import (
    damaged_data,
    damaged_store,
    environments,
    full_disk,
    kept_layer,
    kills,
    own_files,
    parameters,
    ratings,
)
from tests.faults.bench import Fault

KINDS = (own_files, damaged_store, damaged_data, kept_layer, ratings, parameters, environments, full_disk, kills)


def every_fault() -> Iterator[Fault]:
    """Go through all faults, in the same order each time."""
    for kind in KINDS:
        yield from kind.faults()
