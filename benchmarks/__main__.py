"""Run every benchmark and write reports/data/benchmarks.csv: ``make bench``, or ``python -m benchmarks imputation``.

A benchmark is a module of this folder with a function ``run()`` that returns rows of the columns below.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
from importlib import import_module

import pandas as pd

import benchmarks
from benchmarks.pairs import COLUMNS
from lib import ROOT
from lib.data.files import whole_file

TARGET = ROOT / "reports" / "data" / "benchmarks.csv"
NONE = ("__main__", "pairs", "commands", "costs", "fancyimpute_models", "myfm_models", "own_advice", "surprise_models")
LONG = ("anchors",)  # hours, and no rows: only by name


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, or all but those that take hours; rows of the others stay as they are in the file."""
    known = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in NONE)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(known)}")
    names = parser.parse_args(arguments).names or [name for name in known if name not in LONG]
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names:
        print(f"{name} ...", flush=True)
        rows = import_module(f"benchmarks.{name}").run()
        for row in rows:
            print(
                f"  {row['subject']}: {row['subject_seconds']:.3g} s; {row['peer']}: {row['peer_seconds']:.3g} s; "
                f"peer / subject {row['ratio']:.1f}",
                flush=True,
            )
        if rows:
            _write(pd.DataFrame(rows, columns=list(COLUMNS)))
            print(f"Wrote {TARGET.relative_to(ROOT)}")
    return 0


def _write(table: pd.DataFrame) -> None:
    """Put a benchmark's rows in the place of those that the file has of it."""
    if TARGET.exists():
        kept = pd.read_csv(TARGET)
        kept = kept.reindex(columns=list(COLUMNS))
        table = pd.concat([kept[~kept["benchmark"].isin(table["benchmark"])], table], ignore_index=True)
    with whole_file(TARGET) as partial:
        table.sort_values(["benchmark", "threads", "subject", "peer"]).to_csv(partial, index=False)


if __name__ == "__main__":
    sys.exit(main())
