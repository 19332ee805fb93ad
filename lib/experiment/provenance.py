"""Where and with what a figure was measured: commit, machine, versions, threads."""

import datetime
import os
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lib import ROOT

FITTING = ("numpy", "numba", "tensorflow", "tensorflow-cpu", "implicit")  # whose versions are in the records of fits

FURTHER = ("scipy", "pandas", "keras", "scikit-learn", "scikit-surprise", "fancyimpute", "matplotlib")
PACKAGES = (*FITTING, *FURTHER, "seaborn", "papermill", "nbconvert")


def collect_provenance() -> dict[str, Any]:
    """Describe this process's code, machine and packages; `commit` is empty outside a git checkout."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {
        "commit": commit,
        "modified": bool(changed) if commit else None,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {name: os.environ[name] for name in threads if name in os.environ},
        "versions": versions(),
    }


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.strip()
    return ""


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
