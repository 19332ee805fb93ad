"""Citations: in the text with the entry at hand, in a list of references, in the PDF; and the project's own file of works."""

import re
import tomllib

import pytest
from toy_notebooks import Notebook, make_plan, run

from lib import ROOT
from lib.report.content import assemble
from lib.report.errors import RenderingError
from lib.report.notebooks import read_pages
from lib.report.references import FILE, References
from lib.report.trees import words

BIB = """
@comment{ @misc{not_a_work, title = {None}} }
@inproceedings{roe2009, author = {Roe, Jane}, title = {On {MovieLens}}, booktitle = {Toys}, year = {2009}, doi = {10.1000/roe}}
@article{doe2011, author = {Doe, Ann and Poe, Ben}, title = {Lists}, journal = {Toys}, year = {2011}}
@misc{nobody, author = {{Project A}}, title = {A <b>report</b>}, howpublished = {Course report}}
"""


def report(tmp_path, *texts, listed="", bib=BIB):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / FILE).write_text(bib, encoding="utf-8")
    notebook = Notebook()
    for text in texts:
        notebook.markdown(text)
    notebook.write(tmp_path / "one")
    Notebook().markdown(f"# Words\n\n## References\n\n{listed}").write(tmp_path / "glossary")
    plan = make_plan(tmp_path, run("one"), run("glossary"))
    return assemble(plan, read_pages(plan, tmp_path))


LIST = "```{bibliography}\n```"


def test_a_citation_leads_to_its_entry_and_tells_author_title_and_year(tmp_path):
    made = report(tmp_path, "As {cite:t}`roe2009` has it {cite:p}`doe2011,nobody`, see {cite:p}`roe2009`.", listed=LIST)
    text = made.markdown.html()["one:0"]
    link = r'<a href="glossary\.html#ref-roe2009" class="cite" title="Roe, Jane\. 2009\. “On MovieLens\.” [^"]*10\.1000/roe\.">{}</a>'
    assert re.search(link.format(r"Roe \(2009\)") + " has it", text)
    assert re.search(r"\(<a [^>]*>Doe and Poe 2011</a>; <a [^>]*>Project A</a>\)", text)
    assert "see (<a" in text and "cite:" not in text and "<b>" not in text
    assert made.markdown.plain("one:0").startswith("As Roe (2009) has it (Doe and Poe 2011; Project A)")


def test_the_list_has_every_work_in_the_order_of_authors(tmp_path):
    text = report(tmp_path, "x", listed=LIST).markdown.html()["glossary:0"]
    assert re.findall(r'id="ref-(\w+)"', text) == ["doe2011", "nobody", "roe2009"]
    assert '<a href="https://doi.org/10.1000/roe">' in text and "&lt;b&gt;report" in text


def test_without_a_list_a_citation_leads_to_the_work_itself_if_it_has_an_address(tmp_path):
    text = report(tmp_path, "{cite:p}`roe2009` {cite:p}`doe2011`").markdown.html()["one:0"]
    assert '<a href="https://doi.org/10.1000/roe" class="cite"' in text and "(Doe and Poe 2011)" in text


def test_an_unknown_work_stops_the_rendering_with_its_place_and_the_near_miss(tmp_path):
    with pytest.raises(
        RenderingError, match=r"run one, cell 1: the citation of roe2008 is of no .* Did you mean roe2009"
    ):
        report(tmp_path, "{cite:p}`doe2011, roe2008`")


def test_a_key_of_two_works_is_refused(tmp_path):
    with pytest.raises(RenderingError, match="has the key roe2009 twice"):
        report(tmp_path, "x", bib=BIB + "@misc{roe2009, title = {Other}}")


def test_every_work_of_the_project_is_cited_and_has_a_date_or_is_one_of_the_projects():
    works = References(ROOT / "notebooks" / FILE).works
    notebooks = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    keys = {
        key for text in notebooks for role in re.findall(r"\{cite:[pt]\}`([^`]+)`", text) for key in role.split(",")
    }
    keys = {key.strip() for key in keys}
    assert keys <= set(works)
    # The library and the published figures name a work by its first author, and by its year within two lines.
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lib").rglob("*.py"))
    code += (ROOT / "data" / "anchors.toml").read_text(encoding="utf-8")
    for key, work in works.items():
        author, year = re.fullmatch(r"(.+?)(?: et al\.| and .*?)?(?: (\d{4}))?", work.called["p"]).groups()
        assert key in keys or re.search(rf"{re.escape(author)}\b(?:[^\n]*\n){{0,2}}[^\n]*{year}", code), (
            f"nothing cites {key}"
        )
        assert year or key.startswith("project"), key


def test_addresses_of_works_have_the_form_of_what_they_are():
    text = (ROOT / "notebooks" / FILE).read_text(encoding="utf-8")
    fields = re.findall(r"^  (doi|url) = \{(.*)\},$", text, re.M)
    assert len(fields) > 60 and len(fields) == len(re.findall(r"\b(?:doi|url) *=", text))
    forms = {"doi": r"10\.\d{4,9}/[^\s{}]+", "url": r"https://(?!(?:dx\.)?doi\.org)[\w.-]+/[^\s{}]*"}
    for kind, address in fields:
        assert re.fullmatch(forms[kind], address), address
        assert "arxiv" not in address or re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", address), address
    addresses = [address.lower() for _, address in fields]
    assert len(addresses) == len(set(addresses))


def test_every_source_of_a_published_figure_is_a_work():
    titles = " ".join(words(work.entry) for work in References(ROOT / "notebooks" / FILE).works.values()).casefold()
    with open(ROOT / "data" / "anchors.toml", "rb") as file:
        sources = tomllib.load(file)["sources"]
    assert len(sources) > 10
    for source in sources.values():
        name = re.split("[:,]", source["title"])[0].casefold()
        assert name in titles, source["title"]
