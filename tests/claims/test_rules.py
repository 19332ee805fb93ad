"""The rules of the verdicts: each on either side of what decides it, and the file they stand in."""

import ast
import re
from dataclasses import replace

import pytest

from lib.claims import load_claims, load_rules
from lib.claims.expressions import Stored, fields
from lib.claims.published import InvalidClaims
from lib.claims.rules import CARD_TEXTS, EXPRESSIONS, TEXTS
from lib.claims.verdicts import CONDITION, NO, OPEN, RANGE, UNTRIED, YES
from lib.experiment.stored_runs import MissingRun
from tests.claims.made_up import changed, facts, store

CLAIMS, RULES = load_claims(), load_rules()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    table = RULES.judge(CLAIMS, Stored(store(facts(), tmp_path_factory.mktemp("runs"))))
    return table.assign(part=table["id"] + "/" + table["figure"]).set_index("part")


# -- what decides --------------------------------------------------------------------------------------------------
def test_what_the_made_up_facts_say(unchanged):
    statements = unchanged[unchanged["figure"] == "statement"]["stands"]
    others = {part.removesuffix("/statement"): word for part, word in statements.items() if word != "yes"}
    assert others == {
        "A-svd-test": "with a condition",
        "A-soft-impute": "with a condition",
        "A-overlap": "with a condition",
        "A-ensemble": "with a condition",  # these never stand without one
        "D-neuralmf": "with a condition",
        "D-autorec": "no",
        "E-ml1m": "with a condition",
    }
    untried = unchanged["reproduced"] == "not tried"
    assert (unchanged.loc[~untried, "evidence"] != "").all()
    # What the projects measured nothing of, or on data that are not to be had, is never called reproduced.
    never = r"B-ablation/|D-|A-ensemble|A-side|E-top-k|E-published|seconds"
    assert untried[untried.index.str.contains(never)].all()


BLENDS = {"comparison.blends.1.high": 0.001}
MEASURES = "embeddings.measures"
SHORT = {"popularity_dot": 149.0, "popularity_cosine": 151.0, "norm_popularity": 0.49, "rare_norm": 0.99}
"""Measures of an embedding of which each by itself falls short of C's statement."""
APPENDIX, SEARCH = "two_tower.two_tower_scaling.appendix", "side_information_search.search"
APART = {"svd.svd_sweep.lowest_less_as_choice.high": -0.0001}
"""A's choice is worse than the lowest point by more than random starts explain."""
FLOOR = "neural_100k.leak_floor.0"
GAPS = "two_tower.two_tower_sparse_users.differences"
SHARED = "comparison.agreement_put_back"
L2 = {f"{MEASURES}.l2.test_mse": 0.9}
"""Project C's L2 term lowers the test error, whatever gravity does."""
ON_100K = facts()["koren"]
"""What MovieLens 100K may say of Koren's family beside MovieLens 1M: the same."""


def both_starts(what, at):
    return {f"{MEASURES}.{start}.{what}": at for start in ("plain", "plain_small")}


