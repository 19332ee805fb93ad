import re

import click
import numpy as np
import pandas as pd
import pytest

from lib import ROOT
from lib.report import readme
from lib.runner.errors import UsageError
from tests.documents import check, commands_in

DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
DOCUMENTS = ("README.md", *DOCS, "CONTRIBUTING.md", "data/README.md", "notebooks/START.md")


def test_documents_are_in_step_with_the_committed_report():
    if not (ROOT / "reports" / "data" / "results.csv").exists():
        pytest.skip("no report is rendered here; make one with: make report")
    for name, text in readme.documents().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, "run: make publish"


def test_the_findings_tell_what_the_tables_hold():
    columns = ["run", "split", "fold", "model", "metric", "value", "low", "high", "setting", "headline"]
    sides = {name: f"side_information_als_{name}" for name in ("plain", "features", "implicit")}
    rows = [
        ("ensemble_100k", readme.SPLIT, None, "ensemble_timeless", "rmse", 0.8612, 0.85, 0.87, "no_time", "yes"),
        ("ensemble_100k", readme.SPLIT, None, "ensemble", "rmse", 0.8412, 0.83, 0.85, "time_known", "yes"),
        ("ensemble_100k", "chronological", None, "ensemble", "rmse", 1.0112, 0.99, 1.03, "deployable", "yes"),
        ("ensemble_small", "kfold_5", "1", "ensemble_timeless", "rmse", 0.7812, 0.76, 0.8, "no_time", "yes"),
        ("one_table", readme.SPLIT, None, "svdpp", "rmse", 0.8912, 0.88, 0.9, "no_time", ""),
        ("one_table", readme.SPLIT, None, "timesvdpp", "rmse", 0.8812, 0.87, 0.89, "time_known", ""),
        ("one_table", readme.SPLIT, None, "svdpp", "ndcg@10", 0.1012, 0.09, 0.11, "no_time", ""),
        ("one_table", readme.SPLIT, None, "ease", "ndcg@10", 0.3712, 0.36, 0.38, "no_time", ""),
        ("one_table", readme.SPLIT, None, "most_popular", "ndcg@10", 0.1712, 0.16, 0.18, "no_time", ""),
        ("one_table", "chronological", None, "bias", "rmse", 1.0312, 1.0, 1.06, "deployable", ""),
        ("comparison", readme.SPLIT, None, "two_tower", "correlation_matched_by_id", 0.4512, None, None, "", ""),
        ("comparison", readme.SPLIT, None, "two_tower", "correlation_films_shuffled", 0.0022, None, None, "", ""),
        *(("side_information", "kfold_5", "1", name, "rmse", 0.8, None, None, "no_time", "") for name in sides.values()),
        *(("koren", "random_90_10", None, name, "rmse", 0.84, None, None, "no_time", "") for name in ("biased_svd", "integrated")),
    ]  # fmt: skip
    claims = pd.DataFrame(
        [
            ("A-svd-sweep", "A", "best_test_rmse", 0.917, "yes", "yes"),
            ("E-ml1m", "E", "Integrated dim 10/test_rmse", 2.023, "no", "no"),
        ],
        columns=["id", "project", "figure", "reported", "reproduced", "stands"],
    )
    selection = pd.DataFrame({"dataset": ["ml-100k", "ml-100k", "ml-1m"]})
    told = readme.findings(pd.DataFrame(rows, columns=columns), claims, selection)
    for words in ("2 claims 1 stand, 0 with a condition, 1 do not", "EASE 0.371", "0.861 on project A's split", "SVD++ 0.891", "0.841", "On MovieLens 100K and MovieLens 1M hyperparameters"):  # fmt: skip
        assert words in told, words


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


def test_the_documents_show_how_to_rerun_extend_and_use_own_ratings():
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", *DOCS))
    found = " ".join(line for text in texts for line in commands_in(text))
    for option in ("--only", "-p", "--describe", "--dataset", "--model", "--contract"):
        assert f" {option} " in f"{found} ", option


def test_the_model_of_the_documents_works_as_it_is_written(planted):
    text = (ROOT / "docs" / "your-data.md").read_text(encoding="utf-8")
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


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/running.md"])
def test_make_has_every_target_that_a_document_names(document):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert named and named <= targets
