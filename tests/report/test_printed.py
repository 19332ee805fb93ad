"""The paper and its supplement: what stands in which, how they point to each other, and who made them."""

import dataclasses
import json
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from toy_notebooks import Notebook, make_plan, run

from lib import ROOT
from lib.report.build import build
from lib.report.content import assemble
from lib.report.errors import RenderingError
from lib.report.notebooks import read_pages
from lib.report.printed import places, printed
from lib.report.references import FILE
from lib.runner.plan import load_plan

needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")


@pytest.fixture
def made(tmp_path):
    """A plan with a front page, a finding, a page of which the paper has one section, and one of evidence."""
    runs = tmp_path / "runs"
    (tmp_path / "notebooks").mkdir()
    bib = "@misc{roe2009, author = {Roe, Jane}, title = {Toys}, year = {2009}}\n@misc{doe2011, author = {Doe, Ann}, title = {More}, year = {2011}}"
    (tmp_path / "notebooks" / FILE).write_text(bib, encoding="utf-8")
    Notebook().markdown("# Front\n\nThe answer, from @fig-proof.").markdown("Second paragraph.").figure(
        "fig-front", "The headline."
    ).write(runs / "front")
    finding = Notebook().markdown(
        "# A finding\n\nAs {cite:t}`roe2009`, see @tbl-long, @sec-proof and [why](proof.ipynb#why) ([more](proof.ipynb))."
    )
    finding.figure("fig-finding", "It is found.").write(runs / "finding")
    which = Notebook().markdown(
        "# Which\n\nThe question.\n\n## Left out\n\nNot printed here.\n\n## Take this\n\nChoose. See @fig-finding."
    )
    which.markdown("### Deeper\n\nBelow.").table("tbl-which", ["a"], [["b"]]).markdown("## Also left out").write(
        runs / "which"
    )
    proof = (
        Notebook()
        .markdown("# The proof\n\nOf @fig-finding, {cite:p}`doe2011`.\n\n## Why\n\nBecause.")
        .figure("fig-proof")
    )
    proof.figure("fig-second").table("tbl-long", ["n"], [[f"row{n}"] for n in range(60)]).write(
        runs / "proof", labels=["tbl-long"], dataset="ml-1m"
    )
    plan = make_plan(
        tmp_path, *(run(n, "front" if n == "front" else "Part") for n in ("front", "which", "finding", "proof"))
    )
    plan.report["paper"] = {"front": True, "finding": True, "which": ["Take this"]}
    plan.report["authors"] = ["Ann Author"]
    return plan, runs, tmp_path / "reports"


def raw_text(path):
    return subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout


def text_of(path):
    return " ".join(raw_text(path).split())


@needs_poppler
def test_a_chapter_is_where_the_plan_puts_it_and_points_to_the_other_document_in_words(made):
    plan, runs, output = made
    build(plan, runs, output)
    paper, supplement = (text_of(output / name) for name in ("report.pdf", "supplement.pdf"))
    assert re.search(r"Figure S1\.\n+Second paragraph\.\n", raw_text(output / "report.pdf"))
    for words in (
        "The answer, from Figure S1.",
        "Figure 2. It is found.",
        "As Roe (2009), see Table S2, The proof (chapter 2 of the supplement) and why (chapter 2 of the supplement) (more: chapter 2 of the supplement).",
        "The question.",
        "Choose. See Figure 2.",
        "Below.",
        "Table 1. A caption.",
        "Roe, Jane. 2009. Toys.",
    ):
        assert words in paper, words
    assert (
        "Not printed here" not in paper
        and "left out" not in paper
        and "Because" not in paper
        and "Doe, Ann" not in paper
    )
    for words in (
        "Not printed here.",
        "Of Figure 2 of the paper, (Doe 2011).",
        "Figure S1.",
        "Table S2. A caption.",
        "Because.",
        "row23",
        "Doe, Ann. 2011.",
        "Versions",
    ):
        assert words in supplement, words
    assert (
        "The first 24 of 60 rows; the others are in data/tables/tbl-long.csv" in supplement
        and "row24" not in supplement
    )
    assert "The proof MovieLens 1M" in supplement and "MovieLens" not in paper
    assert "It is found" not in supplement and "Roe, Jane" not in supplement and "Versions" not in paper


@needs_poppler
def test_a_chapter_says_that_it_leaves_out_what_a_sibling_says(tmp_path):
    pages = [dataclasses.replace(run(name), notebook="koren.ipynb") for name in ("koren", "koren_100k")]
    for page in pages:
        text = f"# Koren's family\n\nThe same words.\n\nOf {page.id}. Said of both. Said as well."
        Notebook().markdown(text).write(tmp_path / "runs" / page.id)
    build(make_plan(tmp_path, *pages), tmp_path / "runs", tmp_path / "reports")
    first, second = text_of(tmp_path / "reports" / "report.pdf").split("2 Koren")[-2:]
    left_out = "Printed here is what differs: what would read as in chapter 1 is left out. Of koren_100k."
    assert left_out in second and "The same words. Of koren. Said of both. Said as well." in first
    assert "Said" not in second and "differs" not in first


