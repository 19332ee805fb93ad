"""What the tests that every model must pass say of one class, as a table."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from lib import ROOT
from lib.data.errors import RUN_FOLDER_VARIABLE
from lib.workbench.own_model.loading import contract_command, own_folders

TIMEOUT = 600  # seconds after which the tests are ended


def contract_results(spec: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Run `lib.workbench.own_model.loading.contract_command` on a class in a process of its own: a row a test.

    ``why`` is the first line of what a test said that was skipped or failed. RuntimeError: the tests could not be run
    at all, or took too long.
    """
    # They run in the project's folder, and the class may lie in this one; they are no run of the plan.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(own_folders())}
    environment.pop(RUN_FOLDER_VARIABLE, None)
    with tempfile.TemporaryDirectory(prefix="contract-") as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command = [*contract_command(spec, parameters), *options]
        told: dict[str, Any] = {"capture_output": True, "text": True, "cwd": ROOT, "env": environment}
        try:
            done = subprocess.run(command, timeout=TIMEOUT, check=False, **told)
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"the contract of {spec} took longer than {TIMEOUT} s on planted data of 80 users; make its fit faster "
                "through its hyperparameters"
            ) from None
        if not report.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RuntimeError(f"the contract of {spec} could not be run: {' '.join(said[-3:])}")
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return pd.DataFrame([_row(case) for case in cases], columns=["check", "result", "why"])


def told(results: pd.DataFrame, spec: str, parameters: Mapping[str, Any] | None = None) -> str:
    """Tell results in words: a line a test, how many there are of each kind, and where one failed how to see all it said."""
    width = int(results["result"].str.len().max())
    lines = [f"{one.result:{width}}  {one.check}{one.why and ': '}{one.why}" for one in results.itertuples()]
    counts = results["result"].value_counts()
    lines.append(f"{spec}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}")
    if "failed" in counts:
        lines.append(f"In full: python {shlex.join(contract_command(spec, parameters)[1:])}")
    return "\n".join(lines)


def _row(case: ElementTree.Element) -> dict[str, str]:
    name = case.get("name", "").partition("[")[0].removeprefix("test_").replace("_", " ")
    for tag, result in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            lines = (found.get("message") or "").strip().splitlines()
            return {"check": name, "result": result, "why": lines[0] if lines else ""}
    return {"check": name, "result": "passed", "why": ""}
