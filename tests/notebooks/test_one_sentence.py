"""What a reader sees in JupyterLab where a result or a data set is missing: the sentence, not the library's insides."""

import contextlib
import io

import pytest
from IPython.core.interactiveshell import InteractiveShell

from lib.data.errors import RUN_FOLDER_VARIABLE


@pytest.fixture(scope="module")
def shell():
    made = InteractiveShell.instance()
    yield made
    InteractiveShell.clear_instance()


def shown(shell, source):
    """What a cell prints, its error included."""
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        done = shell.run_cell(source)
    return streams.getvalue().strip(), done.error_in_exec


def test_a_missing_run_shows_one_sentence_and_its_command(shell, tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_FOLDER_VARIABLE, raising=False)
    text, error = shown(
        shell, f"from lib.experiment.stored_runs import load_run\nload_run('svd', runs_dir={str(tmp_path)!r})"
    )
    assert text == str(error)
    assert text.endswith("Make it with: python run_notebooks.py --only svd") and "\n" not in text
    assert isinstance(error, FileNotFoundError)


def test_it_names_the_run_that_makes_all_and_goes_where_the_reader_sees_it(shell, tmp_path, monkeypatch):
    monkeypatch.delenv(RUN_FOLDER_VARIABLE, raising=False)
    published = []
    monkeypatch.setattr(shell.display_pub, "publish", lambda data, *_, **__: published.append(data))
    read = f"from lib.experiment.stored_runs import load_run\nload_run('svd', runs_dir={str(tmp_path)!r})"
    text, error = shown(shell, f"run = 'comparison'\n{read}")
    shell.run_cell("del run")
    assert text == f"{error}. All that this notebook reads: python run_notebooks.py --only comparison"
    assert any("scrollIntoView" in data.get("application/javascript", "") for data in published)


def test_so_does_an_unknown_data_set(shell, monkeypatch):
    monkeypatch.delenv(RUN_FOLDER_VARIABLE, raising=False)
    text, error = shown(shell, "from lib.data.dataset import load\nload('ml-100kk')")
    assert text == str(error) and "ml-100k" in text


def test_another_error_keeps_its_traceback(shell):
    text, _ = shown(shell, "def inside():\n    return 1 / 0\n\ninside()")
    assert "Traceback" in text and "inside" in text


def test_the_runner_which_prints_the_message_gets_no_second_one(shell, tmp_path, monkeypatch):
    monkeypatch.setenv(RUN_FOLDER_VARIABLE, str(tmp_path))
    text, error = shown(
        shell, f"from lib.experiment.stored_runs import load_run\nload_run('svd', runs_dir={str(tmp_path)!r})"
    )
    assert text == "" and "svd" in str(error)
