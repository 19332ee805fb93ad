"""A model made, fitted and asked: the one place outside the models themselves that does so."""

import numpy as np

from lib.data.interactions import Interactions
from lib.models import create
from lib.models.base import Recommender


def fit_model(
    model: str | type[Recommender] | Recommender,
    train: Interactions,
    *,
    validation: Interactions | None = None,
    **parameters,
) -> Recommender:
    """Make a model, by a registered name, ``module:Class`` or its class, and fit it; or fit one that is made already."""
    if isinstance(model, str):
        model = create(model, **parameters)
    made = model(**parameters) if isinstance(model, type) else model
    return made.fit(train, validation=validation)


def answers(model: Recommender, data: Interactions) -> np.ndarray:
    """Predict the pairs of `data`, clipped to the scale; models that know time are told when each rating was given."""
    return data.scale.clip(model.predict(data.users, data.items, data.timestamps))


def score_matrix(model: Recommender, train: Interactions) -> np.ndarray:
    """Score every user and film, unclipped, in single precision, a block of users at a time."""
    values = np.empty((train.n_users, train.n_items), dtype=np.float32)
    step = max(1, 4_000_000 // train.n_items)
    for start in range(0, train.n_users, step):
        users = np.arange(start, min(start + step, train.n_users))
        values[users] = model.score(users)
    return values
