"""Project D's networks: the settings that are compared, what one training leaves, and D's leak beside its mending."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from lib.data.interactions import Interactions
from lib.data.made_up import made_up_ratings
from lib.data.splits import random_holdout
from lib.experiment.fit import Fit, Fitted, Stopping
from lib.experiment.stored_runs import StoredRun
from lib.metrics.rating import rmse
from lib.studies.koren_study import with_inner
from lib.studies.variants import Variant, by_name

network_parts = with_inner  # what `network_fits` learn from and are measured on, D's validation ratings among it

BY_D: dict[str, Any] = {"learning_rate": 1e-3, "l2": 0.0, "averaging": 0.0, "plateau_factor": 0.5}  # for both networks

PUBLISHED_NEURAL_MF = (  # Project D's settings of NeuralMF
    {"n_factors": 256, "hidden_size": 64, "dropout": 0.2, "init_scale": 0.05}
    | {"batch_size": 32_000, "max_epochs": 100, "patience": 5, "plateau_patience": 2}
    | BY_D
)

PUBLISHED_AUTOREC = (  # Project D's settings of AutoRec
    {"form": "user", "hidden_sizes": (512, 256, 128), "activation": "relu", "centre": "global"}
    | {"input_dropout": 0.6, "batch_size": 512, "max_epochs": 50, "patience": 4, "plateau_patience": 2}
    | BY_D
)

FEATURES = ("genres", "year")  # groups that the variants with features have where nothing else is asked for

AS_PUBLISHED = ("neural_mf_published", "autorec_published", "autorec_leaky")
"""Trained as D trains: stopped on validation ratings that are never learned from. The others cut their own validation
ratings from all training ratings, and then train again on all of them for as long."""


def variants() -> dict[str, Variant]:
    """Return the networks by the name that results use: D's settings, then ours, chosen on validation data."""
    leaky = {**PUBLISHED_AUTOREC, "leaky_validation": True}
    return by_name(
        Variant("neural_mf_published", "NeuralMF, D's settings", "neural_mf", PUBLISHED_NEURAL_MF),
        Variant.of("neural_mf"),
        Variant("autorec_published", "User AutoRec, D's settings", "autorec", PUBLISHED_AUTOREC),
        Variant("autorec_leaky", "User AutoRec, stopped as D stops it", "autorec", leaky),
        Variant("autorec_user", "User AutoRec", "autorec", {"form": "user"}),
        Variant.of("autorec", form="item"),
        Variant("neural_mf_features", "NeuralMF with features", "neural_mf", {"groups": FEATURES}),
        Variant("autorec_features", "Item AutoRec with features", "autorec", {"form": "item", "groups": FEATURES}),
    )


def network_fit(
    name: str, changes: Mapping[str, Any], *, seed: int, ks: Sequence = (), threshold: float = 4.0, repeat: bool = False
) -> Fit:
    """Return the fit of one network, with `changes` to its variant's hyperparameters, and lists of lengths `ks`.

    A `repeat` leaves errors by user, and its lists' hits by `threshold`, and is kept with the project.
    Variants `AS_PUBLISHED` learn from ``inner_train`` and stop on ``inner_test``, cut from ``train`` as D cuts it.
    """
    one = variants()[name]
    parameters = {**one.fixed, **changes}
    stopping = Stopping("max_epochs", by_model=True)
    if name in AS_PUBLISHED:
        stopping = Stopping("max_epochs", train="inner_train", validation="inner_test", refit=False)
    measure: dict[str, Mapping[str, Any]] = {"by_user" if repeat else "predictions": {}, "errors": {}, "curve": {}}
    if ks:
        hits = {"hits": {"ks": list(ks), "threshold": threshold}}
        measure |= hits if repeat else {"lists": {"k": max(ks)}}
    if parameters.get("form") == "user":
        measure[f"{__name__}:leaks"] = {}
    labels = {"variant": name, "seed": seed}
    fit = Fit(one.model, parameters, seed=seed, stopping=stopping, measure=measure, labels=labels)
    return replace(fit, keep="neural" if repeat else "")


