"""Bring the README's findings into step with the rendered report: ``python -m lib.readme``.

The block is made from ``reports/data/`` alone, so that a test can hold the README against the report that is committed
beside it, and no number in it is typed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from lib import ROOT
from lib.claims import FAILS, VERDICTS, overall
from lib.contenders import chosen_from
from lib.files import whole_file
from lib.report.svg import compact
from lib.results import runs_folder

START, END = "<!-- findings: written by `python -m lib.readme` from reports/data -->", "<!-- /findings -->"
FIGURE = "headline.svg"
SPLIT = "per_user_80_20"
SHOWN = (
    "ensemble", "timed_factorisation_machine_ordinal", "timed_factorisation_machine", "factorisation_machine", "timesvdpp",
    "integrated", "svdpp", "side_information_als_implicit", "biased_svd", "autorec", "two_tower", "neural_mf", "soft_impute_tuned",
    "hard_impute", "bias", "item_mean", "ease", "implicit_als", "bpr", "most_popular",
)  # fmt: skip
"""Models of the README's table, where the report has them."""
FOLDS = ("u1", "u2", "u3", "u4", "u5")


def findings(results: pd.DataFrame, claims: pd.DataFrame) -> str:
    """Write the findings as Markdown.

    Parameters
    ----------
    results, claims : DataFrame
        ``reports/data/results.csv`` and ``claims.csv``.
    """
    names = {name: one.label for name, one in chosen_from().items()} | {"ensemble": "Ensemble"}
    board = _board(results)
    board = board[board.index.isin(list(names))]
    rmse, ndcg = board["A's split"].dropna(), board["nDCG@10"].dropna()
    single, listed = rmse.drop("ensemble").idxmin(), ndcg.idxmax()
    compared = results[results["run"] == "comparison"].groupby(["model", "metric"])["value"].mean()
    reported = claims.set_index(["id", "figure"])["reported"]
    settled = overall(claims)
    lines = [
        "## What it found",
        "",
        "The projects are A, three models of MovieLens 100K; B, matrix factorisation with side information; C, embeddings, "
        "gravity and a softmax model; D, networks and lists; and E, Koren's family from SVD to the integrated model. "
        f"{_tallies(settled)}",
        "",
        f"- **The best prediction is an ensemble that knows when a rating was given.** MovieLens 100K, project A's split: test "
        f"RMSE {rmse['ensemble']:.4f}; A's best reported is {reported['A-svd-sweep', 'best_test_rmse']:.3f}, the best single model "
        f"here, {names[single]}, has {rmse[single]:.4f}.{_ensembles(results)}",
        f"- **Much of a low error on a random split comes from the same sitting.** Where train ends before test begins the "
        f"ensemble has {board.loc['ensemble', 'by time']:.3f}, the bias model {board.loc['bias', 'by time']:.3f}.",
        "- **The models do not see different aspects of taste.** The two-tower network is reported to be uncorrelated with "
        f"Soft-Impute. Matched by id the correlation is {compared['two_tower', 'correlation_matched_by_id']:.2f}; with the "
        f"films of one matrix in another order it is {compared['two_tower', 'correlation_films_shuffled']:.3f}, about what "
        "was published.",
        f"- **A low rating error does not make a good list.** {names[listed]} has the best nDCG@10 ({ndcg[listed]:.3f}); "
        f"{names[single]} has {ndcg[single]:.3f}.",
        *_side_information(results, claims),
        *_lists(results),
        *_koren(results, claims),
        "",
        f"![Test RMSE of every model with 95% intervals, beside what project A reports](reports/{FIGURE})",
        "",
        "Test RMSE on MovieLens 100K under one protocol, hyperparameters chosen on validation data; the page *One table* has all models.",
        "",
        "| model | A's split | u1 to u5 | by time | nDCG@10 |",
        "|---|---:|---:|---:|---:|",
    ]
    for model in SHOWN:
        if model in board.index:
            cells = [
                ("" if pd.isna(v) else f"{v:.4f}")
                for v in board.loc[model, ["A's split", "u1 to u5", "by time"]]
            ]
            cells.append("" if pd.isna(board.loc[model, "nDCG@10"]) else f"{board.loc[model, 'nDCG@10']:.3f}")
            lines.append(f"| {names[model]} | {' | '.join(cells)} |")
    failed = settled.index[settled["verdict"] == FAILS]
    if len(failed):
        lines += [
            "",
            f"Claims that do not hold: {', '.join(f'`{claim}`' for claim in failed)}. The report says why.",
        ]
    return "\n".join(lines)


def _board(results: pd.DataFrame) -> pd.DataFrame:
    """Return every model under the common protocol on MovieLens 100K: a column a protocol, NaN where it was not fitted."""
    mine = results[
        results["run"].isin(["one_table", "ensemble_100k"]) & ~results["model"].str.endswith("_member")
    ]
    errors = mine[mine["metric"] == "rmse"].pivot_table(
        index="model", columns="split", values="value", aggfunc="mean"
    )
    lists = mine[(mine["metric"] == "ndcg@10") & (mine["split"] == SPLIT)].groupby("model")["value"].mean()
    folds = errors.reindex(columns=list(FOLDS))
    found = pd.DataFrame(
        {
            "A's split": errors.get(SPLIT), "u1 to u5": folds.mean(axis=1).where(folds.notna().all(axis=1)),
            "by time": errors.get("chronological"),
        }
    )  # fmt: skip
    return found.reindex(found.index.union(lists.index)).assign(**{"nDCG@10": lists})


def _ensembles(results: pd.DataFrame) -> str:
    """Say what the ensemble has on other folds and data, where the report holds them."""
    ours = results[(results["model"] == "ensemble") & (results["metric"] == "rmse")]
    large = ours[ours["run"] == "ensemble_1m"]
    places = {
        "over the five published folds": ours[ours["split"].isin(FOLDS)],
        "on MovieLens Latest Small, five folds": ours[ours["run"] == "ensemble_small"],
        f"on MovieLens 1M, a tenth held out{_of_several(large)}": large,
    }
    said = [f"{place} {rows['value'].mean():.4f}" for place, rows in places.items() if len(rows)]
    return f" The ensemble {', '.join(said)}." if said else ""


def _of_several(rows: pd.DataFrame) -> str:
    """Say how many splits a mean is over; nothing for one."""
    return f" (mean of {len(rows)} random splits)" if len(rows) > 1 else ""


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
    """Rewrite the block from ``reports/data`` and take over the headline figure, made small, from the stored run."""
    data = ROOT / "reports" / "data"
    block = findings(pd.read_csv(data / "results.csv"), pd.read_csv(data / "claims.csv"))
    path: Path = ROOT / "README.md"
    text = with_findings(path.read_text(encoding="utf-8"), block)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    drawn = (runs_folder() / "summary" / "figures" / "fig-headline.svg").read_bytes()
    (ROOT / "reports" / FIGURE).write_bytes(compact(drawn))
    print("README.md and reports/headline.svg are in step with reports/data")


if __name__ == "__main__":
    main()
