"""Kernels that are forked from one process which has done their imports, beside those that are started."""

from __future__ import annotations

import json
import sys

import pytest

from lib import ROOT
from lib.runner import forked
from lib.runner.execute import Request, execute_run, kernel_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are Linux's alone")

CELL = """
import json, os, sys
own = {name: text for name, text in os.environ.items() if name not in ("JPY_PARENT_PID", "IPYTHONDIR", "REPORT_RUN_FOLDER")}
told = {"environment": own, "folder": os.getcwd(), "path": sys.path[0], "name": __name__, "hash": hash("a"), "colour": colour}
told |= {"leads": os.getpgid(0) == os.getpid(), "ends": os.getppid() == int(os.environ["JPY_PARENT_PID"])}
told |= {"lib": os.environ["PYTHONPATH"].split(os.pathsep)[0] in sys.path, "imports": "seaborn" in sys.modules}
with open(os.path.join(os.environ["REPORT_RUN_FOLDER"], "told.json"), "w") as file:
    json.dump(told, file)
"""


def executed(folder):
    cells = [("parameters", 'colour = "red"', ["parameters"]), ("told", CELL, [])]
    common = {"cell_type": "code", "execution_count": None, "outputs": []}
    notebook = {
        "cells": [{**common, "id": i, "source": text, "metadata": {"tags": tags}} for i, text, tags in cells],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    folder.mkdir()
    (folder / "source.ipynb").write_text(json.dumps(notebook))
    environment = kernel_environment(folder, {"SHADE": "light"})
    request = Request("toy", folder / "source.ipynb", folder, ROOT, {"colour": "blue"}, environment, 60)
    assert execute_run(request) is None
    return json.loads((folder / "told.json").read_text())


def test_a_fork_is_as_a_kernel_of_its_own_with_the_imports_done(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(forked, "_known", [])
    started = executed(tmp_path / "started")
    forked.prepare(kernel_environment(tmp_path, {}))
    assert forked._known
    found = executed(tmp_path / "forked")
    assert (started.pop("imports"), found.pop("imports")) == (False, True)
    assert found == started
    assert started["leads"] and started["ends"] and started["lib"] and started["colour"] == "blue"
    assert started["environment"]["SHADE"] == "light" and started["environment"]["PYTHONHASHSEED"] == "0"
    assert "Traceback" not in capfd.readouterr().err


def test_none_is_forked_where_nothing_was_prepared_or_lib_was_edited_since(tmp_path, monkeypatch):
    monkeypatch.setattr(forked, "_known", [])
    assert forked.fork([], {}, str(tmp_path)) is None
    monkeypatch.setattr(forked, "_known", [forked.code()])
    monkeypatch.setattr(forked, "code", lambda: "another")
    assert forked.fork([], {}, str(tmp_path)) is None
