import re

import click
import numpy as np
import pandas as pd
import pytest

from lib import ROOT
from lib.report import readme
from lib.runner.errors import UsageError
from tests.documents import check, commands_in

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "data/README.md", "notebooks/START.md")


def test_readme_is_in_step_with_the_committed_report():
    if not (ROOT / "reports" / "data" / "results.csv").exists():
        pytest.skip("no report is rendered here; make one with: make report")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, block in readme.blocks().items():
        assert readme.with_block(text, name, block) == text, "run: make publish"


def test_times_are_told_in_words():
    row = {
        "command": "make report",
        "what": "from nothing",
        "seconds": 845.2,
        "core_seconds": 1600.0,
        "cores": 2,
    }
    lines = readme.times(pd.DataFrame([row | {"machine": "", "day": ""}])).splitlines()
    assert lines[0] == "| command | what | on 2 cores |"
    assert lines[2:] == ["| `make report` | from nothing | 14 min 05 s |"]


def test_missing_markers_are_named():
    with pytest.raises(ValueError, match="findings go"):
        readme.with_block("# Title", "findings", "block")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_command_line_takes_every_command_of_a_document(document):
    found = commands_in((ROOT / document).read_text(encoding="utf-8"))
    assert found or document == "data/README.md"
    for line in found:
        check(line)


def test_the_readme_shows_how_to_rerun_extend_and_use_own_ratings():
    found = " ".join(commands_in((ROOT / "README.md").read_text(encoding="utf-8")))
    for option in ("--only", "-p", "--describe", "--dataset", "--model", "--contract"):
        assert f" {option} " in f"{found} ", option


def test_the_model_of_the_readme_works_as_it_is_written(planted):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    found = {}
    exec(source, found)
    model = found["MyModel"](shrinkage=2.0).fit(planted)
    assert model.parameters == {"shrinkage": 2.0}
    mean = planted.ratings.mean(dtype=np.float64)
    of_first = planted.ratings[planted.items == planted.items[0]].astype(np.float64)
    expected = mean + (of_first - mean).sum() / (len(of_first) + 2)
    answers = model.predict(np.array([0, 0]), np.array([planted.items[0], -1]))
    np.testing.assert_allclose(answers, [expected, mean])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("python run_notebooks.py --olny svd", click.UsageError),
        ("python run_notebooks.py --only sdv", UsageError),
        ("python run_notebooks.py --only svd -p n_factor 50", UsageError),
        ("python run_notebooks.py --only svd -p n_factors many", UsageError),
        ("python run_notebooks.py --describe sdv", UsageError),
        ("MOVIELENS_DIR=/x python run_notebooks.py --profile larg", click.UsageError),
    ],
)
def test_a_wrong_command_is_found(line, error):
    assert commands_in(f"Type `{line}`.") == [line]
    assert commands_in(f"```sh\n{line}  # why\n```\n") == [f"{line}  # why"]
    with pytest.raises(error):
        check(line)


@pytest.mark.parametrize("document", DOCUMENTS[:2])
def test_make_has_every_target_that_a_document_names(document):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert named and named <= targets
