"""Ways to bring ratings to [-1, 1] for a network whose output is a cosine, and the way back."""

from dataclasses import dataclass, field

import numpy as np

from lib.data.interactions import Interactions
from lib.metrics.rating import mae, rmse
from lib.models.normalisation import LinearScale, UserMean

LABELS = {  # what a reader sees for a scaling's name; "centred" is minus the user's mean training rating
    "linear": "rating scale mapped to [−1, 1]",
    "user_range": "each user's lowest to highest rating mapped to [−1, 1]",
    "centred_min_max": "centred, then lowest to highest mapped to [−1, 1]",
    "centred_4": "centred, divided by 4",
    "centred_largest": "centred, divided by the largest distance",
    "centred_2.5": "centred, divided by 2.5",
    "centred_2": "centred, divided by 2",
    "centred_user": "centred, divided by each user's largest distance",
}


@dataclass(frozen=True)
class TargetScaling:
    """Ratings as :math:`z_{ui} = (r_{ui} - a_u) / b_u`, with `offsets` a and positive `widths` b of shape (n_users,)."""

    name: str
    offsets: np.ndarray = field(repr=False)
    widths: np.ndarray = field(repr=False)

    def transform(self, interactions: Interactions) -> Interactions:
        """Return the same pairs with scaled ratings, on the scale -1 to 1; a test value may lie outside."""
        users = interactions.users
        scaled = (interactions.ratings - self.offsets[users]) / self.widths[users]
        return interactions.with_ratings(scaled, (-1.0, 1.0))

    def inverse(self, users: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return values on the rating scale, not clipped."""
        return self.offsets[users] + self.widths[users] * values


def target_scaling(name: str, train: Interactions) -> TargetScaling:
    """Learn one of the scalings of `LABELS`; another name is a ValueError."""
    if name not in LABELS:
        raise ValueError(f"no target scaling is called {name!r}; there are {', '.join(LABELS)}")
    n_users = train.n_users
    if name == "linear":
        scale = LinearScale().fit(train)
        return TargetScaling(name, np.full(n_users, scale.middle_), np.full(n_users, scale.half_width_))
    if name == "user_range":
        lowest, highest = np.full(n_users, np.inf), np.full(n_users, -np.inf)
        np.minimum.at(lowest, train.users, train.ratings)
        np.maximum.at(highest, train.users, train.ratings)
        same = highest <= lowest  # these users get the whole scale
        lowest[same], highest[same] = train.scale
        return TargetScaling(name, (lowest + highest) / 2, (highest - lowest) / 2)
    centre = UserMean().fit(train)
    centred = centre.transform(train)
    if name == "centred_min_max":
        middle, half = (centred.max() + centred.min()) / 2, (centred.max() - centred.min()) / 2
        return TargetScaling(name, centre.means_ + middle, np.full(n_users, half if half > 0 else 1.0))
    if name == "centred_user":
        widths = np.zeros(n_users)
        np.maximum.at(widths, train.users, np.abs(centred))
        return TargetScaling(name, centre.means_, np.where(widths > 0, widths, 1.0))
    width = np.abs(centred).max() if name == "centred_largest" else float(name.removeprefix("centred_"))
    return TargetScaling(name, centre.means_, np.full(n_users, width if width > 0 else 1.0))


def unit_errors(name: str, train: Interactions, test: Interactions, predicted, *, cut: bool = False) -> tuple:
    """Return RMSE and MAE of predictions in stars on a scaling of `LABELS`, with `cut` of both brought within -1 to 1."""
    scale = target_scaling(name, train)
    both = [scale.transform(test.with_ratings(stars, test.scale)).ratings for stars in (test.ratings, predicted)]
    both = [np.clip(unit, -1, 1) for unit in both] if cut else both
    return rmse(*both), mae(*both)
