"""Cards: each fits its class, is read without importing it, and a model's file alone brings the model everywhere."""

import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

import lib.models
from lib.models import card_of, card_of_class, cards, create, label, model_class
from lib.models.card import FAMILIES, read_cards
from lib.report import figures
from lib.studies.contenders import chosen_from
from lib.workbench.explorer.models import nearness
from lib.workbench.own_ratings.candidates import candidates
from tests.models.test_contract import contract_models

TOY = '''
import numpy as np

from lib.models.base import Recommender
from lib.models.card import Card


class Toy(Recommender):
    """Predicts the mean."""

    card = Card("toy", "A toy", "side information", "All are cold.", colour="#123456", films="vectors_", most={"items": 59})

    def __init__(self):
        pass

    def _fit(self, train, validation):
        self.mean_ = train.ratings.mean(dtype=np.float64)

    def predict(self, users, items, times=None):
        users, _ = self._pairs(users, items, times)
        return np.full(len(users), self.mean_)
'''


@pytest.mark.parametrize("name", cards())
def test_a_card_fits_the_class_that_carries_it(name):
    card, cls = cards()[name], model_class(name)
    assert cls.card == card and f"{cls.__module__}:{cls.__name__}" == card.place
    assert card.family in FAMILIES and card.project in ("A", "B", "C", "D", "E", "reference")
    assert card.colour in ("", *figures.PALETTE) or card.colour.startswith("#")
    assert card.cold.endswith(".") and not card.cold.endswith("..")
    assert {*card.small, *card.without_tables} <= set(cls.parameter_names())
    assert not card.stopping or card.stopping["limit"] in cls.parameter_names()
    assert not card.starts or "seed" in cls.parameter_names()
    assert {*card.most, *card.most_searched} <= {"ratings", "items", "cells"}
    assert card.needs in ("", "tables", "features", "counts", "many items")


def test_labels_tell_models_apart_and_variants_are_named_after_their_models():
    labels = [card.label for card in cards().values()]
    assert len(set(labels)) == len(labels)
    assert label("bias_tuned") == f"{label('bias')}, tuned" and card_of("bias_tuned") is cards()["bias"]
    timed = "timed_factorisation_machine"
    assert card_of(f"{timed}_ordinal") is cards()[timed]
    assert label("ensemble") == "ensemble" and card_of("ensemble") is None


def test_labels_are_read_without_importing_models():
    code = (
        "import sys; from lib.models import cards, label; assert len(cards()) > 30 and label('svdpp') == 'SVD++';"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numba", "tensorflow", "keras", "implicit", "surprise"} & set(done.stdout.split())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Look for models in a further folder."""
    monkeypatch.setattr(lib.models, "__path__", [*lib.models.__path__, str(tmp_path)])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("lib.models.toys")]:
        del sys.modules[name]


def test_a_models_file_brings_it_into_the_contract_tables_figures_explorer_and_own_ratings(folder, planted):
    (folder / "toys").mkdir()
    (folder / "toys" / "toy.py").write_text(TOY)
    assert "toy" in contract_models()
    model = create("toy").fit(planted)
    assert model.predict([0], [0]) == planted.ratings.mean(dtype="float64")
    assert card_of_class(type(model)) == cards()["toy"]

    row = chosen_from()["toy"]
    assert (row.label, row.family, row.project, row.stopping) == (
        "A toy",
        "side information",
        "reference",
        None,
    )
    family = [name for name, one in chosen_from().items() if one.family == "side information"]
    assert family[-1] == "toy", "at the end of its family"

    assert figures.colour("toy") == figures.colour("toy_tuned") == "#123456"
    figure = plt.figure()
    figures.family_legend(figure, {one.name: one.family for one in chosen_from().values()}, ["toy"], "center")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["side information"]
    plt.close(figure)

    assert "vectors_" in str(nearness(["toy"], films=[0], n=1, least=1)["toy"])
    left_out = candidates(planted).skipped.set_index("model")["reason"]
    assert "60 items, more than 59" in left_out["A toy"]
    assert "toy" in candidates(planted, limits=False).contenders


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"toy"', "NAME", r"lib\.models\.toys\.toy:Toy can't be read"),
        ('"#123456"', "'#' + '123456'", "can't be read"),
        ("colour=", "color=", "can't be read: .*unexpected keyword argument 'color'"),
        ('"All are cold.", ', "", "can't be read: .*missing"),
        (
            '"toy"',
            '"bias"',
            "lib.models.toys.toy:Toy and lib.models.baselines.bias:Bias are both called 'bias'",
        ),
    ],
)
def test_a_mistake_in_a_card_is_told_with_its_place(folder, old, new, message):
    (folder / "toys").mkdir()
    (folder / "toys" / "toy.py").write_text(TOY.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_cards(tuple(lib.models.__path__), "lib.models")
