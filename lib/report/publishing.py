"""Publishing: refused where the rendered report says what it must not; else README is brought into step with it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from lib.data.files import DamagedFile, read_whole
from lib.experiment.provenance import collect_provenance
from lib.experiment.stored_files import read_cells, untouched
from lib.experiment.stored_runs import StoredRun, runs_folder
from lib.experiment.upkeep import stale_files
from lib.report import inline, readme


def obstacles(runs_dir: Path) -> list[str]:
    """Say in words what stands against publishing a report of these runs, the working tree among it; empty: nothing."""
    changes = "the working tree has changes beside reports/: commit them, and make the report again"
    found = [changes] if collect_provenance()["modified"] else []
    if not (runs_dir / "summary" / "cache.json").exists():
        found.append("the front page, run summary, has not been made here: make report")
    if stale := stale_files():
        names = ", ".join(file.name.partition(".")[0] for file in stale)
        found.append(f"made by earlier code: {names}; python run_notebooks.py --rekey signs what still agrees")
    commits = set()
    for folder in sorted(path.parent for path in runs_dir.glob("*/cache.json")):
        run, again = StoredRun(folder.name, folder), f"python run_notebooks.py --only {folder.name}"
        try:
            record = read_whole(folder / "cache.json", {"profile": str, "files": {...: list}}, f"Make it anew: {again}")
            if record["profile"] == "quick":
                found.append(f"run {run.run} is of the quick profile: {again}")
            if not untouched(folder, record):
                found.append(f"run {run.run}: its results were changed since it ran: {again}")
            if not record.get("as_made"):  # a kept page has the commit that made it
                commits.add(str(run.provenance.get("commit"))[:10])
            if run.provenance.get("modified"):
                found.append(f"run {run.run} was executed from a changed working tree")
            found += [f"run {run.run}, {words}" for words in false_words(folder / "notebook.ipynb")]
        except DamagedFile as error:
            found.append(f"run {run.run}: {error}")
    named = f"the runs name {len(commits)} commits, {', '.join(sorted(commits))}: python run_notebooks.py --force"
    return found + [f"{named} executes them at one, and keeps their fits"] * (len(commits) > 1)


def false_words(notebook: Path) -> Iterator[str]:
    """Name the cells of an executed notebook whose words were written for other results, with the false condition."""
    again = f"Make it anew: python run_notebooks.py --only {notebook.parent.name} --force"
    for number, cell in enumerate(read_cells(notebook, again)["cells"], 1):
        words = inline.words_of(cell["cell_type"], "".join(cell["source"]))
        _, broken = inline.told(words, cell["metadata"].get(inline.KEY, []))
        yield from (f"cell {number}: its words need {condition}, which is false" for condition in broken)


def main() -> int:
    """Name the obstacles and return 1, or bring README into step with the report and return 0."""
    if found := obstacles(runs_folder()):
        print("Not to be published:", *found, sep="\n  ", file=sys.stderr)
        return 1
    readme.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
