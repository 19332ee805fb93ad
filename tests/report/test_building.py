"""The build as a whole: tidy tables, nothing half done, the same bytes every time, the PDF."""

import base64
import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_notebooks import CLAIM, METRIC, Notebook

from lib.report.build import build
from lib.report.errors import RenderingError
from lib.report.folder import MANIFEST, check_folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_inputs_give_the_same_bytes(site, tmp_path):
    plan, runs, output = site
    build(plan, runs, output)
    build(plan, runs, tmp_path / "again")
    assert contents(output) == contents(tmp_path / "again")


def test_a_failed_build_leaves_the_last_report_and_no_litter(site):
    plan, runs, output = site
    build(plan, runs, output, pdf=False)
    before = contents(output)
    Notebook().markdown("See @fig-lost.").write(runs / "second")
    with pytest.raises(RenderingError):
        build(plan, runs, output, pdf=False)
    assert contents(output) == before


def test_a_failure_while_writing_leaves_the_last_report(site, monkeypatch):
    plan, runs, output = site
    build(plan, runs, output, pdf=False)
    before = contents(output)

    def fail(*_, **__):
        raise RenderingError("the PDF can't be typeset")

    monkeypatch.setattr("lib.report.typst.write_pdfs", fail)
    with pytest.raises(RenderingError):
        build(plan, runs, output)
    assert contents(output) == before


def test_what_the_report_no_longer_has_goes_and_what_is_not_its_own_stays(site):
    plan, runs, output = site
    build(plan, runs, output, pdf=False)
    for name in ("data/benchmarks.csv", "runs/first/notebook.ipynb", "notes.txt"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text("kept")
    gone = {"gone.html", "figures/fig-gone.svg", "data/tables/tbl-gone.csv"}
    for name in gone:
        (output / name).write_text("stale")
    listed = json.loads((output / MANIFEST).read_text())
    (output / MANIFEST).write_text(json.dumps([*listed, *gone]))
    build(plan, runs, output, pdf=False)
    left = contents(output)
    assert 'href="data/benchmarks.csv"' in (output / "provenance.html").read_text(encoding="utf-8")
    assert {"data/benchmarks.csv", "runs/first/notebook.ipynb", "notes.txt"} <= set(left)
    assert not gone & set(left)


def test_files_of_somebody_else_are_never_overwritten_or_removed(site, tmp_path):
    plan, runs, _ = site
    folder = tmp_path / "thesis"
    theirs = {"index.html": b"mine", "thesis.html": b"mine", "figures/a.svg": b"mine"}
    for name, content in theirs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with pytest.raises(RenderingError, match=r"index\.html is not the report's"):
        build(plan, runs, folder, pdf=False)
    assert contents(folder) == theirs
    (folder / "index.html").unlink()
    for _ in range(2):
        build(plan, runs, folder, pdf=False)
    left = contents(folder)
    assert left["thesis.html"] == left["figures/a.svg"] == b"mine" and b"mine" not in left["index.html"]


def test_a_folder_with_files_and_no_report_is_refused_before_anything_starts(site, tmp_path):
    plan, runs, output = site
    (tmp_path / "own" / "runs").mkdir(parents=True)
    check_folder(tmp_path / "own")
    check_folder(tmp_path / "not there")
    for name in ("runs/mine/cache.json", "ratings/dataset.json"):
        (mine := tmp_path / "own" / name).parent.mkdir(parents=True)
        mine.write_text('{"mine": 1}')
        with pytest.raises(RenderingError, match=rf"holds {name.partition('/')[0]}, which no report"):
            check_folder(tmp_path / "own")
        mine.unlink()
        mine.parent.rmdir()
    (tmp_path / "own" / "thesis.html").touch()
    with pytest.raises(RenderingError, match=r"holds thesis\.html, which no report"):
        check_folder(tmp_path / "own")
    build(plan, runs, output, pdf=False)
    check_folder(output)
    (output / MANIFEST).write_text("{")
    with pytest.raises(RenderingError, match="damaged"):
        check_folder(output)


def test_tidy_tables_bring_the_runs_together(site):
    plan, runs, output = site
    build(plan, runs, output, pdf=False)
    for name, record in (("results", METRIC), ("claims", CLAIM)):
        with open(output / "data" / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows == [{key: "" if value is None else str(value) for key, value in record.items()}]


def test_a_record_with_a_missing_column_is_named(site):
    plan, runs, output = site
    (runs / "first" / "metrics.json").write_text('[{"value": 1}]')
    with pytest.raises(RenderingError, match=r"run first: record 1 of metrics\.json lacks"):
        build(plan, runs, output, pdf=False)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler) is not installed")
def test_the_pdf_says_what_the_site_says(site):
    plan, runs, output = site
    build(plan, runs, output)
    pdf = output / "report.pdf"
    text = " ".join(subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True).stdout.split())
    for words in (
        "Toy report",
        "Figure 1. The headline.",
        "Figure 2. RMSE against",
        "Table 2. A caption.",
        "The answer comes first: see Table 2 and Figure 2",
        "0.9428",
        "A finding.",
        "Provenance",
        "c0ffee",
        "42 shown",
    ):
        assert words in text, words
    assert "hidden_input" not in text and "secret_setup" not in text and "draw()" not in text


