"""The command line of run_notebooks.py."""

import gc
import signal
import sys
import threading
from dataclasses import fields
from typing import Any

import click

from lib.runner.errors import INTERRUPTED, OK, in_words
from lib.runner.options import TYPES, Options


def _call(**options: Any) -> int:
    from lib.runner.session import run_session

    return run_session(Options(**options))


command = click.Command(
    "run_notebooks.py",
    callback=_call,
    help="Run the report's notebooks, in order and only as far as something changed, then build the report.",
    epilog="Exit codes: 0 all is well, 1 a notebook failed, or memory or disk ran out, 2 the command line, the plan or the "
    "output folder is wrong, 3 data are missing or corrupt, 4 the report could not be rendered, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True},
    params=[
        click.Option(
            [one.name, *(one.metadata["flags"] or [f"--{one.name.replace('_', '-')}"])],
            default=one.default,
            **{"type": TYPES.get(str(one.type))} | one.metadata["settings"],
        )
        for one in fields(Options)
    ],
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but `SystemExit` of a stray kind gets out, and no traceback."""
    gc.set_threshold(100_000)  # syntax trees are many small objects that live as long as the call
    # From it jsonschema compiles a grammar of web addresses, in three seconds.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may hold what a terminal's encoding can't write
            stream.reconfigure(errors="backslashreplace")
    try:
        return command(arguments, prog_name="run_notebooks.py", standalone_mode=False) or OK
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("Interrupted. What was finished is kept; the same command goes on from there.", err=True)
        return INTERRUPTED
    except Exception as error:
        said, code = in_words(error)
        click.echo(f"run_notebooks.py: {said}", err=True)
        return code
