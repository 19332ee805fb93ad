"""A PDF in fewer bytes: its small objects packed together and compressed, as PDF allows since 1.5 and Typst doesn't do."""

from __future__ import annotations

import re
import zlib
from itertools import pairwise

PACK = 500
"""Objects in one stream; a reader unpacks a whole stream to see one of them."""

_END = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_TABLE = re.compile(rb"xref\s+0 (\d+)\s+")
_OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)\s*endobj\s*\Z", re.S)
_STREAM = re.compile(rb"(<<(?:(?!stream).)*?>>)\s*stream\r?\n", re.S)
_DEFLATED = re.compile(rb"/Filter\s*/FlateDecode\b")


class NotPlainError(ValueError):
    """The file isn't a plain PDF, with one table of places, as `packed` needs it."""


def packed(pdf: bytes) -> bytes:
    """Return the same document with its objects in object streams and a cross-reference stream.

    A report of many tables has a tagged structure with an object for each cell. Written one by one, with 20 bytes
    each in the table of places, these are half of the file. The catalogue and the document's information stay as they
    are, for tools that look for them without reading objects. No object changes its number or what it says;
    streams are compressed harder where that helps.

    Parameters
    ----------
    pdf : bytes
        Not encrypted, never updated, with one cross-reference table and all generations 0: what Typst writes.

    Returns
    -------
    bytes
        A PDF of the same version, with one byte order for one input.

    Raises
    ------
    NotPlainError
        It is another kind of PDF.

    References
    ----------
    ISO 32000-1:2008, 7.5.7 "Object streams" and 7.5.8 "Cross-reference streams".
    """
    head, objects, trailer = objects_of(pdf)
    named = {int(number) for number in re.findall(rb"/(?:Root|Info) (\d+) 0 R", trailer)}
    alone = {number for number, body in objects.items() if number in named or body.endswith(b"endstream")}
    small = sorted(objects.keys() - alone)
    out, size = bytearray(head), max(objects) + 1
    # Kind, place and index of each object, as the cross-reference stream lists them.
    entries: dict[int, tuple[int, int, int]] = {0: (0, 0, 65535)}

    def write(number: int, body: bytes) -> None:
        entries[number] = (1, len(out), 0)
        out.extend(b"%d 0 obj\n%b\nendobj\n" % (number, body))

    for number in sorted(alone):
        write(number, _harder(objects[number]))
    for first in range(0, len(small), PACK):
        members = small[first : first + PACK]
        entries |= {number: (2, size, index) for index, number in enumerate(members)}
        places, place = [], 0
        for number in members:
            places.append(b"%d %d" % (number, place))
            place += len(objects[number]) + 1
        index = b" ".join(places) + b"\n"
        content = index + b"\n".join(objects[number] for number in members)
        write(size, _stream(b"/Type/ObjStm/N %d/First %d" % (len(members), len(index)), content))
        size += 1
    start = len(out)
    entries[size] = (1, start, 0)
    table = b"".join(
        kind.to_bytes(1, "big") + place.to_bytes(4, "big") + index.to_bytes(2, "big")
        for kind, place, index in (entries.get(number, (0, 0, 0)) for number in range(size + 1))
    )
    kept = b"".join(re.findall(rb"/(?:Root|Info) \d+ 0 R|/ID\s*\[.*?\]", trailer, re.S))
    write(size, _stream(b"/Type/XRef/Size %d/W[1 4 2]%b" % (size + 1, kept), table))
    out.extend(b"startxref\n%d\n%%%%EOF" % start)
    return bytes(out)


def objects_of(pdf: bytes) -> tuple[bytes, dict[int, bytes], bytes]:
    """Return a plain PDF's head, its objects by number, and its trailer; see `packed`."""
    end = _END.search(pdf)
    table = _TABLE.match(pdf, int(end[1])) if end else None
    if not table:
        raise NotPlainError("the PDF has no plain cross-reference table")
    size = int(table[1])
    rows = pdf[table.end() : table.end() + 20 * size]
    trailer = pdf[table.end() + 20 * size :].strip()
    if not trailer.startswith(b"trailer") or re.search(rb"/(Prev|Encrypt|XRefStm)\b", trailer):
        raise NotPlainError("the PDF was updated or encrypted after it was written")
    places = {
        number: int(rows[20 * number : 20 * number + 10])
        for number in range(size)
        if rows[20 * number + 17 : 20 * number + 18] == b"n"
    }
    if not places:
        raise NotPlainError("the PDF holds no objects")
    starts = [*sorted(places.values()), int(end[1])]
    ends = dict(pairwise(starts))
    objects = {}
    for number, place in places.items():
        found = _OBJECT.match(pdf[place : ends[place]])
        if not found or int(found[1]) != number:
            raise NotPlainError(f"object {number} of the PDF is not where its table says")
        objects[number] = found[2]
    return pdf[: starts[0]], objects, trailer


def _stream(about: bytes, content: bytes) -> bytes:
    data = zlib.compress(content, 9)
    return b"<<%b/Length %d/Filter/FlateDecode>>\nstream\n%b\nendstream" % (about, len(data), data)


def _harder(body: bytes) -> bytes:
    """Return a stream compressed as hard as deflate can, or what was given where that is no smaller."""
    found = _STREAM.match(body)
    length = re.search(rb"/Length (\d+)(?! \d+ R)\b", found[1]) if found else None
    if not length or not _DEFLATED.search(found[1]):
        return body
    data = body[found.end() : found.end() + int(length[1])]
    # With a predictor, or without: what deflate holds is the same bytes.
    smaller = zlib.compress(zlib.decompress(data), 9)
    if len(smaller) >= len(data):
        return body
    about = found[1].replace(length[0], b"/Length %d" % len(smaller))
    return b"%b\nstream\n%b\nendstream" % (about, smaller)