@pytest.mark.parametrize(
    ("part", "reproduced", "stands", "changes"),
    [
        # Two standard deviations over starts to either side: 0.9195 ± 0.0042 holds 0.9191; of a single start 0.003.
        ("A-svd-test/test_rmse", RANGE, YES, {}),
        ("A-svd-test/test_rmse", NO, NO, {"svd.svd_starts.rmse": [0.9247, 0.9253]}),
        ("A-svd-test/test_rmse", RANGE, YES, {"svd.svd_starts.rmse": [0.9220]}),
        ("A-svd-test/test_rmse", NO, NO, {"svd.svd_starts.rmse": [0.9223]}),
        ("A-svd-test/final_test_rmse", RANGE, YES, {"svd.svd_starts.rmse": [0.916, 0.922]}),
        ("A-svd-test/final_test_rmse", NO, NO, {}),
        # That the network does not beat SVD holds for the network as A trains it (0.95), chosen on validation data or not.
        ("A-svd-test/statement", YES, YES, {"two_tower.two_tower_seeds.test_rmse": [0.92, 0.93]}),
        ("A-svd-test/statement", YES, CONDITION, {}),
        ("A-svd-test/statement", NO, NO, {f"{APPENDIX}.test_rmse": 0.919}),
        ("A-svd-sweep/best_test_rmse", RANGE, CONDITION, {"svd.svd_sweep.best_on_test.rmse": 0.9194}),
        ("A-svd-sweep/best_test_rmse", NO, NO, {"svd.svd_sweep.best_on_test.rmse": 0.9196}),
        ("A-svd-sweep/best_n_factors", RANGE, CONDITION, {}),
        # Another number is no refutation while random starts alone move the difference to either side of zero.
        ("A-svd-sweep/best_n_factors", RANGE, CONDITION, {"svd.svd_sweep.best_on_validation.n_factors": 50}),
        ("A-svd-sweep/best_n_factors", NO, NO, {**APART, "svd.svd_sweep.best_on_validation.n_factors": 50}),
        ("A-svd-sweep/best_n_factors", UNTRIED, OPEN, {"svd.svd_sweep.lowest_less_as_choice": None}),
        ("A-svd-sweep/best_reg_all", NO, NO, {"svd.svd_sweep.best_on_test.reg_all": 0.02}),
        ("A-svd-sweep/statement", RANGE, CONDITION, {"svd.svd_sweep.strong_always_below_weak": False}),
        ("A-svd-sweep/statement", RANGE, CONDITION, {"svd.svd_sweep.weak_rises_with_factors": 0.0019}),
        ("A-soft-impute/best_lambda", RANGE, CONDITION, {}),
        ("A-soft-impute/best_lambda", NO, NO, {"imputation.soft_impute_best_shrinkage_on_test_in_steps_of_5": 15.0}),
        ("A-soft-impute/test_rmse", NO, CONDITION, {}),
        ("A-soft-impute/test_rmse", NO, NO, {"imputation.soft_impute_tuned.rmse": 0.921}),
        ("A-soft-impute/test_mae", YES, YES, {}),
        ("A-hard-impute/best_rank", NO, NO, {"imputation.hard_impute_best_rank_on_test": 2}),
        ("A-hard-impute/test_rmse", RANGE, CONDITION, {}),
        ("A-hard-impute/test_rmse", NO, NO, {"imputation.hard_impute_best_test_rmse": 0.9251}),
        ("A-hard-impute/test_mae", YES, CONDITION, {}),
        ("A-two-tower/test_rmse", RANGE, CONDITION, {f"{APPENDIX}.test_rmse": 0.946}),
        ("A-two-tower/test_rmse", NO, NO, {f"{APPENDIX}.test_rmse": 0.939}),
        ("A-two-tower/best_test_rmse_unit_scale", RANGE, CONDITION, {}),
        ("A-two-tower/best_train_rmse_unit_scale", UNTRIED, OPEN, {}),
        # A's 0.3481 against 0.36 less the 0.02 by which another scaling moves it, and 0.01 more.
        ("A-two-tower-grid/emb16_user16_movie64_final64/train_rmse", RANGE, CONDITION, {}),
        ("A-two-tower-grid/emb64_user64_movie32_final64/test_mae", UNTRIED, OPEN, {}),
        ("A-two-tower-grid/statement", YES, NO, {"two_tower.two_tower_grid.rank_of_a_by_test": 2}),
        ("A-two-tower-grid/statement", YES, NO, {"two_tower.two_tower_grid.size_correlations.test": -0.1}),
        ("A-correlation/statement", NO, NO, {"comparison.order_table.0.correlation": 0.31}),
        ("A-correlation/soft_hard_mean", NO, NO, {}),
        ("A-correlation/soft_hard_mean", RANGE, YES, {"comparison.agreement_put_back.0.correlation_high": 0.9}),
        ("A-correlation/soft_hard_max", YES, YES, {}),
        ("A-overlap/hard_two_tower_max", NO, NO, {}),
        ("A-overlap/hard_two_tower_max", YES, YES, {"comparison.agreement_put_back.2.overlap_max": 2}),
        # Lists that share next to nothing, that share less than half, and that share more.
        ("A-overlap/statement", YES, YES, {f"{SHARED}.{n}.overlap_mean": 0.49 for n in (1, 2)}),
        ("A-overlap/statement", NO, CONDITION, {f"{SHARED}.2.overlap_mean": 4.9}),
        ("A-overlap/statement", NO, NO, {f"{SHARED}.2.overlap_mean": 5.0}),
        ("A-ensemble/statement", UNTRIED, NO, {"ensemble_100k.three.high": 0.001}),
        ("A-ensemble/statement", UNTRIED, CONDITION, {"ensemble_100k.three": None}),
        ("A-ensemble/statement", UNTRIED, NO, {"ensemble_100k.three": None, **BLENDS}),
        ("A-side-features-help-sparse-users/statement", UNTRIED, CONDITION, {f"{GAPS}.0.high": 0.001}),
        ("A-side-features-help-sparse-users/statement", UNTRIED, NO, {f"{GAPS}.{n}.high": 0.001 for n in (0, 1, 5)}),
        ("B-tuned/validation_rmse", RANGE, YES, {}),
        ("B-tuned/validation_rmse", NO, NO, {"side_information_search.search.fold_scores": [0.8664, 0.868]}),
        (
            "B-tuned/validation_rmse",
            NO,
            YES,
            {f"{SEARCH}.fold_scores": [0.83, 0.85], f"{SEARCH}.validation_rmse": 0.84},
        ),
        ("B-tuned/validation_rmse", UNTRIED, OPEN, {"side_information_search": None}),
        ("B-tuned/mean_iterations", RANGE, YES, {"side_information_search.search.n_iterations": 15}),
        ("B-tuned/mean_iterations", NO, NO, {"side_information_search.search.n_iterations": 15.1}),
        ("B-ablation/full/test_rmse", UNTRIED, OPEN, {}),
        ("B-ablation/no_features/p", UNTRIED, OPEN, {}),
        ("B-ablation/full/test_rmse", UNTRIED, OPEN, {"side_information_ablation": None}),
        ("B-ablation/statement", UNTRIED, NO, {"side_information_ablation.loss_left.loss": 0.169}),
        ("B-ablation/statement", UNTRIED, NO, {"side_information_ablation.significance.6.p_adjusted": 0.049}),
        *(("C-dot-vs-cosine/statement", YES, YES, {f"{MEASURES}.plain_small.{w}": at}) for w, at in SHORT.items()),
        *(("C-dot-vs-cosine/statement", NO, NO, both_starts(w, at)) for w, at in SHORT.items()),
        (
            "C-dot-vs-cosine/statement",
            RANGE,
            CONDITION,
            {f"{MEASURES}.plain.norm_popularity": 0.49, f"{MEASURES}.plain_small.rare_norm": 0.9},
        ),
        ("C-gravity/statement", YES, YES, {}),
        ("C-gravity/statement", RANGE, CONDITION, L2),
        ("C-gravity/statement", RANGE, CONDITION, {f"{MEASURES}.l2.train_mse": 0.1}),
        ("C-gravity/statement", RANGE, CONDITION, {"embeddings.gravity.l2.test_mse": [0.1, -0.1]}),
        ("C-gravity/statement", YES, CONDITION, {"embeddings.references.chance.folding": 0.11}),  # of 0.10 seen
        ("C-gravity/statement", NO, NO, {"embeddings.gravity.plain_small.test_mse": [0.1, -0.1]}),
        ("C-gravity/statement", NO, NO, {"embeddings.gravity.plain_small.ndcg": [0.1, 0.0]}),
        ("C-gravity/statement", NO, NO, {"embeddings.structure.folding": [-0.1, 0.1]}),
        ("C-softmax/statement", YES, YES, {f"{MEASURES}.softmax_hidden.genre_agreement_cosine": 0.281}),
        ("C-softmax/statement", RANGE, CONDITION, {f"{MEASURES}.softmax_hidden.genre_agreement_cosine": 0.279}),
        (
            "C-softmax/statement",
            NO,
            NO,
            {f"{MEASURES}.{name}.genre_agreement_cosine": 0.279 for name in ("softmax", "softmax_hidden")},
        ),
        ("D-neuralmf/test_rmse", UNTRIED, OPEN, {}),
        # Other data than D's reproduce nothing, whatever their direction.
        ("D-neuralmf/statement", UNTRIED, CONDITION, {}),
        ("D-neuralmf/statement", UNTRIED, NO, {"neural.leak.autorec_leaky.honest_rmse": 0.87}),
        ("D-neuralmf/statement", UNTRIED, NO, {"neural.leak.autorec_published.honest_rmse": 0.87}),
        ("D-autorec/test_rmse", UNTRIED, NO, {}),
        # An error that is not clearly below the noise, or noise that an honest error is below, proves no copying.
        ("D-autorec/test_rmse", UNTRIED, OPEN, {f"{FLOOR}.leak_rmse": 0.96}),
        ("D-autorec/test_rmse", UNTRIED, OPEN, {f"{FLOOR}.honest_rmse": 0.99}),
        ("D-autorec/statement", UNTRIED, NO, {}),
        ("D-autorec/statement", UNTRIED, CONDITION, {"neural.leak.autorec_leaky.honest_rmse": 0.87}),
        ("D-autorec/test_loss", UNTRIED, OPEN, {"neural.leak.autorec_leaky.leak_rmse": 0.94}),
        ("D-autorec/recall_at_10", UNTRIED, OPEN, {}),
        ("D-bpr/precision_at_10", UNTRIED, OPEN, {}),
        ("D-ranking-vs-rating/statement", UNTRIED, CONDITION, {"ranking.ranking.svd.low": 0.006}),
        ("D-ranking-vs-rating/statement", UNTRIED, NO, {"ranking.ranking.svd.high": 0.2}),
        # E's training again is held against E's figure, the model trained properly against the conclusion.
        ("E-ml1m/Baseline/test_rmse", RANGE, YES, {}),
        # A recipe that E does not give decides nothing, however near it comes.
        ("E-ml1m/Baseline/test_rmse", NO, YES, {"full_batch_1m.as_e.0.diverged": 1}),
        ("E-ml1m/SVD dim 10/test_rmse", YES, CONDITION, {}),
        ("E-ml1m/SVD dim 10/test_rmse", RANGE, CONDITION, {"full_batch_1m.as_e.1.test_rmse": 1.04}),
        ("E-ml1m/SVD dim 10/test_rmse", NO, OPEN, {"full_batch_1m.as_e.1.test_rmse": 1.05}),
        ("E-ml1m/Asymmetric-SVD dim 10/test_rmse", NO, OPEN, {}),
        ("E-ml1m/Revised-Ngbr K=10/test_rmse", UNTRIED, OPEN, {}),
        ("E-ml1m/CorNgbr/seconds", UNTRIED, OPEN, {}),
        ("E-ml1m/statement", RANGE, CONDITION, {"full_batch_1m.grows_with_size.svd": False}),
        ("E-ml1m/statement", UNTRIED, CONDITION, {"full_batch_1m.grows_with_size": {}}),
        # E's explanation fits its training as long as each part of it does: the start, the rates, the want of training.
        ("E-ml1m/statement", YES, NO, {"full_batch.changes.1.test": 1.44}),
        ("E-ml1m/statement", YES, NO, {"full_batch.changes.2.test": 1.35}),
        ("E-ml1m/statement", YES, NO, {"full_batch.changes.3.diverged": False}),
        ("E-ml1m/statement", YES, NO, {"full_batch.changes.4.test": 1.44}),
        ("E-ml1m/statement", YES, NO, {"full_batch.changes": []}),
        ("E-ml1m/statement", YES, CONDITION, {"full_batch.changes": [], "koren.factors.nsvd.100": 0.92}),
        ("E-published-order/statement", UNTRIED, CONDITION, {"koren.order.0.sure": False}),
        ("E-published-order/statement", UNTRIED, CONDITION, {"koren.order_by_factors.50": False}),
        ("E-published-order/statement", UNTRIED, CONDITION, {"koren.factors.nsvd.100": 0.92}),
        ("E-published-order/statement", UNTRIED, NO, {"koren.order.0.sure": False, "koren.order.2.sure": False}),
        ("E-published-order/statement", UNTRIED, YES, {"koren_100k": ON_100K}),
        *(
            ("E-published-order/statement", UNTRIED, CONDITION, {"koren_100k": ON_100K, f"koren_100k.{place}": found})
            for place, found in (("order.0.sure", False), ("order_by_factors.10", False), ("factors.nsvd.100", 0.92))
        ),
        ("E-published-order/SVD/f50", UNTRIED, OPEN, {}),
        ("E-top-k/statement", UNTRIED, CONDITION, {"koren.hit_tests.0.high": 0.01}),
        ("E-top-k/statement", UNTRIED, CONDITION, {"koren.integrated_against_svd.hits_none": 0.049}),
        ("E-top-k/statement", UNTRIED, CONDITION, {"koren.integrated_against_svd.ndcg": 0.049}),
        # A step that lowers the error and makes worse lists, of either kind.
        ("E-top-k/statement", UNTRIED, CONDITION, {"koren.lists.2.ndcg": 0.105}),
        ("E-top-k/statement", UNTRIED, CONDITION, {"koren.lists.2.hits_none": 0.105}),
        (
            "E-top-k/statement",
            UNTRIED,
            NO,
            {"koren.integrated_against_svd.ndcg": 0.049, "koren.hit_tests.0.high": 0.01},
        ),
    ],
)
def test_a_rule_decides(tmp_path, part, reproduced, stands, changes):
    claim, _, figure = part.partition("/")
    stored = Stored(store(changed(changes), tmp_path))
    found = RULES.verdict(CLAIMS, claim, figure, stored)
    assert (found.reproduced, found.stands) == (reproduced, stands)


