"""Where and with what a figure was measured: commit, machine, versions, threads."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from lib import ROOT

PACKAGES = (
    "numpy", "scipy", "pandas", "numba", "scikit-learn", "scikit-surprise", "fancyimpute", "keras", "tensorflow-cpu",
    "tensorflow", "matplotlib", "seaborn", "papermill", "nbconvert",
)  # fmt: skip
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def collect_provenance() -> dict:
    """Describe this process's code, machine and packages, for a run's ``provenance.json``."""
    return {
        **commit(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "versions": _versions(),
    }


def commit() -> dict:
    """Return the checked-out commit and whether tracked files differ from it; empty outside a git checkout."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return {"commit": "", "modified": None}
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
    return {"commit": head, "modified": bool(changed)}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
