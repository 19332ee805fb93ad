"""The lock, the conda environment made of it, and what README says of the dependencies, in step."""

import re
import subprocess
import sys

import pytest
import yaml

from lib import ROOT
from lib.report import environment

LOCK = (ROOT / "requirements.txt").read_text()
DIRECT = (ROOT / "requirements.in").read_text()


def test_a_pin_is_read_with_its_marker():
    lock = (
        "a-b==1.0 \\\n    --hash=sha256:00\n    # via x\n"
        "c-d==2.0 ; python_full_version < '3.12' and sys_platform == 'win32' \\\n    --hash=sha256:11\n"
    )
    assert environment.pins(lock) == [
        ("a-b", "1.0", ""),
        ("c-d", "2.0", "python_full_version < '3.12' and sys_platform == 'win32'"),
    ]


def direct():
    """The names in requirements.in, in its order."""
    return re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*", DIRECT, flags=re.MULTILINE)


def test_the_conda_environment_has_the_locks_pins():
    stored = (ROOT / "environment.yml").read_text()
    assert stored == environment.environment(LOCK), "run: python -m lib.report.environment"
    content = yaml.safe_load(stored)
    assert content["channels"] == ["conda-forge"]
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    read = sorted(tuple(p.strip() for p in line.partition(" ; ")[::2]) for line in pip if line != "-e .")
    assert read == sorted((f"{name}=={version}", marker) for name, version, marker in environment.pins(LOCK))
    assert len(read) > 100


def test_environment_is_written_by_a_bare_python(tmp_path):
    (tmp_path / "lib" / "report").mkdir(parents=True)
    for name in (
        "lib/__init__.py",
        "lib/report/__init__.py",
        "lib/report/environment.py",
        "requirements.txt",
    ):
        (tmp_path / name).write_text((ROOT / name).read_text())
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        "import sys; sys.path.insert(0, '.'); import runpy; runpy.run_module('lib.report.environment', run_name='__main__')",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "environment.yml").read_text() == (ROOT / "environment.yml").read_text()


def test_every_pin_has_hashes_and_the_lock_names_no_index():
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(environment.pins(LOCK))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|^-i ", LOCK, flags=re.MULTILINE)


def test_each_direct_dependency_is_locked():
    locked = {name for name, _, _ in environment.pins(LOCK)}
    assert [name for name in direct() if name not in locked] == []


def test_readme_gives_a_reason_for_each_direct_dependency():
    readme = (ROOT / "README.md").read_text()
    section = re.search(r"^#+ Dependencies\s*$(.*?)(?=^#|\Z)", readme, flags=re.MULTILINE | re.DOTALL)
    if section is None:
        pytest.skip("README has no table of dependencies yet")
    rows = [line.split("|") for line in section[1].splitlines() if line.startswith("|")]
    reasons = {name: row[-2] for row in rows for name in re.findall(r"`([^`]+)`", row[1])}
    named = direct()
    assert [name for name in named if not reasons.get(name, "").strip()] == []
    assert [name for name in reasons if name not in named] == [], "no longer a dependency"
