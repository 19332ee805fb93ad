"""What is said of a failed run: where, what, and what to type."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from lib.runner.execute import Failure
from lib.runner.plan import VARIANT, Plan, Run
from lib.runner.store import NOTEBOOK, Store, shown


def describe(plan: Plan, store: Store, run: Run, failure: Failure, again: str) -> str:
    """Return the message about a failed run: where, what, the traceback's tail, the notebook so far, what to type."""
    place = f", cell {failure.cell} of {failure.cells}" if failure.cell else ""
    code = [
        line for line in failure.source.splitlines() if line.strip() and not line.lstrip().startswith("#|")
    ]
    lines = [
        "",
        f"{run.id} failed: {shown(plan.source(run))}{place}" + (f": {code[0].strip()}" if code else ""),
        *(f"    {line}" for line in failure.traceback),
        f"  {failure.error}: {failure.message}" if failure.message else f"  {failure.error}",
    ]
    partial = store.partial(run.id) / NOTEBOOK
    if partial.is_file():
        lines.append(f"  The notebook as far as it got: {shown(partial)}")
    if store.record(run.id) is not None:
        lines.append(f"  Its last good results are untouched: {shown(store.folder(run.id))}")
    return "\n".join([*lines, f"  Run it again: {again}", ""])


def command_for(run: Run, arguments: Iterable[str]) -> str:
    """Return the command that runs one run again under the options of this call."""
    from lib.runner.command_line import command

    left_out = {"--only", "--skip", "--force", "--from-scratch", "--search-anew", "--keep-going", "--dry-run", "--render-only", "--list"}  # fmt: skip
    by_flag = {flag: option for option in command.params for flag in option.opts}
    kept, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        option = by_flag.get(name)
        values = 0 if option is None or option.is_flag or equals else option.nargs
        words = [word, *rest[:values]]
        del rest[:values]
        if name in left_out:
            continue
        about_other = (
            name in ("-p", "--parameter") and ":" in words[1] and not words[1].startswith(f"{run.id}:")
        )
        if not about_other:
            kept += words
    asked_for = run.id.partition(VARIANT)[0]
    return shlex.join(["python", "run_notebooks.py", *kept, "--only", asked_for])
