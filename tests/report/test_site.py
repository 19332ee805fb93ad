"""The HTML site as a browser would meet it: offline, whole, accessible in its structure, small."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from toy_notebooks import Notebook, make_plan, run, shown

from lib import ROOT, claims
from lib.report.build import build
from lib.report.content import VERDICTS
from lib.report.display import STRIP_MIME
from lib.report.errors import RenderingError

LOADS = {
    "img": "src",
    "script": "src",
    "link": "href",
    "source": "srcset",
    "iframe": "src",
    "object": "data",
    "use": "href",
}
PAGE_BUDGET, SITE_BUDGET = 1_500_000, 12_000_000


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.words, self._stack = text, [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._stack.append(tag)

    def handle_endtag(self, tag):
        if tag in self._stack:
            while self._stack.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style", "annotation"} & set(self._stack):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    @property
    def shown(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def pages(site):
    plan, runs, output = site
    build(plan, runs, output, pdf=False)
    return {path.name: Page(path.read_text(encoding="utf-8")) for path in output.glob("*.html")}


def test_nothing_is_loaded_from_outside(pages, site):
    for page in pages.values():
        for tag, attributes in page.tags:
            address = attributes.get(LOADS.get(tag, ""), "") or ""
            assert not address.startswith(("http:", "https:", "//")), address
            assert not any(name.startswith("on") for name in attributes), attributes
        assert "@import" not in page.text and "url(http" not in page.text and "url(//" not in page.text
    for path in site[2].rglob("assets/*.js"):
        text = path.read_text(encoding="utf-8")
        assert not any(call in text for call in ("fetch(", "XMLHttpRequest", "import(", "WebSocket", "sendBeacon"))


def test_everything_loaded_lies_beside_the_page(pages, site):
    output = site[2]
    for page in pages.values():
        for tag, attributes in page.tags:
            address = attributes.get(LOADS.get(tag, ""), "")
            assert not address or (output / address).is_file(), address
        for font in page.text.split('url("')[1:]:
            assert (output / font.partition('"')[0]).is_file()


def test_structure_that_assistive_technology_needs(pages):
    for name, page in pages.items():
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.ids) == len(set(page.ids)), name
        assert len(page.all("h1")) == len(page.all("main")) == 1
        assert all(image.get("alt") for image in page.all("img"))
        assert page.all("a")[0]["href"] == "#content" and "content" in page.ids
        labels = [nav.get("aria-label") for nav in page.all("nav")]
        assert all(labels) and len(labels) == len(set(labels))


def test_a_figures_title_stands_above_it_and_in_the_index(pages, site):
    told = "It <em>falls</em> to 0.9191, see <a"
    text = pages["first.html"].text
    assert text.index("fig-one") < text.index(f'<p class="finding">{told}') < text.index("figures/fig-one.svg")
    index = (site[2] / "assets" / "search-index.js").read_text(encoding="utf-8")
    assert "2. It falls to 0.9191" in index


def test_links_within_the_report_lead_somewhere(pages, site):
    for name, page in pages.items():
        for attributes in page.all("a"):
            file, _, fragment = attributes["href"].partition("#")
            if attributes["href"].startswith("http"):
                continue
            assert (site[2] / (file or name)).is_file(), attributes
            assert not fragment or fragment in pages[file or name].ids, attributes


def test_the_front_page_answers_first_and_lists_the_pages(pages):
    front = pages["index.html"].shown
    order = [
        "Toy report",
        "Two runs",
        "What it is .",
        "The answer comes first",
        "The headline.",
        "The report",
        "About first.",
    ]
    places = [front.find(words, 0 if words != "The report" else front.index("The headline.")) for words in order]
    assert -1 not in places and places == sorted(places)
    assert "front.html" not in pages


def test_the_first_screen_stands_before_all_else_with_every_claim_as_a_mark(tmp_path):
    told = {"text": "SVD <i>", "href": "a.html#results", "reproduced": "within a range", "stands": "no"}
    rows = [{"name": "A", "about": "models", "marks": [told, {**told, "href": "javascript:alert(1)"}]}]
    front = Notebook().markdown("# Front\n\nWritten first.")
    front.code("strip(rows)", shown({STRIP_MIME: rows}), tags=["first-screen"]).write(tmp_path / "runs" / "front")
    Notebook().markdown("# A\n\n## Results\n\nText.").write(tmp_path / "runs" / "a")
    build(make_plan(tmp_path, run("front", "front"), run("a")), tmp_path / "runs", tmp_path / "reports")
    page = Page((tmp_path / "reports" / "index.html").read_text(encoding="utf-8"))
    assert page.shown.index("models") < page.shown.index("Written first")
    marks = [a for a in page.all("a") if a.get("title", "").startswith("SVD <i>")]
    assert [mark["href"] for mark in marks] == ["a.html#results", ""]
    assert "SVD <i>. Stands: no. Reproduced: within a range." in page.shown
    assert next(svg["class"] for svg in page.all("svg")) == "sign stands-no reproduced-within-a-range"
    assert (tmp_path / "reports" / "report.pdf").stat().st_size > 1000, "Typst draws it too"


def test_places_of_a_figure_are_data_that_cannot_run(tmp_path):
    hostile = "</script><script>alert(1)</script>"
    Notebook().figure("fig-map", points=[[0.1, 0.9, hostile], [0.2, 0.3, "Léon"]]).write(tmp_path / "runs" / "a")
    build(make_plan(tmp_path, run("a")), tmp_path / "runs", tmp_path / "reports", pdf=False)
    page = Page((tmp_path / "reports" / "a.html").read_text(encoding="utf-8"))
    scripts = page.all("script")
    assert [s.get("type") for s in scripts if "src" not in s] == ["application/json"]
    assert "alert(1)</script>" not in page.text
    held = page.text.split('class="points">')[1].split("</script>")[0]
    assert json.loads(held) == [[0.1, 0.9, hostile], [0.2, 0.3, "Léon"]]


def test_captions_numbers_references_and_downloads(pages, site):
    first = pages["first.html"]
    assert "Figure\u00a02 RMSE against" in first.text.replace("</a> ", " ")
    assert {"href": "second.html#tbl-two", "class": "xref"} in first.all("a")
    assert {"href": "second.html#results"} in first.all("a")
    download = next(a for a in first.all("a") if a.get("class") == "download")
    assert (site[2] / download["href"]).read_text() == "x,y\n1,2\n"
    assert {"href": "first.html#fig-one"} in pages["index.html"].all("a")


def test_code_is_folded_and_removed_cells_are_gone(pages):
    first = pages["first.html"]
    assert first.text.count("<details") >= 2 and not any("open" in fold for fold in first.all("details"))
    assert "seed" in first.shown and "42 shown" in first.shown
    assert "secret_setup" not in first.text and "hidden_input" not in first.text


def test_titles_from_data_are_shown_as_they_are(tmp_path):
    hostile = '<script>alert("x")</script>'
    notebook = (
        Notebook()
        .markdown(f"# On {hostile}\n\n## In {hostile}")
        .table(
            "tbl-a",
            [hostile, "b"],
            [[hostile, {"text": hostile, "href": "javascript:alert(1)"}]],
            caption=hostile,
        )
        .figure("fig-a", alt=hostile.replace('"', "'"))
        .say(f"Best: {hostile}")
        .code("print(title)", {"output_type": "stream", "name": "stdout", "text": hostile})
        .code(
            f"title = '{hostile}'",
            {
                "output_type": "display_data",
                "data": {"text/html": hostile, "text/plain": hostile},
                "metadata": {},
            },
        )
    )
    notebook.write(tmp_path / "runs" / "first")
    build(make_plan(tmp_path, run("first")), tmp_path / "runs", tmp_path / "out", pdf=False)
    page = Page((tmp_path / "out" / "first.html").read_text(encoding="utf-8"))
    assert all("src" in script for script in page.all("script"))
    assert "javascript:" not in page.text
    assert page.shown.count("alert(") >= 8
    assert hostile not in (tmp_path / "out" / "assets" / "search-index.js").read_text()


def test_the_search_index_holds_every_section_and_its_words(pages, site):
    text = (site[2] / "assets" / "search-index.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("window.searchIndex=").removesuffix(";\n"))
    found = {entry["u"]: entry for entry in entries}
    assert len(found) == len(entries)
    assert found["second.html#results"]["t"] == "A finding. In Figure 2 the number is 0.9191."
    assert "λ" in found["first.html#fig-one"]["t"]
    assert {"index.html", "first.html#results", "first.html#results-2", "second.html#tbl-two"} <= set(found)


def test_the_provenance_page_says_what_the_report_was_made_from(pages):
    shown = pages["provenance.html"].shown
    for words in (
        "c0ffee",
        "ab" * 32,
        "numpy",
        "2.0",
        "Python 3.11",
        "1 min 01 s",
        "5.0 s",
        "2 min 07 s",
        "4 March 2026",
    ):
        assert words in shown, words


def test_a_claim_s_card_is_set_apart_and_can_be_led_to(pages):
    assert '<div class="prose claim stands-no reproduced-yes"><h3 id="a-claim">A claim' in pages["second.html"].text
    assert '<a href="#a-claim">itself</a>' in pages["second.html"].text
    # A label with its run is understood of a page that has its notebook to itself, too.
    assert '<a href="#tbl-two" class="xref">' in pages["second.html"].text


def test_words_of_verdicts_are_marked_and_coloured_others_are_not(pages):
    words = {claims.marked(word, "stands") for word in claims.STANDS} | {
        claims.marked(word, "reproduced") for word in claims.REPRODUCED
    }
    assert VERDICTS.keys() == words
    assert '<span class="verdict partly">◆ with a condition</span>' in pages["index.html"].text
    assert "<td>yes</td>" in re.sub(r'(<td) class="[^"]*"', r"\1", pages["index.html"].text)
    typst = (ROOT / "lib" / "report" / "templates" / "report.typ").read_text(encoding="utf-8")
    assert all(f'"{word}":' in typst for word in words)


def test_sizes(pages, site):
    for path in site[2].rglob("*.html"):
        assert path.stat().st_size < PAGE_BUDGET
    assert sum(path.stat().st_size for path in site[2].rglob("*") if path.is_file()) < 600_000


def test_a_table_cell_that_points_nowhere_is_named(tmp_path):
    Notebook().table("", ["x"], [[{"text": "1", "href": "fig-lost"}]]).write(tmp_path / "runs" / "first")
    with pytest.raises(RenderingError, match="run first, cell 1: the cross-reference @fig-lost"):
        build(make_plan(tmp_path, run("first")), tmp_path / "runs", tmp_path / "out", pdf=False)


def test_a_dead_link_in_prose_is_named(tmp_path):
    Notebook().markdown("[gone](first.ipynb#nowhere)").write(tmp_path / "runs" / "first")
    with pytest.raises(RenderingError, match=r"run first, cell 1: the link first\.ipynb#nowhere leads to no heading"):
        build(make_plan(tmp_path, run("first")), tmp_path / "runs", tmp_path / "out", pdf=False)


def test_code_keeps_its_empty_lines(tmp_path):
    code = "class A:\n    x = 1\n\n\nclass B:\n    y = 2"
    Notebook().markdown("# A\n\nText.").markdown(f"See:\n\n```python\n{code}\n```").write(tmp_path / "runs" / "a")
    build(make_plan(tmp_path, run("a")), tmp_path / "runs", tmp_path / "reports", pdf=False)
    text = (tmp_path / "reports" / "a.html").read_text()
    listing = text[text.index("<pre") :].split("</pre>")[0]
    assert listing.count("\n\n\n") == 1
    assert "\n\n" not in text.replace(listing, "")


def test_an_empty_figure_or_table_keeps_its_number_and_its_caption(with_empties):
    plan, runs, output = with_empties
    build(plan, runs, output, pdf=False)
    page = Page((output / "first.html").read_text(encoding="utf-8"))
    assert {"fig-none", "tbl-none", "fig-some"} <= set(page.ids)
    assert page.shown.count("Nothing to show in this run.") == 2
    assert "Figure 1 Curves that were left out." in page.shown
    assert "See Figure 1 , Table 1 and Figure 2 ." in page.shown
    assert [image["src"] for image in page.all("img")] == ["figures/fig-some.svg"]
    assert not (output / "figures" / "fig-none.svg").exists()
    assert sorted(path.name for path in (output / "data").rglob("*none*")) == []


def test_what_a_run_leaves_out_leads_to_the_page_of_its_notebook_that_has_it(tmp_path):
    for name, rows in (("koren", []), ("koren_100k", [["x"]])):
        Notebook().markdown("# K").table("tbl-k", ["film"], rows).write(tmp_path / "runs" / name, labels=["tbl-k"])
    plan = make_plan(tmp_path, *(replace(run(name), notebook="koren.ipynb") for name in ("koren", "koren_100k")))
    build(plan, tmp_path / "runs", tmp_path / "out", pdf=False)
    text = (tmp_path / "out" / "koren.html").read_text(encoding="utf-8")
    assert 'see <a href="koren_100k.html#tbl-k-koren_100k">Table\u00a02</a>' in text


def test_what_every_page_of_a_notebook_leaves_out_leads_nowhere(tmp_path):
    for name in ("koren", "koren_100k"):
        Notebook().markdown("# K").table("tbl-k", ["film"], []).write(tmp_path / "runs" / name, labels=["tbl-k"])
    plan = make_plan(tmp_path, *(replace(run(name), notebook="koren.ipynb") for name in ("koren", "koren_100k")))
    build(plan, tmp_path / "runs", tmp_path / "out", pdf=False)
    text = (tmp_path / "out" / "koren.html").read_text(encoding="utf-8")
    assert '<p class="nothing">' in text and "Left out here" not in text


def test_titles_and_cells_have_the_apostrophes_of_prose_and_a_cell_may_call_a_table_by_its_label(tmp_path):
    rows = [[{"text": "tbl-own", "href": "tbl-own"}, "A's users' means"], ["python -c 'print()'", ""]]
    Notebook().markdown("# E's runs\n\nSee @sec-a.").table("tbl-own", ["x", "B's"], rows).write(tmp_path / "runs" / "a")
    build(make_plan(tmp_path, run("a")), tmp_path / "runs", tmp_path / "out", pdf=False)
    text = (tmp_path / "out" / "a.html").read_text(encoding="utf-8")
    assert 'class="xref">E’s runs</a>' in text and "A’s users’ means" in text and "B’s</th>" in text
    assert '<a href="#tbl-own">Table\u00a01</a>' in text and "python -c &#39;print()&#39;" in text


def test_pages_cut_out_of_a_report_say_in_words_what_they_do_not_show(tmp_path):
    prose = "# One\n\nSee @fig-own, @fig-far, @tbl-far-off, @sec-two, [there](two.ipynb#why) and [out](https://a.org/)."
    notebook = Notebook().markdown(prose).figure("fig-own", "As @fig-far.")
    notebook.table("tbl-own", ["a"], [[{"text": "x", "href": "fig-far"}, "y"][:1], ["z"]]).write(
        tmp_path / "runs" / "one"
    )
    Notebook().markdown("# Two").write(tmp_path / "runs" / "two")
    whole = make_plan(tmp_path, run("one"), run("two"))
    build(make_plan(tmp_path, run("one")), tmp_path / "runs", tmp_path / "cut", whole=whole)
    text = (tmp_path / "cut" / "one.html").read_text(encoding="utf-8")
    assert "the report's figure “far”, the report's table “far off”, the report's page “Two”, there and" in text
    assert 'href="#fig-own"' in text and 'href="https://a.org/"' in text and "two.html" not in text
    assert "As the report's figure “far”." in text and '<th scope="row" class="short">x</th>' in text
    with pytest.raises(RenderingError, match="fig-far points nowhere"):
        build(make_plan(tmp_path, run("one")), tmp_path / "runs", tmp_path / "cut")
