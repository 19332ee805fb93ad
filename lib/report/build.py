"""Building the report: everything is made beside the last good one and takes its place only when it is whole."""

import logging
import tempfile
import time
from pathlib import Path

from lib.report.content import assemble
from lib.report.data import write_data
from lib.report.folder import BUILDING, take_place
from lib.report.html import write_html
from lib.report.notebooks import read_pages
from lib.report.printed import FILES, printed

log = logging.getLogger(__name__)


def build(plan, runs_dir: Path, output_dir: Path, *, pdf: bool = True, whole=None) -> None:
    """Render the executed notebooks as HTML, PDF and tidy tables.

    `plan` has title, subtitle, description, and the runs in the report's order; `runs_dir` holds ``<run>/notebook.ipynb`` and
    what else each run left. `output_dir` is made if absent; files in it that no build has written stay
    (`lib.report.folder`). Without `pdf` the site does not link to one, and older ones stay. Of runs that only the `whole`
    plan has, references become words. Raises RenderingError: something is missing or wrong; names the run, the cell and the
    fix. The last report is untouched.
    """
    started = time.perf_counter()
    pages = read_pages(plan, runs_dir)
    report = assemble(plan, pages, whole)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=BUILDING, dir=output_dir, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_data(pages, runs_dir, folder / "data")
        # Benchmarks are measured apart from the report; the last ones stay until there are others.
        benchmarks = any((place / "data" / "benchmarks.csv").exists() for place in (folder, output_dir))
        documents = printed(report) if pdf else []
        write_html(report, folder, documents, benchmarks=benchmarks)
        if pdf:
            from lib.report.typst import write_pdfs

            write_pdfs(report, documents, folder)
        take_place(folder, output_dir, keep=() if pdf else FILES.values())
    log.info("report written to %s in %.1f s", output_dir, time.perf_counter() - started)
