"""A reader's own class: how it is found, held to the contract, fitted under a stored table's protocol, and compared."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.data.splits import per_user_holdout
from lib.experiment.fit import fit_and_measure
from lib.experiment.protocol import make_splits, parts_of, table_fits
from lib.experiment.run import run_fits
from lib.experiment.stored_runs import load_run
from lib.metrics.per_user import PerUser
from lib.models import create, model_class
from lib.models.fitting import fit_model
from lib.report.columns import interval_text
from lib.report.run_writer import start_run
from lib.report.stored_tables import list_table, rating_table
from lib.statistics.indistinguishable import standing
from lib.studies.contenders import chosen_from
from lib.studies.one_table import evaluations_of
from lib.workbench.own_model.comparison import (
    BETTER,
    SAME,
    WORSE,
    against_each,
    measured,
    verdict_words,
)
from lib.workbench.own_model.contract import contract_results
from lib.workbench.own_model.loading import CONTRACT, contract_command, load_class
from lib.workbench.own_model.protocol import (
    OwnModelError,
    fit_own,
    own_row,
    places_of,
    protocol_of_run,
    protocol_table,
    table_with,
)

EXAMPLE = "example_model:ShrunkNeighbours"
HEAD = (
    "import numpy as np\nfrom lib.models.base import Recommender, lookup\nfrom lib.models.baselines.bias import Bias\n"
)
MINE = (
    HEAD
    + """
class Wrapped(Bias):
    pass


class Noisy(Bias):
    def __init__(self, *, seed: int = 3, size: float = 0.1):
        super().__init__()
        self.seed, self.size = seed, size

    def _fit(self, train, validation):
        super()._fit(train, validation)
        self.item_bias_ += np.random.default_rng(self.seed).normal(0, self.size, train.n_items)


class Popular(Recommender):
    predicts_ratings = False

    def __init__(self):
        pass

    def _fit(self, train, validation):
        self.counts_ = train.item_counts.astype(float)

    def predict(self, users, items, times=None):
        users, items = self._pairs(users, items, times)
        return lookup(self.counts_, items, 0.0)


class Forgetful(Bias):
    def predict(self, users, items, times=None):
        return np.random.default_rng().normal(3, 0.1, len(np.atleast_1d(users)))


class StopsInFit(Bias):
    def _fit(self, train, validation):
        1 / 0


class StopsInPredict(Bias):
    def predict(self, users, items, times=None):
        return self.nothing_


class StopsInScore(Bias):
    def score(self, users):
        return np.full((len(users), self.n_items_), np.inf)


class NotFinite(Bias):
    def predict(self, users, items, times=None):
        return np.full(len(users), np.nan)


class TooShort(Bias):
    def predict(self, users, items, times=None):
        return np.array([3.0])
"""
)
KEYS = ["per_user_80_20", "per_user_80_20/1", "chronological"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into a folder that is on PYTHONPATH; returns its name."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = []

    def write(source, name="own_model_of_a_test"):
        (tmp_path / f"{name}.py").write_text(source)
        sys.modules.pop(name, None)
        names.append(name)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def data(planted):
    return SimpleNamespace(interactions=planted, name="planted", checksums={}, source="")


@pytest.fixture(scope="module")
def stored(data, tmp_path_factory):
    """A small table, measured as the real one is."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"splits": [["per_user_80_20", 42], ["per_user_80_20", 1], ["chronological", 0]], "k": 5, "threshold": 4.0, "seed": 0}  # fmt: skip
    splits = make_splits(data, settings["splits"])
    writer = start_run("one_table", runs_dir=folder, dataset=data, parameters=settings)
    contenders = chosen_from(only=["item_mean", "bias", "most_popular"])
    choices = {name: {"parameters": {}} for name in contenders}
    fits = run_fits(table_fits(contenders, choices, splits, k=5, listed=[KEYS[0], KEYS[2]]), parts_of(splits))
    for one in evaluations_of(fits, contenders, splits, k=5, threshold=4.0, n_resamples=60).values():
        writer.record(one)
    writer.fact("contenders", {name: one.facts for name, one in contenders.items()})
    writer.finish()
    return load_run("one_table", runs_dir=folder)


@pytest.fixture(scope="module")
def protocol(stored, data):
    return protocol_of_run(stored, data)


@pytest.fixture(scope="module")
def first_split(stored, data):
    return protocol_of_run(stored, data, only=KEYS[:1])


def fitted(spec, protocol, parameters=()):
    own = own_row(spec, dict(parameters), protocol.stored)
    return own, fit_own(own, protocol)


