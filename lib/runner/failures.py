"""What is said of a failed run: where, what, and what to type."""

from __future__ import annotations

import shlex

import click
from click.core import ParameterSource

from lib.runner.execute import Failure
from lib.runner.plan import VARIANT, Plan, Run
from lib.runner.store import NOTEBOOK, Store, shown

NOT_AGAIN = {"only", "skip", "force", "from_scratch", "search_anew", "keep_going"}
"""Options that don't concern a single run that is made again."""


def describe(plan: Plan, store: Store, run: Run, failure: Failure) -> str:
    """Return the message about a failed run: where, what, the traceback's tail, the notebook so far, what to type."""
    place = f", cell {failure.cell} of {failure.cells}" if failure.cell else ""
    code = [s for line in failure.source.splitlines() if (s := line.strip()) and not s.startswith("#|")]
    lines = [
        "",
        f"{run.id} failed: {shown(plan.source(run))}{place}" + (f": {code[0]}" if code else ""),
        *(f"    {line}" for line in failure.traceback),
        f"  {failure.error}: {failure.message}" if failure.message else f"  {failure.error}",
    ]
    partial = store.partial(run.id) / NOTEBOOK
    if partial.is_file():
        lines.append(f"  The notebook as far as it got: {shown(partial)}")
    if store.record(run.id) is not None:
        lines.append(f"  Its last good results are untouched: {shown(store.folder(run.id))}")
    return "\n".join([*lines, f"  Run it again: {command_for(run, click.get_current_context())}", ""])


def command_for(run: Run, given: click.Context) -> str:
    """Return the command that runs one run again under the options of this call."""
    words = ["python", "run_notebooks.py", "--only", run.id.partition(VARIANT)[0]]
    for option in given.command.params:
        typed = given.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if not typed or option.name in NOT_AGAIN:
            continue
        flag, value = option.opts[0], given.params[option.name]
        if option.name == "parameters":
            own = [(key, text) for key, text in value if ":" not in key or key.startswith(f"{run.id}:")]
            words += [word for key, text in own for word in (flag, key, text)]
        else:
            words += [flag] if option.is_flag else [flag, str(value)]
    return shlex.join(words)