def test_both_lie_beside_the_site_which_links_to_them_and_stay_where_a_build_makes_none(made):
    plan, runs, output = made
    build(plan, runs, output)
    page = (output / "index.html").read_text(encoding="utf-8")
    assert 'href="report.pdf"' in page and 'href="supplement.pdf"' not in page  # which is not committed
    assert {"report.pdf", "supplement.pdf"} <= set(json.loads((output / "files.json").read_text()))
    before = (output / "supplement.pdf").read_bytes()
    build(plan, runs, output, pdf=False)
    assert (output / "supplement.pdf").read_bytes() == before
    assert "supplement.pdf" not in (output / "index.html").read_text(encoding="utf-8")


def test_they_carry_their_author_title_and_day(made):
    plan, runs, output = made
    build(plan, runs, output)
    for name, title in (("report.pdf", b"Toy report"), ("supplement.pdf", b"Toy report: supplement")):
        raw = (output / name).read_bytes()
        for mark in (b"(Ann Author)", b"(%s)" % title, b"2026-03-04", b"<pdfuaid:part>1", b"/Outlines"):
            assert mark in raw, mark


def test_a_plan_without_a_paper_is_printed_whole_and_one_without_evidence_has_no_supplement(made):
    plan, runs, _ = made
    for paper in ({}, {"front": True, "which": True, "finding": True, "proof": True}):
        plan.report["paper"] = paper
        (document,) = printed(assemble(plan, read_pages(plan, runs)))
        assert document.file == "report.pdf" and "provenance" in document.labels
        assert [page.id for page, _ in document.chapters] == ["front", "which", "finding", "proof"]


def test_what_the_supplement_leaves_out_is_nowhere_and_a_name_of_no_run_is_told(made):
    plan, runs, _ = made
    plan.report["supplement"] = {"which": False, "proof": ["Why"]}
    _, supplement = printed(assemble(plan, read_pages(plan, runs)))
    assert [(page.id, len(of)) for page, of in supplement.chapters] == [("proof", 8)]
    plan.report["paper"]["findings"] = True
    with pytest.raises(RenderingError, match=r"prints .findings., which is no run. Did you mean finding"):
        printed(assemble(plan, read_pages(plan, runs)))
    assert printed(
        assemble(plan, read_pages(plan, runs), dataclasses.replace(plan, runs=(*plan.runs, run("findings"))))
    )


def test_a_name_that_its_page_lacks_is_told_with_the_near_miss(made):
    plan, runs, _ = made
    page = next(page for page in read_pages(plan, runs) if page.id == "which")
    assert [page.blocks[n].markdown for n in places(page, ("tbl-which",))[:-1]] == ["The question.\n\n"]
    with pytest.raises(RenderingError, match=r"run which: the plan prints 'Take that'.* Did you mean Take this"):
        places(page, ("Take that",))


def test_the_plan_names_sections_that_are_there_and_every_chapter_of_its_first_parts():
    plan = load_plan()
    for table in (plan.report["paper"], plan.report["supplement"]):
        for name, of in table.items():
            cells = json.loads(plan.source(plan.run(name)).read_text(encoding="utf-8"))["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
            for wanted in of if isinstance(of, list) else ():
                assert re.search(rf"^(#+ |#\| label: ){re.escape(wanted)}$", text, re.M), (name, wanted)
    first = {one.id for one in plan.runs if one.part in ("front", "The projects", "Method")}
    assert first <= {name for name, of in plan.report["paper"].items() if of is True}


def test_the_report_and_its_citation_name_the_same_authors():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    names = [one.get("name") or f"{one['given-names']} {one['family-names']}" for one in cited["authors"]]
    assert load_plan().report["authors"] == names
    assert cited["title"].startswith(load_plan().report["title"])


def test_version_and_day_of_the_citation_are_those_of_the_changelog_and_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    latest = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert latest.groups() == (str(cited["version"]), str(cited["date-released"]))
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == latest[1]


@needs_poppler
@pytest.mark.parametrize("n", [66, 68])
def test_the_last_page_is_never_less_than_half_full(tmp_path, n):
    Notebook().markdown("# A page\n\n" + "\n\n".join(f"Paragraph {k}." for k in range(n))).write(
        tmp_path / "runs" / "one"
    )
    Notebook().markdown("# Evidence").write(tmp_path / "runs" / "two")
    plan = make_plan(tmp_path, run("one"), run("two"))
    plan.report["paper"] = {"one": True}
    build(plan, tmp_path / "runs", tmp_path / "reports")
    boxes = subprocess.run(
        ["pdftotext", "-bbox", tmp_path / "reports" / "report.pdf", "-"], capture_output=True, text=True, check=True
    )
    *_, last = re.findall(r"<page .*?</page>", boxes.stdout, re.S)
    lowest = max(
        float(y) for y, text in re.findall(r'yMax="([\d.]+)">(.*?)</word>', last) if text.startswith("Paragraph")
    )
    assert lowest > 380