@pytest.fixture
def recorded(tmp_path):
    """Fit a class and keep what came of it, as the page does; returns its row and its run."""

    def record(spec, protocol, parameters=(), n_resamples=0):
        own, fits = fitted(spec, protocol, parameters)
        writer = start_run("your_model", runs_dir=tmp_path / "runs")
        options = {"k": protocol.k, "threshold": protocol.threshold, "n_resamples": n_resamples}
        for one in evaluations_of(fits.values(), {own.name: own}, protocol.splits, **options).values():
            writer.record(one)
        return own, writer.measured()

    return record


# -- finding the class ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spec", ["my_module", "my_module:", ":MyModel", "my/module:MyModel", "a:b:C", "a:b c"])
def test_a_text_that_names_no_class_is_refused(spec):
    with pytest.raises(ValueError, match=r"module:Class, such as my_module:MyModel"):
        load_class(spec)


def test_a_module_that_is_not_there_is_named_with_the_folders(tmp_path, module):
    with pytest.raises(ImportError) as error:
        load_class("no_such_module_here:MyModel")
    for text in ("'no_such_module_here'", "no_such_module_here.py", str(tmp_path), "PYTHONPATH"):
        assert text in str(error.value)


def test_what_a_module_fails_to_import_is_not_taken_for_the_module(module):
    name = module("import no_such_package_here")
    with pytest.raises(ImportError, match=rf"{name} imports 'no_such_package_here', which was not found"):
        load_class(f"{name}:MyModel")


def test_a_near_miss_of_the_class_is_named(module):
    with pytest.raises(AttributeError, match=r"no 'Wraped'; did you mean 'Wrapped'"):
        load_class(f"{module(MINE)}:Wraped")
    with pytest.raises(AttributeError, match="it defines no class"):
        load_class(f"{module('x = 1')}:MyModel")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("MyModel = 3", "is a int, not a class"),
        ("class MyModel:\n    pass", r"not derived from lib.models.base.Recommender, and has no fit and no predict"),
        ("class MyModel:\n    def fit(self): ...\n    def predict(self): ...", r"Recommender; write `class MyModel"),
        ("class MyModel(Recommender):\n    def __init__(self): ...", r"lacks _fit\(self, train, validation\) and predict"),
        ("class MyModel(Recommender):\n    def _fit(self, t, v): ...\n    def __init__(self): ...", r"lacks predict\(self, users, items, times=None\); write it"),
        ("class MyModel(Bias):\n    def predict(self, users, items): ...", r"predict\(self, users, items\) can't be told the times .*; write `predict\(self, users, items, times=None\)`, .* `self._pairs"),
        ("class MyModel(Bias):\n    def predict(self, users, items, times): ...", r"predict\(self, users, items, times\) can't be told"),
        ("class MyModel(Bias):\n    def predict(self, users, items, timestamps=None): ...", r"timestamps=None\) can't be told"),
        ("class MyModel(Bias):\n    def predict(self, users, items, *, times=None): ...", r"\*, times=None\) can't be told"),
        ("class MyModel(Bias):\n    def __init__(self, *, rank, size=1): ...", r"asks for rank; give each a default: .*\*, rank=\.\.\."),
        ("class MyModel(Bias):\n    def __init__(self, *sizes): ...", r"takes \*sizes; name each"),
        ("class MyModel(Bias):\n    def __init__(self, **more): ...", r"takes \*\*more; name each"),
        ("class MyModel(Bias):\n    def __init__(self, size=1, /): ...", "size is positional only"),
    ],
)  # fmt: skip
def test_what_a_class_lacks_is_said(module, source, message):
    with pytest.raises(TypeError, match=message):
        load_class(f"{module(HEAD + source)}:MyModel")


def test_a_readers_own_file_wins_over_the_example(module):
    assert load_class(EXAMPLE).__name__ == "ShrunkNeighbours"
    example = sys.modules.pop("example_model")
    try:
        module(HEAD + "class ShrunkNeighbours(Bias):\n    mine = True", "example_model")
        assert load_class(EXAMPLE).mine
    finally:
        sys.modules["example_model"] = example


def test_a_class_is_made_by_its_name_without_being_registered(module):
    model = create(f"{module(MINE)}:Wrapped", user_regularisation=2.0)
    assert type(model).__name__ == "Wrapped" and model.parameters["user_regularisation"] == 2.0
    with pytest.raises(KeyError, match="no model is called 'Wrapped'"):
        model_class("Wrapped")


