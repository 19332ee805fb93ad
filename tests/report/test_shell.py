"""The site's shell: what navigation opens and folds, tabs of one notebook, headings that break, terms, and how to cite."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from toy_notebooks import Notebook, make_plan, run

from lib import ROOT
from lib.report.build import build
from lib.report.content import assemble
from lib.report.notebooks import read_pages
from lib.runner.plan import load_plan

SAME = "## The family\n\nOne paragraph of both.\n\nThe models:\n\n- {}\n\n## Nothing new\n\nAlso the same, see @fig-a."


@pytest.fixture
def plan(tmp_path):
    """A front page, an open page, one notebook on two data sets, and an appendix."""
    for name, dataset in (("koren", "ml-1m"), ("koren_100k", "ml-100k")):
        notebook = Notebook().markdown(f"# Koren\n\nThe question.\n\nOf {dataset}.").markdown(SAME.format(dataset))
        notebook.figure("fig-a").write(tmp_path / "runs" / name, dataset=dataset)
    for name in ("front", "explorer", "anchors"):
        Notebook().markdown(f"# The {name}\n\nSee @sec-koren_100k.").write(tmp_path / "runs" / name)
    columns = ["model", "hyperparameters", "regularisation", "RMSE"]
    Notebook().table("tbl-a", columns, [["emb64_user128", "x", "y", "0.9"]]).write(tmp_path / "runs" / "verdicts")
    made = make_plan(
        tmp_path,
        run("front", "front"),
        run("explorer", "Use it"),
        run("koren", "Evidence: project E"),
        replace(run("koren_100k", "Evidence: project E"), notebook="koren.ipynb"),
        run("anchors", "Appendix"),
        run("verdicts", "Appendix"),
    )
    return replace(made, report={**made.report, "folded": ["Evidence", "Appendix"]})


@pytest.fixture
def site(plan) -> Path:
    build(plan, plan.root / "runs", plan.root / "reports", pdf=False)
    return plan.root / "reports"


def nav(site, page):
    return re.search(r'<nav id="contents".*?</nav>', (site / page).read_text(encoding="utf-8"), re.S)[0]


def test_evidence_is_folded_but_where_the_page_stands(site):
    front, evidence, provenance = (nav(site, page) for page in ("index.html", "koren_100k.html", "provenance.html"))
    assert re.findall(r"<details[^>]*><summary>\w+", front) == [
        '<details class="group"><summary>Evidence',
        '<details class="group"><summary>Appendix',
    ]
    assert front.index("explorer.html") < front.index("<details") < front.index("koren.html")
    assert '<details class="group" open><summary>Evidence' in evidence and "Project E" in evidence
    assert '<details class="group" open><summary>Appendix' in provenance and "Provenance" in provenance
    # Tabs are one entry, and it is marked on each of them.
    assert "koren_100k.html" not in front and '<a href="koren.html" aria-current="true">' in evidence


def test_a_rerun_has_nothing_of_the_report_s_parts(plan, tmp_path):
    pages = replace(make_plan(tmp_path, run("explorer", "Runs")), report={"title": "Rerun"})
    Notebook().markdown("# The explorer").write(tmp_path / "runs" / "explorer")
    build(pages, tmp_path / "runs", tmp_path / "beside", pdf=False)
    shown = nav(tmp_path / "beside", "explorer.html")
    assert "<details" not in shown and re.findall(r'href="([^"]*)"', shown) == [
        "index.html",
        "explorer.html",
        "provenance.html",
    ]


def test_a_tab_prints_what_differs(site):
    first, second = ((site / f"{name}.html").read_text(encoding="utf-8") for name in ("koren", "koren_100k"))
    tabs = re.findall(r'<li><a href="(koren\w*\.html)"(?: aria-current="page")?>([^<]*)</a>', second)
    assert ("koren.html", "MovieLens 1M") in tabs and ("koren_100k.html", "MovieLens 100K") in tabs
    assert 'class="repeats"' in second and 'class="repeats"' not in first
    for words in ("The question.", "One paragraph of both.", "Also the same"):
        assert words in first and words not in second
    # Headings stay, and so does a line with the list that it leads to.
    for words in ("Of ml-100k.", "The family", "Nothing new", "The models:"):
        assert words in second


def test_what_a_tab_leaves_out_is_left_out_in_print_and_search_too(plan, site):
    report = assemble(plan, read_pages(plan, plan.root / "runs"))
    assert "The question." not in "".join(text for key, text in report.markdown.typst().items() if "_100k" in key)
    assert report.markdown.repeats == {"koren_100k": 3}
    text = (site / "assets" / "search-index.js").read_text(encoding="utf-8")
    found = {entry["u"]: entry for entry in json.loads(text.removeprefix("window.searchIndex=").removesuffix(";\n"))}
    assert "Also the same" in found["koren.html#nothing-new"]["t"]
    assert found["koren_100k.html#nothing-new"] | {"t": "", "f": "koren.html"} == found["koren_100k.html#nothing-new"]
    # Captions are told apart, as they come last.
    assert found["koren.html#fig-a-koren"]["c"] == 1 and "c" not in found["koren.html"]


def test_long_words_of_a_table_may_break(site):
    page = (site / "verdicts.html").read_text(encoding="utf-8")
    assert "hyperpa\u00adra\u00adme\u00adters" in page and "regu\u00adla\u00adri\u00adsa\u00adtion" in page
    assert "emb64_<wbr>user128" in page


def test_terms_lead_to_their_page_where_the_report_has_it(site):
    text = (site / "assets" / "glossary.js").read_text(encoding="utf-8")
    told = json.loads(text.removeprefix("window.glossary=").removesuffix(";\n"))
    terms = {term["t"]: term for term in told["terms"]}
    assert told["page"] == "" and "cold start" in terms["Cold user, cold film"]["n"] and terms["RMSE"]["m"]
    assert terms["Sampled metric"]["u"] == "koren_100k.html" and "u" not in terms["Ablation"]


def test_every_page_names_author_and_date_and_says_how_to_cite(site):
    version = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)[1]
    for path in site.glob("*.html"):
        head = path.read_text(encoding="utf-8").split("</head>")[0]
        assert '<meta name="author" content="The maintainers of Filling the matrix">' in head
        assert '<meta name="date" content="2026-03-04">' in head
        assert all(f'<meta property="og:{name}" content="' in head for name in ("title", "description", "type"))
    page = (site / "provenance.html").read_text(encoding="utf-8")
    assert f"version = {{{version}}}" in page and "title   = {{Filling the matrix: " in page
    assert 'href="provenance.html#cite"' in (site / "koren.html").read_text(encoding="utf-8")


def test_the_report_opens_twelve_pages_at_most():
    plan = load_plan()
    folded = [run for run in plan.runs if run.part.partition(":")[0] in plan.report["folded"]]
    assert {run.part.partition(":")[0] for run in folded} == set(plan.report["folded"])
    assert len({run.notebook for run in plan.runs} - {run.notebook for run in folded}) <= 12
    # What navigation shows together stands together.
    parts = [run.part for run in plan.runs]
    assert [part for n, part in enumerate(parts) if part not in parts[:n]] == [
        part for n, part in enumerate(parts) if n == 0 or part != parts[n - 1]
    ]
