"""JupyterLab as `make lab` starts it: its start page, its settings, and kernels that see an edited library."""

import asyncio
import json
import os
import re
import subprocess
import sys

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from lib import ROOT
from lib.runner.plan import load_plan

CONFIGURATION, START = ROOT / "jupyter", ROOT / "notebooks" / "START.md"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel with the project's settings and a module of its own to edit; gives a function that runs a cell."""
    monkeypatch.setenv("IPYTHONDIR", str(CONFIGURATION / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="Python 3", language="python",
    )  # fmt: skip
    manager.start_kernel(cwd=str(ROOT / "notebooks"), env=dict(os.environ))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(source):
        told = []
        client.execute_interactive(
            source, timeout=60,
            output_hook=lambda message: told.append(message["content"].get("text") or message["content"].get("evalue", "")),
        )  # fmt: skip
        return "".join(told).strip()

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_an_edited_module_holds_from_the_next_cell_on(kernel, tmp_path):
    module = tmp_path / "edited.py"
    module.write_text("def answer():\n    return 'before'\n")
    assert kernel("from edited import answer\nprint(answer())") == "before"
    module.write_text("def answer():\n    return 'after the edit'\n")
    os.utime(module, (module.stat().st_mtime + 5,) * 2)  # as if typed a little later
    assert kernel("print(answer())") == "after the edit"


def test_make_lab_uses_the_projects_settings():
    done = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    folders = dict(re.findall(r'(JUPYTER_CONFIG_PATH|IPYTHONDIR)="([^"]+)"', done.stdout))
    assert folders == {
        "JUPYTER_CONFIG_PATH": str(CONFIGURATION), "IPYTHONDIR": str(CONFIGURATION / "ipython"),
    }  # fmt: skip
    assert "--notebook-dir=notebooks" in done.stdout


def test_the_server_opens_on_the_start_page_and_shows_markdown_set(monkeypatch, tmp_path):
    """The real application reads the settings; it is set up, not started."""
    from jupyterlab.labapp import LabApp
    from jupyterlab_server.settings_utils import get_settings

    for variable, folder in (("JUPYTER_CONFIG_PATH", CONFIGURATION), ("JUPYTER_CONFIG_DIR", tmp_path)):
        monkeypatch.setenv(variable, str(folder))
    asyncio.set_event_loop(asyncio.new_event_loop())
    server = LabApp.initialize_server(argv=["--no-browser", f"--notebook-dir={ROOT / 'notebooks'}", "--port=0"])
    lab = next(iter(server.extension_manager.extension_apps["jupyterlab"]))
    try:
        assert lab.default_url == server.default_url == "/lab/tree/START.md"
        assert (ROOT / "notebooks" / lab.default_url.rpartition("/")[2]).is_file()
        settings, _ = get_settings(
            lab.app_settings_dir, lab.schemas_dir, str(tmp_path),
            schema_name="@jupyterlab/docmanager-extension:plugin",
        )  # fmt: skip
        shown = json.dumps(settings["schema"]["properties"]["defaultViewers"]["default"])
        assert "Markdown Preview" in shown
    finally:
        server.clear_instance()
        LabApp.clear_instance()


def test_the_start_page_has_a_row_for_each_notebook_and_leads_to_files():
    text = START.read_text(encoding="utf-8")
    planned = [run for plan in (load_plan(), load_plan(ROOT / "own_ratings.toml")) for run in plan.runs]
    for notebook in dict.fromkeys(run.notebook for run in planned):
        runs = [run for run in planned if run.notebook == notebook]
        made = ", ".join(f"`{run.id}`" for run in runs)
        read = ", ".join(dict.fromkeys(f"`{name}`" for run in runs for name in run.needs)) or "none"
        row = f"| [{runs[0].title}]({notebook}) | {runs[0].summary} | {made} | {read} |"
        assert row in text.splitlines(), f"notebooks/START.md needs the row {row}"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (START.parent / target).exists()