# -- the contract --------------------------------------------------------------------------------------------------
def test_the_command_names_the_contract_the_class_and_its_hyperparameters():
    command = contract_command("a:B", {"sizes": [1, 2]})
    assert command[:4] == [sys.executable, "-m", "pytest", CONTRACT]
    assert json.loads(command[-1]) == {"sizes": [1, 2]}
    assert contract_command("a:B")[-2:] == ["--own-model", "a:B"]


def test_the_example_passes_the_contract():
    found = contract_results(EXAMPLE, {"shrinkage": 10.0})
    assert len(found) > 10 and set(found["result"]) == {"passed", "skipped"}
    assert "cold ids get a finite answer" in set(found["check"])


def test_a_broken_class_fails_what_it_breaks_and_nothing_else_is_run(module):
    found = contract_results(f"{module(MINE)}:Forgetful").set_index("check")["result"]
    failed = set(found.index[found == "failed"])
    assert {"the same seed gives the same bits", "asking before fit is an error"} <= failed
    assert found["inputs stay untouched"] == "passed" and found.index.is_unique


def test_a_contract_that_can_not_start_says_why(module):
    with pytest.raises(RuntimeError, match="no hyperparameter 'shrinkge'; did you mean 'shrinkage'"):
        contract_results(EXAMPLE, {"shrinkge": 1.0})


# -- the common protocol -------------------------------------------------------------------------------------------
def test_the_stored_protocol_is_made_again(protocol):
    assert list(protocol.splits) == KEYS
    assert protocol.listed == (KEYS[0], KEYS[2])
    assert (protocol.k, protocol.threshold, protocol.seed) == (5, 4.0, 0)


def test_a_run_that_can_not_be_compared_with_is_refused(stored, data, tmp_path):
    with pytest.raises(ValueError, match="no split u9; it has per_user_80_20"):
        protocol_of_run(stored, data, only=["u9"])
    with pytest.raises(ValueError, match="measured on planted, not on other"):
        protocol_of_run(stored, SimpleNamespace(interactions=data.interactions, name="other"))
    writer = start_run("svd", runs_dir=tmp_path)
    writer.finish()
    with pytest.raises(ValueError, match=r"'svd' is no table of models; name a run of one_table.ipynb"):
        protocol_of_run(load_run("svd", runs_dir=tmp_path), data)


def test_a_model_of_the_table_gets_its_own_row_again(module, protocol, recorded):
    own, mine = recorded(f"{module(MINE)}:Wrapped", protocol, n_resamples=60)
    table, runs = table_with(own, mine, protocol), [protocol.stored, mine]
    columns = ["key", "protocol", "rmse", "mae", "ndcg", "precision", "recall", "mrr", "coverage", "n_parameters", "rmse_interval", "ndcg_interval"]  # fmt: skip
    ours, theirs = (table[table["name"] == n][columns].reset_index(drop=True) for n in ("Wrapped", "bias"))
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert ours["rmse"].notna().all() and ours["ndcg"].notna().tolist() == [True, False, True]
    assert len(table) == 4 * 3 and set(table.loc[table["name"] == "Wrapped", "family"]) == {"your model"}
    for key in KEYS:
        ratings = rating_table(runs, protocol.splits[key])
        np.testing.assert_array_equal(ratings["Wrapped"], ratings["bias"])
    lists = list_table(runs, protocol.splits[KEYS[0]], 5).set_index("model")
    np.testing.assert_array_equal(lists.loc["Wrapped", "item"], lists.loc["bias", "item"])


def test_hyperparameters_reach_the_model_and_a_wrong_one_is_named(module, first_split):
    spec = f"{module(MINE)}:Wrapped"
    changed, plain = fitted(spec, first_split, {"item_regularisation": 50.0})[1], fitted(spec, first_split)[1]
    model = fit_model("bias", first_split.splits[KEYS[0]].train, item_regularisation=50.0)
    test = first_split.splits[KEYS[0]].test
    expected = test.scale.clip(model.predict(test.users, test.items)).astype(np.float32)
    np.testing.assert_array_equal(changed[KEYS[0]]["predictions"], expected)
    assert not np.array_equal(plain[KEYS[0]]["predictions"], expected)
    with pytest.raises(TypeError, match="'item_regularization'; did you mean 'item_regularisation'"):
        own_row(spec, {"item_regularization": 1.0}, first_split.stored)


