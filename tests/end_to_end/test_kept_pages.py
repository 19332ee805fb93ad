"""The real plan on a machine without any data: every page has content, as the project keeps it."""

import json
import signal

import pytest

from lib.data.catalogue import entries
from lib.runner.command_line import main
from lib.runner.kept import NOTE, archives
from lib.runner.plan import load_plan

PLAN = load_plan()
LACKING = [run.id for run in PLAN.runs if run.datasets and run.id not in archives(PLAN)]


@pytest.mark.skipif(bool(LACKING), reason=f"data/kept/pages has no page of {', '.join(LACKING)}")
def test_no_page_is_empty_without_any_data(tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("REPORT_CLUSTER", "")
    monkeypatch.delenv("MOVIELENS_DIR", raising=False)
    monkeypatch.setattr("lib.runner.cache.missing", lambda names: sorted({*names} & entries().keys()))
    monkeypatch.setattr("lib.runner.schedule.fetch_all", lambda names, say: dict.fromkeys(names, "no source is asked"))
    code = main(["--output-dir", str(tmp_path), "--no-pdf"])
    signal.signal(signal.SIGTERM, before)
    assert code == 0, capsys.readouterr().out
    for run in PLAN.runs:
        notebook = json.loads((tmp_path / "runs" / run.id / "notebook.ipynb").read_text())
        assert any(cell.get("outputs") for cell in notebook["cells"]), f"{run.id} shows nothing"
        if run.datasets:
            assert NOTE in [cell["id"] for cell in notebook["cells"]], run.id
        if run.part != "front":
            assert (tmp_path / f"{run.id}.html").stat().st_size > 5000
