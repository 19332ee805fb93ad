"""The options of run_notebooks.py, declared once: what each is called, takes and does, and the values of one call."""

# ruff: noqa: RUF009 - the fields are declared by functions that return dataclasses' own
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from lib.runner.plan import PROFILES


def option(metavar: str, meaning: str, *flags: str, default: Any = None, **settings: Any) -> Any:
    """Declare a field of `Options` as click's option of its name, or of other flags; without a `metavar` it has click's."""
    settings |= {"metavar": metavar or None, "help": meaning}
    return field(default=default, metadata={"flags": flags, "settings": settings})


def flag(meaning: str, *flags: str) -> Any:
    """Declare an option that is said or not."""
    return option("", meaning, *flags, default=False, is_flag=True)


TYPES = {
    "int | None": click.IntRange(min=1, max=4096),
    "float | None": click.FloatRange(min=0, min_open=True),
    "Path | None": click.Path(path_type=Path),
}
"""What click makes of an option by its annotation; of any other one a text."""


@dataclass(frozen=True)
class Options:
    """The options of one call."""

    list_runs: bool = flag("List the plan's runs and leave.", "--list")
    describe: str | None = option("RUN", "List a run's parameters: type, default, meaning; and leave.")
    only: tuple[str, ...] = option(
        "GLOB", "Only these runs, and what they need and isn't there yet. Repeatable.", default=(), multiple=True
    )
    skip: tuple[str, ...] = option("GLOB", "All but these runs. Repeatable.", default=(), multiple=True)
    parameters: tuple[tuple[str, str], ...] = option(
        "[RUN:]NAME VALUE",
        "Set a parameter, in one run or in every run of the call that has it: those run beside the report, in "
        "reports/reruns, and a table says what changed. Lists: 2,5,10. Several values of what is no list are a "
        "sweep: a run each, and a plot. Repeatable.",
        "-p",
        "--parameter",
        default=(),
        multiple=True,
        nargs=2,
    )
    into_report: bool = flag("Make the report itself from the changed parameters, not a rerun beside it.")
    profile: str = option(
        "",
        "quick: all of it in minutes, on small grids; full: the report's figures; large: bigger data.",
        default="full",
        type=click.Choice(PROFILES),
    )
    dataset: str | None = option(
        "NAME|FILE",
        "The data set of every run that has a choice; or a file of your own ratings (text, JSON lines, Parquet), "
        "which gets a report of its own in reports/own.",
    )
    columns: str | None = option(
        "ROLE=NAME,...", "The file's columns where their names don't say it: user=..,item=..,rating=..,timestamp=.."
    )
    scale: str | None = option("LOW,HIGH", "The file's rating scale. Default: as read.")
    duplicates: str = option(
        "",
        "What to do where a user rated an item twice.",
        default="error",
        type=click.Choice(["error", "last", "mean"]),
    )
    missing: str | None = option("VALUE", "The rating that means 'not rated', such as 99 or -1: its rows are left out.")
    header: str | None = option(
        "", "Whether the file's first line names its columns. Default: found out.", type=click.Choice(["yes", "no"])
    )
    time_unit: str | None = option(
        "",
        "What the file's times count since 1970; dates: 20240531. Default: found out.",
        type=click.Choice(["seconds", "milliseconds", "microseconds", "nanoseconds", "days", "dates"]),
    )
    items: Path | None = option("FILE", "A table of the items: titles, genres, any features.")
    users: Path | None = option("FILE", "A table of the users.")
    model: str | None = option(
        "MODULE:CLASS",
        "Fit your own model under the common protocol, beside the others; -p also sets its hyperparameters.",
    )
    contract: bool = flag("Run the tests that every model must pass on the class of --model, and leave.")
    jobs: int | None = option("N", "How many compute at a time. Default: cores, as far as memory goes.", "-j", "--jobs")
    cluster: str | None = option(
        "tcp://HOST:PORT",
        "Make the fits on this Dask cluster, not in processes of this machine. A Dask port runs anybody's code.",
    )
    force: bool = flag("Execute even what is up to date; fits that are kept stay.")
    from_scratch: bool = flag("Fit everything anew at the kept choices; a call that was ended goes on.")
    search_anew: bool = flag("As --from-scratch, and repeat the searches that made the choices: hours.")
    verify: int | None = option("N", "Make N random kept fits anew, compare them, and leave.")
    rekey: bool = flag("Sign kept fits of earlier code again where some that are made anew agree, and leave.")
    keep_going: bool = flag("After a failure, go on with the runs that don't need the failed one.")
    dry_run: bool = flag("Say what would run, and why; do nothing.")
    render_only: bool = flag("Build the report from the results as they are; execute nothing.")
    no_pdf: bool = flag("Build the HTML report only.")
    output_dir: Path | None = option("DIR", "Where the report goes, with the runs' results in runs/. Default: reports.")
    timeout: float | None = option("SECONDS", "Longest time for one cell.")
    plan_path: Path | None = option(
        "TOML", "Another plan than report.toml; its notebooks/ and reports/ lie beside it.", "--plan"
    )
