"""What the command line said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The options of one call; see `lib.runner.command_line` for what each does."""

    list_runs: bool = False
    describe: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    preset: str | None = None
    profile: str = "full"
    into_report: bool = False
    dataset: str | None = None
    columns: str | None = None
    scale: str | None = None
    duplicates: str = "error"
    items: Path | None = None
    users: Path | None = None
    model: str | None = None
    contract: bool = False
    jobs: int | None = None
    force: bool = False
    from_scratch: bool = False
    search_anew: bool = False
    verify: int | None = None
    rekey: bool = False
    cluster: str | None = None
    keep_going: bool = False
    dry_run: bool = False
    render_only: bool = False
    no_pdf: bool = False
    output_dir: Path | None = None
    timeout: float | None = None
    plan_path: Path | None = None
