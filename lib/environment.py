"""Write environment.yml, the conda way to the lock's versions; runs on any Python, without the environment."""

from __future__ import annotations

import re
from pathlib import Path

from lib import ROOT

HEADER = """\
# The conda way to the same versions: conda env create --file environment.yml && conda activate filling-the-matrix
# Made from requirements.txt by `make lock`; a test keeps the two in step. Don't edit by hand.
name: filling-the-matrix
channels:
  - conda-forge
dependencies:
  - python >=3.11,<3.14
  - pip
  - pip:
"""

PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+?))?\s*\\?$"
)


def normal(name: str) -> str:
    """Return a package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> list[tuple[str, str, str]]:
    """Return name, version and marker (empty where there is none) of each pin in a lock's text."""
    found = []
    for line in lock.splitlines():
        match = PIN.match(line)
        if match:
            found.append((normal(match["name"]), match["version"], (match["marker"] or "").strip()))
    return found


def direct(requirements: str) -> list[str]:
    """Return the names in requirements.in's text, in its order, each once."""
    names = []
    for line in requirements.splitlines():
        match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
        if match and normal(match[0]) not in names:
            names.append(normal(match[0]))
    return names


def environment(lock: str, requirements: str) -> str:
    """Return environment.yml's text: every pin of the lock, the direct dependencies first, then this project."""
    first = {name: position for position, name in enumerate(direct(requirements))}
    ordered = sorted(pins(lock), key=lambda pin: (first.get(pin[0], len(first)), pin))
    lines = [f"{name}=={version}" + (f" ; {marker}" if marker else "") for name, version, marker in ordered]
    return HEADER + "".join(f"      - {_quoted(line)}\n" for line in [*lines, "-e ."])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if re.search(r"[^\w.=+-]", text) else text


def write(root: Path = ROOT) -> Path:
    """Write environment.yml beside the lock, and return its path."""
    target = root / "environment.yml"
    text = environment((root / "requirements.txt").read_text(), (root / "requirements.in").read_text())
    target.write_text(text, encoding="utf-8")
    return target


if __name__ == "__main__":
    print(f"wrote {write().name}")