def test_the_pdf_is_tagged_and_carries_its_metadata(site):
    plan, runs, output = site
    build(plan, runs, output)
    raw = (output / "report.pdf").read_bytes()
    assert raw.startswith(b"%PDF-") and raw.rstrip().endswith(b"%%EOF")
    for mark in (b"/MarkInfo", b"/Lang", b"Toy report", b"<pdfuaid:part>1", b"2026-03-04"):
        assert mark in raw, mark
    assert len(raw) < 2_000_000


def test_hostile_text_in_the_pdf_is_only_text(site):
    plan, runs, output = site
    hostile = '#read("/etc/passwd") $x$ <b> @fig-one \\ "quoted" [x] *y* // z'
    Notebook().markdown("# Two\n\n## Results").table(
        "tbl-two", [hostile, "b"], [[hostile, {"text": hostile, "href": "https://example.org/?a=<b>"}]]
    ).code("x", {"output_type": "stream", "name": "stdout", "text": hostile}).write(runs / "second")
    build(plan, runs, output)
    assert (output / "report.pdf").stat().st_size > 10_000


def test_a_figures_data_have_no_more_digits_than_a_drawing_shows():
    from lib.report.data import shortened

    text = 'x,title\n0.123456789012,"Film 2.5, the 3.14159265 one"\n-12345678.123456789,a1.00000001\n5,0.25\n'
    assert shortened(text) == ('x,title\n0.1235,"Film 2.5, the 3.142 one"\n-1.235e+07,a1.00000001\n5,0.25\n')


def test_a_compact_image_draws_the_same():
    from lib.report.svg import compact

    image = b'<svg width="9pt">\n <metadata>who</metadata>\n <!-- a -->\n <path d="M 0 0\n L 1 1"/>\n</svg>\n'
    assert compact(image) == b'<svg width="9pt"><path d="M0 0L1 1"/></svg>'
    named = b'<svg><defs><path id="a" d="M 0 0"/></defs><g id="b" style="fill: none; stroke: #aaa"><use href="#a"/></g></svg>'
    assert (
        compact(named)
        == b'<svg><defs><path id="a" d="M0 0"/></defs><g style="fill:none;stroke:#aaa"><use href="#a"/></g></svg>'
    )
    with_text = b"<svg>\n <text>a\n  b</text></svg>"
    assert compact(with_text) == with_text


def test_large_data_are_published_compressed(tmp_path):
    import pandas as pd

    from lib.report.data import LARGE, data_path

    @dataclasses.dataclass
    class Block:
        label: str
        data: Path

    for rows in (3, LARGE):
        path = tmp_path / "data.csv"
        pd.DataFrame({"x": range(rows)}).to_csv(path, index=False)
        assert data_path(Block("tbl-a", path)) == f"tables/tbl-a.csv{'.gz' if rows == LARGE else ''}"


def test_a_compact_image_keeps_what_its_images_show():
    from lib.report.svg import compact

    def pixels(svg):
        encoded = re.search(rb"base64,([^\"]+)", svg)[1]
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            return np.asarray(image.convert("RGBA"), dtype=int)

    drawing = np.zeros((60, 80, 4), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for colour in ((214, 39, 40), (31, 119, 180), (44, 160, 44)):
        rows, columns = rng.integers(0, 60, 40), rng.integers(0, 80, 40)
        drawing[rows, columns] = [[*colour, alpha] for alpha in rng.choice([80, 160, 255], 40)]
    buffer = io.BytesIO()
    Image.fromarray(drawing).save(buffer, "PNG")
    encoded = base64.encodebytes(buffer.getvalue())  # in lines, as matplotlib writes it
    svg = b'<svg width="9pt"><image xlink:href="data:image/png;base64,' + encoded + b'"/></svg>'
    smaller = compact(svg)
    assert len(smaller) < len(svg)
    assert np.abs(pixels(smaller) - drawing)[drawing[..., 3] > 0].max() < 12
    assert (pixels(smaller)[drawing[..., 3] == 0][:, 3] == 0).all()
    assert compact(smaller) == smaller
