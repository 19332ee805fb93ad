"""What the report was made from: the runs' provenance records brought together."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from lib.report.document import Page


@dataclass(frozen=True)
class RunRecord:
    """One run's line: how it was parameterised and how long it took."""

    page: Page
    dataset: str
    seconds: float | None
    finished: str
    parameters: tuple[tuple[str, str], ...]


def collect(pages: list[Page]) -> dict:
    """Bring the pages' provenance records together.

    Returns
    -------
    dict
        ``commits``, ``modified``, ``finished`` (the latest, or None), ``machines``, ``pythons``, ``threads``
        (each a sorted list of what the runs had), ``versions`` and ``checksums`` (sorted name/value pairs; a
        package that differed between runs has several), ``runs`` (list of `RunRecord`), ``seconds`` (total).
    """
    records = [page.provenance for page in pages if page.provenance]
    seconds = [record["seconds"] for record in records if record.get("seconds") is not None]
    return {
        "commits": _distinct(record.get("commit") for record in records),
        "modified": any(record.get("modified") for record in records),
        "finished": _latest(records),
        "machines": _distinct(_machine(record) for record in records),
        "pythons": _distinct(record.get("python") for record in records),
        "threads": _distinct(
            ", ".join(f"{k}={v}" for k, v in sorted((record.get("threads") or {}).items()))
            for record in records
        ),
        "versions": _pairs(record.get("versions") for record in records),
        "checksums": _pairs(
            {f"{record.get('dataset') or 'data'}: {file}": value for file, value in checksums.items()}
            for record in records
            if (checksums := record.get("data_checksums"))
        ),
        "sources": _pairs(
            {record["dataset"]: record["data_source"]}
            for record in records
            if record.get("dataset") and record.get("data_source")
        ),
        "runs": [_run(page) for page in pages],
        "seconds": sum(seconds) if seconds else None,
    }


def date_of(provenance: dict) -> datetime.datetime | None:
    """Return when the last run finished, in UTC; the report's date, so that it is the same at every build."""
    return provenance.get("finished")


def duration(seconds: float | None) -> str:
    """Return seconds as a reader would say them."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _run(page: Page) -> RunRecord:
    record = page.provenance
    parameters = sorted((record.get("parameters") or {}).items())
    # Where this machine keeps its runs says nothing about the results.
    parameters = [(name, value) for name, value in parameters if name not in ("run", "runs_dir")]
    return RunRecord(
        page,
        record.get("dataset") or "",
        record.get("seconds"),
        record.get("finished") or "",
        tuple((name, str(value)) for name, value in parameters),
    )


def _machine(record: dict) -> str:
    cores = f"{record['cores']} cores" if record.get("cores") else ""
    return ", ".join(part for part in (record.get("processor"), cores, record.get("system")) if part)


def _latest(records: list[dict]) -> datetime.datetime | None:
    moments = [
        datetime.datetime.fromisoformat(record["finished"]) for record in records if record.get("finished")
    ]
    utc = [m.astimezone(datetime.UTC) if m.tzinfo else m.replace(tzinfo=datetime.UTC) for m in moments]
    return max(utc, default=None)


def _distinct(values) -> list[str]:
    return sorted({str(value) for value in values if value})


def _pairs(dictionaries) -> list[tuple[str, str]]:
    found = {
        (str(name), str(value)) for dictionary in dictionaries for name, value in (dictionary or {}).items()
    }
    return sorted(found)