def network_fits(
    names: Iterable[str],
    changes: Mapping[str, Mapping],
    *,
    most_epochs: int,
    n_starts: int = 1,
    repeat: bool = False,
    **lists: Any,
) -> list[Fit]:
    """Return the `network_fit` of several random starts each, `changes` by network, for at most `most_epochs`.

    Starts after the first are repeats, and where it is a `repeat` that one, too. `lists` are ``ks`` and ``threshold``.
    """
    fits = []
    for name in names:
        changed = dict(changes.get(name, {}))
        own = {**variants()[name].fixed, **changed}.get("max_epochs", 200)
        changed["max_epochs"] = min(own, most_epochs)
        fits += [network_fit(name, changed, seed=n, repeat=repeat or n > 0, **lists) for n in range(n_starts)]
    return fits


def epoch_fits(names: Iterable[str], n_epochs: Iterable[int], *, ks: Sequence[int], threshold: float) -> list[Fit]:
    """Return fits of networks for fixed numbers of epochs, at one learning rate: errors, and their lists' hits; kept."""
    fits = []
    for name, n in product(names, n_epochs):
        fit = network_fit(name, {"epochs": n}, seed=0, ks=ks, threshold=threshold, repeat=True)
        measure = {what: of for what, of in fit.measure.items() if what in ("hits", "errors")}
        fits.append(replace(fit, stopping=None, measure=measure, labels={"variant": name, "epochs": n}))
    return fits


def fits_of_run(stored: StoredRun, *, ks: Sequence[int], **ours: Any) -> list[Fit]:
    """Return the fits whose lists a run of the networks measured: ValueError where it has not `ours`, or no such `ks`."""
    told = {**stored.provenance["parameters"], "dataset": stored.provenance["dataset"]}
    theirs = {name: told.get(name) for name in ours}
    if theirs != ours or not set(ks) <= set(told.get("ks", [])):
        raise ValueError(
            f"run {stored.run} has {theirs} and lists of {told.get('ks')}; lists are compared with {ours} and "
            f"lists of {list(ks)}. Run it with the same, or name no run of networks"
        )
    names = [name for name in told["networks"] if name != "autorec_leaky"]
    options = {name: told[name] for name in ("most_epochs", "n_starts", "ks", "threshold")}
    return network_fits(names, told["changes"], **options)


def noise_parts(noise: float, *, seed: int) -> tuple[dict[str, Interactions], float]:
    """Return `network_parts` of made-up ratings, and the RMSE, on the test ratings, of who knows all but their noise.

    A rating is what its user and its film add, and `noise` times a standard normal draw: not rounded, not clipped. But for
    chance, only who has seen the test ratings gets below that error.
    """
    pairs, rng = made_up_ratings(24_000, 600, 300, seed=seed), np.random.default_rng((seed, 1))
    truth = rng.normal(3.5, 0.4, (600, 1)) + rng.normal(0, 0.4, 300)
    rated = truth[pairs.users, pairs.items] + noise * rng.standard_normal(len(pairs))
    split = random_holdout(pairs.with_ratings(rated.astype(np.float32), (-10, 20)), seed=seed)
    return network_parts(split, seed=seed), rmse(split.test.ratings, truth[split.test.users, split.test.items])


def leaks(fitted: Fitted) -> dict[str, float]:
    """Measure AutoRec with the training ratings as its input, and as project D does with those asked for.

    RMSE of unclipped predictions, as D has it, from training ratings, from the test ratings themselves, and from both.
    """
    train, test = fitted.parts[fitted.learned], fitted.test
    columns = ("users", "items", "ratings", "timestamps")
    joined: dict = {name: np.concatenate([getattr(train, name), getattr(test, name)]) for name in columns}
    inputs = {"honest_rmse": train, "leak_rmse": test, "both_rmse": replace(train, **joined, origin=())}
    return {
        name: rmse(test.ratings, fitted.model.reconstruct(given, test.users, test.items))
        for name, given in inputs.items()
    }
