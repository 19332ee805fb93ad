"""Cards of claims, and verdicts as a reader sees them."""

from dataclasses import replace

import pytest

from lib.claims import cards, load_claims, load_rules, marked
from lib.claims.cards import MARKS
from lib.claims.expressions import Stored
from lib.claims.published import InvalidClaims
from lib.report.trees import unique
from tests.claims.made_up import changed, facts, store

CLAIMS, RULES = load_claims(), load_rules()


def made(folder, runs, rules=RULES):
    stored = Stored(store(runs, folder))
    found = cards(rules, CLAIMS, stored, RULES.judge(CLAIMS, stored))
    return dict(zip(CLAIMS, found, strict=True))


def test_every_claim_has_a_card_in_words_and_a_place_of_its_own():
    assert RULES.cards.keys() == CLAIMS.keys()
    assert all(claim.says for claim in CLAIMS.values())
    taken = set()
    assert [claim.anchor for claim in CLAIMS.values()] == [unique(claim.model, taken) for claim in CLAIMS.values()]
    assert len({claim.anchor for claim in CLAIMS.values()}) == len(CLAIMS)


def test_a_card_has_both_figures_the_verdict_the_reason_and_the_evidence(tmp_path):
    runs = changed({"embeddings.measures.l2.test_mse": 0.9, "embeddings.references.chance.folding": 0.2})
    card = made(tmp_path, runs)["C-gravity"]
    assert (card["project"], card["title"], card["as_written"], card["stated_by"]) == ("C", "Gravity", True, "")
    assert (card["reproduced"], card["stands"]) == ("within a range", "with a condition")
    text = card["markdown"]
    assert text.startswith("### Gravity\n\nBoth terms raise")
    assert (
        "- **Project C:** no figure\n- **Ours:** test MSE +0.20 and nDCG +0.150 by both terms, −0.10 and +0.000 by L2 alone"
        in text
    )
    assert (
        "- **Reproduced:** ◐ within a range\n- **Stands:** ◆ with a condition\n\nWith both terms the error rises"
        in text
    )
    assert text.endswith("See @fig-gravity-embeddings.")


def test_where_its_words_do_not_hold_a_card_gives_the_reason_of_what_decides(tmp_path):
    card = made(tmp_path, facts())["A-correlation"]
    assert not card["as_written"]
    assert "\n\nMatched by id the network and Soft-Impute correlate at 0.290;" in card["markdown"]


def test_who_states_what_a_project_only_presents_is_named(tmp_path):
    found = made(tmp_path, facts())
    presented = [name for name, card in found.items() if card["stated_by"]]
    assert presented == ["E-published-order", "E-top-k"]
    assert "- **The papers on E's slides:** on Netflix" in found["E-published-order"]["markdown"]


def test_what_was_not_measured_is_said(tmp_path):
    card = made(tmp_path, changed({"side_information_search": None}))["B-tuned"]
    assert (card["reproduced"], card["stands"], card["as_written"]) == ("not tried", "open", False)
    assert "- **Ours:** not measured here\n" in card["markdown"]
    assert card["markdown"].endswith("\n\nNeeds MovieLens Latest Small, which no source could serve here.")


def test_texts_of_a_card_are_filled_in_with_its_claim_s_figures_and_verdict(tmp_path):
    texts = {"theirs": "{figures.test_rmse:.4f}", "ours": "{reproduced}, {stands}", "why": "Why."}
    rules = replace(RULES, cards={**RULES.cards, "A-svd-test": {**texts, "holds": "stands == condition"}})
    text = made(tmp_path, facts(), rules)["A-svd-test"]["markdown"]
    assert "- **Project A:** 0.9191\n- **Ours:** within a range, with a condition\n" in text
    assert "\n\nWhy. See @tbl-two-tower-best-two_tower, @tbl-svd-reproduction-svd." in text


def test_a_card_that_fails_is_named(tmp_path):
    broken = {**RULES.cards["A-svd-test"], "ours": "{figures.test_rmse:x}"}
    rules = replace(RULES, cards={**RULES.cards, "A-svd-test": broken})
    with pytest.raises(InvalidClaims, match="the card of A-svd-test failed with ValueError: Unknown format code 'x'"):
        made(tmp_path, facts(), rules)


def test_a_card_s_words_need_what_they_say(tmp_path):
    search = "side_information_search.search"
    found = {f"{search}.validation_rmse": 0.866, f"{search}.fold_scores": [0.865, 0.867], f"{search}.n_trials": 150}
    assert made(tmp_path / "all", changed(found))["B-tuned"]["as_written"]
    assert not made(tmp_path / "fewer", changed({**found, f"{search}.n_trials": 149}))["B-tuned"]["as_written"]
    rank = {"imputation.hard_impute_best_rank_on_test": 2}
    assert made(tmp_path / "rank", facts())["A-hard-impute"]["as_written"]
    assert not made(tmp_path / "other", changed(rank))["A-hard-impute"]["as_written"]


def test_words_have_a_mark_of_their_own_in_each_part():
    assert marked("within a range", "reproduced") == "◐ within a range" and marked("open", "stands") == "▲ open"
    for words in MARKS.values():
        assert len(set(words.values())) == len(words)


def test_the_card_on_e_s_training_tells_of_the_recipes_where_they_were_tried(tmp_path):
    tried = made(tmp_path / "tried", facts())["E-ml1m"]
    assert tried["as_written"]
    assert (
        "nothing; 2 recipes were tried, with 1 of which the Baseline comes within 2% of its figure" in tried["markdown"]
    )
    untried = made(tmp_path / "untried", changed({"full_batch_1m.recipe_counts": []}))["E-ml1m"]
    assert untried["as_written"] and "of which its code shows nothing, and our run has none." in untried["markdown"]
