"""Hostile values of options and parameters: refused with what is taken, or read as they were meant."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.bench import Bench, Call, Fault, heals

KIND = "hostile parameters"
CELL = """n: int = 2
rate: float = 0.5  # [0, 1] of something
any = None
grid: list[int] = [1]
named: dict = {}
some: float | None = None
text: str = "x\""""

REFUSED = {
    "n": ["nan", "inf", "5.5", "0o10", "0x10", "1e3x", "", "[" * 5000, "9" * 5000 + "x", "true", "1j", "--1"],
    "rate": ["nan", "NaN", "-inf", "Infinity", "1e400", "2", "-0.1", "0.5.5", "٠.٥x"],
    "any": ["nan", "NaN", "inf", "-Infinity", "1e999", "[NaN]", '{"a": Infinity}'],
    "grid": ["1,two", "[1, NaN]", "{}", "(1, 2", "[[1]]"],
    "named": ['{"a": NaN}', "[]", "a", "{1}"],
    "some": ["nan", "some", "[]"],
}
TAKEN = {
    ("n", "010"): "n 2 -> 10", ("n", " 7 "): "n 2 -> 7", ("rate", "1e-3"): "rate 0.5 -> 0.001", ("some", "1e-3"): "0.001",
    ("any", "1e-3"): "0.001", ("any", "010"): "10", ("grid", "010,2"): r"\[10, 2\]", ("some", "none"): "some absent -> None",
    ("text", "nan"): "nan", ("text", "\udcff"): "text", ("text", "x" * 5000): "text", ("text", "../../x"): "text",
}  # fmt: skip
OPTIONS = {
    "--timeout nan": (["--timeout", "nan"], "timeout"), "--timeout inf": (["--timeout", "inf"], "timeout"),
    "--timeout 0": (["--timeout", "0"], "timeout"), "--timeout -1": (["--timeout", "-1"], "timeout"),
    "--jobs 0": (["--jobs", "0"], "jobs"), "--jobs 10**9": (["--jobs", "1000000000"], "jobs"), "--jobs x": (["--jobs", "x"], "jobs"),
    "--jobs nan": (["--jobs", "nan"], "jobs"), "--dataset empty": (["--dataset", ""], "dataset"),
    "--dataset blank": (["--dataset", " "], "dataset"), "--dataset unknown": (["--dataset", "ml-100x"], "did you mean"),
    "--only empty": (["--only", ""], "matches"), "--only bracket": (["--only", "["], "matches"), "--skip all": (["--skip", "*"], "nothing"),
    "--cluster nonsense": (["--cluster", "nonsense"], "cluster"), "--cluster empty": (["--cluster", ""], "cluster"),
    "--profile unknown": (["--profile", "huge"], "profile"), "--describe unknown": (["--describe", "x"], "no run"),
    "-p reserved": (["-p", "run", "x"], "set by the runner"), "-p no name": (["-p", "", "x"], "parameter"),
    "-p no run": (["-p", ":n", "nan"], "takes"), "-p colons": (["-p", "a:b:n", "3"], "no run"),
    "--model nothing": (["--model", ""], "model"), "--model no module": (["--model", "nosuch:Model"], "model"),
    "--plan empty": (["--plan", ""], "read"), "--output-dir too long": (["--output-dir", "x" * 5000], "long|output-dir"),
    "--scale without a file": (["--scale", "nan,nan"], "scale"), "an unknown option": (["--thesis"], "thesis"),
    "a stray argument": (["x"], "argument"), "sweep of one value": (["--only", "first", "-p", "n", "3,3"], "two different"),
    "sweep with nan": (["--only", "first", "-p", "rate", "0.1,nan"], "takes"),
}  # fmt: skip


def faults() -> Iterator[Fault]:
    def given(*arguments: str):
        def act(bench: Bench) -> Call:
            path = bench.notebooks / "first.ipynb"
            cell = CELL.replace("\n", "\\n").replace('"', '\\"')
            path.write_text(path.read_text().replace("n: int = 2", cell))
            return bench.call(*arguments)

        return act

    for name, texts in REFUSED.items():
        for text in texts:
            act = given("--only", "first", "-p", name, text, "--dry-run")
            yield Fault(
                KIND, f"-p {name} {text[:20]!r}", act, {2}, f"takes {name}", quick=text in ("nan", "0o10", "NaN")
            )
    for (name, text), said in TAKEN.items():
        act = given("--only", "first", "-p", name, text, "--dry-run")
        yield Fault(KIND, f"-p {name} {text[:20]!r} is taken", act, {0}, said, quick=text == "010")
    for name, (arguments, said) in OPTIONS.items():
        yield Fault(KIND, name, given(*arguments), {2}, said, quick=name in ("--timeout nan", "--dataset empty"))

    def swept(bench: Bench) -> Call:
        return bench.call("--only", "second", "-p", "n", "3,4", "--jobs", "2")

    yield Fault(KIND, "a sweep leaves the report alone", swept, {0}, "The page", heals)