# -- what is said --------------------------------------------------------------------------------------------------
def reason(folder, part, changes):
    claim, _, figure = part.partition("/")
    return RULES.verdict(CLAIMS, claim, figure, Stored(store(changed(changes), folder))).reason


def test_texts_have_their_values_in_their_formats(unchanged):
    said = unchanged["reason"]
    assert said["A-svd-test/test_rmse"].startswith("mean of 2 random starts")
    assert "lowest test error at 11.5, validation data at 12," in said["A-soft-impute/best_lambda"]
    assert said["A-two-tower-grid/statement"].endswith("at −0.20 on train and +0.10 on test (Spearman)")
    sparse = said["A-side-features-help-sparse-users/statement"]
    assert "With 0, 1, 5 training ratings left the network stands at −0.010, −0.010, −0.010 RMSE against SVD" in sparse
    assert sparse.endswith("help beyond chance at 0, 1, 5. The imputers were not compared")
    assert "over 3 searches of 40 trials each from that point on; searched alone" in said["B-ablation/statement"]
    assert said["E-ml1m/SVD dim 10/test_rmse"] == (
        "E's training run again gives 0.964; trained one rating at a time, or fitted exactly, the model has 0.9100"
    )
    assert said["E-ml1m/Asymmetric-SVD dim 10/test_rmse"].startswith("E's training run again diverges; trained one")
    assert said["E-ml1m/Baseline/test_rmse"].startswith(
        "E's training run again gives 0.910; of 2 other recipes that end the nearest (clipped at 10) gives 0.911, but E"
    )
    assert (
        "so E's recipe is not all known; of 2 other recipes the one that was tried on most figures (clipped at 10) brings 1"
        " of 2 within 2%, 1 within 8%. Trained" in said["E-ml1m/statement"]
    )
    assert said["E-ml1m/SVD++ dim 10/test_rmse"].startswith("E's training was not run again on its data at this size")
    assert (
        "2 of its 3 errors that were run again come within 2% of E's, 2 within 8%, and 1 trainings"
        in (said["E-ml1m/statement"])
    )
    assert "(−0.0100, −0.0100, −0.0100), from SVD" in said["E-published-order/statement"]
    assert "RMSE is −1.2% against SVD's" in said["E-top-k/statement"]
    assert unchanged.loc["E-ml1m/Revised-Ngbr K=10/test_rmse", "evidence"] == "koren:fig-koren-neighbours"
    # The hits are those of the integrated model, whichever of the two the test names first.
    assert unchanged.loc["E-top-k/statement", ["low", "ours", "high"]].tolist() == [0.01, 0.02, 0.03]


