"""An image's size, so that a page keeps its place while images load, and an SVG without what nobody sees of it."""

from __future__ import annotations

import base64
import io
import re
import struct

from PIL import Image  # matplotlib, which draws the images, cannot do without it

_TAG = re.compile(rb"<svg\b[^>]*>", re.S)
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}


_UNSEEN = re.compile(rb"<!--.*?-->|<metadata>.*?</metadata>", re.S)


_PLACES = re.compile(rb'\s(?:d|x|y)="[^"]*"')
_EMBEDDED = re.compile(rb"(data:image/png;base64,)([A-Za-z0-9+/=\s]+)")

_REFERENCE, _NAME = re.compile(rb"#([\w.-]+)"), re.compile(rb'\sid="([^"]*)"')
_STYLE = re.compile(rb'\sstyle="[^"]*"')

COLOURS = 64
"""Of an embedded image. Dots in a dozen colours with soft edges look the same, and take a quarter of the space."""


def compact(image: bytes) -> bytes:
    """Return an SVG without comments, metadata, space and names that nothing refers to, places to a tenth of a point.

    Images inside it are reduced to `COLOURS`. Text keeps its spaces: figures are drawn with text as outlines, and between
    other elements space means nothing.
    """
    if b"<text" in image:
        return image
    image = _EMBEDDED.sub(
        lambda found: found[1] + base64.b64encode(_reduced(base64.b64decode(found[2]))), image
    )
    image = re.sub(rb"\s*\n\s*", b" ", re.sub(rb">\s+<", b"><", _UNSEEN.sub(b"", image)))
    used = set(_REFERENCE.findall(image))
    image = _NAME.sub(lambda found: found[0] if found[1] in used else b"", image)
    image = _STYLE.sub(lambda found: re.sub(rb"\s*([:;])\s*", rb"\1", found[0]), image)
    return _PLACES.sub(lambda found: re.sub(rb"(\.\d)\d+", rb"\1", found.group()), image)


def _reduced(png: bytes) -> bytes:
    """Return an image with a palette, or as it was where that is no smaller."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        reduced = image.convert("RGBA").quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    reduced.save(buffer, "PNG", optimize=True)
    return min(buffer.getvalue(), png, key=len)


def size_of(image: bytes, kind: str) -> tuple[int, int] | None:
    """Return width and height of an SVG or PNG in CSS pixels; None where the file does not tell.

    Parameters
    ----------
    image : bytes
    kind : str
        ``svg`` or ``png``.
    """
    if kind == "png":
        return struct.unpack(">II", image[16:24]) if image[:8] == b"\x89PNG\r\n\x1a\n" else None
    tag = _TAG.search(image)
    if not tag:
        return None
    lengths = [_length(tag[0], name) for name in (b"width", b"height")]
    if all(lengths):
        return round(lengths[0]), round(lengths[1])
    box = re.search(rb"\bviewBox\s*=\s*[\"']\s*([-\d.eE\s,]+)[\"']", tag[0])
    if not box:
        return None
    numbers = [float(x) for x in re.split(rb"[\s,]+", box[1].strip())]
    return (round(numbers[2]), round(numbers[3])) if len(numbers) == 4 else None


def _length(tag: bytes, name: bytes) -> float | None:
    found = re.search(rb"\s" + name + rb"\s*=\s*[\"']([\d.]+)\s*([a-z]*)[\"']", tag)
    if not found or found[2].decode() not in _UNITS:
        return None
    return float(found[1]) * _UNITS[found[2].decode()]
