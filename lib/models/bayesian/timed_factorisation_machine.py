"""Bayesian factorisation machine that knows when a rating was given: its day and its sitting."""

from collections.abc import Sequence

import numpy as np

from lib.data.interactions import Interactions
from lib.data.sittings import Sittings
from lib.models.bayesian.factorisation_draws import SampledMachine
from lib.models.bayesian.gibbs_parts import OneHot
from lib.models.card import Card
from lib.models.latent.sgd_time import SECONDS_A_DAY


class TimedFactorisationMachine(SampledMachine):
    r"""Factorisation machine over user, film, their features and the moment, fitted by Gibbs sampling.

    .. math:: f(x) = w_0 + \sum_j w_j x_j + \sum_{j < l} v_j^\top v_l\, x_j x_l

    x holds the indicators of the user, of the film and of their features, as in
    `lib.models.bayesian.factorisation_machine.FactorisationMachine` (Rendle 2012), and the indicators of the moment:
    the day of the rating (as in Koren 2009 and in myfm's own study of MovieLens), and the user's sittings
    (`lib.data.sittings`), one for each of `gaps`. Each group of indicators has normal priors of its own. The moment's
    vectors meet those of user and film: a sitting may have a taste as well as a level.

    A day without training rating, or a moment in no sitting, adds nothing. Asked without times, as for lists, the model
    answers for a moment that no training rating is near.

    Sittings and days of test ratings count as known when they are predicted. Under a random split a sitting's other
    ratings are then often in train, some of them later than the one asked for: what is gained that way is gone when
    train ends before test begins.

    `day` says whether the calendar day is a feature; `gaps` are the longest pauses, in seconds, within a sitting, one
    group of features each, empty for none. The rest, `ordinal` ratings too, is as in `FactorisationMachine`.
    """

    card = Card(
        "timed_factorisation_machine",
        "Bayesian factorisation machine with time",
        "Bayesian",
        "A cold user or film is predicted from its features, or, outside the id maps, by the rest.",
        starts=True,
        learns_taste=True,
        most={"ratings": 200_000},
        small={"n_factors": 3, "groups": ["genres", "age"], "gaps": [0, 30], "n_iterations": 60, "n_samples": 40},
        without_tables={"groups": ["raters", "rated"]},
    )

    uses_time = True

    def __init__(
        self,
        *,
        n_factors: int = 10,
        groups: Sequence[str] = ("raters", "rated"),
        day: bool = True,
        gaps: Sequence[int] = (30,),
        ordinal: bool = False,
        user_freedom: float | None = None,
        film_freedom: float | None = None,
        n_iterations: int = 150,
        n_samples: int = 100,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        self.days_ = np.unique(train.timestamps // SECONDS_A_DAY) if self.day else np.empty(0, dtype=np.int64)
        sittings = [Sittings.of(train, gap) for gap in self.gaps]
        self.sitting_counts_ = np.array([len(one) for one in sittings], dtype=np.int64)
        for part in ("users", "starts", "ends"):
            pieces = [np.empty(0, dtype=np.int64), *(getattr(one, part) for one in sittings)]
            setattr(self, f"sitting_{part}_", np.concatenate(pieces))
        sizes = [len(self.days_)] * self.day + self.sitting_counts_.tolist()
        moments = self._moments(train.users, train.timestamps)
        starts = np.cumsum([0, *sizes])[:-1]
        codes = np.where(moments < 0, -1, moments - starts).T
        groups = [OneHot(*group) for group in zip(codes, sizes, strict=True)]
        self._keep(self._sample(train, groups))

    def _moments(self, users: np.ndarray, times: np.ndarray | None) -> np.ndarray:
        """Return the features of the moment, shape (n, number of groups), as places among all of them; -1 for none."""
        found = np.full((len(users), self.day + len(self.gaps)), -1, dtype=np.int64)
        if times is None:
            return found
        if self.day:
            days = times // SECONDS_A_DAY
            place = np.clip(np.searchsorted(self.days_, days), 0, len(self.days_) - 1)
            found[:, 0] = np.where(self.days_[place] == days, place, -1)
        ends = np.cumsum(self.sitting_counts_)
        for n, (gap, end) in enumerate(zip(self.gaps, ends, strict=True)):
            part = slice(end - self.sitting_counts_[n], end)
            arrays = self.sitting_users_, self.sitting_starts_, self.sitting_ends_
            held = Sittings(gap, *(array[part] for array in arrays)).find(users, times)
            found[:, self.day + n] = np.where(held >= 0, held + len(self.days_) + part.start, -1)
        return found

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs at given times by the mean over samples; without `times` at a moment that no rating is near."""
        users, items = self._pairs(users, items, times)
        return self._by_samples(users, items, self._moments(users, None if times is None else np.atleast_1d(times)))
