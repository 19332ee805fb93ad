"""Maps of agreement against numbers worked by hand and written-out loops."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.cluster import hierarchy

from lib.report.charts.agreement_map import agreement_figure, correlation_maps, family_effects, list_maps, pairs_of


def square(values, names="abcd"):
    names = list(names[: len(values)])
    return pd.DataFrame(np.array(values, dtype=float), index=names, columns=names)


def test_correlations_of_predictions_and_of_errors():
    table = pd.DataFrame({"rating": [1.0, 2, 3, 5], "a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, 1], "c": [2.0, 2, 2, 2]})
    of_predictions, of_errors = correlation_maps(table, ["a", "b", "c"])
    assert of_predictions.loc["a", "b"] == pytest.approx(-1)
    assert of_predictions["c"].isna().all()  # constant: no correlation, not that of rounding errors
    # Errors of a: 0, 0, 0, -1; of c: 1, 0, -1, -3. Centred: (1, 1, 1, -3)/4 and (7, 3, -1, -9)/4.
    assert of_errors.loc["a", "c"] == pytest.approx((7 + 3 - 1 + 27) / np.sqrt(12 * 140))
    np.testing.assert_array_equal(of_errors, of_errors.T)


def lists_of(chosen):
    return pd.DataFrame(
        [
            {"model": model, "user": user, "item": item}
            for model, of in chosen.items()
            for user, films in of.items()
            for item in films
        ]
    )


def test_shared_films_for_the_same_user_and_for_different_users():
    chosen = {
        "a": {1: [10, 11], 2: [10, 12], 3: [13, 14]},
        "b": {1: [11, 10], 2: [13, 14], 3: [10, 15]},
    }
    same, other = list_maps(lists_of(chosen), ["a", "b"])
    assert same.loc["a", "b"] == pytest.approx(2 / 3)
    assert same.loc["a", "a"] == 2
    # a's list for u against b's for v: (1,2) 0, (1,3) 1, (2,1) 1, (2,3) 1, (3,1) 0, (3,2) 2.
    assert other.loc["a", "b"] == pytest.approx(5 / 6)
    # Within a: (1,2) and (2,1) share film 10.
    assert other.loc["a", "a"] == pytest.approx(2 / 6)


def test_different_users_is_the_mean_over_all_ways_to_permute_them():
    rng = np.random.default_rng(1)
    chosen = {m: {u: list(rng.permutation(8)[:3]) for u in range(4)} for m in "ab"}
    _, other = list_maps(lists_of(chosen), ["a", "b"])
    shared = [
        np.mean([len({*chosen["a"][u]} & {*chosen["b"][v]}) for u, v in enumerate(places)])
        for places in permutations(range(4))
        if all(u != v for u, v in enumerate(places))
    ]
    assert other.loc["a", "b"] == pytest.approx(np.mean(shared))


def test_lists_for_other_users_are_refused():
    with pytest.raises(ValueError, match="b serves 1"):
        list_maps(lists_of({"a": {1: [1], 2: [2]}, "b": {1: [1]}}), ["a", "b"])


SIMILARITY = [[1, 0.9, 0.2, 0.1], [0.9, 1, 0.3, 0.2], [0.2, 0.3, 1, 0.4], [0.1, 0.2, 0.4, 1]]


def test_family_effects_against_all_permutations():
    families = {"a": "x", "b": "x", "c": "y", "d": "y"}
    one = square(SIMILARITY)
    squares = {
        "first": one,
        "second": one * 0.5,
        "none": pd.DataFrame(),
        "one family": one.loc["a":"b", "a":"b"],
        "all apart": one.loc[["a", "c"], ["a", "c"]],
    }
    found = family_effects(squares, families, n_permutations=6000, seed=0).set_index("agreement")
    assert list(found.index) == ["first", "second"]
    first = found.loc["first"]
    assert first["within"] == pytest.approx((0.9 + 0.4) / 2)
    assert first["between"] == pytest.approx((0.2 + 0.1 + 0.3 + 0.2) / 4)
    assert first["difference"] == pytest.approx(0.65 - 0.2)
    assert (first["n_within"], first["n_between"]) == (2, 4)
    # Four models fall into two pairs in 3 ways, all as likely; only the true one reaches the statistic.
    assert first["p_value"] == pytest.approx(1 / 3, abs=0.03)
    assert (found["p_adjusted"] == np.minimum(1, 2 * found["p_value"])).all()
    assert family_effects({}, {}, n_permutations=9, seed=0).empty


def test_families_that_explain_nothing_give_no_small_p_value():
    rng = np.random.default_rng(5)
    values = rng.random((12, 12))
    similarity = pd.DataFrame((values + values.T) / 2)
    families = {i: "xyz"[i % 3] for i in range(12)}
    squares = {n: similarity.iloc[order, order] for n, order in enumerate(rng.permutation(12) for _ in range(3))}
    assert family_effects(squares, families, n_permutations=199, seed=1)["p_value"].max() > 0.05
    built_in = {"one": similarity + 2 * (np.arange(12)[:, None] % 3 == np.arange(12) % 3)}
    found = family_effects(built_in, families, n_permutations=199, seed=1)
    assert found["p_value"][0] == pytest.approx(1 / 200)


def test_pairs_of_a_square():
    pairs = pairs_of(square([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]]), "r")
    assert pairs.to_dict("list") == {
        "model_a": ["a", "a", "b"],
        "model_b": ["b", "c", "c"],
        "r": [0.5, 0.1, 0.2],
    }


def test_the_heat_map_joins_the_most_alike_first(monkeypatch):
    trees, linkage = [], hierarchy.linkage
    monkeypatch.setattr(hierarchy, "linkage", lambda *given, **how: trees.append(linkage(*given, **how)) or trees[-1])
    similarity = square([[1, 0.2, 0.9, 0.1], [0.2, 1, 0.2, 0.7], [0.9, 0.2, 1, 0.3], [0.1, 0.7, 0.3, 1]])
    families = {"a": "x", "b": "y", "c": "x", "d": "z"}
    figure, pairs = agreement_figure(similarity * 10, {"a": "Model A"}, families, "shared films", most=10)
    names = [pairs["model_a"][0], *pairs["model_b"][:3]]
    places = {name: names.index(name) for name in names}
    assert abs(places["a"] - places["c"]) == abs(places["b"] - places["d"]) == 1
    axis = next(axis for axis in figure.axes if len(axis.get_yticklabels()) == 4)
    assert axis.get_yticklabels()[places["a"]].get_text() == f"{places['a'] + 1}  Model A"
    shown = axis.collections[0].get_array().reshape(4, 4)
    assert shown[places["a"], places["c"]] == pytest.approx(9)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x", "y", "z"]
    assert trees[0][:, 2] == pytest.approx([0.1, 0.3, 1 - (0.2 + 0.1 + 0.2 + 0.3) / 4])  # average linkage


def test_the_agreement_figure_names_the_pairs_and_says_where_there_are_too_few():
    similarity = square([[1, 0.2, 0.9], [0.2, 1, 0.3], [0.9, 0.3, 1]])
    figure, pairs = agreement_figure(similarity, {"a": "Model A"}, dict.fromkeys("abc", "x"), "correlation")
    values = {frozenset(row[:2]): row[2] for row in pairs[["model_a", "model_b", "value"]].itertuples(index=False)}
    assert values == {frozenset("ab"): 0.2, frozenset("ac"): 0.9, frozenset("bc"): 0.3}
    assert (pairs["label_a"].dropna() == "Model A").all() and len(figure.axes) > 1
    figure, note = agreement_figure(similarity.loc[["a"], ["a"]], {}, {}, "correlation")
    assert note["note"].tolist() == ["Fewer than three models were measured."] and len(figure.axes) == 1
