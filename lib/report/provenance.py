"""What the report was made from: the runs' provenance records brought together."""

from __future__ import annotations

import datetime
from typing import Any

from lib.report.document import Page


def collect(pages: list[Page]) -> dict[str, Any]:
    """Bring the pages' provenance records together.

    Returns
    -------
    dict
        ``commits``, ``modified``, ``finished`` (the latest, in UTC, or None: the report's date, so that it is the same at
        every build), ``machines``, ``pythons``, ``threads`` (each a sorted list of what the runs had), ``versions``,
        ``checksums`` and ``sources`` (sorted name/value pairs; a package that differed between runs has several), ``runs``
        (a dict each: ``page``, ``dataset``, ``seconds``, ``parameters`` as pairs), ``seconds`` (total).
    """
    records = [page.provenance for page in pages if page.provenance]
    seconds = [record["seconds"] for record in records if record.get("seconds") is not None]
    threads = [sorted((record.get("threads") or {}).items()) for record in records]
    return {
        "commits": _distinct(record.get("commit") for record in records),
        "modified": any(record.get("modified") for record in records),
        "finished": max((_moment(r["finished"]) for r in records if r.get("finished")), default=None),
        "machines": _distinct(_machine(record) for record in records),
        "pythons": _distinct(record.get("python") for record in records),
        "threads": _distinct(", ".join(f"{name}={n}" for name, n in of) for of in threads),
        "versions": _pairs(pair for record in records for pair in (record.get("versions") or {}).items()),
        "checksums": _pairs(
            (f"{record.get('dataset') or 'data'}: {file}", value)
            for record in records
            for file, value in (record.get("data_checksums") or {}).items()
        ),
        "sources": _pairs(
            (record["dataset"], record["data_source"])
            for record in records
            if record.get("dataset") and record.get("data_source")
        ),
        "runs": [_run(page) for page in pages],
        "seconds": sum(seconds) if seconds else None,
    }


def _run(page: Page) -> dict[str, Any]:
    """How a run was parameterised and how long it took."""
    record = page.provenance
    # Where this machine keeps its runs says nothing about the results.
    given = {n: v for n, v in (record.get("parameters") or {}).items() if n not in ("run", "runs_dir")}
    return {
        "page": page,
        "dataset": record.get("dataset") or "",
        "seconds": record.get("seconds"),
        "parameters": _pairs(given.items()),
    }


def _machine(record: dict) -> str:
    cores = f"{record['cores']} cores" if record.get("cores") else ""
    return ", ".join(part for part in (record.get("processor"), cores, record.get("system")) if part)


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _distinct(values) -> list[str]:
    return sorted({str(value) for value in values if value})


def _pairs(pairs) -> list[tuple[str, str]]:
    return sorted({(str(name), str(value)) for name, value in pairs})
