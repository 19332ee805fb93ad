import pytest

from lib.data.splits import per_user_holdout, validation_from
from lib.experiment import records


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Keep records made here, and the kept layer, in folders of the test's own."""
    monkeypatch.setenv(records.FOLDERS, str(tmp_path / "records"))
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept")
    return tmp_path


@pytest.fixture(scope="session")
def parts(planted):
    """Train and test, and validation data cut from train."""
    split = per_user_holdout(planted)
    inner = validation_from(split.train)
    return {
        "train": split.train,
        "test": split.test,
        "inner_train": inner.train,
        "validation": inner.test,
    }
