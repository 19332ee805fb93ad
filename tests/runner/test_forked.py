"""Kernels that are forked from one process which has done their imports, beside those that are started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


def write(folder, cells):
    common = {"cell_type": "code", "execution_count": None, "outputs": []}
    notebook = {
        "cells": [{**common, "id": i, "source": text, "metadata": {"tags": tags}} for i, text, tags in cells],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    (folder / "source.ipynb").write_text(json.dumps(notebook))


def executed(folder):
    folder.mkdir()
    write(folder, [("parameters", 'colour = "red"', ["parameters"]), ("told", CELL, [])])
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


ALONE = """
import sys
from pathlib import Path
from lib import ROOT
from lib.runner import forked
from lib.runner.execute import Request, execute_run, kernel_environment
folder = Path(sys.argv[1])
if __name__ == "__main__":
    environment = kernel_environment(folder, {})
    forked.prepare(environment)
    execute_run(Request("toy", folder / "source.ipynb", folder, ROOT, {}, environment, 60))
"""


def test_a_fork_ends_with_a_runner_that_is_killed(tmp_path):
    cell = 'import os, sys, time\nassert "seaborn" in sys.modules\nfile = open("{0}/.partial", "w")\n'
    cell += 'file.write(f"{{os.getpid()}} {{os.getppid()}}")\nfile.close()\nos.rename("{0}/.partial", "{0}/pids")\ntime.sleep(90)'
    write(tmp_path, [("slow", cell.format(tmp_path), [])])
    (tmp_path / "alone.py").write_text(ALONE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, tmp_path / "alone.py", tmp_path], env=environment) as runner:
        assert waited((tmp_path / "pids").exists), "the kernel has come to its cell"
        runner.kill()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert waited(lambda: not any(map(running, pids))), "neither the kernel nor what it was forked from is left"


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def waited(condition):
    end = time.monotonic() + 60
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found
