"""The command line of run_notebooks.py."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from lib.runner.errors import INTERRUPTED, OK, RunnerError, UsageError
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
@click.option("--only", multiple=True, metavar="GLOB", help="Only these runs, and what they need and isn't there yet. Repeatable.")  # fmt: skip
@click.option("--skip", multiple=True, metavar="GLOB", help="All but these runs. Repeatable.")
@click.option("-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="[RUN:]NAME VALUE",
              help="Set a notebook's parameter, in every run that has it or in one run. Lists: 2,5,10. Repeatable.")  # fmt: skip
@click.option("-f", "--parameters-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="YAML",
              help="Parameters from a file: NAME: value for every run, RUN: {NAME: value} for one.")  # fmt: skip
@click.option("--profile", type=click.Choice(PROFILES), default="full", show_default=True,
              help="quick: all of it in minutes, on small grids; full: the report's figures; large: bigger data.")  # fmt: skip
@click.option("--dataset", metavar="NAME", help="The data set of every run that has a choice.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Runs at a time. Default: the cores, as far as memory goes.")  # fmt: skip
@click.option("--force", is_flag=True, help="Execute even what is up to date.")
@click.option(
    "--keep-going", is_flag=True, help="After a failure, go on with the runs that don't need the failed one."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, and why; do nothing.")
@click.option(
    "--render-only", is_flag=True, help="Build the report from the results as they are; execute nothing."
)
@click.option("--no-pdf", is_flag=True, help="Build the HTML report only.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Where the report goes, and the runs' results in its folder runs/. Default: reports.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Longest time for one cell.")  # fmt: skip
@click.option("--plan", "plan_path", type=click.Path(path_type=Path), metavar="TOML",
              help="Another plan than report.toml; its notebooks/ and reports/ lie beside it.")  # fmt: skip
def command(**options) -> int:
    """Run the report's notebooks, in order and only as far as something changed, then build the report."""
    from lib.runner.session import Options, run_session

    return run_session(Options(**options), sys.argv[1:])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but `SystemExit` of a stray kind gets out."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command(arguments, prog_name="run_notebooks.py", standalone_mode=False) or OK
    except UsageError as error:
        click.echo(f"run_notebooks.py: {error}", err=True)
        return error.exit_code
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
