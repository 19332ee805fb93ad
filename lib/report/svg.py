"""An image's size, so that a page keeps its place while images load, and an SVG without what nobody sees of it."""

import base64
import io
import re
from collections import Counter
from functools import lru_cache

from PIL import Image  # matplotlib, which draws the images, cannot do without it

_SIZE = re.compile(rb'<svg\b[^>]*?\swidth="([\d.]+)pt" height="([\d.]+)pt"')  # as matplotlib writes it

_UNSEEN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.S)
_EMBEDDED = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/=\s]+)")
_ELEMENT = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_DEFINITIONS = re.compile(r"(<defs>.*?</defs>)", re.S)

_NAME, _REFERENCE = re.compile(r'\sid="([^"]*)"'), re.compile(r'(url\(|href="|href=\')#([\w.-]+)')
_STYLE = re.compile(r'\sstyle="([^"]*)"')
_DECIMAL = re.compile(r"-?\d+\.\d+")
_PATH, _PLACE = re.compile(r'(\sd=")([^"]*)"'), re.compile(r'(\s[xy]=")(-?\d+\.\d+)"')

COLOURS = 64
"""Of an embedded image. Dots in a dozen colours with soft edges look the same, and take a quarter of the space."""
DECIMALS = 1  # of places in points: a tenth of a point is a seventh of a pixel
FINE_DECIMALS = 2  # of places within a definition: a marker is a few points across


@lru_cache(maxsize=512)  # the site and the PDF ask for the same figures
def compact(image: bytes) -> bytes:
    """Return an SVG that draws the same in fewer bytes.

    It has no comments, no metadata and no names that nothing refers to. Places are rounded to a tenth of a point, names
    are short, a style that several elements have is a class, and images inside are reduced to `COLOURS`. An SVG with
    text, where spaces mean something, comes back as it is: the report's figures are drawn with text as outlines.
    """
    if b"<text" in image:
        return image
    text = _EMBEDDED.sub(
        lambda found: found[1] + base64.b64encode(_reduced(base64.b64decode(found[2]))).decode(), image.decode("utf-8")
    )
    text = re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", _UNSEEN.sub("", text)))
    parts = _DEFINITIONS.split(_named(text))
    drawn = (_drawn(part, FINE_DECIMALS if part.startswith("<defs>") else DECIMALS) for part in parts)
    return _classed("".join(drawn)).strip().encode("utf-8")


def _named(text: str) -> str:
    """Return the image with a letter or two for each name that something refers to, and without the other names."""
    used = {name for _, name in _REFERENCE.findall(text)}
    names = {name: _letters(place) for place, name in enumerate(n for n in _NAME.findall(text) if n in used)}
    text = _NAME.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", text)
    return _REFERENCE.sub(lambda found: f"{found[1]}#{names.get(found[2], found[2])}", text)


def _letters(place: int) -> str:
    """Return a, b, ..., z, ba, bb, ...: a name for each number."""
    text = ""
    while place or not text:
        place, letter = divmod(place, 26)
        text = chr(ord("a") + letter) + text
    return text


def _drawn(text: str, decimals: int) -> str:
    """Return elements with their paths and places written short."""
    text = _PATH.sub(lambda found: f'{found[1]}{_path(found[2], decimals)}"', text)
    return _PLACE.sub(lambda found: f'{found[1]}{_short(float(found[2]), DECIMALS)}"', text)


def _path(path: str, decimals: int) -> str:
    """Return a path's data with places rounded, and no space that nothing needs."""
    rounded = _DECIMAL.sub(lambda found: _short(float(found.group()), decimals), path)
    return re.sub(r" *([A-Za-z,]) *", r"\1", rounded).strip()


def _short(number: float, decimals: int) -> str:
    text = f"{round(number, decimals) + 0.0:.{decimals}f}"  # which turns -0 to 0
    return re.sub(r"^(-?)0\.", r"\1.", text.rstrip("0").rstrip(".") if decimals else text)


def _classed(text: str) -> str:
    """Return the image with each style that occurs twice or more as a class in its style sheet."""

    def tidy(style: str) -> str:
        return re.sub(r"\s*([:;])\s*", r"\1", style).strip("; ")

    text = _STYLE.sub(lambda found: f' style="{tidy(found[1])}"', text)
    often = [style for style, times in Counter(_STYLE.findall(text)).most_common() if times > 1]
    if not often or "class=" in text:
        return text
    names = {style: _letters(place) for place, style in enumerate(often)}
    text = _STYLE.sub(lambda found: f' class="{names[found[1]]}"' if found[1] in names else found.group(), text)
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    if "</style>" in text:
        return text.replace("</style>", f"{rules}</style>", 1)
    return _ELEMENT.sub(lambda found: f"{found.group()}<style>{rules}</style>", text, count=1)


def _reduced(png: bytes) -> bytes:
    """Return an image with a palette, or as it was where that is no smaller."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        reduced = image.convert("RGBA").quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    reduced.save(buffer, "PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


def size_of(image: bytes) -> tuple[int, int] | None:
    """Return an SVG's width and height in CSS pixels; None where it does not tell as matplotlib does."""
    found = _SIZE.search(image)
    return (round(float(found[1]) * 4 / 3), round(float(found[2]) * 4 / 3)) if found else None
