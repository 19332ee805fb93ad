"""Pages that the project keeps for good, shown where a run can't be executed, or where another profile makes it.

``python -m lib.runner.kept RUN...`` packs results that were made here into data/kept/pages. Predictions, lists and score
matrices are left out: a kept page is there to be read, by people and by notebooks that quote its figures.
"""

import io
import json
import lzma
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from lib import ROOT
from lib.data.files import DamagedFile, has_form, whole_file
from lib.experiment.stored_files import FORM, KNOWN, NOTEBOOK, RECORD, read_cells
from lib.runner.errors import UsageError
from lib.runner.plan import Plan, Run, load_plan
from lib.runner.store import AS_MADE, Store, read_json, write_whole

FOLDER = Path("data") / "kept" / "pages"
"""Of the archives, in the plan's folder."""
AGAIN = f"git checkout -- {FOLDER.as_posix()}"

NOTE = "kept"
"""Id of the cell that tells a page's reader where its results are from."""

LARGE = ("predictions.parquet", "errors.parquet", "top_k.parquet", "scores/")
"""What is left out of an archive, by the start of its name."""

LARGEST = 2**28
"""Bytes that a page's files may have together."""


def archives(plan: Plan) -> dict[str, Path]:
    """Return the kept pages that there are of the plan's runs."""
    found = {name: plan.root / FOLDER / f"{name}.tar.xz" for name in plan.ids}
    return {name: path for name, path in found.items() if path.is_file()}


def pack(folder: Path, archive: Path) -> None:
    """Write a run's results, less what is large, or refuse where none were made here; the same results are the same bytes."""
    record = read_json(folder / RECORD, FORM)
    if record is None or record.get(AS_MADE):
        make = f"python run_notebooks.py --profile large --only {folder.name}"
        raise UsageError(f"{folder.name} has no results that were made here. Make them first: {make}")
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    small = [name for name in names if not name.startswith(LARGE) and not Path(name).name.startswith(".")]
    _write(archive, {name: (folder / name).read_bytes() for name in small})


def record_of(archive: Path, name: str = RECORD, form: Any = KNOWN) -> Any:
    """Return what was known of a kept page's run when it was packed, or what another of its JSON files of a form holds.

    DamagedFile: the archive can't be read, or has no such file.
    """
    with _files_of(archive) as files:
        if has_form(record := json.loads(next((text for one, text in files if one == name), "null")), form):
            return record
        raise ValueError(f"it has no {name} that says what the page was made from")


def sign(archive: Path, parts: Mapping[str, Any], key: str) -> None:
    """Declare that what a run depends on now (`lib.runner.cache`'s parts, and their key) would make the page that is kept."""
    record = {**record_of(archive), "parts": dict(parts), "key": key}
    with _files_of(archive) as files:
        content = dict(files)
    _write(archive, {**content, RECORD: json.dumps(record, indent=1).encode()})


def unpack(archive: Path, folder: Path, run: Run, why: str, *, earlier: bool = False) -> dict[str, Any]:
    """Write a kept page's results into a folder, tell on the page where they are from, and return their record.

    `why` says in a verb phrase what keeps the run from being executed here, `earlier` whether other code made the page.
    """
    record = record_of(archive)
    with _files_of(archive) as files:
        held = {name: content for name, content in files if name != RECORD}  # in the folder it says that all is whole
    for name, content in held.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    notebook = read_cells(folder / NOTEBOOK, f"Get {archive} again: {AGAIN}")
    made = f"Made on {record['finished'][:10]}{' by earlier code' if earlier else ''}"
    source = f"*{made} and kept with the project; here it {why}. To make it anew, run* `{run.command()}`*.*"
    notebook["cells"].insert(1, {"cell_type": "markdown", "id": NOTE, "metadata": {}, "source": source})
    write_whole(folder / NOTEBOOK, json.dumps(notebook, ensure_ascii=False))
    return record


@contextmanager
def _files_of(archive: Path) -> Iterator[Iterator[tuple[str, bytes]]]:
    """Open an archive's plain files, one after the other, by name; DamagedFile where it holds, or is, anything else."""
    try:
        with lzma.open(archive) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:  # its record comes first
            yield _plain_files(tar, packed)
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"{archive} is damaged ({error}); get it again: {AGAIN}") from None


def _plain_files(tar: tarfile.TarFile, packed: lzma.LZMAFile) -> Iterator[tuple[str, bytes]]:
    size = 0
    for entry in tar:
        size += entry.size
        if size > LARGEST:
            raise ValueError(f"it would unpack to more than {LARGEST >> 20} MiB")
        file, place = tar.extractfile(entry) if entry.isreg() else None, PurePosixPath(entry.name)
        if file is None or place.is_absolute() or ".." in place.parts or "\0" in entry.name:
            raise ValueError(f"{entry.name!r} in it is no plain file inside of its folder")
        yield entry.name, file.read()
    packed.read(LARGEST)  # to its end, which tells a whole one from one that is cut off


def _write(archive: Path, content: Mapping[str, bytes]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(content):
            entry = tarfile.TarInfo(name)
            entry.size = len(content[name])
            tar.addfile(entry, io.BytesIO(content[name]))
    with whole_file(archive) as partial:
        partial.write_bytes(lzma.compress(packed.getvalue(), preset=9))


def main(runs: list[str]) -> None:
    """Pack some runs, or all that were made here, into data/kept/pages."""
    plan, store = load_plan(), Store(ROOT / "reports" / "runs")
    made = [name for name in plan.ids if store.record(name) and not store.as_made(name)]
    for name in sorted(plan.match(runs)) or made:
        archive = ROOT / FOLDER / f"{name}.tar.xz"
        pack(store.folder(name), archive)
        print(f"{name}: {archive.stat().st_size / 1000:.0f} kB in {FOLDER.as_posix()}")


if __name__ == "__main__":
    main(sys.argv[1:])
