import numpy as np
import pytest

from lib.data.folds import WrongFolds, frozen_folds, inner_folds
from lib.data.splits import k_fold


def pairs(part):
    return set(zip(part.user_ids[part.users], part.item_ids[part.items], strict=True))


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.data.folds.FOLDS", tmp_path)
    return tmp_path / "toy.npz"


def test_folds_are_those_of_k_fold_on_sorted_rows(planted, path):
    order = np.lexsort((planted.item_ids[planted.items], planted.user_ids[planted.users]))
    expected = k_fold(planted.take(order), n_folds=5, seed=7)
    found = frozen_folds(planted, name="toy", n_folds=5, seed=7)
    assert [str(s) for s in found] == [str(s) for s in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert pairs(ours.test) == pairs(theirs.test)
        assert pairs(ours.train) == pairs(theirs.train)


def test_the_order_of_rows_does_not_matter(planted, path):
    frozen_folds(planted, name="toy")
    shuffled = planted.take(np.random.default_rng(0).permutation(len(planted)))
    found = (frozen_folds(rows, name="toy") for rows in (planted, shuffled))
    for first, second in zip(*found, strict=True):
        assert pairs(first.test) == pairs(second.test)


def test_the_file_holds_no_id_and_no_rating(planted, path):
    frozen_folds(planted, name="toy")
    with np.load(path, allow_pickle=False) as file:
        assert file["folds"].shape == (len(planted),)
        assert set(np.unique(file["folds"])) == set(range(5))
        rest = {name: file[name] for name in file.files if name != "folds"}
    assert all(value.ndim == 0 for value in rest.values())


def test_other_ratings_are_refused(planted, path):
    frozen_folds(planted, name="toy")
    changed = planted.ratings.copy()
    changed[3] = 2.0 if changed[3] > 3 else 4.0
    with pytest.raises(WrongFolds, match="other ratings"):
        frozen_folds(planted.with_ratings(changed, planted.scale), name="toy")
    with pytest.raises(WrongFolds, match="other ratings"):
        frozen_folds(planted.take(np.arange(len(planted) - 1)), name="toy")


def test_a_damaged_file_is_refused(planted, path):
    frozen_folds(planted, name="toy")
    with np.load(path) as file:
        content = dict(file)
    content["folds"][0] = (content["folds"][0] + 1) % 5
    np.savez_compressed(path, **content)
    with pytest.raises(WrongFolds, match="damaged"):
        frozen_folds(planted, name="toy")
    path.write_bytes(b"no folds")
    with pytest.raises(WrongFolds, match="not a file of folds"):
        frozen_folds(planted, name="toy")


def test_what_is_frozen_is_kept(planted, path):
    frozen_folds(planted, name="toy", seed=3)
    before = path.read_bytes()
    frozen_folds(planted, name="toy", seed=3)
    assert path.read_bytes() == before
    with pytest.raises(WrongFolds, match="seed 3"):
        frozen_folds(planted, name="toy", seed=4)


def test_inner_folds_part_the_training_ratings_alone(planted):
    outer = k_fold(planted, n_folds=5, seed=1)[0]
    inner = inner_folds(outer.train, n_folds=3, seed=1)
    assert len(inner) == 3
    assert inner[0].name == "validation_kfold_3"
    assert set().union(*(pairs(s.test) for s in inner)) == pairs(outer.train)
    assert not any(pairs(s.train) & pairs(outer.test) for s in inner)
