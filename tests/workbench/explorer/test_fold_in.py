"""Lists for a reader's own ratings: the parts against the models themselves, the page's script against the parts."""

import json
import shutil
import subprocess
from base64 import b64decode
from types import SimpleNamespace

import numpy as np
import pytest

from lib import ROOT
from lib.models.fitting import fit_model
from lib.workbench.explorer import fold_in

SMALL = {
    "item_knn": {"n_neighbours": 8, "shrinkage": 1.0, "threshold": 3.8},
    "ease": {"l2": 20.0},
    "softmax": {"n_factors": 8, "n_epochs": 10},
    "implicit_als": {"n_factors": 8, "l2": 3.0, "alpha": 4.0, "threshold": 3.0},
    "biased_svd": {"n_factors": 4, "n_epochs": 30},
    "correlation_neighbours": {"n_neighbours": 6, "shrinkage": 5.0},
}
SCRIPT = ROOT / "lib" / "report" / "static" / "fold_in.js"
ASK = """
const { models, cases, n, length } = JSON.parse(require("fs").readFileSync(0));
require(process.argv[1]);
const found = models.map((model) => cases.map((rated) => {
  const scores = foldIn.scores(model, rated, n);
  return scores && [Array.from(scores), foldIn.best(scores, rated, length)];
}));
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def fitted(planted):
    return {name: fit_model(name, planted, **parameters) for name, parameters in SMALL.items()}


def parts_of(name, model, films):
    return fold_in.parts(SimpleNamespace(model=model, fit=SimpleNamespace(model=name)), films=films)


def ratings_of(planted, user):
    rows = planted.users == user
    return dict(zip(planted.items[rows].tolist(), planted.ratings[rows].astype(float).tolist(), strict=True))


@pytest.mark.parametrize("name", ["item_knn", "ease", "softmax", "correlation_neighbours"])
@pytest.mark.parametrize("user", [0, 41])
def test_with_a_users_ratings_scores_are_those_that_the_model_gives_the_user(fitted, planted, name, user):
    rated = ratings_of(planted, user)
    found = fold_in.scores(parts_of(name, fitted[name], list(range(planted.n_items))), rated)
    mean = len(rated) if name == "softmax" else 1
    np.testing.assert_allclose(found / mean, fitted[name].score([user])[0], atol=1e-5)


def test_implicit_als_solves_its_own_normal_equations_over_all_films(fitted, planted):
    model, films, rated = fitted["implicit_als"], [3, 40, 7, 11, 25], {0: 5.0, 2: 2.0, 4: 3.0}
    factors = model.item_embeddings_.astype(float)
    liked = np.isin(np.arange(planted.n_items), [3, 25])  # two stars are too few
    confidence = 1 + model.alpha * liked
    gram = factors.T @ (confidence[:, None] * factors) + model.l2 * np.eye(factors.shape[1])
    expected = factors[films] @ np.linalg.solve(gram, factors.T @ (confidence * liked))
    np.testing.assert_allclose(fold_in.scores(parts_of("implicit_als", model, films), rated), expected, atol=1e-8)


def test_svd_finds_the_bias_and_vector_that_its_objective_asks_for(fitted):
    model, films, rated = fitted["biased_svd"], [3, 40, 7, 11], {0: 5.0, 3: 2.0}
    own, stars = [3, 11], np.array([5.0, 2.0])
    inputs = np.hstack([model.item_factors_, np.ones((len(model.item_factors_), 1))]).astype(float)
    penalties = [model.factor_regularisation] * model.n_factors + [model.bias_regularisation]
    left = stars - model.mean_ - model.item_bias_[own]
    gram = inputs[own].T @ inputs[own] + len(own) * np.diag(penalties)  # a penalty for each rating, as in its descent
    expected = model.mean_ + model.item_bias_[films] + inputs[films] @ np.linalg.solve(gram, inputs[own].T @ left)
    np.testing.assert_allclose(fold_in.scores(parts_of("biased_svd", model, films), rated), expected, atol=1e-5)


def test_a_list_has_the_best_films_that_are_not_rated():
    parts = {"settings": {"way": "sum", "least": None}, "pairs": np.array([[0, 2, 1, 2.0], *np.zeros((3, 4))])}
    assert fold_in.listed(parts, {0: 5.0}, 2).tolist() == [1, 3]
    assert fold_in.listed(parts, {0: 5.0, 1: 1.0}, 3).tolist() == [3, 2]


def test_a_model_without_a_closed_form_is_named(planted):
    with pytest.raises(ValueError, match="bpr: no closed form"):
        parts_of("bpr", fit_model("bpr", planted, n_factors=4, n_epochs=1), [0, 1])


def unpacked(packs):
    """What the script reads, as `parts` has it; the vectors' and pairs' rows are those of six films."""

    def numbers(pack):
        values = np.zeros(pack["size"])
        where = np.frombuffer(b64decode(pack["places"]), "<u2") if "places" in pack else slice(None)
        values[where] = np.frombuffer(b64decode(pack["numbers"]), "<i2") * pack["scale"]
        return values

    found = {name: numbers(packs[name]) for name in ("pairs", "vectors", "offsets") if name in packs}
    found |= {name: found[name].reshape(6, -1) for name in ("pairs", "vectors") if name in found}
    if "pairs" in found and packs["pairs"]["mirrored"]:
        found["pairs"] = np.triu(found["pairs"]) + np.triu(found["pairs"], 1).T
    return {"settings": packs, **found}


def test_packed_parts_keep_four_digits_and_leave_zeros_out(fitted):
    sparse = {"settings": {}, "pairs": np.array([[0, 0.5], [0, 0]])}
    assert set(fold_in.packed(sparse)["pairs"]) == {"scale", "size", "mirrored", "numbers", "places"}
    for name, model in fitted.items():
        parts = parts_of(name, model, [3, 40, 7, 11, 25, 30])
        again = unpacked(json.loads(json.dumps(fold_in.packed(parts))))
        for part in set(parts) - {"settings"}:
            np.testing.assert_allclose(again[part], parts[part], atol=np.abs(parts[part]).max() * 2e-5)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_the_pages_script_computes_the_same(fitted):
    packs = [fold_in.packed(parts_of(name, model, [3, 40, 7, 11, 25, 30])) for name, model in fitted.items()]
    cases = [{0: 5.0, 4: 1.0, 2: 4.0}, {1: 4.0}, dict.fromkeys(range(5), 3.0), {5: 1.0}]
    given = {"models": packs, "cases": [list(one.items()) for one in cases], "n": 6, "length": 3}
    done = subprocess.run(
        ["node", "-e", ASK, str(SCRIPT)], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    for name, packed, answers in zip(fitted, packs, json.loads(done.stdout), strict=True):
        for rated, answer in zip(cases, answers, strict=True):
            if all(stars < (packed["least"] or 0) for stars in rated.values()):
                assert answer is None, f"{name}: nothing counts"
                continue
            np.testing.assert_allclose(answer[0], fold_in.scores(unpacked(packed), rated), atol=1e-9, err_msg=name)
            assert answer[1] == fold_in.listed(unpacked(packed), rated, 3).tolist(), name
