"""What the explorer asks of the one table's models, fitted again: films near a film, and why the two-tower lists one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lib.data.splits import Split
from lib.experiment.fit import Fitted
from lib.experiment.protocol import parts_of, table_fits
from lib.experiment.records import Record
from lib.experiment.run import run_fits
from lib.metrics.lists import best_columns
from lib.models import cards
from lib.studies.contenders import chosen_from
from lib.studies.embeddings.neighbours import nearest
from lib.studies.two_tower_explanation import attributions


def ask(choices: Mapping[str, Mapping], split: Split, asked: Mapping[str, Mapping]) -> dict[str, Record]:
    """Fit models as the one table does, from its fact ``choices``, and measure what is `asked` of each, by its name.

    Models that the table lacks are left out; fits are repeats, which the project keeps. ValueError: no model has such a name.
    """
    known = {name: one for name, one in chosen_from(only=asked).items() if name in choices}
    fits = table_fits(known, choices, {split.name: split}, k=1, listed=())
    fits = [replace(fit, test="", measure=asked[fit.labels["contender"]]) for fit in fits]
    found = {record["contender"]: record for record in run_fits(fits, parts_of({split.name: split}), keep="explorer")}
    return {name: found[name] for name in asked if name in found}


def nearness(names: Iterable[str], **options) -> dict[str, dict]:
    """Return what `ask` is asked for `near`, with its options, of the models whose cards say where they put films."""
    names, spaces = list(names), {name: card.films for name, card in cards().items() if card.films}
    if unknown := [name for name in names if name not in spaces]:
        raise ValueError(f"films have no space called {', '.join(unknown)}; there are {', '.join(spaces)}")
    return {name: {f"{__name__}:near": {"attribute": spaces[name], **options}} for name in names}


def near(fitted: Fitted, *, attribute: str, films: Sequence[int], n: int, least: int) -> dict[str, np.ndarray]:
    """Find the n films nearest to each of some films: ``near``, nearest first, -1 where there are fewer.

    Near are films with at least `least` training ratings: by the cosine of what the model has learned under this name,
    or, where that is ``weights_``, by what having rated the film adds to them.
    """
    learned, among = getattr(fitted.model, attribute), fitted.train.item_counts >= least
    if attribute != "weights_":
        return {"near": nearest(learned[films], learned, n, itself=np.asarray(films), among=among)[0]}
    weights = np.where(among, learned[films], -np.inf)
    weights[np.arange(len(films)), films] = -np.inf
    return {"near": best_columns(weights, n)[0]}


def why(fitted: Fitted, *, pairs: Sequence[tuple[int, int]], **options: Any) -> dict[str, Any]:
    """Part a two-tower's predictions among its ``inputs``: ``why``, a row a pair, has the base, then what each adds."""
    model: Any = fitted.model
    users, items = np.array(pairs).T
    found = attributions(model, users, items, fitted.train, **options).drop(columns="prediction")
    return {"inputs": list(found)[1:], "why": found.to_numpy()}
