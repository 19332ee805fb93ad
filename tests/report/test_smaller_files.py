"""What the builder makes smaller says and draws the same: figures and code."""

import io
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import typst
from matplotlib.figure import Figure
from PIL import Image

from lib.report import figures
from lib.report.exporter import COLOURED, highlight
from lib.report.svg import compact


# -- figures ---------------------------------------------------------------------------------------------------------
def pixels(svg, folder):
    (folder / "figure.svg").write_bytes(svg)
    (folder / "page.typ").write_text('#set page(width: auto, height: auto, margin: 0pt)\n#image("figure.svg")')
    image = typst.compile(folder / "page.typ", root=folder, format="png", ppi=144.0)
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"), dtype=int)


@pytest.fixture
def drawing():
    """An SVG as the notebooks leave it: lines, markers in two colours, an outline, letters and an exponent."""
    rng = np.random.default_rng(0)
    with matplotlib.rc_context():
        figures.use_style()
        figure = Figure(figsize=(4, 3), dpi=100)
        axis = figure.add_subplot()
        axis.plot(np.geomspace(1, 1000, 60), rng.normal(size=60).cumsum(), marker="o", markevery=5, label="a")
        axis.scatter(rng.uniform(1, 900, 40), rng.normal(size=40), c=rng.uniform(size=40), alpha=0.6)
        axis.fill_between([1, 900], [-1, -2], [1, 2], alpha=0.3)
        axis.set(xscale="log", xlabel="ratings", title="RMSE")
        axis.set_ylabel("what it costs", rotation=90)
        axis.legend()
        return figures.svg_text(figure).encode()


def test_a_compact_figure_draws_the_same_in_fewer_bytes(drawing, tmp_path):
    smaller = compact(drawing)
    assert len(smaller) < 0.65 * len(drawing)
    before, after = pixels(drawing, tmp_path), pixels(smaller, tmp_path)
    assert before.shape == after.shape and (before < 128).any()
    # A place moves by at most a twentieth of a point, a tenth of a pixel here.
    assert np.abs(before - after).max() < 80 and np.abs(before - after).mean() < 1


def test_a_compact_figure_refers_to_what_it_holds(drawing):
    root = ElementTree.fromstring(compact(drawing))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    used = [
        value[1:]
        for element in root.iter()
        for name, value in element.items()
        if name.endswith("href") and value.startswith("#")
    ]
    used += re.findall(r"url\(#([^)]*)\)", " ".join(v for e in root.iter() for v in e.attrib.values()))
    assert used and set(used) == set(ids) and len(ids) == len(set(ids))
    sheet = "".join(e.text for e in root.iter() if e.tag.endswith("style"))
    classes = {element.get("class") for element in root.iter() if element.get("class")}
    assert classes and classes <= set(re.findall(r"\.([a-z]+)\{", sheet))


def test_compacting_twice_changes_nothing(drawing):
    assert compact(compact(drawing)) == compact(drawing)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("M 0 0 L 1.26 -0.04 L 1.24 -2.00 z", "M0 0L1.3 0L1.2 -2z"),
        ("M 0.54 12.00 Q -0.46 4 5 6", "M.5 12Q-.5 4 5 6"),
        ("M 0 0 A 1 1 0 0 0 2 2", "M0 0A1 1 0 0 0 2 2"),
    ],
)
def test_a_path_is_rounded(path, expected):
    image = f'<svg><path d="{path}" style="fill:red"/></svg>'.encode()
    assert f'd="{expected}"'.encode() in compact(image)


def test_styles_names_and_places_are_short():
    image = (
        b'<svg><g id="figure_1"><g style="fill: #aabbcc; stroke-width: 0.80"/>'
        b'<path d="M 0 0" style="fill: #aabbcc; stroke-width: 0.80"/><path d="M 1 1" style="fill: #abcdef"/></g>'
        b'<defs><path id="DejaVu-1" d="M 0 0 L 0.127 0" transform="scale(0.015625)"/></defs>'
        b'<use xlink:href="#DejaVu-1" transform="translate(63.62 0)"/>'
        b'<use xlink:href="#DejaVu-1" transform="translate(63.62 1.50) scale(0.70)"/></svg>'
    )
    assert compact(image).decode() == (
        '<svg><style>.a{fill:#aabbcc;stroke-width:0.80}</style><g><g class="a"/>'
        '<path d="M0 0" class="a"/><path d="M1 1" style="fill:#abcdef"/></g>'
        '<defs><path id="a" d="M0 0L.13 0" transform="scale(0.015625)"/></defs>'
        '<use xlink:href="#a" transform="translate(63.62 0)"/>'
        '<use xlink:href="#a" transform="translate(63.62 1.50) scale(0.70)"/></svg>'
    )


# -- code ------------------------------------------------------------------------------------------------------------
def test_code_has_a_class_for_each_colour_and_no_other():
    assert {"c1", "kn", "s3", "m", "fm"} <= COLOURED and not {"p", "n", "more", "code"} & COLOURED
    code = 'def f(x):  # half\n    return x < 0.5 and "a&b"\n'
    html = highlight(code)
    assert set(re.findall(r'<span class="([^"]*)">', html)) == {"k", "nf", "c1", "mf", "ow", "s2"}
    text = re.sub(r"<[^>]*>", "", html)
    assert text == code.replace("&", "&amp;").replace("<", "&lt;")
