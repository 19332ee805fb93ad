"""Damaged archives, prepared ratings and results, read by the functions that read them: one sentence that names the file."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.faults.bench import Bench, Call, Fault

KIND = "damaged data"


def a_zip(content: bytes = b"1\t1\t5\t0\n" * 500, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("a/u.data", content)
    return file.getvalue()


def patched(content: bytes, *changes: tuple[bytes, int, bytes]) -> bytes:
    """Change bytes at a distance from each place where a mark of the zip format stands."""
    found = bytearray(content)
    for mark, distance, new in changes:
        place = content.find(mark)
        while place >= 0:
            found[place + distance : place + distance + len(new)] = new
            place = content.find(mark, place + 1)
    return bytes(found)


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


@cache
def zips() -> dict[str, bytes]:
    whole = a_zip()
    middle = len(whole) // 2 - 40
    return {
        "nothing": b"", "no zip": b"no archive at all", "cut off": whole[: len(whole) // 2], "without its end": whole[:-22],
        "a damaged stream": whole[:middle] + bytes(b ^ 0xFF for b in whole[middle : middle + 8]) + whole[middle + 8 :],
        "a wrong sum": patched(whole, (LOCAL, 14, b"\0\0\0\0"), (CENTRAL, 16, b"\0\0\0\0")),
        "encrypted": patched(whole, (LOCAL, 6, b"\x01\0"), (CENTRAL, 8, b"\x01\0")),
        "unknown compression": patched(whole, (LOCAL, 8, b"\x63\0"), (CENTRAL, 10, b"\x63\0")),
        "lzma that is none": patched(whole, (LOCAL, 8, b"\x0e\0"), (CENTRAL, 10, b"\x0e\0")),
        "bzip2 that is none": patched(whole, (LOCAL, 8, b"\x0c\0"), (CENTRAL, 10, b"\x0c\0")),
        "a bomb": patched(whole, (CENTRAL, 24, struct.pack("<I", 0xF0000000))),
        "no such member": a_zip().replace(b"a/u.data", b"b/u.data"),
        "a member's header gone": whole.replace(LOCAL, b"XXXX"),
    }  # fmt: skip


def reading(name: str, content: bytes | str | None, read: Callable[[Path], object]):
    """Write a file, and read it in a process of its own."""

    def act(bench: Bench) -> Call:
        path = bench.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)

        def work() -> int:
            read(path)
            print("it was read")
            return 0

        return bench.apart(work)

    return act


TEXTS = {
    "a list": "[]", "a table": "{}", "null": "null", "a text": '"x"', "nothing": "", "half": '{"name": ', "nested": "[" * 20_000,
    "bytes": b"\xff\xfe", "other types": '{"name": 1, "title": [], "scale": "x", "checksums": {}}',
    "a scale of three": '{"name": "a", "title": "a", "scale": [1, 2, 3], "checksums": {}}',
    "a scale of null": '{"name": "a", "title": "a", "scale": null, "checksums": {}}',
    "a scale the wrong way": '{"name": "a", "title": "a", "scale": [5, 1], "checksums": {}}',
}  # fmt: skip
GOOD = '{"name": "a", "title": "a", "scale": [1, 5], "checksums": {}}'


def parquet(**columns) -> bytes:
    import pandas as pd

    file = io.BytesIO()
    pd.DataFrame(columns).to_parquet(file, index=False)
    return file.getvalue()


@cache
def parquets() -> dict[str, bytes]:
    good = {"user": [1, 2, 1], "item": [1, 1, 2], "rating": [1.0, 5.0, 3.0], "timestamp": [0, 0, 0]}
    whole = parquet(**good)
    return {
        "nothing": b"", "no parquet": b"user,item\n", "cut off": whole[: len(whole) // 2], "half its magic": whole[:-4] + b"XXXX",
        "no rows": parquet(**{name: values[:0] for name, values in good.items()}), "no column of items": parquet(user=[1], rating=[1.0]),
        "nested ids": parquet(**{**good, "user": [[1], [2], [3]]}),
        "ratings that are texts": parquet(**{**good, "rating": ["a", "b", "c"]}), "ratings of 1e308": parquet(**{**good, "rating": [1e308] * 3}),
        "ids that lack": parquet(**{**good, "user": [None, 1, 2]}),
    }  # fmt: skip


def faults() -> Iterator[Fault]:
    def members(path: Path) -> object:
        from lib.data.archives import read_members

        return read_members(path, ["a/u.data"])

    for name, content in zips().items():
        yield Fault(
            KIND,
            f"a zip: {name}",
            reading("a.zip", content, members),
            {3},
            r"a\.zip",
            quick=name in ("encrypted", "unknown compression"),
        )

    def prepared(path: Path) -> object:
        from lib.data.prepared import load_prepared

        return load_prepared(path.parent)

    def with_both(meta: str | bytes, table: bytes):
        def act(bench: Bench) -> Call:
            folder = bench.root / "ratings"
            folder.mkdir()
            (folder / "ratings.parquet").write_bytes(table)
            return reading("ratings/dataset.json", meta, prepared)(bench)

        return act

    good = parquet(user=[1, 2, 1], item=[1, 1, 2], rating=[1.0, 5.0, 3.0], timestamp=[0, 0, 0])
    for name, text in TEXTS.items():
        yield Fault(
            KIND,
            f"dataset.json: {name}",
            with_both(text, good),
            {3},
            "ratings is damaged",
            quick=name in ("a list", "null"),
        )
    for name, content in parquets().items():
        yield Fault(
            KIND,
            f"ratings.parquet: {name}",
            with_both(GOOD, content),
            {3},
            "ratings is damaged",
            quick=name == "cut off",
        )
    yield Fault(KIND, "prepared ratings: none", reading("ratings/x", "", prepared), {3}, "holds no prepared ratings")
    yield from results()


def results() -> Iterator[Fault]:
    """What a notebook reads of other runs."""

    def run(what: Callable[[object], object]) -> Callable[[Path], object]:
        from lib.experiment.stored_runs import StoredRun

        return lambda path: what(StoredRun("svd", path.parent))

    texts = {name: TEXTS[name] for name in ("null", "a text", "nothing", "half", "nested", "bytes")}
    for file in ("metrics", "facts", "provenance"):
        for name, text in texts.items():
            act = reading(f"svd/{file}.json", text, run(lambda one, file=file: getattr(one, file)))
            yield Fault(KIND, f"{file}.json: {name}", act, {3}, rf"{file}\.json.*--only svd --force")
        act = reading("svd/x", "", run(lambda one, file=file: getattr(one, file)))
        yield Fault(KIND, f"{file}.json: gone", act, {3}, "--only svd --force")
    for kind in ("predictions", "errors", "top_k"):
        for name in ("nothing", "no parquet", "cut off", "half its magic"):
            act = reading(f"svd/{kind}.parquet", parquets()[name], run(lambda one, kind=kind: getattr(one, kind)))
            yield Fault(KIND, f"{kind}.parquet: {name}", act, {3}, rf"{kind}\.parquet.*--only svd --force")
    for name, content in {"nothing": b"", "no zip": b"npz", "another zip": a_zip(), "a pickle": b"\x80\x04N."}.items():
        folder = "svd/scores/svd.npz"
        from lib.experiment.stored_runs import StoredRun

        act = reading(folder, content, lambda path: StoredRun("svd", path.parents[1]).scores("svd"))
        yield Fault(KIND, f"scores: {name}", act, {3}, r"svd\.npz.*--only svd --force")
    for name, text in {"a list": "[]", "nothing": "", "no profile": "{}"}.items():

        def publishing(path: Path) -> object:
            from lib.report import publishing

            publishing.stale_files = list
            found = publishing.obstacles(path.parents[1])
            print(*found)
            raise SystemExit(1 if any("cache.json" in one for one in found) else 0)

        yield Fault(
            KIND,
            f"publishing with a record: {name}",
            reading("runs/svd/cache.json", text, publishing),
            {1},
            r"cache\.json",
        )

        def with_page(bench: Bench, text=text) -> Call:
            folder = bench.root / "runs" / "svd"
            folder.mkdir(parents=True)
            (folder / "notebook.ipynb").write_text(text)
            (folder / "provenance.json").write_text("{}")

            def look(path: Path) -> None:
                from lib.report import publishing

                publishing.stale_files = list
                print(*publishing.obstacles(path.parents[1]))

            return reading("runs/svd/cache.json", json.dumps({"profile": "full", "files": {}}), look)(bench)

        yield Fault(KIND, f"publishing with a notebook: {name}", with_page, {0}, r"notebook\.ipynb is damaged")