def test_a_cause_is_shown_or_conjectured(unchanged):
    causes = unchanged[unchanged["cause"] != ""]["cause"]
    shown = [f"D-autorec/{part}" for part in ("test_rmse", "test_loss", "statement")]
    assert causes[causes == "shown"].index.tolist() == shown
    assert {"A-correlation/statement", "E-ml1m/statement"} < set(causes[causes == "conjectured"].index)
    assert causes.index.str.contains("statement|two_tower|A-two-tower|D-autorec").all()


@pytest.mark.parametrize(
    ("part", "word", "changes"),
    [
        # A's scale is shown where it alone gives the ratio that A has in stars.
        ("A-two-tower/best_test_rmse_unit_scale", "shown", {"svd.svd_scales.3.alike": True}),
        ("A-two-tower/best_test_rmse_unit_scale", "conjectured", {f"svd.svd_scales.{n}.alike": True for n in (3, 4)}),
        ("D-autorec/statement", "conjectured", {f"{FLOOR}.leak_rmse": 0.96}),
    ],
)
def test_what_shows_a_cause(tmp_path, part, word, changes):
    assert RULES.verdict(CLAIMS, *part.split("/", 1), Stored(store(changed(changes), tmp_path))).cause == word


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("A-svd-sweep/best_reg_all", {}, "on test and on validation data alike"),
        (
            "A-svd-sweep/best_reg_all",
            {"svd.svd_sweep.best_on_validation.reg_all": 0.02},
            "validation data prefer the other",
        ),
        ("A-svd-test/final_test_rmse", {}, "it is 0.9190. A prints 0.9191 elsewhere, and this may be it"),
        (
            "A-svd-sweep/best_n_factors",
            {},
            "by −0.0005, −0.0021 to +0.0011 by two standard errors",
        ),
        ("A-svd-sweep/best_n_factors", APART, "the choice is more than noise"),
        ("A-soft-impute/test_rmse", {}, "on further test splits like it, 0.9400 in the mean"),
        (
            "A-two-tower/best_test_rmse_unit_scale",
            {},
            "0.990 to 1.060 times on 2 scales that it may have used; alike in RMSE and MAE: none",
        ),
        ("A-two-tower/best_test_rmse_unit_scale", {"svd.svd_scales.3.alike": True}, "alike in RMSE and MAE: by 2.5"),
        ("D-autorec/statement", {}, "with a noise of 1.00 D's test gives 0.70, which only copying does"),
        ("A-svd-sweep/statement", {"svd.svd_sweep.strong_always_below_weak": False}, "better at most numbers"),
        ("A-hard-impute/best_rank", {"imputation.hard_impute_best_rank_on_validation": 2}, "choose another"),
        ("A-correlation/soft_hard_min", {}, "the lowest user"),
        ("A-correlation/soft_two_tower_max", {}, "the highest user; with the films of one matrix in another order"),
        ("A-ensemble/statement", {"ensemble_100k.three": None}, "1 of 2 equal-weight averages"),
        (
            "A-side-features-help-sparse-users/statement",
            {f"{GAPS}.{n}.high": 0.1 for n in (3, 4, 5)},
            "at none. The imputers",
        ),
        ("B-ablation/no_graph/test_rmse", {}, "the range is that of the folds"),
        (
            "B-ablation/full/test_rmse",
            {f"side_information_ablation.kept_folds.{n}.train_rmse": 0.003 for n in (0, 1)},
            "collapses onto its training ratings, with a train RMSE of 0.003",
        ),
        ("C-gravity/statement", {}, "10.0% have audiences that avoid each other, more than chance gives (5.0%)"),
        ("C-gravity/statement", {"embeddings.references.chance.folding": 0.2}, "fewer than chance gives (20.0%)"),
        ("C-gravity/statement", {}, "the L2 term by itself raises the test error"),
        ("C-gravity/statement", L2, "the L2 term by itself lowers the test error"),
        (
            "C-dot-vs-cosine/statement",
            {f"{MEASURES}.plain.norm_popularity": -0.16},
            "the correlation is −0.16:",
        ),
        ("C-dot-vs-cosine/statement", {}, "the parts hold in one model"),
        ("C-gravity/statement", {"embeddings.gravity.plain_small.ndcg": [0.1, -0.1]}, "+0.000, genre agreement by"),
        (
            "C-gravity/statement",
            {"embeddings.gravity.plain_small.ndcg": [0.1, -0.1]},
            "not as C says in every random start",
        ),
        ("A-hard-impute/test_rmse", {}, "gives the upper end"),
        ("D-neuralmf/test_rmse", {}, "on MovieLens 1M the same settings have a test RMSE of 0.8800 at epoch 5"),
        ("D-ranking-vs-rating/statement", {}, "is 0.200 for BPR, 0.006 for NeuralMF, 0.004 for AutoRec, 0.005 by"),
        ("D-ranking-vs-rating/statement", {"ranking.ranking.svd.high": 0.2}, "is not ahead of every one of them"),
        ("E-ml1m/statement", {}, "takes SVD++ from 1.43 to 0.96, and no penalty to 1.43"),
        ("E-ml1m/statement", {"full_batch.changes": []}, "there at 3 of 3 sizes"),
        ("E-ml1m/statement", {"full_batch_1m.recipe_counts": []}, "so E's recipe is not all known. Trained"),
        ("E-ml1m/Baseline/test_rmse", {"full_batch_1m.recipes": []}, "again gives 0.910; trained one rating"),
        ("E-ml1m/NSVD dim 50/seconds", {}, "the machine; ours takes 3.0 s on one core"),
        ("E-ml1m/NSVD dim 50/seconds", {"koren.models.nsvd": {}}, "depend on the machine"),
    ],
)
def test_a_text_says_what_was_found(tmp_path, part, changes, words):
    assert words in reason(tmp_path, part, changes)


