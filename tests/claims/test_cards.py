"""Cards of claims, and verdicts as a reader sees them."""

from dataclasses import replace

import pytest

from lib.claims import cards, load_claims, load_rules, readable
from lib.claims.expressions import Stored
from lib.claims.rules import CardTexts
from lib.claims.verdicts import Verdict, verdict_table
from lib.report.trees import unique
from tests.claims.made_up import changed, facts, store

CLAIMS, RULES = load_claims(), load_rules()


def made(folder, runs, rules=RULES):
    stored = Stored(store(runs, folder))
    return {card.id: card for card in cards(rules, CLAIMS, stored, RULES.judge(CLAIMS, stored))}


def test_every_claim_has_a_card_in_words_and_a_place_of_its_own():
    assert RULES.cards.keys() == CLAIMS.keys()
    assert all(claim.says for claim in CLAIMS.values())
    taken = set()
    assert [claim.anchor for claim in CLAIMS.values()] == [unique(claim.model, taken) for claim in CLAIMS.values()]
    assert len({claim.anchor for claim in CLAIMS.values()}) == len(CLAIMS)


def test_a_card_has_both_figures_the_verdict_the_reason_and_the_evidence(tmp_path):
    card = made(
        tmp_path, changed({"embeddings.measures.l2.test_mse": 0.9, "embeddings.references.chance.folding": 0.2})
    )["C-gravity"]
    assert (card.reproduced, card.stands, card.evidence) == ("yes", "with a condition", ("fig-gravity-embeddings",))
    assert card.as_written and card.why.startswith("The error rises and the lists improve")
    text = card.markdown
    assert text.startswith("### Gravity\n\nBoth terms raise")
    assert "- **Project C:** no figure\n- **Ours:** nDCG +0.150" in text
    assert "- **Reproduced:** ● yes\n- **Stands:** ◆ with a condition\n" in text
    assert text.endswith("See @fig-gravity-embeddings.")


def test_where_its_words_do_not_hold_a_card_gives_the_reason_of_what_decides(tmp_path):
    card = made(tmp_path, facts())["A-correlation"]
    assert not card.as_written and card.why.startswith("Matched by id the network and Soft-Impute correlate at 0.29")


def test_what_was_not_measured_is_said(tmp_path):
    card = made(tmp_path, changed({"side_information_search": None}))["B-tuned"]
    assert (card.ours, card.reproduced, card.stands, card.evidence) == ("not measured here", "not tried", "open", ())
    assert card.why == "Needs MovieLens Latest Small, which no source could serve here." and "See" not in card.markdown


def test_texts_of_a_card_are_filled_in_with_its_claim_s_figures_and_verdict(tmp_path):
    texts = CardTexts("{figures.test_rmse:.4f}", "{reproduced}, {stands}", "Why.", "stands == condition")
    card = made(tmp_path, facts(), replace(RULES, cards={**RULES.cards, "A-svd-test": texts}))["A-svd-test"]
    assert (card.theirs, card.ours, card.why) == ("0.9191", "within a range, with a condition", "Why.")


@pytest.fixture
def rows():
    figure = "emb16_user8_movie64_final128/test_rmse"
    verdicts = [
        Verdict("A-two-tower-grid", figure, "within a range", "open", "because", "two_tower:fig-x", 0.3912, 0.38, 0.4),
        Verdict("A-svd-test", "train_mae", "not tried", "open", "no data"),
    ]
    return readable(verdict_table(CLAIMS, verdicts), CLAIMS)


def test_a_reader_sees_words_ranges_marks_and_labels(rows):
    assert rows["part"].tolist() == [
        "A: Two-tower network: 150 architectures, 16-8-64-128 test RMSE",
        "A: SVD with 20 factors, train MAE",
    ]
    assert rows["ours"].tolist() == ["0.3912 (0.38 to 0.4)", ""]
    assert rows["reproduced"].tolist() == ["◐ within a range", "◌ not tried"]
    assert rows["stands"].tolist() == ["▲ open", "▲ open"]
    assert rows["evidence"].tolist() == ["fig-x-two_tower", ""]
