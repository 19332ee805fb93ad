"""The command line of run_notebooks.py."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from lib.runner.errors import INTERRUPTED, OK, RunnerError
from lib.runner.plan import PROFILES

EPILOG = """
Exit codes: 0 all is well, 1 a notebook failed, 2 the command line or the plan is wrong, 3 data are missing or
corrupt, 4 the report could not be rendered, 130 interrupted.
"""


@click.command(
    "run_notebooks.py",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--list", "list_runs", is_flag=True, help="List the plan's runs and leave.")
@click.option("--describe", metavar="RUN", help="List a run's parameters with type, default and meaning, and leave.")  # fmt: skip
@click.option("--only", multiple=True, metavar="GLOB", help="Only these runs, and what they need and isn't there yet. Repeatable.")  # fmt: skip
@click.option("--skip", multiple=True, metavar="GLOB", help="All but these runs. Repeatable.")
@click.option("-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="[RUN:]NAME VALUE",
              help="Set a parameter, in one run or in every run of the call that has it: those run beside the report, in "
                   "reports/reruns, and a table says what changed. Lists: 2,5,10. Several values of what is no list "
                   "are a sweep: a run each, and a plot. Repeatable.")  # fmt: skip
@click.option("--preset", metavar="NAME|YAML", help="Parameters from data/presets/NAME.yaml, or from a file of yours: NAME: value for every run, RUN: {NAME: value} for one.")  # fmt: skip
@click.option("--into-report", is_flag=True, help="Make the report itself from the changed parameters, not a rerun beside it.")  # fmt: skip
@click.option("--profile", type=click.Choice(PROFILES), default="full", show_default=True,
              help="quick: all of it in minutes, on small grids; full: the report's figures; large: bigger data.")  # fmt: skip
@click.option("--dataset", metavar="NAME|FILE",
              help="The data set of every run that has a choice; or a file of your own ratings (csv, tsv, parquet, ::), "
                   "which gets a report of its own in reports/own.")  # fmt: skip
@click.option("--columns", metavar="ROLE=NAME,...", help="The file's columns where their names don't say it: user=..,item=..,rating=..,timestamp=..")  # fmt: skip
@click.option("--scale", metavar="LOW,HIGH", help="The file's rating scale. Default: as read.")
@click.option("--duplicates", type=click.Choice(["error", "last", "mean"]), default="error", show_default=True,
              help="What to do where a user rated an item twice.")  # fmt: skip
@click.option("--items", type=click.Path(path_type=Path), metavar="FILE", help="A table of the items: titles, genres, any features.")  # fmt: skip
@click.option("--users", type=click.Path(path_type=Path), metavar="FILE", help="A table of the users.")
@click.option("--model", metavar="MODULE:CLASS", help="Fit your own model under the common protocol, beside the others; -p also sets its hyperparameters.")  # fmt: skip
@click.option("--contract", is_flag=True, help="Run the tests that every model must pass on the class of --model, and leave.")  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="How many compute at a time. Default: the cores, as far as memory goes.")  # fmt: skip
@click.option("--cluster", metavar="tcp://HOST:PORT", help="Make the fits on this Dask cluster, not in processes of this machine. A Dask port runs anybody's code.")  # fmt: skip
@click.option("--force", is_flag=True, help="Execute even what is up to date; fits that are kept stay.")
@click.option("--from-scratch", is_flag=True, help="Fit everything anew at the kept choices, whatever is kept; a call that was ended goes on.")  # fmt: skip
@click.option("--search-anew", is_flag=True, help="As --from-scratch, and repeat the searches that made the choices: hours.")  # fmt: skip
@click.option("--verify", type=click.IntRange(min=1), metavar="N", help="Make N random kept fits anew, compare them, and leave.")  # fmt: skip
@click.option("--rekey", is_flag=True, help="Sign kept fits of earlier code again where some that are made anew agree, and leave.")  # fmt: skip
@click.option("--keep-going", is_flag=True, help="After a failure, go on with the runs that don't need the failed one.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would run, and why; do nothing.")
@click.option("--render-only", is_flag=True, help="Build the report from the results as they are; execute nothing.")  # fmt: skip
@click.option("--no-pdf", is_flag=True, help="Build the HTML report only.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Where the report goes, and the runs' results in its folder runs/. Default: reports.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Longest time for one cell.")  # fmt: skip
@click.option("--plan", "plan_path", type=click.Path(path_type=Path), metavar="TOML",
              help="Another plan than report.toml; its notebooks/ and reports/ lie beside it.")  # fmt: skip
def command(**options) -> int:
    """Run the report's notebooks, in order and only as far as something changed, then build the report."""
    from lib.runner.options import Options
    from lib.runner.session import run_session

    return run_session(Options(**options))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but `SystemExit` of a stray kind gets out."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command(arguments, prog_name="run_notebooks.py", standalone_mode=False) or OK
    except click.UsageError as error:
        click.echo(f"run_notebooks.py: {error.format_message()}\nTry 'run_notebooks.py --help'.", err=True)
        return 2
    except RunnerError as error:
        click.echo(f"run_notebooks.py: {error}", err=True)
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("Interrupted. What was finished is kept; the same command goes on from there.", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has left
        sys.stderr.close()
        return OK


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