def test_smaller_data_stand_in_where_the_larger_are_missing(tmp_path):
    runs = facts()
    for large, small in (("neural", "neural_100k"), ("ranking", "ranking_100k"), ("koren", "koren_100k")):
        runs[small] = runs.pop(large)
    del runs["full_batch_1m"]
    stored = Stored(store(runs, tmp_path))
    found = {
        part: RULES.verdict(CLAIMS, *part.split("/", 1), stored)
        for part in (
            "D-ranking-vs-rating/statement",
            "E-ml1m/Baseline/test_rmse",
            "E-ml1m/statement",
            "E-top-k/statement",
        )
    }
    words = [(verdict.reproduced, verdict.stands) for verdict in found.values()]
    assert words == [(UNTRIED, YES), (UNTRIED, OPEN), (YES, CONDITION), (UNTRIED, YES)]
    assert [verdict.evidence.partition(":")[0] for verdict in found.values()] == [
        "ranking_100k",
        "",
        "full_batch",
        "koren_100k",
    ]
    assert found["E-top-k/statement"].reason.startswith("E asks it and leaves it undone. On MovieLens 100K the")


# -- the file ------------------------------------------------------------------------------------------------------
def every_expression():
    """Each expression of the rules with where it stands."""
    for project, rules in RULES.rules.items():
        for name, found in RULES.definitions[project].items():
            if isinstance(found, str):
                yield f"{project}.{name}", found
        cards = [card for claim, card in RULES.cards.items() if claim.startswith(project)]
        for card in cards:
            inside = [found for name in CARD_TEXTS for found in fields(card[name])]
            yield from ((card["theirs"], found) for found in [card["holds"], *inside])
        for rule in rules:
            plain = [found for name in EXPRESSIONS if (found := getattr(rule, name))]
            inside = [found for name in TEXTS for found in fields(getattr(rule, name))]
            yield from ((rule.judges, found) for found in plain + inside)


