"""The kept layer damaged: pages, records and searches that the project holds."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.bench import Bench, Call, Fault
from tests.faults.damaged_data import reading

KIND = "kept layer"
Members = dict[str, bytes]


def held(path: Path) -> Members:
    with tarfile.open(path, "r:xz") as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def tar_of(members: Members, *more: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in more:
            tar.addfile(entry, io.BytesIO(bytes(entry.size)))
    return lzma.compress(file.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, size
    return entry


def page_with(change: Callable[[Members], bytes], *arguments: str):
    def act(bench: Bench) -> Call:
        bench.keep(bench.root / "outside.txt")
        path = bench.kept / "third.tar.xz"
        path.write_bytes(change(held(path)))
        for left in (bench.runs / "third").glob("*"):
            left.unlink()
        if (bench.runs / "third").is_dir():
            (bench.runs / "third").rmdir()
        return bench.call(*arguments)

    return act


def record_with(**changes) -> Callable[[Members], bytes]:
    return lambda m: tar_of({**m, "cache.json": json.dumps({**json.loads(m["cache.json"]), **changes}).encode()})


def without(name: str) -> Callable[[Members], bytes]:
    return lambda members: tar_of({n: content for n, content in members.items() if n != name})


PAGES: dict[str, Callable[[Members], bytes]] = {
    "nothing": lambda m: b"", "no archive": lambda m: b"no archive", "cut off": lambda m: tar_of(m)[:300], "its end gone": lambda m: tar_of(m)[:-20],
    "an empty archive": lambda m: tar_of({}), "no notebook": without("notebook.ipynb"), "no record": without("cache.json"),
    "a notebook that is a list": lambda m: tar_of({**m, "notebook.ipynb": b"[]"}), "a notebook cut off": lambda m: tar_of({**m, "notebook.ipynb": b'{"cells": ['}),
    "a record that is a list": lambda m: tar_of({**m, "cache.json": b"[]"}), "a record that is null": lambda m: tar_of({**m, "cache.json": b"null"}),
    "a record that is no JSON": lambda m: tar_of({**m, "cache.json": b"{"}), "a record without parts": lambda m: tar_of({**m, "cache.json": b"{}"}),
    "parts of another form": record_with(parts=[]), "code of another form": record_with(parts={"code": 3}), "no day": record_with(finished=None),
    "a member that points outside": lambda m: tar_of(m, member("../outside.txt")), "a member below another's folder": lambda m: tar_of(m, member("a/../../outside.txt")),
    "an absolute member": lambda m: tar_of(m, member("/var/outside.txt")), "a link": lambda m: tar_of(m, member("x", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": lambda m: tar_of(m, member("x", tarfile.LNKTYPE, "facts.json")), "a device": lambda m: tar_of(m, member("x", tarfile.CHRTYPE)),
    "a FIFO": lambda m: tar_of(m, member("x", tarfile.FIFOTYPE)), "a bomb": lambda m: tar_of(m, member("zeros", size=400 << 20)),
    "another packing": lambda m: gzip.compress(lzma.decompress(tar_of(m))),
}  # fmt: skip

ENTRY = {"fit": {"parts": {}, "stopping": None}, "found": {"rmse": 1.0}, "code": "0", "made": {}}
SEARCH = {
    "name": "s", "parameters": ["x"], "folds": [{}], "code": "0", "made": {}, "rows": "0",
    "trials": {"trial": [0], "state": ["complete"], "score": [1.0], "score_0": [1.0], "seconds": [1.0], "x": [2]},
}  # fmt: skip
FILES: dict[str, object] = {
    "nothing": b"", "no gzip": b"no gzip", "cut off": gzip.compress(json.dumps(SEARCH).encode())[:40], "no JSON": gzip.compress(b"{"),
    "a list": [], "null": None, "a text": "x", "damaged inside": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\xff" * 40, "nested": gzip.compress(b"[" * 50_000),
}  # fmt: skip
RECORDS = {
    **FILES,
    "entries of no form": {"a": 1},
    "an entry without a fit": {"a": {**ENTRY, "fit": None}},
    "an entry without code": {"a": {"fit": {}}},
}
SEARCHES = {
    **FILES, "a table": {}, "no trials": {**SEARCH, "trials": None}, "trials that are a list": {**SEARCH, "trials": []},
    "columns of other lengths": {**SEARCH, "trials": {**SEARCH["trials"], "x": [1, 2, 3]}}, "no scores": {**SEARCH, "trials": {"trial": [0], "state": ["complete"]}},
    "a parameter that has no column": {**SEARCH, "parameters": ["y"]}, "no folds": {n: v for n, v in SEARCH.items() if n != "folds"},
}  # fmt: skip


def faults() -> Iterator[Fault]:
    for name, change in PAGES.items():
        quick = name in ("no notebook", "a member that points outside", "a record that is a list")
        yield Fault(
            KIND,
            f"a page: {name}",
            page_with(change),
            {3},
            r"damaged.*third\.tar\.xz|third\.tar\.xz is damaged",
            quick=quick,
        )
        if name in ("nothing", "no record", "a record that is a list"):
            yield Fault(
                KIND,
                f"a page: {name}, --dry-run",
                page_with(change, "--dry-run"),
                {3},
                r"damaged.*third\.tar\.xz|third\.tar\.xz is damaged",
            )

    def read(path: Path) -> object:
        from lib.experiment.records import read_kept

        return read_kept(path)

    for kind, files in {"records": RECORDS, "searches": SEARCHES}.items():
        for name, content in files.items():
            packed = content if isinstance(content, bytes) else gzip.compress(json.dumps(content).encode())
            act = reading(f"{kind}/x.json.gz", packed, read)
            yield Fault(
                KIND,
                f"{kind}: {name}",
                act,
                {3},
                r"x\.json\.gz is damaged.*git checkout",
                quick=name in ("null", "no trials"),
            )
    for option in (["--verify", "1"], ["--rekey"], ["--search-anew"]):

        def looked_after(bench: Bench, option=option) -> Call:
            (bench.root / "kept" / "searches").mkdir(parents=True)
            (bench.root / "kept" / "searches" / "x.json.gz").write_bytes(gzip.compress(b"[]"))

            def before() -> None:
                from lib.experiment import records

                records.KEPT = bench.root / "kept"

            return bench.call(*option, before=before)

        yield Fault(
            KIND,
            f"a damaged search, {option[0]}",
            looked_after,
            {3},
            r"x\.json\.gz is damaged",
            quick=option == ["--rekey"],
        )
