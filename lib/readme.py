"""Bring the README's findings into step with the rendered report: ``python -m lib.readme``.

The block is made from ``reports/data/`` alone, so that a test can hold the README against the report that is committed
beside it, and no number in it is typed.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd

from lib import ROOT
from lib.claims import FAILS, VERDICTS, overall
from lib.models import label
from lib.results import runs_folder, whole_file

START, END = "<!-- findings: written by `python -m lib.readme` from reports/data -->", "<!-- /findings -->"
FIGURE = "headline.svg"
SPLIT = "per_user_80_20"
SHOWN = ("user_mean", "item_mean", "bias", "hard_impute", "soft_impute", "svd", "two_tower")
"""Models of the README's table; each with its tuned variant where the report has one."""


def findings(results: pd.DataFrame, claims: pd.DataFrame) -> str:
    """Write the findings as Markdown.

    Parameters
    ----------
    results, claims : DataFrame
        ``reports/data/results.csv`` and ``claims.csv``.
    """
    rows = results[(results["split"] == SPLIT) & (results["dataset"] == "ml-100k")]
    means = rows.pivot_table(index="model", columns="metric", values="value", aggfunc="mean")
    rmse = means["rmse"].dropna()
    best, listed = rmse.idxmin(), means["ndcg@10"].idxmax()
    settled = overall(claims)
    lines = [
        "## What it found",
        "",
        "So far projects A, three models of MovieLens 100K; B, matrix factorisation with side information; C, embeddings, "
        "gravity and a softmax model; D, networks and lists; and E, Koren's family from SVD to the integrated model. "
        f"{_tallies(settled)}",
        "",
        f"- **The models lie close together.** Who rates and what is rated alone give a test RMSE of "
        f"{rmse['bias']:.3f}; the best model of project A, its settings chosen on validation data, gives {rmse[best]:.3f} "
        f"({label(best)}).",
        "- **The models do not see different aspects of taste.** The two-tower network is reported to be uncorrelated with "
        f"Soft-Impute. Matched by id the correlation is {means.loc['two_tower', 'correlation_matched_by_id']:.2f}; with the "
        f"films of one matrix in another order it is {means.loc['two_tower', 'correlation_films_shuffled']:.3f}, about what "
        "was published.",
        f"- **A low rating error does not make a good list.** Of all models here {label(listed)} has the best nDCG@10 "
        f"({means.loc[listed, 'ndcg@10']:.3f}); {label(best)} has {means.loc[best, 'ndcg@10']:.3f}.",
        *_side_information(results, claims),
        *_lists(results),
        *_koren(results, claims),
        "",
        f"![Test RMSE of every model with 95% intervals, beside what project A reports](reports/{FIGURE})",
        "",
        "| model | test RMSE, project A's settings | settings chosen on validation data |",
        "|---|---:|---:|",
    ]
    for model in SHOWN:
        tuned = rmse.get(f"{model}_tuned")
        lines.append(f"| {label(model)} | {rmse[model]:.4f} | {'' if tuned is None else f'{tuned:.4f}'} |")
    failed = settled.index[settled["verdict"] == FAILS]
    if len(failed):
        lines += [
            "",
            f"Claims that do not hold: {', '.join(f'`{claim}`' for claim in failed)}. The report says why.",
        ]
    return "\n".join(lines)


def _tallies(settled: pd.DataFrame) -> str:
    """Say how each project's claims came out."""
    sentences = []
    for project, of_project in settled.groupby("project"):
        counts = of_project["verdict"].value_counts()
        tally = "; ".join(f"{verdict}: {counts.get(verdict, 0)}" for verdict in VERDICTS)
        sentences.append(f"Project {project}: {len(of_project)} claims ({tally}).")
    return " ".join(sentences)


