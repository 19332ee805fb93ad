"""Bring the README's findings and times into step with the rendered report: ``make publish``.

Both blocks are made from ``reports/data/`` alone, so that a test can hold the README against the report that is committed
beside it, and no number in them is typed; the findings' words are in ``lib/report/templates/findings.md.j2``.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

import jinja2
import pandas as pd

from lib import ROOT
from lib.claims import FAILS, VERDICTS, overall
from lib.data.files import whole_file
from lib.data.splits import FOLDS
from lib.experiment.stored_runs import runs_folder
from lib.models import model_class
from lib.report.columns import duration
from lib.report.svg import compact
from lib.studies.contenders import chosen_from

START, END = "<!-- {}: written by `make publish` from reports/data -->", "<!-- /{} -->"
SPLIT = "per_user_80_20"


def findings(results: pd.DataFrame, claims: pd.DataFrame) -> str:
    """Write the findings as Markdown, from ``results.csv`` and ``claims.csv`` of a report that holds every run of the plan."""
    names = {name: one.label for name, one in chosen_from().items()} | {"ensemble": "Ensemble"}
    board = _board(results)
    board = board[board.index.isin(list(names))]
    timeless = [n for n, one in chosen_from().items() if not model_class(one.model).uses_time]
    settled = overall(claims)

    def measured(run: str, metric: str, split: str) -> Mapping[Hashable, float]:
        rows = results[(results["run"] == run) & (results["metric"] == metric)]
        rows = rows[rows["split"].str.startswith(split) & (rows["fold"].isna() | (split == "kfold"))]
        return rows.groupby("model")["value"].mean().to_dict()

    ensembles = results[(results["model"] == "ensemble") & (results["metric"] == "rmse")]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = (ROOT / "lib" / "report" / "templates" / "findings.md.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        names=names,
        board=board.to_dict("index"),
        single=board["A's split"].drop("ensemble").idxmin(),
        timeless=board["A's split"][board.index.isin(timeless)].idxmin(),
        listed=board["nDCG@10"].idxmax(),
        measured=measured,
        folds=ensembles[ensembles["split"].isin(FOLDS)]["value"],
        ensemble={run: of["value"] for run, of in ensembles.groupby("run")},
        reported=claims.set_index(["id", "figure"])["reported"].to_dict(),
        verdicts=VERDICTS,
        tallies=pd.crosstab(settled["project"], settled["verdict"]).to_dict("index"),
        failed=list(settled.index[settled["verdict"] == FAILS]),
    )


def _board(results: pd.DataFrame) -> pd.DataFrame:
    """Return every model under the common protocol on MovieLens 100K: a column a protocol, NaN where it was not fitted."""
    mine = results[results["run"].isin(["one_table", "ensemble_100k"]) & ~results["model"].str.endswith("_member")]
    means = mine.pivot_table(index="model", columns=["metric", "split"], values="value", aggfunc="mean")
    errors, lists = pd.DataFrame(means["rmse"]), means["ndcg@10"]
    columns = {"A's split": errors[SPLIT], "u1 to u5": errors[list(FOLDS)].mean(axis=1, skipna=False)}
    return pd.concat({**columns, "by time": errors["chronological"], "nDCG@10": lists[SPLIT]}, axis=1)


def times(table: pd.DataFrame) -> str:
    """Write how long each command took as Markdown, from ``times.csv``."""
    rows = [f"| `{row.command}` | {row.what} | {duration(row.seconds)} |" for row in table.itertuples()]
    cores = ", ".join(f"{n} cores" for n in dict.fromkeys(table["cores"]))
    return "\n".join([f"| command | what | on {cores} |", "|---|---|---:|", *rows])


def with_block(readme: str, name: str, block: str) -> str:
    """Put a block between the README's markers of its name; ValueError where they are missing."""
    start, end = START.format(name), END.format(name)
    if start not in readme or end not in readme:
        raise ValueError(f"README.md lacks the lines {start!r} and {end!r}, between which the {name} go")
    pattern = re.escape(start) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: f"{start}\n{block}\n{end}", readme, flags=re.DOTALL)


def blocks() -> dict[str, str]:
    """Return README's blocks by name, as ``reports/data`` has them."""
    read = {name: pd.read_csv(ROOT / "reports" / "data" / f"{name}.csv") for name in ("results", "claims", "times")}
    return {"findings": findings(read["results"], read["claims"]), "times": times(read["times"])}


def main() -> None:
    """Rewrite the blocks from ``reports/data`` and take over the headline figure, made small, from the stored run."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    for name, block in blocks().items():
        text = with_block(text, name, block)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    drawn = (runs_folder() / "summary" / "figures" / "fig-headline.svg").read_bytes()
    (ROOT / "reports" / "headline.svg").write_bytes(compact(drawn))
    print("README.md and reports/headline.svg are in step with reports/data")
