"""Markdown through pandoc: made safe, references resolved, mathematics kept, in HTML and in Typst."""

import pytest
from toy_notebooks import Notebook, make_plan, run

from lib.report.content import assemble
from lib.report.errors import RenderingError
from lib.report.mathml import spoken
from lib.report.notebooks import read_pages


def report(tmp_path, *texts, others=()):
    notebook = Notebook()
    for text in texts:
        notebook.markdown(text)
    notebook.figure("fig-known").write(tmp_path / "one")
    for name in others:
        Notebook().markdown(f"# Page {name}\n\n## Part").write(tmp_path / name)
    plan = make_plan(tmp_path, *map(run, ("one", *others)))
    return assemble(plan, read_pages(plan, tmp_path))


def html(tmp_path, *texts, **more):
    written = report(tmp_path, *texts, **more).markdown.html()
    return [written[f"one:{place}"] for place in range(len(texts))]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "Film <img src=x onerror=alert(1)> (1995)",
        "<!-- never closed",
        "<style>*{display:none}</style>",
        "[click](javascript:alert(1))",
        "[click](JAVASCRIPT:alert(1))",
        "![pixel](https://elsewhere.example/pixel.png)",
        "<svg/onload=alert(1)>",
        "[click](data:text/html,<script>alert(1)</script>)",
        "[broken](http://[)",
    ],
)
def test_hostile_text_is_shown_and_never_run(tmp_path, hostile):
    first, second = html(tmp_path, f"The best film is {hostile}", "The next cell.")
    for forbidden in (
        "<script",
        "<img",
        "<!--",
        "<style",
        "<svg",
        "javascript:",
        "JAVASCRIPT:",
        'href="data:',
        "elsewhere.example",
    ):
        assert forbidden not in first
    assert second == "<p>The next cell.</p>"


def test_what_looks_like_html_stays_readable(tmp_path):
    (text,) = html(tmp_path, "A film called <script>alert(1)</script> and <b>bold</b>.")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "&lt;b&gt;bold&lt;/b&gt;" in text
    typst = report(tmp_path, "A film called <script>x</script> #emph[y] @fig-known").markdown.typst()["one:0"]
    assert "\\<script" in typst and "\\#emph" in typst and '#to("fig-known", number: true)[' in typst


def test_an_open_fence_does_not_swallow_the_next_cell(tmp_path):
    first, second = html(tmp_path, "```python\nx = 1", "After.")
    assert "After" not in first and second == "<p>After.</p>"


def test_footnotes_of_two_cells_with_one_name_stay_apart(tmp_path):
    written = report(tmp_path, "a[^1]\n\n[^1]: First.", "b[^1]\n\n[^1]: Second.").markdown.html()
    assert written["footnotes:one"].count("<li") == 2
    assert written["one:0"].count("<sup>1</sup>") == written["one:1"].count("<sup>2</sup>") == 1


def test_headings_are_unique_shifted_below_the_title_and_linked(tmp_path):
    made = report(tmp_path, "# The title\n\n## Results", "## Results\n\n# Loud\n\n## Fig known").markdown
    ids = [heading.id for key in ("one:0", "one:1", "one:2") for heading in made.headings[key]]
    assert ids == ["results", "results-2", "loud", "fig-known-2"]
    assert all(heading.level >= 2 for key in ("one:0", "one:1", "one:2") for heading in made.headings[key])
    assert 'href="#results-2"' in made.html()["one:1"]


def test_references_and_links_to_notebooks_lead_to_pages(tmp_path):
    (text,) = html(
        tmp_path, "@fig-known, @sec-two, [there](two.ipynb#Part), [out](https://example.org/)", others=["two"]
    )
    assert '<a href="#fig-known" class="xref">Figure\u00a01</a>' in text
    assert '<a href="two.html" class="xref">Page two</a>' in text
    (linked,) = html(tmp_path, "([the *figure*](#fig-known), [page](#sec-two))", others=["two"])
    assert linked == text.partition(', <a href="two.html#')[0].replace("<p>", "<p>(") + ")</p>"
    assert '<a href="two.html#part">there</a>' in text and '<a href="https://example.org/">out</a>' in text


def test_an_unknown_reference_names_run_and_cell(tmp_path):
    with pytest.raises(RenderingError, match=r"run one, cell 2: the cross-reference @tbl-lost points nowhere"):
        report(tmp_path, "fine", "see [table](#tbl-lost)")


def test_references_in_code_are_left_alone(tmp_path):
    (text,) = html(tmp_path, "Write `@fig-any` in prose.")
    assert "@fig-any" in text


def test_mathematics_becomes_mathml_with_its_latex_as_text(tmp_path):
    (text,) = html(
        tmp_path,
        r"$\min_X \|X\|_*$ and" "\n\n" r"$$\begin{aligned} a &= \sum_i b_i \\ c &= d \end{aligned}$$",
    )
    assert text.count("<math") == 2 and "alttext=" in text and "displaystyle" in text
    assert "$" not in text.replace("alttext", "")
    assert 'stretchy="false"' in text


def test_a_formula_that_nobody_can_read_is_named(tmp_path):
    with pytest.raises(RenderingError, match=r"run one, cell 1: the formula"):
        html(tmp_path, r"$\frac{1}$")


def test_greek_is_spoken():
    assert spoken(r"\lambda^* \Omega").split() == ["λ", "*", "Ω"]
