"""Getting the data that runs are going to read: each data set is asked for once, before the runs that read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor


def fetch(name: str) -> str:
    """Have a data set's files brought to this machine, in a process that may import pandas.

    Returns
    -------
    str
        Empty, or why no source could serve it, as `lib.datasets` says it. A file that is there and damaged is not for
        here: the run that reads it names it.
    """
    from lib.datasets import CorruptDataset, DatasetUnavailable, entry
    from lib.datasets.sources import find

    try:
        find(entry(name))
    except DatasetUnavailable as error:
        return str(error)
    except CorruptDataset:
        return ""
    return ""


def fetch_all(names: Iterable[str], executor: Executor, say: Callable[[str], None]) -> dict[str, str]:
    """Ask for each data set once.

    Returns
    -------
    dict of str to str
        Those that no source could serve, each with what the sources answered.
    """
    futures = {}
    for name in names:
        say(f"data   {name} is not here yet; asking its sources")
        futures[name] = executor.submit(fetch, name)
    answers = {name: future.result() for name, future in futures.items()}
    return {name: answer for name, answer in answers.items() if answer}


def lacking(name: str) -> str:
    """Say in a line that a data set is missing, and what to do about it."""
    return f"needs {name}, which no source could serve; set MOVIELENS_DIR to a folder that holds it"