def test_the_same_seed_gives_the_same_bits_and_the_tables_seed_is_the_default(module, first_split):
    spec = f"{module(MINE)}:Noisy"
    runs = [fitted(spec, first_split, p)[1] for p in ({}, {}, {"seed": 0}, {"seed": 3})]
    first, again, same, other = (r[KEYS[0]]["predictions"] for r in runs)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert [r[KEYS[0]]["seed"] for r in runs] == [0, 0, 0, 3]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("StopsInFit", r"^StopsInFit\._fit failed on the split per_user_80_20 \(own_model_of_a_test.py, line \d+\): ZeroDivisionError"),
        ("StopsInPredict", r"^StopsInPredict\.predict failed on the split per_user_80_20 \(own.*no attribute 'nothing_'"),
        ("StopsInScore", r"^StopsInScore\.score failed on the split per_user_80_20: .*must be finite"),
        ("NotFinite", r"^NotFinite\.predict failed on the split per_user_80_20: .*not finite"),
        ("TooShort", r"^TooShort\.\w+ .*split per_user_80_20"),
    ],
)  # fmt: skip
def test_a_failure_names_the_class_the_method_and_the_split(module, first_split, name, message):
    with pytest.raises(OwnModelError, match=message):
        fitted(f"{module(MINE)}:{name}", first_split)


def test_a_changed_file_is_fitted_anew_and_an_unchanged_one_is_not(module, first_split, monkeypatch):
    source = HEAD + "from own_helper_of_a_test import SIZE\nclass Shifted(Bias):\n    def predict(self, users, items, times=None):\n        return super().predict(users, items) + SIZE"  # fmt: skip
    counted = []
    monkeypatch.setattr("lib.experiment.run.fit_and_measure", lambda *args: counted.append(1) or fit_and_measure(*args))

    def predicted(text, size):
        module(f"SIZE = {size}", "own_helper_of_a_test")
        return fitted(f"{module(text)}:Shifted", first_split)[1][KEYS[0]]["predictions"]

    first, again = predicted(source, 0.0), predicted(source, 0.0)
    np.testing.assert_array_equal(first, again)
    assert len(counted) == 1
    helped = predicted(source, 0.5)
    assert len(counted) == 2 and not np.array_equal(first, helped), "what the file imports of the reader's counts"
    other = predicted(source.replace("+ SIZE", "- SIZE"), 0.5)
    assert len(counted) == 3 and not np.array_equal(helped, other)


def test_a_class_that_another_module_passes_on_is_found_where_it_is_written(module, first_split):
    inner = module(MINE, "own_inner_of_a_test")
    outer = module(f"from {inner} import Wrapped")
    assert fitted(f"{outer}:Wrapped", first_split)[1][KEYS[0]]["contender"] == "Wrapped"


def test_a_name_of_the_table_is_not_taken_twice(module, stored):
    name = module(HEAD + "class bias(Bias):\n    pass")
    assert own_row(f"{name}:bias", {}, stored).label == "bias (yours)"


def test_a_class_is_shown_as_its_own_card_says_and_not_as_that_of_the_class_it_derives_from(module, stored):
    card = 'card = Card("mine", "My model", "networks", "None is cold.", starts=True)'
    name = module(f"{HEAD}from lib.models.card import Card\nclass Mine(Bias):\n    {card}\nclass Bare(Bias):\n    pass")
    mine, bare = (own_row(f"{name}:{cls}", {}, stored) for cls in ("Mine", "Bare"))
    assert (mine.label, mine.family, mine.project, mine.starts) == ("My model", "networks", "reference", True)
    assert (bare.label, bare.family, bare.project, bare.starts) == ("Bare", "your model", "own", False)


def test_the_example_learns_taste(planted):
    split = per_user_holdout(planted)
    errors = []
    for model in (load_class(EXAMPLE)(), create("bias")):
        found = fit_model(model, split.train).predict(split.test.users, split.test.items)
        errors.append(np.sqrt(np.mean((found - split.test.ratings) ** 2)))
    assert errors[0] < 0.9 * errors[1]


# -- the comparison ------------------------------------------------------------------------------------------------
def judged(users, own, *, lower_is_better=False):
    found = standing(users, lower_is_better=lower_is_better, n_flips=400, n_resamples=20, seed=1)
    return against_each(found, own).set_index("model")


def test_a_model_that_only_ranks_has_lists_and_no_errors(module, protocol, recorded):
    own, mine = recorded(f"{module(MINE)}:Popular", protocol)
    found = measured(own.name, mine, protocol)
    assert list(found) == ["nDCG@5, project A's split", "nDCG@5, the split by time"]
    tests = judged(found["nDCG@5, project A's split"], own.name)
    assert tests.loc["most_popular", "verdict"] == SAME and tests.loc["most_popular", "p_value"] == 1
    assert np.isnan(table_with(own, mine, protocol)["rmse"].iloc[-1])


