"""Bring README's findings, and the times of the commands there and in docs/, into step with the report: ``make publish``.

The blocks are made from ``reports/data/`` alone, so that a test can hold them against the report that is committed beside
them, and no number in them is typed; the findings' words are in ``lib/report/templates/findings.md.j2``.
"""

import re
from collections.abc import Hashable, Mapping

import jinja2
import pandas as pd

from lib import ROOT
from lib.claims import STANDS, overall
from lib.data.catalogue import entries
from lib.data.files import whole_file
from lib.experiment.stored_runs import runs_folder
from lib.report.columns import duration
from lib.report.prose import enumerated
from lib.report.svg import compact
from lib.studies.contenders import chosen_from

START, END = "<!-- {}: written by `make publish` from reports/data -->", "<!-- /{} -->"
SPLIT = "per_user_80_20"
BRIEF, LONG = "README.md", "docs/running.md"


def findings(results: pd.DataFrame, claims: pd.DataFrame, selection: pd.DataFrame) -> str:
    """Write the findings as Markdown, from the tables of these names of a report that holds every run of the plan."""

    def measured(run: str, metric: str, split: str = SPLIT) -> Mapping[Hashable, float]:
        rows = results[(results["run"] == run) & (results["metric"] == metric)]
        rows = rows[rows["split"].str.startswith(split) & (rows["fold"].isna() | (split == "kfold"))]
        return rows.groupby("model")["value"].mean().to_dict()

    heads = results[(results["headline"] == "yes") & (results["metric"] == "rmse")]
    single = results[(results["run"] == "one_table") & (results["setting"] == "no_time")]
    errors = single[(single["split"] == SPLIT) & (single["metric"] == "rmse") & single["fold"].isna()]
    settled = overall(claims)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = (ROOT / "lib" / "report" / "templates" / "findings.md.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        names={name: one.label for name, one in chosen_from().items()},
        measured=measured,
        heads={key: of.iloc[0].to_dict() for key, of in heads.groupby(["run", "split", "setting"])},
        small=heads[(heads["run"] == "ensemble_small") & (heads["setting"] == "no_time")]["value"].mean(),
        single=errors.set_index("model")["value"].to_dict(),
        chosen=enumerated(entries()[name].title for name in selection["dataset"].unique()),
        reported=claims.set_index(["id", "figure"])["reported"].to_dict(),
        stands=settled["stands"].value_counts().reindex(STANDS, fill_value=0).to_dict(),
    )


def times(table: pd.DataFrame) -> str:
    """Write how long each command took as Markdown, from ``times.csv``."""
    rows = [f"| `{row.command}` | {row.what} | {duration(row.seconds)} |" for row in table.itertuples()]
    cores = ", ".join(f"{n} cores" for n in dict.fromkeys(table["cores"]))
    return "\n".join([f"| command | what | on {cores} |", "|---|---|---:|", *rows])


def with_block(text: str, name: str, block: str) -> str:
    """Put a block between a document's markers of its name; ValueError where they are missing."""
    start, end = START.format(name), END.format(name)
    if start not in text or end not in text:
        raise ValueError(f"the document lacks the lines {start!r} and {end!r}, between which the {name} go")
    pattern = re.escape(start) + ".*?" + re.escape(end)
    return re.sub(pattern, lambda _: f"{start}\n{block}\n{end}", text, flags=re.DOTALL)


def documents() -> dict[str, str]:
    """Return the documents by name as they are in step with ``reports/data``."""
    *told, made = (pd.read_csv(ROOT / f"reports/data/{of}.csv") for of in ("results", "claims", "selection", "times"))
    brief, long = ((ROOT / name).read_text(encoding="utf-8") for name in (BRIEF, LONG))
    brief = with_block(brief, "findings", findings(*told))
    of_make = made["command"].str.startswith("make ")
    return {BRIEF: with_block(brief, "times", times(made[of_make])), LONG: with_block(long, "times", times(made))}


def main() -> None:
    """Rewrite the blocks from ``reports/data`` and take over the front page's figure, made small, from the stored run."""
    for name, text in documents().items():
        with whole_file(ROOT / name) as partial:
            partial.write_text(text, encoding="utf-8")
    drawn = (runs_folder() / "summary" / "figures" / "fig-answer.svg").read_bytes()
    (ROOT / "reports" / "headline.svg").write_bytes(compact(drawn))
    print(f"{BRIEF}, {LONG} and reports/headline.svg are in step with reports/data")
