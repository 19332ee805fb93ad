"""``--from-scratch`` and ``--search-anew``: what has to be made since when, so that a call that was ended goes on."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Collection
from contextlib import contextmanager

from lib.runner.options import Options
from lib.runner.plan import Plan
from lib.runner.progress import duration
from lib.runner.store import Store, read_json, write_whole
from lib.runner.work import available_cores

FILE = ".from_scratch"
"""In the folder of the runs, until the call has ended well."""


def since(store: Store, options: Options) -> dict[str, float]:
    """Return the times since when fits, and searches, have to be made to count; empty where any do."""
    if not (options.from_scratch or options.search_anew):
        return {}
    kinds = ["fits", *(["searches"] if options.search_anew else [])]
    began = read_json(store.runs_dir / FILE) or {}
    return began if sorted(began) == kinds else dict.fromkeys(kinds, time.time())


def still_to_make(store: Store, runs: Collection[str], anew: dict[str, float]) -> set[str]:
    """Return those of some runs that were not executed since then."""
    if not anew:
        return set()
    began = datetime.datetime.fromtimestamp(min(anew.values()), datetime.UTC).isoformat(timespec="seconds")
    records = {name: store.record(name) or {} for name in runs}
    return {n for n, record in records.items() if store.as_made(n) or record.get("finished", "") <= began}


@contextmanager
def remembered(store: Store, plan: Plan, runs: Collection[str], anew: dict[str, float]):
    """Keep the times in the folder of the runs until the block has ended with a 0 in the list that it is given."""
    code: list[int] = []
    if anew:
        took = duration(sum(plan.run(name).seconds or 0.0 for name in runs) / available_cores())
        again = ""
        if "searches" in anew:
            longer = duration(_seconds_of_searches() / available_cores())
            again = f", and the searches that made the choices are repeated, which takes up to {longer} more"
        print(f"Everything is fitted anew, which takes about {took}{again}. A call that is ended goes on.")
        write_whole(store.runs_dir / FILE, json.dumps(anew))
    yield code
    if anew and code == [0]:
        (store.runs_dir / FILE).unlink(missing_ok=True)


def _seconds_of_searches() -> float:
    from lib.experiment.records import KEPT, read_kept

    seconds = (read_kept(file)["trials"]["seconds"] for file in (KEPT / "searches").glob("*.json.gz"))
    return sum(sum(filter(None, trials)) for trials in seconds)
