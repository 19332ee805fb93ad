"""Hostile environments: variables, terminals, folders and streams that nobody has set up for this."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.faults.bench import Bench, Call, Fault, heals, say_to

KIND = "hostile environments"
VARIABLES: dict[str, dict[str, str | None]] = {
    "no home": {"HOME": None}, "home is nowhere": {"HOME": "/nowhere"}, "no PATH": {"PATH": ""}, "TMPDIR nowhere": {"TMPDIR": "/nowhere"},
    "MOVIELENS_DIR nowhere": {"MOVIELENS_DIR": "/nowhere"}, "MOVIELENS_DIR is a file": {"MOVIELENS_DIR": "/etc/hosts"},
    "REPORT_RECORDS nonsense": {"REPORT_RECORDS": "\x01:::"}, "REPORT_SLOTS nonsense": {"REPORT_SLOTS": "x:y:z"},
    "REPORT_ANEW nonsense": {"REPORT_ANEW": "[]"}, "COLUMNS nonsense": {"COLUMNS": "many"}, "TERM nonsense": {"TERM": "\x1b[2J"},
    "MPLBACKEND nonsense": {"MPLBACKEND": "nonsense"}, "LANG nonsense": {"LANG": "xx_YY", "LC_ALL": "xx_YY"},
    "OMP_NUM_THREADS nonsense": {"OMP_NUM_THREADS": "many"}, "REPORT_RUN_FOLDER of another": {"REPORT_RUN_FOLDER": "/nowhere"},
    "PYTHONPATH nonsense": {"PYTHONPATH": "\x01:/nowhere"}, "IPYTHONDIR nowhere": {"IPYTHONDIR": "/nowhere"},
}  # fmt: skip


def faults() -> Iterator[Fault]:
    for name, variables in VARIABLES.items():

        def act(bench: Bench, variables=variables) -> Call:
            return bench.call("--force", **variables)

        yield Fault(KIND, name, act, {0}, "The report is built", heals, name == "no home")
    for name, arguments in {
        "--list": ("--list",),
        "--force": ("--force",),
        "an error": ("--only", "ünbekannt"),
    }.items():

        def ascii_only(bench: Bench, arguments=arguments) -> Call:
            def before() -> None:
                say_to(1, "ascii")

            path = bench.root / "report.toml"
            path.write_text(path.read_text().replace('"FIRST"', '"Első “film”"'))
            return bench.call(*arguments, before=before)

        yield Fault(KIND, f"a terminal without Unicode, {name}", ascii_only, {2} if name == "an error" else {0}, "")

    def no_folder(bench: Bench) -> Call:
        def before() -> None:
            os.mkdir(bench.root / "gone")
            os.chdir(bench.root / "gone")
            os.rmdir(bench.root / "gone")

        return bench.call("--force", before=before)

    yield Fault(KIND, "the working folder is gone", no_folder, {0, 2, 4}, "", heals)

    def closed(bench: Bench) -> Call:
        def before() -> None:
            reading, writing = os.pipe()
            os.close(reading)
            say_to(writing)

        return bench.call("--force", before=before)

    yield Fault(KIND, "the output's reader has gone", closed, {0, 1, 141}, "", heals, True)

    def few_files(bench: Bench) -> Call:
        def before() -> None:
            import resource

            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

        return bench.call("--force", before=before)

    yield Fault(KIND, "few open files", few_files, {0, 1, 2, 4}, "", heals)
