"""Presets: files of parameters that the project keeps under a name, in data/presets."""

from __future__ import annotations

from pathlib import Path

from lib import ROOT
from lib.runner.errors import UsageError, near_miss

FOLDER = ROOT / "data" / "presets"


def preset_file(name: str, folder: Path = FOLDER) -> Path:
    """Return the file of a preset.

    Raises
    ------
    UsageError
        No preset has the name; the message tells the near miss.
    """
    known = [path.stem for path in folder.glob("*.yaml")]
    if name not in known:
        raise UsageError(
            f"no preset is called {name!r}{near_miss(name, known)}; presets lie in data/presets, "
            "and -f takes any other file"
        )
    return folder / f"{name}.yaml"
