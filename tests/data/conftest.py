import pytest
from toy_dataset import FILES

from lib.data import catalogue, sources
from lib.data.archives import digest
from lib.data.catalogue import Entry


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A three-rating data set of ml-100k's format, known to the loader as "toy"; the cache is empty."""
    monkeypatch.delenv("MOVIELENS_DIR", raising=False)
    monkeypatch.setattr(sources, "CACHE", tmp_path / "raw")
    monkeypatch.setattr(catalogue, "CAPTURES", "https://127.0.0.1:1/captures/")
    entry = Entry(
        name="toy", title="Toy", format="ml-100k", scale=(1.0, 5.0),
        counts={"ratings": 3, "users": 2, "items": 2}, url="https://127.0.0.1:1/toy.zip", archive="",
        licence="none", citation="nobody", files={name: digest(body) for name, body in FILES.items()},
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "entries", lambda: {"toy": entry})
    return entry


@pytest.fixture
def unpacked(tmp_path):
    folder = tmp_path / "mine" / "toy"
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        (folder / name).write_bytes(body)
    return folder
