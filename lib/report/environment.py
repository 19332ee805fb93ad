"""Write environment.yml, the conda way to the lock's versions; runs on any Python, without the environment."""

import re

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

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$", re.MULTILINE)


def pins(lock: str) -> list[tuple[str, str, str]]:
    """Return name, version and marker (empty where there is none) of each pin in a lock's text."""
    return PIN.findall(lock)


def environment(lock: str) -> str:
    """Return environment.yml's text: every pin of the lock, then this project."""
    lines = [f"{name}=={version}" + (f" ; {marker}" if marker else "") for name, version, marker in pins(lock)]
    return HEADER + "".join(f"      - {_quoted(line)}\n" for line in [*lines, "-e ."])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if re.search(r"[^\w.=+-]", text) else text


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment((ROOT / "requirements.txt").read_text()), encoding="utf-8")
    print("wrote environment.yml")
