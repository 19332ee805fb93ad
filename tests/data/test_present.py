"""Which files of a data set lie here, of a manifest made for the test."""

import pytest

from lib.data import present
from lib.data.catalogue import Entry


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A data set of two files, of which one has a stand-in and the other no checksum; the folder of the cache."""
    monkeypatch.delenv("MOVIELENS_DIR", raising=False)
    files, substitutes = {"u.data": "", "u.item": "official"}, {"u.item": ("items.tsv", "rebuilt")}
    entry = Entry("toy", "Toy", "csv", (1, 5), {}, "", "", "", "", files, substitutes)
    monkeypatch.setattr(present, "entries", lambda: {"toy": entry})
    monkeypatch.setattr(present.sources, "CACHE", tmp_path / "raw")
    (tmp_path / "raw" / "toy").mkdir(parents=True)
    return tmp_path / "raw" / "toy"


def test_what_is_expected_until_the_files_are_there(toy, tmp_path):
    assert present.checksums(["toy", "unknown"], tmp_path) == {"toy/u.data": "", "toy/u.item": "official"}
    assert present.missing(["toy", "unknown"]) == ["toy"]
    (toy / "u.data").write_text("abc")
    assert present.checksums(["toy"], tmp_path)["toy/u.data"] == "3", "the size, where there is no checksum"
    (toy / "u.item").write_text("x")
    assert present.missing(["toy"]) == []


def test_a_stand_in_and_the_users_folder(toy, tmp_path, monkeypatch):
    (toy / "items.tsv").write_text("x")
    assert present.checksums(["toy"], tmp_path) == {"toy/u.data": "", "toy/items.tsv": "rebuilt"}
    own = tmp_path / "own" / "toy"
    own.mkdir(parents=True)
    (own / "u.item").write_text("y")
    monkeypatch.setenv("MOVIELENS_DIR", str(tmp_path / "own"))
    assert present.checksums(["toy"], tmp_path) == {"toy/u.data": "", "toy/u.item": "official"}
    (own.parent / "toy.zip").write_bytes(b"the official archive")
    assert present.missing(["toy"]) == []
