"""A kept grid is read instead of done, as long as all that its rows depend on is the same."""

import gzip
import json

import pytest

from lib import stored_searches
from lib.grid import Grid
from lib.stored_grids import MADE, grid_rows
from tests import grid_work

JOBS = [{"factor": factor} for factor in (3, 1, 2)]


def rows(runs, stored, jobs=JOBS, base=10, version="1", other=0):
    context = {"base": base, "other": other}
    with Grid(
        grid_work.multiply, context=context, store=runs / ".grids", version=version, workers=0, say=None
    ) as grid:
        return grid_rows(grid, jobs, name="multiply", uses=("base",), runs_dir=runs, stored=stored)  # fmt: skip


@pytest.fixture
def kept(tmp_path):
    """A folder with one kept grid, and the rows that it was made of."""
    made = rows(tmp_path / "runs", None)
    assert stored_searches.keep_grids(tmp_path / "runs" / MADE, tmp_path / "kept") != []
    return tmp_path / "kept", made


def tampered(folder):
    """Change a kept number, so that a row that was read can be told from one that was made."""
    (path,) = folder.glob("multiply-*.json.gz")
    table = json.loads(gzip.decompress(path.read_bytes()))
    table[0]["product"] = -1
    path.write_bytes(gzip.compress(json.dumps(table).encode()))


def test_rows_come_in_the_jobs_order_without_arrays(kept):
    _, made = kept
    assert [row["product"] for row in made] == [30, 10, 20]
    assert all("array" not in row and row["seconds"] >= 0 for row in made)


def test_a_kept_grid_is_read_and_no_job_done(kept, tmp_path):
    folder, made = kept
    assert rows(tmp_path / "fresh", folder) == made
    tampered(folder)
    assert rows(tmp_path / "fresh", folder)[0]["product"] == -1
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("change", [{"base": 11}, {"version": "2"}, {"jobs": JOBS[:2]}, {"jobs": JOBS[::-1]}])
def test_whatever_the_rows_depend_on_makes_it_stale(kept, tmp_path, change):
    folder, _ = kept
    tampered(folder)
    assert -1 not in [row["product"] for row in rows(tmp_path / "fresh", folder, **change)]


def test_what_the_jobs_do_not_use_does_not(kept, tmp_path):
    folder, made = kept
    assert rows(tmp_path / "fresh", folder, other=5) == made


def test_a_part_that_the_context_lacks_is_named(tmp_path):
    grid = Grid(grid_work.multiply, context={"base": 1}, store=tmp_path, workers=0, say=None)
    with pytest.raises(KeyError, match="no data; it has base"):
        grid_rows(grid, JOBS, name="multiply", uses=("data",), runs_dir=tmp_path)


def test_a_grid_that_is_kept_already_is_not_copied_again(kept, tmp_path):
    assert stored_searches.keep_grids(tmp_path / "runs" / MADE, tmp_path / "kept") == []