def test_every_part_has_a_rule_and_every_rule_a_part():
    parts = [(claim.project, claim.id, part) for claim in CLAIMS.values() for part in claim.parts]
    first = {}
    for project, claim, part in parts:
        fitting = [rule for rule in RULES.rules[project] if rule.bound(claim, part) is not None]
        assert fitting, (claim, part)
        # What fits after a rule without condition is never asked.
        end = next((n for n, rule in enumerate(fitting) if rule.when == "True"), len(fitting))
        for rule in fitting[: end + 1]:
            first[project, rule] = part
        assert end < len(fitting), f"{claim}, {part}: every rule has a condition"
    unused = [rule for project, rules in RULES.rules.items() for rule in rules if (project, rule) not in first]
    assert not unused


def test_thresholds_are_named_once_and_used():
    names, typed = set(), []
    for where, expression in every_expression():
        for node in ast.walk(ast.parse(f"({expression})", mode="eval")):
            if isinstance(node, ast.Name):
                names.add(node.id)
            if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (-1, 0, 1, 2):
                typed.append((where, node.value))
    assert typed == []
    assert set(RULES.thresholds) <= names
    defined = {name for definitions in RULES.definitions.values() for name in definitions}
    assert defined <= names and not defined & set(RULES.thresholds)


def rules_of(folder, text):
    path = folder / "verdicts.toml"
    path.write_text(text)
    return load_rules(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[thresholds]\nfew = { value = 2 }", "threshold few: lacks why"),
        ("[A]\nrules = []", "rules of project A: lacks define"),
        ('[A]\ndefine = {}\nrules = [{ judge = "A-one/rmse" }]', "lacks judges, reason"),
        (
            '[A]\ndefine = {}\nrules = [{ judges = "A-one/rmse", reason = "", evidense = "" }]',
            "A-one/rmse of A: unknown key 'evidense'; did you mean 'evidence'",
        ),
        (
            '[A]\ndefine = {}\nrules = [{ judges = "A-one/rmse", reason = "", ours = "1 +" }]',
            "A-one/rmse of A: '1 \\+' is no expression",
        ),
        ('[A]\ndefine = {}\nrules = []\ncards = { A-one = { ours = "" } }', "card A-one: lacks holds, theirs, why"),
        (
            '[A]\ndefine = {}\nrules = []\ncards = { A-one = { theirs = "", ours = "", why = "{1 +}", holds = "True" } }',
            "card A-one: '1 \\+' is no expression",
        ),
        ("A = ", "not valid TOML"),
    ],
)
def test_a_file_at_fault_is_refused(tmp_path, text, message):
    with pytest.raises(InvalidClaims, match=message):
        rules_of(tmp_path, text)


