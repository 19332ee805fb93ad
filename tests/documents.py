"""The commands that documents tell a reader to type, held against the real command line without running them."""

import re
import shlex

from lib.data.catalogue import entries
from lib.runner.command_line import command
from lib.runner.own_data import is_file_name
from lib.runner.parameters import resolve
from lib.runner.plan import load_plan
from lib.runner.reruns import split_sweep

PROGRAM = "python run_notebooks.py"
PLACEHOLDERS = {"my_run", "RUN"}
"""Runs that a document speaks of and a reader has yet to add."""


def commands_in(text):
    """Every command of the runner in a document, in a block of code or between backticks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in fenced for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", outside)
    return [line for line in lines if PROGRAM in line]


def check(line):
    """Fail with the command line's own error where it would not take a command."""
    words = shlex.split(line.partition(PROGRAM)[2], comments=True)
    if "--help" in words:
        return
    given = command.make_context("run_notebooks.py", words).params
    plan = load_plan()
    if given["describe"]:
        plan.run(given["describe"])
    names = [name for name in (*given["only"], *given["skip"]) if name not in PLACEHOLDERS]
    plan.match(names)
    dataset = given["dataset"]
    if dataset and is_file_name(dataset):
        return  # its plan is another one, its file is the reader's
    assert dataset is None or dataset in entries(), dataset
    if given["model"]:
        assert ":" in given["model"]
        return  # -p names the reader's hyperparameters
    selected = plan.match(names) if names else set(plan.ids)
    plain, _ = split_sweep(plan, selected, given["parameters"])
    resolve(plan, selected, profile=given["profile"], dataset=dataset, options=plain)
