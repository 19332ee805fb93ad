"""Wide tables in the PDF: on the upright page, in readable type, nothing over anything else, headings kept with them."""

import re
import shutil
import subprocess

import pytest
from toy_notebooks import Notebook

from lib.report.build import build

needs_poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")

WORD = re.compile(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>')
LEFT, RIGHT = 68.0, 595.3 - 68.0
"""The margins of an A4 page, 24 mm, in points."""


def pages_of(site, notebook):
    """Build the report with `notebook` as its second run; return each page as (width, height, words with boxes)."""
    plan, runs, output = site
    notebook.write(runs / "second", labels=["tbl-two"])
    build(plan, runs, output)
    shown = subprocess.run(
        ["pdftotext", "-bbox", output / "report.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = []
    for head, body in re.findall(r"<page (.*?)>(.*?)</page>", shown, re.S):
        width, height = map(float, re.findall(r'"([\d.]+)"', head))
        words = [(*map(float, box), text) for *box, text in WORD.findall(body)]
        pages.append((width, height, words))
    return pages


def overlapping(words):
    """Pairs of words whose boxes share more than a hair; boxes are cut to the letters' middle, as lines are tight."""
    inner = [(a, b + 0.3 * (d - b), c, d - 0.3 * (d - b), text) for a, b, c, d, text in words]
    return [
        (one[4], other[4])
        for place, one in enumerate(inner)
        for other in inner[place + 1 :]
        if min(one[2], other[2]) - max(one[0], other[0]) > 0.5 and min(one[3], other[3]) - max(one[1], other[1]) > 0.5
    ]


def page_with(pages, text):
    return [page for page in pages if any(word[4] == text for word in page[2])]


def sound(pages):
    """All pages upright, and all words between the margins and apart from each other."""
    for width, height, words in pages:
        assert width < height
        assert all(word[0] > LEFT - 1 and word[2] < RIGHT + 1 for word in words)
        assert (
            overlapping(
                [word for word in words if word[4].isascii() or len(word[4]) > 1]  # a formula's accents do
            )
            == []
        )


REASON = "the published figure lies below ours because its epochs were chosen on the test ratings " * 3
CLAIMS = [
    "claim",
    "a longer name of the figure",
    "verdict",
    "decided by",
    "reported",
    "ours",
    "95% interval",
    "why",
    "evidence",
]


def claims(rows):
    return [
        [
            f"A-side-features-help-sparse-users-{row}",
            "best architecture’s test RMSE",
            "holds with a condition",
            "test root mean squared error",
            "0.9170",
            "0.9191 ± 0.0012",
            "0.9161 to 0.9221",
            REASON,
            f"tbl-two-tower-{row}",
        ]
        for row in range(rows)
    ]


@needs_poppler
def test_nine_columns_with_long_texts_stand_upright_and_apart(site):
    notebook = Notebook().markdown("# The second\n\n## Results").table("tbl-two", CLAIMS, claims(30))
    pages = pages_of(site, notebook)
    sound(pages)
    text = " ".join(word[4] for _, _, words in pages for word in words)
    # The header comes again on every page that the table goes on to.
    assert len(page_with(pages, "reported")) >= 2
    assert text.count("published figure") >= 30
    numbers = [w for _, _, words in pages for w in words if w[4] == "0.9170"]
    assert len(numbers) == 30
    # A box is about 1.35 times as high as the type.
    assert all(word[3] - word[1] > 6.5 for word in numbers)


@needs_poppler
def test_more_columns_than_a_page_holds_become_two_tables_with_the_first_column_in_both(site):
    columns = ["model", *(f"measure{n}" for n in range(26))]
    rows = [[f"name{row}", *(f"{row + n / 100:.4f}" for n in range(26))] for row in range(3)]
    notebook = Notebook().markdown("# The second\n\n## Results").table("tbl-two", columns, rows)
    pages = pages_of(site, notebook)
    sound(pages)
    words = [word[4] for _, _, page in pages for word in page]
    assert words.count("name1") >= 2 and words.count("1.2500") == 1


@needs_poppler
def test_one_endless_word_breaks_within_its_column(site):
    columns = ["key", *(f"number {n}" for n in range(9)), "path"]
    rows = [["k", *["0.123456"] * 9, "averylongidentifier_" * 8]]
    sound(pages_of(site, Notebook().markdown("# The second\n\n## Results").table("tbl-two", columns, rows)))


@needs_poppler
@pytest.mark.parametrize("lines", [29, 30, 31, 32])
def test_a_heading_and_a_caption_stay_with_what_follows(site, lines):
    notebook = Notebook().markdown(
        "# The second\n\n## Results\n\n" + "\n\n".join(f"Paragraph {n}." for n in range(lines)) + "\n\n## Kept"
    )
    notebook.table("tbl-two", ["model", "RMSE"], [[f"row{n}", "0.9"] for n in range(40)])
    pages = pages_of(site, notebook)
    headings = [page for page in page_with(pages, "Kept") if "row0" in {word[4] for word in page[2]}]
    # The outline has the heading too, without the table.
    assert len(headings) == 1
    table = next(page for page in pages if any(word[4] == "row0" for word in page[2]))
    assert {"caption.", "RMSE"} <= {word[4] for word in table[2]}
