"""The data sets known by name, read from ``data/manifest.toml``."""

import tomllib
from dataclasses import dataclass, field
from functools import cache

from lib import ROOT
from lib.data.errors import UnknownDataset, near_miss

DATA = ROOT / "data"  # the project's folder of data: its manifest, and ``raw/``, the cache that git ignores
CAPTURES = "https://web.archive.org/web/20220128015818id_/"  # before an address: its file in the Wayback Machine then


@dataclass(frozen=True)
class Wheel:
    """A package-index wheel that carries a copy of a data set, and what its members need to become official files.

    `members` is their path inside the wheel, without endings; `mend` has the titles that differ from the official
    ones, `skipped_items` the ids that the official file skips, where the wheel names films by title only.
    """

    name: str
    version: str
    sha256: str
    members: str
    mend: dict[str, str] = field(default_factory=dict)
    skipped_items: list[int] = field(default_factory=list)

    @property
    def requirement(self) -> str:
        """The release as pip spells it."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Entry:
    """One data set of the manifest, whose head says what each key means.

    `title` is what readers see, `format` the layout of its files (``ml-100k``, ``ml-1m`` or ``csv``), `scale` the
    lowest and the highest rating. `substitutes` have the name and sha256 of a rebuilt file by that of the official one.
    """

    name: str
    title: str
    format: str
    scale: tuple[float, float]
    counts: dict[str, int]
    url: str
    archive: str
    licence: str
    citation: str
    files: dict[str, str]
    substitutes: dict[str, tuple[str, str]] = field(default_factory=dict)
    wheel: Wheel | None = None

    @property
    def capture(self) -> str:
        """The address of the Internet Archive's copy of the official archive."""
        return CAPTURES + self.url

    def checksum(self, file: str) -> str:
        """Return the sha256 that a file, official or substitute, must have; empty where none is known."""
        return dict([*self.files.items(), *self.substitutes.values()])[file]


@cache
def entries() -> dict[str, Entry]:
    """Read the manifest: every known data set by name, in the manifest's order."""
    content = tomllib.loads((DATA / "manifest.toml").read_text(encoding="utf-8"))
    found = {}
    for name, table in content["datasets"].items():
        low, high = table.pop("scale")
        wheel = Wheel(**table.pop("wheel")) if "wheel" in table else None
        rebuilt = {file: (s["name"], s["sha256"]) for file, s in table.pop("substitutes", {}).items()}
        table |= {"scale": (float(low), float(high)), "substitutes": rebuilt, "wheel": wheel}
        found[name] = Entry(name, citation=content["citation"], **table)
    return found


def entry(name: str) -> Entry:
    """Return the manifest's entry of a data set; of an unknown name an `UnknownDataset` says the nearest."""
    known = entries()
    if name not in known:
        raise UnknownDataset(f"no data set is called {name!r}{near_miss(name, known)}")
    return known[name]
