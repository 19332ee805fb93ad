import json

import pytest

from lib.display import TABLE_MIME
from lib.runner.page import Overview
from lib.runner.rerun import show_places

PLACE = {
    "key": "u1", "n_test": 20000, "metric": "RMSE", "value": 0.94441, "interval": "0.930 to 0.960", "place": 3,
    "n_models": 12, "best": "SVD++", "best_value": 0.9,
}  # fmt: skip


def test_the_places_are_printed_and_stand_on_the_page(tmp_path, capsys):
    facts = {"model": {"name": "Mine"}, "places": [PLACE, {**PLACE, "metric": "nDCG@10", "place": 1}]}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    overview = Overview("A model of yours")
    show_places(tmp_path, overview)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Mine beside") and "Place" in said[1]
    assert any("0.9444" in line and "3 of 12" in line and "SVD++" in line for line in said)
    (cell,) = [cell for cell in overview.notebook()["cells"] if cell["cell_type"] == "code"]
    rows = cell["outputs"][0]["data"][TABLE_MIME]["rows"]
    assert [row[4] for row in rows] == ["3 of 12", "1 of 12"]


def test_a_run_without_facts_is_no_silent_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        show_places(tmp_path, Overview("A model of yours"))
