"""The glossary's file of terms, which the page, the words that explain themselves and the search read."""

import re
import tomllib

from lib import ROOT
from lib.runner.plan import load_plan

TERMS = tomllib.loads((ROOT / "data" / "glossary.toml").read_text(encoding="utf-8"))["terms"]


def test_terms_are_in_order_and_each_name_leads_to_one():
    names = [one["term"] for one in TERMS]
    assert len(names) >= 25 and names == sorted(names, key=str.lower)
    all_names = [name.lower() for one in TERMS for name in (one["term"], *one["also"])]
    assert sorted(set(all_names)) == sorted(all_names)


def test_a_term_has_a_sentence_or_two_and_leads_to_a_run():
    runs = {run.id for run in load_plan().runs}
    for one in TERMS:
        assert set(one) <= {"term", "also", "meaning", "run"}, one["term"]
        assert re.fullmatch(r"[A-Z].{20,260}\.", one["meaning"]), one["term"]
        assert one.get("run", "method") in runs, one["term"]
