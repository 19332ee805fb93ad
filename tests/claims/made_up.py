"""What the runs might have found: small facts under which nearly every statement holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lib.claims.expressions import Names, Stored
from lib.claims.published import Claims
from lib.claims.rules import NAMES, Rule
from lib.claims.verdicts import Verdict

DRAWN = {
    "two_tower/figures/fig-two-tower-published": """architecture,metric,train,test,train_ours,test_ours
emb16_user16_movie64_final64,rmse,0.3481,0.3908,0.36,0.395
emb32_user16_movie64_final64,rmse,0.3406,0.392,0.35,0.396
""",
    "two_tower/tables/tbl-two-tower-scaling": """targets,"rmse: Test RMSE, unit scale","mae: Test MAE, unit scale"
"centred, divided by 2.5",0.375,0.295
""",
    "two_tower/tables/tbl-two-tower-appendix": """targets,train_rmse,train_mae,test_rmse,test_mae
"centred, divided by 2.5",0.65,0.5,0.94,0.74
A's figures,0.66,0.52,0.96,0.75
""",
    "full_batch/figures/fig-start-and-rate": """scale,rate,test_rmse,diverged
1.0,1.0,1.43,False
1.0,10.0,,True
0.1,10.0,0.91,False
""",
}
"""The rows behind a figure, and of tables, that rules read."""


def facts() -> dict[str, dict]:
    """Facts by run, anew at each call."""
    interval = {"low": -0.02, "difference": -0.01, "high": -0.005}
    sparse = [
        {"rival": rival, "ratings": ratings, **interval}
        for rival in ("svd", "two_tower_ids_only", "bias")
        for ratings in (5, 0, 1)
    ]
    pairs = (("soft_impute", "hard_impute"), ("soft_impute", "two_tower"), ("hard_impute", "two_tower"))
    agreement = {"mean": 0.5, "low": 0.4, "high": 0.6, "min": 0.1, "max": 1.0}
    put_back = [
        {"model_a": a, "model_b": b, "overlap_chance": 0.06}
        | {f"{what}_{part}": n for what in ("correlation", "overlap") for part, n in agreement.items()}
        for a, b in pairs
    ]
    folds = [
        {"variant": variant, "fold": fold, "train_rmse": 0.79, "test_rmse": rmse, "cold_bin_rmse": 0.95}
        | {"popular_bin_rmse": 0.85, "seconds_fit": 2.0}
        for variant in (
            "full",
            "no_features",
            "only_genres",
            "only_years",
            "no_graph",
            "graph_feature=year",
            "no_pop_reg",
        )
        for fold, rmse in enumerate((0.85, 0.87), 1)
    ]
    tests = [
        {"way": "kept", "model_a": fold["variant"], "sign_p": 0.0625, "sign_p_adjusted": 0.125, "difference": 0.014}
        for fold in folds[2::2]
    ]
    tests += [
        {"way": "its own", "model_a": name, "p_adjusted": 0.06, **interval}
        for name in ("no_features", "no_graph", "no_pop_reg")
    ]
    tests += [{"way": "searched alone", "model_a": "no_features", "p_adjusted": 0.2, **interval}]
    embedding = {
        "popularity_dot": 160.0,
        "popularity_cosine": 90.0,
        "norm_popularity": 0.6,
        "rare_norm": 1.1,
        "folding": 0.1,
        "genre_agreement_cosine": 0.3,
        "train_mse": 0.2,
        "test_mse": 1.0,
        "ndcg_dot": 0.1,
        "spread": {"genre_agreement_cosine": 0.01},
    }
    neural = {
        "networks": {"neural_mf_published": {"test_rmse": 0.88, "n_epochs": 5.0}, "neural_mf": {"test_rmse": 0.85}},
        "leak": {
            "autorec_leaky": {"leak_rmse": 0.62, "honest_rmse": 0.93},
            "autorec_published": {"leak_rmse": 0.89, "honest_rmse": 0.9},
        },
    }
    of_lists = {"precision": 0.0926, "recall": 0.1646}
    lists = {
        "ease": {"label": "EASE", "of_ratings": False, "ndcg": 0.3, "low": 0.29, "high": 0.31},
        "bpr": {"label": "BPR", "of_ratings": False, "ndcg": 0.2, "low": 0.19, "high": 0.21},
        "bpr_published": of_lists | {"label": "BPR, D's", "of_ratings": False, "ndcg": 0.2, "low": 0.19, "high": 0.21},
        "neural_mf_published": {
            "label": "NeuralMF, D's",
            "of_ratings": True,
            "ndcg": 0.006,
            "low": 0.004,
            "high": 0.008,
        },
        "autorec_published": {"label": "AutoRec, D's", "of_ratings": True, "ndcg": 0.004, "low": 0.003, "high": 0.005}
        | {"recall": 0.006},
        "svd": {"label": "SVD", "of_ratings": True, "ndcg": 0.01, "low": 0.004, "high": 0.02},
        "soft_impute": {"label": "Soft-Impute", "of_ratings": True, "ndcg": 0.02, "low": 0.004, "high": 0.03},
        "random_order": {
            "label": "Random order",
            "of_ratings": False,
            "ndcg": 0.005,
            "recall": 0.002,
            "low": 0.0,
            "high": 0.01,
        },
    }
    chain = ("biased_svd", "asymmetric_svd", "svdpp", "integrated")
    steps = [(a, b) for i, a in enumerate(chain) for b in chain[i + 1 :]]
    errors = {"10": 0.91, "50": 0.905, "100": 0.9}
    trained = {"test_rmse": 0.91, "low": 0.905, "high": 0.915, "seconds_fit": 3.0}
    gravity = {"train_mse": [0.1, 0.2], "test_mse": [0.1, 0.3], "ndcg": [0.1, 0.2]}
    shown = {"hits_none": 0.1, "ndcg": 0.1}  # by the first of the chain; each further one has a tenth more
    full_batch = [("baseline", 0, 0.91, 0), ("svd", 10, 0.9639, 0), ("asymmetric_svd", 10, 1e30, 1)]
    by_recipe = [
        ("clipped at 1", "baseline", 0, 1.12, 0),
        ("clipped at 10", "baseline", 0, 0.9111, 0),
        ("clipped at 10", "asymmetric_svd", 10, 5.0, 1),
    ]
    return {
        "svd": {
            "svd_starts": {
                "train_rmse": [0.774, 0.776],
                "train_mae": [0.612, 0.614],
                "rmse": [0.918, 0.921],
                "mae": [0.73, 0.73],
            },
            "svd_sweep": {
                "best_on_test": {"n_factors": 20, "reg_all": 0.05, "rmse": 0.918},
                "best_on_validation": {"n_factors": 10, "reg_all": 0.05},
                "strong_always_below_weak": True,
                "weak_rises_with_factors": 0.03,
                "strong_range_from_15": 0.0012,
                "start_spread": 0.001,
                "lowest_less_as_choice": {"difference": -0.0005, "low": -0.0021, "high": 0.0011},
            },
            "svd_splits": {name: [0.92, 0.93] for name in ("train_rmse", "train_mae", "rmse", "mae")},
            "svd_scales": [
                {"targets": targets, "rmse": 0.919, "rmse_ratio": ratio, "unit": unit, "alike": False}
                for targets, ratio, unit in (("stars", 1.04, False),) * 3
                + (("by 2.5", 1.06, True), ("by user", 0.99, True))
            ],
        },
        "imputation": {
            "soft_impute": {"rmse": 0.93, "mae": 0.72, "train_rmse": 0.59},
            "soft_impute_tuned": {"rmse": 0.91, "mae": 0.71},
            "hard_impute": {"rmse": 0.931, "mae": 0.723},
            "hard_impute_tuned": {"mae": 0.71},
            "hard_impute_best_test_rmse": 0.9196,
            "hard_impute_best_rank_on_test": 3,
            "hard_impute_best_rank_on_validation": 3,
            "soft_impute_best_shrinkage_on_test": 11.5,
            "soft_impute_best_shrinkage_on_test_in_steps_of_5": 10.0,
            "soft_impute_best_shrinkage_on_validation": 12.0,
            "guesses": [{"guess": "further splits like A's", "model": "Soft-Impute", "rmse": 0.94, "mae": 0.74}],
        },
        "two_tower": {
            "two_tower_grid": {
                "size": 150,
                "best_by_test": "emb16_user16_movie64_final64",
                "rank_of_a_by_test": 1,
                "rank_of_a_by_validation": 2,
                "test_rmse_range": [0.9, 0.92],
                "size_correlations": {"train": -0.2, "test": 0.1},
            },
            "two_tower_scaling": {
                "nearest_unit_rmse": 0.395,
                "nearest_unit_mae": 0.315,
                "appendix": {"train_rmse": 0.67, "train_mae": 0.5, "test_rmse": 0.95, "test_mae": 0.75},
            },
            "two_tower_seeds": {
                f"{split}_{metric}": [0.9, 0.91] for split in ("train", "test") for metric in ("rmse", "mae")
            },
            "two_tower_sparse_users": {"differences": sparse},
        },
        "comparison": {
            "agreement_put_back": put_back,
            "order_table": [
                {"order": "matched by id", "correlation": 0.29},
                {"order": "films shuffled", "correlation": 0.002},
                {"order": "users shuffled", "correlation": 0.3},
            ],
            "blends": [
                {"rmse": 0.92, "difference": -0.001, "low": -0.002, "high": 0.001},
                {"rmse": 0.91, "difference": -0.01, "low": -0.02, "high": -0.005},
            ],
        },
        "ensemble_100k": {"three": interval | {"least_correlation": 0.9, "most_correlation": 0.95}},
        "side_information_search": {
            "search": {
                "validation_rmse": 0.867,
                "fold_scores": [0.866, 0.868],
                "n_iterations": 14.0,
                "n_trials": 40,
            },
        },
        "side_information_ablation": {
            "kept_folds": folds,
            "significance": tests,
            "loss_left": {"loss": 0.2, "of_b": 0.9},
            "searched": {"full": [0.857, 0.85, 0.853]},
            "selection": [{"model": "side_information_als_full_tuned", "trials": 120}],
            "sign_test": {"least": 0.0625},
        },
        "embeddings": {
            "measures": {
                name: dict(embedding) for name in ("plain", "plain_small", "gravity", "softmax", "softmax_hidden")
            }
            | {"l2": embedding | {"train_mse": 0.3, "test_mse": 1.1}},
            "random_popularity": 100.0,
            "gravity": {"plain_small": gravity, "l2": dict(gravity)},
            "structure": {"genre_agreement_cosine": [0.1, 0.2], "folding": [-0.1, -0.2]},
            "references": {"chance": {"genre_agreement": 0.16, "folding": 0.05}},
        },
        "neural": neural,
        "neural_100k": {"leak_floor": [{"noise": 1.0, "floor_rmse": 1.0, "leak_rmse": 0.7, "honest_rmse": 1.1}]},
        "ranking": {"ranking": lists},
        "koren": {
            "models": dict.fromkeys(("bias", "correlation_neighbours", "neighbourhood", *chain, "nsvd"), trained),
            "factors": dict.fromkeys((*chain, "nsvd"), errors),
            "neighbours": [
                {"neighbours": 10, "implicit": False, "all": False, "rmse": 0.99},
                {"neighbours": 10, "implicit": True, "all": False, "rmse": 0.9},
            ],
            "order": [{"first": a, "second": b, "sure": True, **interval} for a, b in steps],
            "order_by_factors": dict.fromkeys(errors, True),
            "lists": [
                {"name": name, **{what: of * (1 + step / 10) for what, of in shown.items()}}
                for step, name in enumerate(chain)
            ],
            "rulers": [{"name": "most_popular", "hits_none": 0.3, "ndcg": 0.3}],
            "hit_tests": [
                {
                    "model_a": "biased_svd",
                    "model_b": "integrated",
                    "difference": -0.02,
                    "low": -0.03,
                    "high": -0.01,
                }
            ],
            "integrated_against_svd": {"rmse": -0.012, "hits_none": 0.2, "hits_rated": 0.3, "ndcg": 0.4},
            "rmse_and_lists": {"ndcg": -0.6},
        },
        "full_batch": {
            "changes": [
                {"model": "svdpp", "change": change, "test": test, "diverged": change.startswith("learning rate")}
                for change, test in (
                    ("as E ran it", 1.43),
                    ("start a tenth as wide", 0.96),
                    ("no penalty", 1.43),
                    ("learning rate ten times larger", 1e30),
                    ("ten times the epochs", 1.2),
                )
            ],
            "as_e": [],
            "grows_with_size": {"svd": True},
        },
        "full_batch_1m": {
            "as_e": [
                {"model": model, "size": size, "test_rmse": rmse, "diverged": diverged}
                for model, size, rmse, diverged in full_batch
            ],
            "grows_with_size": {"svd": True, "nsvd": True},
            "recipes": [
                {"recipe": recipe, "model": model, "size": size, "test_rmse": rmse, "diverged": diverged}
                for recipe, model, size, rmse, diverged in by_recipe
            ],
            "recipe_counts": [
                {"recipe": "clipped at 1", "figures": 1, "within_2": 0, "within_8": 0, "diverged": 0},
                {"recipe": "clipped at 10", "figures": 2, "within_2": 1, "within_8": 1, "diverged": 1},
            ],
        },
    }


def store(runs: dict[str, dict], folder: Path) -> Path:
    """Write facts as runs leave them, and return the folder of all runs."""
    for name, found in runs.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "facts.json").write_text(json.dumps(found))
        (folder / name / "provenance.json").write_text("{}")
    for name, rows in DRAWN.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rows)
    return folder


def changed(changes: dict[str, Any]) -> dict[str, dict]:
    """Return the facts with other values at dotted paths, such as ``svd.svd_sweep.start_spread``; None drops a run."""
    runs = json.loads(json.dumps(facts()))
    for path, value in changes.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place = runs
        for step in steps:
            place = place[step]
        if value is None and not steps:
            del place[last]
        else:
            place[last] = json.loads(json.dumps(value))
    return runs


def judged(
    claims: Claims,
    claim: str,
    figure: str,
    ours,
    low=None,
    high=None,
    evidence="svd:tbl-scores",
    **options: str,
) -> Verdict:
    """Judge a published figure by a rule of its own."""
    bounds = [ours if low is None else low, ours if high is None else high]
    rule = Rule(f"{claim}/{figure}", "because", ours=repr(ours), range=repr(bounds), evidence=evidence, **options)
    return rule.judge(claims, claim, figure, Names(Stored(), {}, **NAMES))
