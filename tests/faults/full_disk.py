"""Disks that are full or read-only: at any write, by a limit on files, and on a file system of its own where that may be made."""

from __future__ import annotations

import builtins
import errno
import io
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from tests.faults.bench import Bench, Call, Fault, heals, say_to

FULL, READ_ONLY = "disk full", "read-only"
WRITES = 60
"""Places of a call in which a write fails; a call has fewer, and ends well where the place is beyond them."""


def failing_at(place: int, root: Path, number: int) -> Callable[[], None]:
    """Have the nth file that is opened for writing, folder that is made or file that is renamed below a folder fail."""

    def before() -> None:
        left = [place]
        real_open, real_mkdir, real_replace = io.open, os.mkdir, os.replace

        def check(path) -> None:
            if isinstance(path, (str, os.PathLike)) and str(path).startswith(str(root / "reports")):
                left[0] -= 1
                if left[0] == 0 or (left[0] < 0 and number == errno.ENOSPC and left[0] > -4):
                    raise OSError(number, os.strerror(number), str(path))

        def opened(file, mode="r", *rest, **more):
            if set(mode) & set("wax+"):
                check(file)
            return real_open(file, mode, *rest, **more)

        def made(path, *rest, **more):
            check(path)
            return real_mkdir(path, *rest, **more)

        def replaced(source, target, **more):
            check(target)
            return real_replace(source, target, **more)

        io.open = builtins.open = opened
        os.mkdir, os.replace = made, replaced

    return before


def faults() -> Iterator[Fault]:
    for place in range(1, WRITES + 1, 2):

        def full(bench: Bench, place=place) -> Call:
            return bench.call("--force", before=failing_at(place, bench.root, errno.ENOSPC))

        yield Fault(FULL, f"write {place} fails", full, {0, 1, 4}, "", heals, place in (5, 31))
    for size in (0, 1, 100, 1000, 4000, 20_000):

        def limited(bench: Bench, size=size) -> Call:
            def before() -> None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                say_to(os.open(os.devnull, os.O_WRONLY))  # for which no limit holds
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

            return bench.call("--force", before=before)

        yield Fault(FULL, f"files of {size} bytes at most", limited, {0, 1, 4}, "", heals)
    for place in range(1, 30, 4):

        def refused(bench: Bench, place=place) -> Call:
            return bench.call("--force", before=failing_at(place, bench.root, errno.EROFS))

        yield Fault(READ_ONLY, f"write {place} is refused", refused, {0, 1, 2, 4}, "", heals)
    if may_mount():
        for size in ("64k", "200k", "1m"):
            yield Fault(
                FULL,
                f"a file system of {size}",
                mounted(f"size={size}", "--force"),
                {0, 1, 2, 4},
                "",
                quick=size == "64k",
            )
        for name, arguments in {"--force": ("--force",), "--render-only": ("--render-only",), "": ()}.items():
            yield Fault(READ_ONLY, f"the report's folder {name}".strip(), read_only(*arguments), {2, 4}, "ead-only")
        for name in ("--list", "--dry-run"):
            yield Fault(READ_ONLY, f"the report's folder {name}", read_only(name), {0}, "first")


@cache
def may_mount() -> bool:
    """Whether this machine lets a process mount a file system that only it sees."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


def _unshared() -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(0x10000000 | 0x00020000):  # namespaces of users and of mounts
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def mounted(options: str, *arguments: str):
    def act(bench: Bench) -> Call:
        (bench.root / "small").mkdir()

        def before() -> None:
            _unshared()
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(bench.root / "small")], check=True)

        return bench.call("--output-dir", "small/report", *arguments, before=before)

    return act


def read_only(*arguments: str):
    def act(bench: Bench) -> Call:
        def before() -> None:
            _unshared()
            subprocess.run(["mount", "--bind", str(bench.reports), str(bench.reports)], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(bench.reports)], check=True)

        return bench.call(*arguments, before=before)

    return act
