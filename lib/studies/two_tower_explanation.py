"""Why the two-tower network predicts what it does: Shapley values of what its towers take in."""

import numpy as np
import pandas as pd

from lib.data.interactions import Interactions
from lib.models.networks.two_tower import TwoTower


def attributions(
    model: TwoTower, users: np.ndarray, items: np.ndarray, train: Interactions, *, n_background: int, seed: int
) -> pd.DataFrame:
    r"""Part predictions among the inputs (Shapley 1953; Lundberg and Lee 2017), exactly, with the ``shap`` package.

    .. math::

        \hat r_{ui} = v(\emptyset) + \sum_j \phi_j, \qquad \phi_j = \sum_{S \not\ni j}
        \frac{|S|! \, (n - |S| - 1)!}{n!} \bigl( v(S \cup \{j\}) - v(S) \bigr)

    v(S) is the mean prediction where the inputs in S are the pair's and all others those of a rating drawn from `train`,
    over `n_background` such ratings; :math:`v(\emptyset)` is theirs alone. Nothing is trained again. An input that
    predictions don't depend on gets nothing; inputs that say the same share what they say.

    Returns a row a pair (`users` and `items` are codes of training): ``base``, ``prediction``, and in stars what each
    of `TwoTower.inputs` adds, by its name.
    """
    import shap  # takes seconds

    sides = [0 if name.startswith("user/") else 1 for name in model.inputs]
    drawn = np.random.default_rng(seed).choice(len(train), min(n_background, len(train)), replace=False)
    # A column an input, which says whose it is: to shap, that is the input's value.
    pairs, background = (
        np.column_stack(codes)[:, sides] for codes in ((users, items), (train.users[drawn], train.items[drawn]))
    )

    def predict(rows: np.ndarray) -> np.ndarray:
        of_rows = zip(model.inputs.items(), rows.T.astype(int), strict=True)
        mixed = model.replace_features({name: values[whose] for (name, values), whose in of_rows})
        return mixed.predict(np.arange(len(rows)), np.arange(len(rows)))

    masker = shap.maskers.Independent(background, max_samples=len(background))
    found = shap.explainers.Exact(predict, masker)(pairs, silent=True)
    table = pd.DataFrame(found.values, columns=list(model.inputs))
    table.insert(0, "base", found.base_values)
    table.insert(1, "prediction", model.predict(users, items))
    return table
