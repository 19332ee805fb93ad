"""The list of contenders: every one can be made as it stands, and mistakes in it are told."""

import pytest

from lib.experiment.fit import Stopping
from lib.models import cards, create, label, model_class
from lib.models.card import FAMILIES
from lib.studies.contenders import STUDIES, chosen_from
from lib.studies.koren_study import variants as koren_variants
from lib.studies.neural_study import variants as network_variants
from lib.studies.ranking_study import list_variants, rating_variants
from lib.studies.side_information_study import reference_variants

KNOWN = chosen_from(others_data=True)


@pytest.mark.parametrize("name", KNOWN)
def test_a_contender_is_made_with_what_is_fixed_in_it(name):
    one = KNOWN[name]
    model = create(one.model, **one.fixed)
    assert one.name == name
    assert not one.stopping or (one.stopping.limit in model.parameter_names() and one.stopping.most > 0)
    assert one.source in (*STUDIES, "fixed") or one.source.startswith("run ")
    # What needs a seed is said to start at random; convex and closed-form models only look for directions with theirs.
    if one.starts:
        assert "seed" in model.parameter_names()


def test_names_and_labels_tell_contenders_apart_and_families_stand_together():
    labels = [one.label for one in KNOWN.values()]
    assert len(set(labels)) == len(labels)
    places = [FAMILIES.index(one.family) for one in KNOWN.values()]
    assert places == sorted(places)


def test_every_registered_model_has_a_row_and_is_called_alike_everywhere():
    assert {one.model for one in KNOWN.values()} == set(cards())
    studied = koren_variants() | list_variants(4.0) | rating_variants() | network_variants() | reference_variants()
    for name, one in (KNOWN | studied).items():
        assert name != one.model or one.label == label(name)


def test_all_of_korens_family_stands_in_the_table():
    assert set(koren_variants()) <= set(KNOWN)
    assert {one.project for one in KNOWN.values()} == {"A", "B", "C", "D", "E", "reference"}
    assert KNOWN["ease"].facts == {
        "label": "EASE",
        "family": FAMILIES[3],
        "project": "reference",
        "model": "ease",
    }


def test_models_without_epochs_by_early_stopping_have_no_limit():
    for name in ("bias", "svd", "ease", "correlation_neighbours", "factorisation_machine"):
        assert KNOWN[name].stopping is None
    assert KNOWN["svdpp"].stopping == Stopping("n_epochs", 60, 3)
    assert KNOWN["autorec"].stopping.by_model
    assert "max_epochs" in model_class("autorec").parameter_names()


def test_models_for_data_of_other_shapes_are_no_rows_of_the_one_table():
    assert {*KNOWN} - {*chosen_from()} == {"confidence_als", "frequent_ease", "tf_idf_knn"}


def test_contenders_are_left_out_or_picked_by_name():
    assert list(chosen_from(only=["ease", "bias"])) == ["bias", "ease"]  # in the table's order
    assert "ease" not in chosen_from(left_out=["ease"])
    assert list(chosen_from(left_out=["ease"], only=["ease", "bias"])) == ["bias"]
    for options in ({"left_out": ["easy"]}, {"only": ["easy"]}):
        with pytest.raises(ValueError, match="no contender is called easy"):
            chosen_from(**options)
