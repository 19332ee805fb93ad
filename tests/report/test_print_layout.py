"""What print leaves out or says otherwise than the site, and where its figures stand."""

import re
import shutil
import subprocess

import pytest
from toy_notebooks import SVG, Notebook, make_plan, run, shown

from lib.experiment.run import tell
from lib.report.build import build

pytestmark = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")


def read(path, *options):
    return subprocess.run(["pdftotext", *options, path, "-"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def printed(tmp_path):
    """Returns a function that prints notebooks by name, and returns the PDF's path."""

    def make(**notebooks):
        for name, notebook in notebooks.items():
            notebook.write(tmp_path / "runs" / name)
        build(make_plan(tmp_path, *map(run, notebooks)), tmp_path / "runs", tmp_path / "reports")
        return tmp_path / "reports" / "report.pdf"

    return make


def test_words_and_formulas_are_printed_as_they_are_meant(printed):
    text = (
        "# One\n\nIn the [figure](#fig-a), with --profile large: $\\mathrm{RMSE} \\le \\hat{k}$. Move the pointer over a "
        "dot to read it. A dash – or two – and 1–2."
    )
    caption = "A dot is a model; a point that is pointed at tells it. More."
    one = Notebook().markdown(text).figure("fig-a", caption).figure("fig-b")
    one.table("tbl-gaps", ["model", "listed", "gone"], [["svd", "–", "–"], ["ease", "0.3", "–"]])
    found = " ".join(read(printed(one=one)).split())
    assert "In Figure 1, with --profile large: RMSE ≤" in found and "type:" not in found
    assert "A dash – or two – and 1–2." in found
    assert "A dot is a model. More." in found and "pointer" not in found
    assert "listed" in found and "gone" not in found


def test_what_is_empty_is_left_out_with_what_leads_to_it_and_the_rest_is_numbered_on(printed, monkeypatch):
    said = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: said.append(data))
    tell("3 of 3 fits are kept.")
    one = Notebook().markdown("# One\n\nSee @tbl-none and @tbl-some.").code("fits()", shown(said[0]))
    one.markdown("## Nothing here\n\nWhat leads to it:").table("tbl-none", ["a"], []).markdown("What was left out.")
    one.markdown("## Bare").markdown("## Parent").markdown("### Child\n\nIts words.").table("tbl-some", ["a"], [["b"]])
    found = " ".join(read(printed(one=one)).split())
    assert "See Table 1 of the website and Table 1." in found and "1.1 Parent Child Its words. Table 1." in found
    for words in ("Nothing", "leads to", "left out", "Bare", "fits are kept"):
        assert words not in found, words


def test_of_two_figures_side_by_side_each_has_its_share_of_the_width(printed):
    one = Notebook().figure("fig-a", "Some words of the left one.").figure("fig-b", "Several words of the other one.")
    boxes = read(printed(one=one), "-bbox")
    width = float(re.search(r'<page width="([\d.]+)"', boxes)[1])
    words = re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)".*>(Figure|Several|words|other|one\.)<', boxes)
    (_, left, *_), *_ = ends = [(text, float(y), float(x), float(right)) for x, y, right, text in words]
    assert len(ends) == 8 and all(abs(y - left) < 1 for _, y, *_ in ends), "one line each, at one height"
    assert width / 2 - 1 < ends[4][2] and max(right for *_, right in ends) < width - 50


def test_a_figure_stands_in_its_chapter(printed):
    tall = SVG.replace('width="72pt" height="36pt"', 'width="518pt" height="500pt"')
    lines = "#| label: fig-tall\n#| fig-cap: Tall caption.\n#| fig-alt: Tall.\n"
    one = Notebook().markdown("# One\n\n" + "\n\n".join(f"Paragraph {n}." for n in range(20)))
    one.code(lines + "draw()", shown({"image/svg+xml": tall})).markdown("After it.")
    two = Notebook().markdown("# Two\n\nWords.").figure("fig-low", "Low caption.")
    found = read(printed(one=one, two=two))
    places = [found.rindex(words) for words in ("After it.", "Tall caption.", "2 Two", "Low caption.")]
    assert places == sorted(places)


def test_no_figure_stands_above_one_before_it(printed):
    one = Notebook().markdown("# One\n\n" + "\n\n".join(f"Paragraph {n}." for n in range(60))).markdown("## Bare")
    one.figure("fig-a", "First caption.").markdown("## More\n\nMore words.").figure("fig-b", "Second caption.")
    found = read(printed(one=one), "-layout")
    assert found.index("First caption.") < found.index("Second caption.")
