"""Hostile files of ratings, through the function that reads them: read, or refused in a sentence that names the file."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.bench import Bench, Call, Fault
from tests.faults.damaged_data import parquet, zips

KIND = "hostile ratings"
SECONDS = 60
"""A file that takes longer to read, or to refuse, hangs."""
ROWS = "user,item,rating\n" + "".join(f"{n % 7},{n % 5 + 100},{n % 5 + 1}\n" for n in range(35))


def packed(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def nested(depth: int) -> bytes:
    content = gzip.compress(bytes(1 << 20))
    for _ in range(depth):
        content = gzip.compress(content)
    return content


def of_pairs(rating: str) -> str:
    return "user,item,rating\n" + "".join(f"{n % 7},{n % 5 + 100},{rating if n % 3 else 1}\n" for n in range(35))


def damaged() -> dict[str, bytes | str]:
    """Return files that can't be read, by name; the name's ending is the file's."""
    good = {"user": [1, 2, 1, 3], "item": [1, 1, 2, 2], "rating": [1.0, 5.0, 3.0, 2.0]}
    whole = gzip.compress(ROWS.encode())
    return {
        "nothing.csv": "", "a header only.csv": "user,item,rating\n", "blanks.csv": "\n\n  \n", "bytes.csv": os.urandom(0) + bytes(range(256)) * 20,
        "zeros.csv": bytes(5000), "a picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "one column.csv": "a\n1\n2\n",
        "ragged.csv": ROWS + "1,2\n", "a text as rating.csv": of_pairs("good"), "nan.csv": of_pairs("nan"), "inf.csv": of_pairs("inf"),
        "1e308.csv": of_pairs("1e308"), "1e999.csv": of_pairs("1e999"), "no ids.csv": "user,item,rating\n" + ",,3\n" * 9,
        "a quote that never ends.csv": ROWS + '"1,2,3\n' + ROWS, "one user.csv": "user,item,rating\n1,1,5\n1,2,4\n1,3,4\n",
        "cut off.csv.gz": whole[: len(whole) // 2], "no gzip.csv.gz": b"user,item,rating\n1,2,3\n", "a sum that is wrong.csv.gz": whole[:-8] + b"\0" * 8,
        "gzip in gzip in gzip.csv.gz": nested(3), "a bomb.csv.gz": nested(0) * 400, "a json table.json": json.dumps({"a": 1}),
        "no parquet.parquet": b"user,item\n", "nested ids.parquet": parquet(**{**good, "user": [[1], [2], [3], [4]]}),
        "binary ids.parquet": parquet(**{**good, "user": [b"\xff\xfe", b"\x80", b"c", b"d"]}), "ratings of 1e308.parquet": parquet(**{**good, "rating": [1e308] * 4}),
        "nothing inside.parquet": parquet(user=[], item=[]), "an empty zip.zip": packed("a/", b""),
    }  # fmt: skip


def readable() -> dict[str, bytes | str]:
    """Return files that may be read, or refused, but end neither in a traceback nor in a wait."""
    text = ROWS.encode()
    more = {f"a zip, {name}.zip": content for name, content in zips().items()}
    return {
        "utf-16.csv": ROWS.encode("utf-16"),
        "packed.csv.bz2": bz2.compress(text), "packed.csv.xz": lzma.compress(text), "packed.zip": packed("ratings.csv", text),
        "a zip in a zip.zip": packed("inner.zip", packed("ratings.csv", text)), "points outside.zip": packed("../../ratings.csv", text),
        "a bomb.zip": packed("ratings.csv", bytes(200 << 20)), "lines.jsonl": '{"user": 1, "item": 2, "rating": 3}\n' * 20 + "{\n",
        "a long line.csv": "user,item,rating\n" + "x" * 5_000_000, "many columns.csv": ",".join(map(str, range(20_000))) + "\n",
        "strange ids.csv": "user,item,rating\n" + "".join(f"\u202e{n},=cmd|{n % 3},{n % 5}\n" for n in range(30)),
        "null bytes.csv": ROWS.replace("3", "3\0"), **more,
    }  # fmt: skip


def reading(name: str, make: Callable[[Path], object]):
    def act(bench: Bench) -> Call:
        folder = bench.root / "theirs"
        folder.mkdir()
        make(folder / name)

        def work() -> int:
            from lib.workbench.own_ratings.errors import InvalidRatingsFile
            from lib.workbench.own_ratings.preparation import prepare

            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            try:
                print(prepare(folder / name, folder=bench.root / "prepared"))
            except (InvalidRatingsFile, FileNotFoundError) as error:
                print(error)
                return 3
            return 0

        return bench.apart(work)

    return act


def faults() -> Iterator[Fault]:
    for kind, codes, files in (("is refused", {3}, damaged()), ("ends", {0, 3}, readable())):
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            stem = name.partition(".")[0][:12]
            act = reading(name, lambda path, body=body: path.write_bytes(body))
            quick = name in ("1e308.csv", "nested ids.parquet", "cut off.csv.gz")
            yield Fault(KIND, f"{name} {kind}", act, codes, stem if codes == {3} else "", quick=quick)
    yield Fault(KIND, "a FIFO is refused", reading("fifo.csv", os.mkfifo), {3}, "fifo")
    yield Fault(KIND, "a folder is refused", reading("folder.csv", os.mkdir), {3}, "folder")
    yield Fault(
        KIND, "/dev/zero is refused", reading("zero.csv", lambda path: path.symlink_to("/dev/zero")), {3}, "zero"
    )
    yield Fault(
        KIND, "a link to itself is refused", reading("itself.csv", lambda path: path.symlink_to(path)), {3}, "itself"
    )
    yield Fault(KIND, "no file is refused", reading("nowhere.csv", lambda path: None), {3}, "nowhere")
