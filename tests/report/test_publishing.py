"""A report is not published while it says what it must not."""

import json

import pytest

from lib.report import inline, publishing

WORDS = "% holds: a < b\nThe error is {eval}`a`."


@pytest.fixture
def runs_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "stale_files", list)
    monkeypatch.setattr(publishing, "collect_provenance", lambda: {"modified": False})
    run(tmp_path, name="summary")
    run(tmp_path)
    return tmp_path


def run(runs_dir, *, profile="full", modified=False, holds=True, name="svd", commit="c0ffee", **record):
    folder = runs_dir / name
    folder.mkdir(exist_ok=True)
    results = {"a < b": str(holds), "a": "0.9"}
    answers = {one: {"status": "ok", "data": {"text/plain": text}} for one, text in results.items()}
    metadata = {inline.KEY: inline.answered(WORDS, answers)}
    cells = [
        {"id": "code", "cell_type": "code", "source": "#| holds: a < b\n1", "metadata": metadata},
        {"id": "words", "cell_type": "markdown", "source": WORDS, "metadata": metadata},
    ]
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    (folder / "cache.json").write_text(json.dumps({"profile": profile, "files": {}, **record}))
    (folder / "provenance.json").write_text(json.dumps({"modified": modified, "commit": commit}))


def test_nothing_stands_against_a_whole_report(runs_dir):
    assert publishing.obstacles(runs_dir) == []


def test_without_a_front_page_there_is_nothing_to_publish(runs_dir):
    (runs_dir / "summary" / "cache.json").unlink()
    assert publishing.obstacles(runs_dir) == ["the front page, run summary, has not been made here: make report"]


def test_words_written_for_other_results_are_named(runs_dir):
    run(runs_dir, holds=False)
    assert publishing.obstacles(runs_dir) == [
        f"run svd, cell {cell}: its words need a < b, which is false" for cell in (1, 2)
    ]


def test_a_quick_run_and_a_changed_tree_are_named(runs_dir):
    run(runs_dir, profile="quick", modified=True)
    quick, changed = publishing.obstacles(runs_dir)
    assert "quick profile" in quick and "--only svd" in quick and "changed working tree" in changed


def test_kept_results_of_earlier_code_and_changes_beside_the_report_are_named(runs_dir, monkeypatch, tmp_path):
    monkeypatch.setattr(publishing, "stale_files", lambda: [tmp_path / "scale.json.gz"])
    monkeypatch.setattr(publishing, "collect_provenance", lambda: {"modified": True})
    changes, stale = publishing.obstacles(runs_dir)
    assert "working tree has changes" in changes and "scale" in stale and "--rekey" in stale


def test_a_report_that_was_executed_here_names_one_commit(runs_dir):
    run(runs_dir, name="kept", commit="0ld", as_made="ab" * 32)
    assert publishing.obstacles(runs_dir) == [], "a kept page has its own"
    run(runs_dir, name="bias", commit="0ther")
    (apart,) = publishing.obstacles(runs_dir)
    assert "name 2 commits, 0ther, c0ffee: python run_notebooks.py --force" in apart


def test_the_command_refuses_and_leaves_readme_alone(runs_dir, monkeypatch, capsys):
    monkeypatch.setattr(publishing, "runs_folder", lambda: runs_dir)
    monkeypatch.setattr(publishing.readme, "main", lambda: print("in step"))
    assert publishing.main() == 0 and "in step" in capsys.readouterr().out
    run(runs_dir, holds=False)
    assert publishing.main() == 1
    said = capsys.readouterr()
    assert "in step" not in said.out and "Not to be published:" in said.err
