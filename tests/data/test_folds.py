import numpy as np
import pytest

from lib.data.folds import WrongFolds, freeze, inner_folds, load_or_freeze, thaw
from lib.data.splits import k_fold


def pairs(part):
    return set(zip(part.user_ids[part.users], part.item_ids[part.items], strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folds.npz"


def test_folds_are_those_of_k_fold_on_sorted_rows(planted, path):
    order = np.lexsort((planted.item_ids[planted.items], planted.user_ids[planted.users]))
    expected = k_fold(planted.take(order), n_folds=5, seed=7)
    found = freeze(planted, path, n_folds=5, seed=7)
    assert [str(s) for s in found] == [str(s) for s in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert pairs(ours.test) == pairs(theirs.test)
        assert pairs(ours.train) == pairs(theirs.train)


def test_the_order_of_rows_does_not_matter(planted, path):
    freeze(planted, path)
    shuffled = planted.take(np.random.default_rng(0).permutation(len(planted)))
    for first, second in zip(thaw(path, planted), thaw(path, shuffled), strict=True):
        assert pairs(first.test) == pairs(second.test)


def test_the_file_holds_no_id_and_no_rating(planted, path):
    freeze(planted, path)
    with np.load(path, allow_pickle=False) as file:
        assert file["folds"].shape == (len(planted),)
        assert set(np.unique(file["folds"])) == set(range(5))
        rest = {name: file[name] for name in file.files if name != "folds"}
    assert all(value.ndim == 0 for value in rest.values())


def test_other_ratings_are_refused(planted, path):
    freeze(planted, path)
    changed = planted.ratings.copy()
    changed[3] = 2.0 if changed[3] > 3 else 4.0
    with pytest.raises(WrongFolds, match="other ratings"):
        thaw(path, planted.with_ratings(changed, planted.scale))
    with pytest.raises(WrongFolds, match="other ratings"):
        thaw(path, planted.take(np.arange(len(planted) - 1)))


def test_a_damaged_file_is_refused(planted, path):
    freeze(planted, path)
    with np.load(path) as file:
        content = dict(file)
    content["folds"][0] = (content["folds"][0] + 1) % 5
    np.savez_compressed(path, **content)
    with pytest.raises(WrongFolds, match="damaged"):
        thaw(path, planted)
    path.write_bytes(b"no folds")
    with pytest.raises(WrongFolds, match="not a file of folds"):
        thaw(path, planted)


def test_load_or_freeze_keeps_what_is_there(planted, path):
    load_or_freeze(path, planted, seed=3)
    before = path.read_bytes()
    load_or_freeze(path, planted, seed=3)
    assert path.read_bytes() == before
    with pytest.raises(WrongFolds, match="seed 3"):
        load_or_freeze(path, planted, seed=4)


def test_inner_folds_part_the_training_ratings_alone(planted):
    outer = k_fold(planted, n_folds=5, seed=1)[0]
    inner = inner_folds(outer.train, n_folds=3, seed=1)
    assert len(inner) == 3
    assert inner[0].name == "validation_kfold_3"
    assert set().union(*(pairs(s.test) for s in inner)) == pairs(outer.train)
    assert not any(pairs(s.train) & pairs(outer.test) for s in inner)