def test_every_protocol_is_compared_and_an_equal_model_is_not_told_apart(module, protocol, recorded):
    own, mine = recorded(f"{module(MINE)}:Wrapped", protocol)
    found = measured(own.name, mine, protocol)
    assert list(found) == [
        "RMSE, project A's split", "RMSE, the split by time", "nDCG@5, project A's split", "nDCG@5, the split by time",
    ]  # fmt: skip
    errors = found["RMSE, project A's split"]
    tests = judged(errors, own.name)
    assert tests.loc["bias", ["difference", "p_value"]].tolist() == [0, 1]
    assert tests["p_adjusted"].between(tests["p_value"], 1).all()


def test_a_model_that_was_spoilt_is_worse_than_every_other(module, first_split, recorded):
    own, mine = recorded(f"{module(MINE)}:Noisy", first_split, {"size": 2.0})
    errors = measured(own.name, mine, first_split)["RMSE, project A's split"]
    tests = judged(errors, own.name, lower_is_better=True)
    assert set(tests.index) == {"bias", "item_mean"} and set(tests["verdict"]) == {WORSE}
    assert (tests["difference"] > 0).all()
    assert tests["p_adjusted"].tolist() == pytest.approx([3 / 401] * 2)


def sample(values, metric="ndcg"):
    values = np.asarray(values, dtype=float)
    return PerUser(metric, np.arange(len(values)), values, np.ones(len(values)))


def test_the_sign_is_the_new_model_minus_the_other_whichever_way_is_better():
    rng = np.random.default_rng(0)
    base = rng.random(60)
    values, tests = {"mine": base + 0.2, "low": base, "high": base + 0.4}, {}
    for metric in ("ndcg", "rmse"):
        users = {name: sample(of, metric) for name, of in values.items()}
        tests[metric] = judged(users, "mine", lower_is_better=metric == "rmse")
    np.testing.assert_allclose(tests["ndcg"].loc[["low", "high"], "difference"], [0.2, -0.2])
    assert tests["ndcg"].loc[["low", "high"], "verdict"].tolist() == [BETTER, WORSE]
    assert tests["rmse"].loc[["low", "high"], "verdict"].tolist() == [WORSE, BETTER]
    assert tests["ndcg"].loc["low", "value"] == pytest.approx(base.mean())
    assert tests["ndcg"].index.tolist() == ["high", "low"] and tests["rmse"].index.tolist() == ["low", "high"]


def test_what_the_tests_find_is_counted_and_told():
    found = pd.DataFrame({"verdict": [BETTER, SAME, SAME, WORSE], "label": list("ABCD")})
    tests = {"RMSE, u1": found, "nDCG@5, u1": found.loc[[0, 3]]}
    assert verdict_words(tests).splitlines() == [
        "- RMSE, u1: better than 1, worse than 1 of 4; not told apart from B and C.",
        "- nDCG@5, u1: better than 1, worse than 1 of 2; told apart from every other.",
    ]
    assert verdict_words({}).startswith("No other model")


def test_places_and_the_protocols_rows(protocol, stored):
    own = own_row(EXAMPLE, {}, stored)
    keys = list(protocol.splits)
    rows = [
        {"name": name, "label": name.upper(), "key": key, "protocol": key, "rmse": rmse, "mae": rmse / 2, "ndcg": ndcg,
         "rmse_interval": interval_text(rmse - 0.1, rmse + 0.1, "ndcg"), "ndcg_interval": "–"}
        for key in keys for name, rmse, ndcg in (("a", 0.9, np.nan), (own.name, 1.0, 0.25), ("b", np.nan, 0.5))
    ]  # fmt: skip
    fits = pd.DataFrame(rows)
    found = places_of(fits, own, protocol)
    assert found["metric"].tolist() == ["RMSE", f"nDCG@{protocol.k}"] * len(keys)
    first = found.iloc[0]
    assert first["n_test"] == len(protocol.splits[keys[0]].test) and first["interval"] == "0.900 to 1.100"
    assert first[["value", "place", "n_models", "best", "best_value"]].tolist() == [1.0, 2, 2, "A", 0.9]
    assert found.loc[1, ["value", "interval", "place", "best"]].tolist() == [0.25, "–", 2, "B"]
    table = protocol_table(fits, fits, own)
    assert table["name"].tolist() == ["a", own.name, "b"] and table["mark"].tolist() == ["", "yours", ""]
    assert table["rmse_interval"].tolist() == ["0.800 to 1.000", "0.900 to 1.100", "–"]
    assert table[keys[1]].tolist()[:2] == [0.9, 1.0] and np.isnan(table[keys[1]][2])