def _side_information(results: pd.DataFrame, claims: pd.DataFrame) -> list[str]:
    """Say what side information is worth, where the report holds project B's runs."""
    rows = results.query("run == 'side_information' and metric == 'rmse' and split.str.startswith('kfold')")
    rmse = rows.groupby("model")["value"].mean()
    als = "side_information_als"
    if f"{als}_plain" not in rmse:
        return []
    reported = claims[claims["id"] == "B-ablation"].set_index("figure")["reported"]
    return [
        "- **What side information is worth depends on tuning the model without it.** On MovieLens Latest Small, mean "
        f"test RMSE over five folds: bias model {rmse['bias_tuned']:.3f}, plain "
        f"factorisation {rmse[f'{als}_plain']:.3f}, with genres and years {rmse[f'{als}_features']:.3f}, with implicit sets "
        f"{rmse[f'{als}_implicit']:.3f}, with both {rmse[f'{als}_features_implicit']:.3f}; a Bayesian factorisation machine "
        f"{rmse['factorisation_machine']:.3f}. Project B reports {reported['full/test_rmse']:.3f} with its features and, at the "
        f"hyperparameters tuned beside them, {reported['no_features/test_rmse']:.3f} without.",
    ]


def _lists(results: pd.DataFrame) -> list[str]:
    """Say who makes the best lists, on the largest data that the report holds project D's runs for."""
    for run, data in (("ranking", "MovieLens 1M"), ("ranking_100k", "MovieLens 100K")):
        rows = results[
            (results["run"] == run) & (results["metric"] == "ndcg@10") & (results["split"] == "random_90_10")
        ]
        found = rows.groupby("model")["value"].mean()
        if "ease" in found:
            return [
                f"- **For lists, simple models of who rated what lead.** nDCG@10 on {data}, full catalogue: EASE "
                f"{found['ease']:.3f}, implicit ALS {found['implicit_als']:.3f}, BPR {found['bpr']:.3f}, most popular "
                f"{found['most_popular']:.3f}; NeuralMF, trained on ratings, {found['neural_mf']:.3f}.",
            ]
    return []


def _koren(results: pd.DataFrame, claims: pd.DataFrame) -> list[str]:
    """Say what Koren's models come to when they are trained as the papers train them, beside project E's figures."""
    for run, data in (("koren", "MovieLens 1M"), ("koren_100k", "MovieLens 100K")):
        rows = results[(results["run"] == run) & (results["metric"] == "rmse") & results["fold"].isna()]
        found = rows.groupby("model")["value"].mean()
        if "svdpp" in found:
            reported = claims[claims["id"] == "E-ml1m"].set_index("figure")["reported"]
            return [
                f"- **Koren's models work, and E's training of them does not.** Test RMSE on {data}, a tenth held out: baseline "
                f"{found['bias']:.3f}, SVD {found['biased_svd']:.3f}, Asymmetric-SVD {found['asymmetric_svd']:.3f}, SVD++ "
                f"{found['svdpp']:.3f}, the integrated model {found['integrated']:.3f}, timeSVD++ {found['timesvdpp']:.3f}. "
                f"Project E reports {reported['SVD dim 10/test_rmse']:.3f}, {reported['Asymmetric-SVD dim 10/test_rmse']:.3f}, "
                f"{reported['SVD++ dim 10/test_rmse']:.3f} and {reported['Integrated dim 10/test_rmse']:.3f} for SVD, "
                "Asymmetric-SVD, SVD++ and the integrated model at their best sizes.",
            ]
    return []


def with_findings(readme: str, block: str) -> str:
    """Put the block between the README's markers.

    Raises
    ------
    ValueError
        The markers are missing.
    """
    if START not in readme or END not in readme:
        raise ValueError(f"README.md lacks the lines {START!r} and {END!r}, between which the findings go")
    pattern = re.escape(START) + ".*?" + re.escape(END)
    return re.sub(pattern, lambda _: f"{START}\n{block}\n{END}", readme, flags=re.DOTALL)


def main() -> None:
    """Rewrite the block from ``reports/data`` and take over the headline figure from the stored run."""
    data = ROOT / "reports" / "data"
    block = findings(pd.read_csv(data / "results.csv"), pd.read_csv(data / "claims.csv"))
    path: Path = ROOT / "README.md"
    text = with_findings(path.read_text(encoding="utf-8"), block)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    shutil.copyfile(runs_folder() / "summary" / "figures" / "fig-headline.svg", ROOT / "reports" / FIGURE)
    print("README.md and reports/headline.svg are in step with reports/data")


if __name__ == "__main__":
    main()
