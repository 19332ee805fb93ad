import numpy as np
import pytest

from lib.models.fitting import fit_model
from lib.workbench.explorer.films import FilmSpace, film_spaces, nearest_films, spaces
from lib.workbench.explorer.page import sample_films, sample_users


def space_of(vectors, among=None, **options):
    vectors = np.asarray(vectors, dtype=float)
    return FilmSpace("S", vectors, np.ones(len(vectors), bool) if among is None else np.array(among), **options)


def test_near_films_are_by_cosine():
    vectors = [[1.0, 0], [10, 1], [1, 1], [0, 1]]
    assert space_of(vectors).near(0, 2).tolist() == [1, 2]  # cosines 10 / sqrt(101) and 1 / sqrt(2)
    assert space_of(vectors).near(0, 9).tolist() == [1, 2, 3]  # as many as there are, never itself
    assert space_of(vectors, [True, False, True, True]).near(0, 2).tolist() == [2, 3]
    assert len(space_of(vectors, [True, False, False, False]).near(0, 2)) == 0


def test_weights_are_taken_as_they_are():
    assert space_of([[0.0, 0.1, -0.5, 0.4]] * 4, weights=True).near(0, 3).tolist() == [3, 1, 2]


def test_films_with_the_same_raters_are_near(explorer):
    (space,) = film_spaces(explorer.train, ["raters"], seed=0, least=1)
    # Film 2 has the same three raters, film 3 two of them; the others have none.
    assert space.near(0, 9).tolist() == [1, 2]


def test_a_film_is_named_with_the_nearest_one_of_each_space(explorer):
    enough = explorer.train.item_counts >= 2
    spaces = [FilmSpace("s", np.eye(6)[:, [1, 0, 2, 3, 4, 5]] + 0.1, enough)]
    spaces += [FilmSpace("t", np.array([[0.0, 1, 2, 0, 0, 0]] * 6), enough, weights=True)]
    found = nearest_films(explorer, spaces, np.array([0, 2]))
    assert found.columns.tolist() == ["Film", "s", "t"]
    assert found["Film"].tolist() == [explorer.titles[0], explorer.titles[2]]
    assert found["t"].tolist() == [explorer.titles[2], explorer.titles[1]]
    assert nearest_films(explorer, [FilmSpace("t", np.eye(6), enough & False)], [0])["t"].tolist() == ["none"]


def test_vectors_are_those_of_the_fitted_models_and_are_made_once(planted, monkeypatch):
    names = ["ease", "biased_svd", "implicit_als", "raters"]
    first = film_spaces(planted, names, seed=3, least=1)
    assert [space.label for space in first] == [spaces()[name] for name in names]
    wanted = {name: fit_model(name, planted, seed=3) for name in ("biased_svd", "implicit_als")}
    assert np.array_equal(first[1].vectors, wanted["biased_svd"].item_factors_)
    assert np.array_equal(first[2].vectors, wanted["implicit_als"].item_embeddings_)
    assert np.array_equal(first[0].vectors, fit_model("ease", planted).weights_.astype(np.float32))

    def none(work, jobs, parts, **_):
        assert not jobs, "made again"
        return iter(())

    monkeypatch.setattr("lib.experiment.run.run_jobs", none)
    again = film_spaces(planted, names, seed=3, least=1)
    assert all(np.array_equal(a.vectors, b.vectors) for a, b in zip(first, again, strict=True))


def test_spaces_have_the_models_labels_and_variants_those_of_their_study(planted):
    known = spaces()
    assert known["ease"] == "EASE" and known["gravity"] == "L2 and gravity"
    first, second = film_spaces(planted, ["gravity", "matrix_factorisation"], seed=3, least=1)
    assert [first.label, second.label] == [known["gravity"], known["matrix_factorisation"]]
    assert first.vectors.shape == second.vectors.shape == (planted.n_items, 30)


def test_an_unknown_space_is_named(planted):
    with pytest.raises(ValueError, match="no space called word2vec; there are"):
        film_spaces(planted, ["word2vec"], seed=3, least=1)


def test_samples_are_seeded_and_qualify(explorer):
    assert sample_users(explorer, 5, least=1, most=60, seed=42).tolist() == [
        0
    ]  # bob has no list, cat no held-out rating
    assert sample_films(explorer, 2, least=3, seed=1).tolist() == [0, 1]
    drawn = [sample_films(explorer, 3, least=0, seed=seed).tolist() for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1] and len({tuple(one) for one in drawn}) > 1
    with pytest.raises(ValueError, match="no film has 99 training ratings"):
        sample_films(explorer, 1, least=99, seed=1)
