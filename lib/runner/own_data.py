"""``--dataset FILE``: a reader's own ratings, prepared and given to the plan that reports on them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from lib import ROOT
from lib.data.near_miss import near_miss
from lib.runner.errors import DATA, RunnerError, UsageError
from lib.runner.options import Options
from lib.runner.plan import Plan, load_plan
from lib.runner.store import shown

PLAN = "own_ratings.toml"
COLUMNS = ("user", "item", "rating", "timestamp")
RATINGS = "ratings"
"""The folder, in that of the report, of the ratings in the project's own form."""


class BadRatings(RunnerError):
    """The file of ratings can't be read as it is; the message names file, line and fix."""

    exit_code = DATA


def is_file_name(dataset: str | None, known: Collection[str]) -> bool:
    """Whether a data set is given as a file: it has a separator or an ending, or lies there, and is no known name."""
    if dataset is None or dataset in known:
        return False
    return bool(re.search(r"[/\\]", dataset)) or bool(Path(dataset).suffix) or Path(dataset).exists()


def refuse_own_options(options: Options) -> None:
    """Raise a UsageError that names an option about a file of ratings, where there is none."""
    for name in ("columns", "scale", "duplicates", "items", "users"):
        if getattr(options, name) != getattr(Options, name):
            raise UsageError(f"--{name} describes a file of your own ratings; name it with --dataset FILE")


def with_own_ratings(options: Options) -> tuple[Plan, Options]:
    """Prepare a reader's ratings, and return the plan and the options that report on them.

    Raises
    ------
    BadRatings
        The file can't be read as it is; exit code 3.
    UsageError
        A malformed option.
    """
    path, plan = Path(options.dataset), load_plan(options.plan_path or ROOT / PLAN)
    own = plan.root / "reports" / "own"
    output_dir = (options.output_dir or own / slug(path)).resolve()
    columns, scale = parse_columns(options.columns), parse_scale(options.scale)
    folder = output_dir / RATINGS
    if options.describe is None:
        from lib.workbench.own_ratings import InvalidRatingsFile, prepare

        try:
            prepared = prepare(
                path, columns=columns, scale=scale, duplicates=options.duplicates, items=options.items,
                users=options.users, folder=folder,
            )  # fmt: skip
        except InvalidRatingsFile as error:
            raise BadRatings(str(error)) from None
        except FileNotFoundError as error:
            raise BadRatings(f"there is no file {shown(Path(error.filename or path))}") from None
        print(f"data   {prepared.summary}")
        folder = prepared.folder
        if output_dir.is_relative_to(own):  # a reader's ratings stay out of git
            (own / ".gitignore").write_text("*\n", encoding="utf-8")
    # As the notebooks see it from their folder: then no page shows where this machine keeps it.
    folder = folder.resolve()
    inside = folder.is_relative_to(plan.root)
    dataset = Path(os.path.relpath(folder, plan.notebooks) if inside else folder).as_posix()
    return plan, replace(options, dataset=dataset, output_dir=output_dir)


def parse_columns(text: str | None) -> dict[str, str] | None:
    """Read ``user=reader,item=book`` as columns of the file by what they hold; a UsageError says what is malformed."""
    if text is None:
        return None
    found = {}
    for part in text.split(","):
        role, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column:
            raise UsageError(f"--columns {text}: {part.strip()!r} is not of the form user=NAME")
        if role not in COLUMNS:
            raise UsageError(f"--columns {text}: no column holds {role!r}{near_miss(role, COLUMNS)}")
        found[role] = column
    return found


def parse_scale(text: str | None) -> tuple[float, float] | None:
    """Read ``1,5`` as the lowest and the highest rating; a UsageError says where it is not that."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not -float("inf") < low < high < float("inf"):
        raise UsageError(f"--scale {text}: give the lowest and the highest rating, the lowest first, such as 1,5")  # fmt: skip
    return low, high


def slug(path: Path) -> str:
    """Return a folder's name for a file: its own, without what a folder's name should not have."""
    return re.sub(r"[^a-z0-9]+", "_", path.name.partition(".")[0].lower()).strip("_") or "ratings"