def test_the_first_rule_that_fits_and_applies_judges(tmp_path):
    claim = "A-svd-test"
    rules = [
        {"judges": f"{claim}/test_rmse", "when": "1 > 2", "reason": "never"},
        {"judges": f"{claim}/{{split}}_rmse", "reason": "{split} of {figure}"},
        {"judges": f"{claim}/{{any}}", "reason": "the rest"},
    ]
    text = "[A]\ndefine = {}\n" + "".join(
        "[[A.rules]]\n" + "".join(f'{key} = "{value}"\n' for key, value in rule.items()) for rule in rules
    )
    found = rules_of(tmp_path, text)
    said = {part: found.verdict(CLAIMS, claim, part, Stored(tmp_path)).reason for part in CLAIMS[claim].parts[:4]}
    assert said == {
        "train_rmse": "train of train_rmse",
        "train_mae": "the rest",
        "test_rmse": "test of test_rmse",
        "test_mae": "the rest",
    }
    assert found.verdict(CLAIMS, "A-ensemble", "statement", Stored(tmp_path)) is None


def test_what_no_rule_judges_is_missing(tmp_path):
    without = replace(RULES, rules={**RULES.rules, "C": RULES.rules["C"][1:]})
    with pytest.raises(InvalidClaims, match="1 parts of claims lack a verdict: C-dot-vs-cosine/statement"):
        without.judge(CLAIMS, Stored(store(facts(), tmp_path)))


def test_a_missing_run_and_a_missing_fact_are_named(tmp_path):
    with pytest.raises(MissingRun, match="--only svd"):
        RULES.judge(CLAIMS, Stored(tmp_path))
    runs = changed({"svd.svd_sweep": {"start_spread": 0.1}})
    stored = Stored(store(runs, tmp_path))
    with pytest.raises(InvalidClaims, match=re.escape("A-svd-sweep, best_test_rmse: the rule for A-svd-sweep/best_")):
        RULES.judge(CLAIMS, stored)
    with pytest.raises(InvalidClaims, match="there is no 'best_on_test' among start_spread"):
        RULES.judge(CLAIMS, stored)
