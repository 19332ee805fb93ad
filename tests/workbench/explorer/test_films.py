import numpy as np
import pytest

from lib.models.fitting import fit_model
from lib.workbench.explorer.films import FilmSpace, film_spaces, nearest_films, spaces
from lib.workbench.explorer.page import sample_films, sample_users

EVERY = np.ones(4, bool)


def test_near_films_are_by_cosine():
    space = FilmSpace("s", "S", np.array([[1.0, 0], [10, 1], [1, 1], [0, 1]]))
    assert space.near(0, 2, EVERY).tolist() == [1, 2]  # cosines 10 / sqrt(101) and 1 / sqrt(2)
    assert space.near(0, 9, EVERY).tolist() == [1, 2, 3]  # as many as there are, never itself
    assert space.near(0, 2, np.array([True, False, True, True])).tolist() == [2, 3]
    assert len(space.near(0, 2, np.array([True, False, False, False]))) == 0


def test_weights_are_taken_as_they_are():
    space = FilmSpace("s", "S", np.array([[0.0, 0.1, -0.5, 0.4]] * 4), weights=True)
    assert space.near(0, 3, EVERY).tolist() == [3, 1, 2]


def test_films_with_the_same_raters_are_near(explorer):
    (space,) = film_spaces(explorer.train, ["raters"])
    # Film 2 has the same three raters, film 3 two of them.
    assert space.near(0, 2, np.arange(6) < 3).tolist() == [1, 2]


def test_a_film_is_named_with_the_nearest_one_of_each_space(explorer):
    spaces = [
        FilmSpace(name, name, np.eye(6)[:, order] + 0.1) for name, order in (("s", [1, 0, 2, 3, 4, 5]),)
    ]
    spaces += [FilmSpace("t", "t", np.array([[0.0, 1, 2, 0, 0, 0]] * 6), weights=True)]
    found = nearest_films(explorer, spaces, np.array([0, 2]), least=2)
    assert found.columns.tolist() == ["Film", "s", "t"]
    assert found["Film"].tolist() == [explorer.titles[0], explorer.titles[2]]
    assert found["t"].tolist() == [explorer.titles[2], explorer.titles[1]]
    assert set(nearest_films(explorer, spaces, [0], least=99)["t"]) == {"none"}


def test_vectors_are_those_of_the_fitted_models_and_are_made_once(planted, monkeypatch):
    names = ["ease", "biased_svd", "implicit_als", "raters"]
    first = film_spaces(planted, names, seed=3)
    assert [space.name for space in first] == names
    wanted = {name: fit_model(name, planted, seed=3) for name in ("biased_svd", "implicit_als")}
    assert np.array_equal(first[1].vectors, wanted["biased_svd"].item_factors_)
    assert np.array_equal(first[2].vectors, wanted["implicit_als"].item_embeddings_)
    assert np.array_equal(first[0].vectors, fit_model("ease", planted).weights_.astype(np.float32))

    def none(work, jobs, parts, **_):
        assert not jobs, "made again"
        return iter(())

    monkeypatch.setattr("lib.experiment.run.run_jobs", none)
    again = film_spaces(planted, names, seed=3)
    assert all(np.array_equal(a.vectors, b.vectors) for a, b in zip(first, again, strict=True))


def test_spaces_have_the_models_labels_and_variants_those_of_their_study(planted):
    known = spaces()
    assert known["ease"] == "EASE" and known["gravity"] == "L2 and gravity"
    first, second = film_spaces(planted, ["gravity", "matrix_factorisation"], seed=3)
    assert [first.label, second.label] == [known["gravity"], known["matrix_factorisation"]]
    assert first.vectors.shape == second.vectors.shape == (planted.n_items, 30)


def test_an_unknown_space_is_named(planted):
    with pytest.raises(ValueError, match="no space called word2vec; there are"):
        film_spaces(planted, ["word2vec"])


def test_samples_are_seeded_and_qualify(explorer):
    assert sample_users(explorer, 5, least=1).tolist() == [0]  # bob has no list, cat no held-out rating
    assert sample_films(explorer, 2, least=3, seed=1).tolist() == [0, 1]
    drawn = [sample_films(explorer, 3, least=0, seed=seed).tolist() for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1] and len({tuple(one) for one in drawn}) > 1
    with pytest.raises(ValueError, match="no film has 99 training ratings"):
        sample_films(explorer, 1, least=99)
    with pytest.raises(ValueError, match="got n=0"):
        sample_films(explorer, 0)
