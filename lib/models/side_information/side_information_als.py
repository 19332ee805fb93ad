"""Matrix factorisation with side information, fitted by alternating least squares."""

from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from lib.data.feature_groups import available_groups, feature_groups
from lib.data.interactions import Interactions
from lib.metrics.rating import rmse
from lib.models.base import Recommender, lookup
from lib.models.card import Card
from lib.models.side_information.als_engine import Engine, Side, rating_lists
from lib.models.side_information.similarity_graph import cosine_graph


class SideInformationALS(Recommender):
    r"""Biases and factors, with latent vectors that features of users and items take part in.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + p_u^\top q_i, \qquad
        p_u = U_u + \sum_g y_{ug} P_g, \quad q_i = V_i + \sum_f x_{if} W_f

    with :math:`\mu` the mean training rating, :math:`x_{if}` an item's features of group f (genres, year, tags, who
    rated it) and :math:`y_{ug}` a user's (age, gender, occupation, what was rated). The objective is

    .. math:: \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda_u |U|^2 + \sum_i \lambda_{v,i} |V_i|^2
        + \sum_f \lambda_f |W_f|^2 + \sum_g \lambda_g |P_g|^2 + \lambda_{bu} |b_u|^2 + \lambda_{bi} |b_i|^2
        + \alpha \operatorname{tr}(V^\top L V)

    where :math:`\operatorname{tr}(V^\top L V) = \frac12 \sum_{ij} S_{ij} |V_i - V_j|^2` pulls films together that are
    similar in one group of features (S: cosine, each film's most similar ones). It is convex in each block, and each
    block is brought to its minimum in closed form in turn: user biases, item biases, U, each P, V, each W. No step
    raises the objective. Groups of very many features take a few steps of conjugate gradients instead
    (`lib.models.side_information.als_projection`), so that an iteration's work stays linear in the number of ratings.

    Only the groups ``raters`` and ``rated`` come from the training ratings: Koren's implicit sets, there whatever the
    rating was, scaled by one over the root of their size. A code outside the id maps has no features either.

    The model is project B's; user features, implicit sets and `feature_biases` are steps beyond it. Related: Koren 2008
    (implicit sets, "Factorization meets the neighborhood"), Agarwal and Chen 2009 ("Regression-based latent factor
    models"), Rendle 2012 ("Factorization machines with libFM"), Rao et al. 2015 (graph term, "Collaborative filtering
    with graph information").

    Parameters
    ----------
    n_factors : int
        0 leaves biases only.
    groups : sequence of str, optional
        Of `lib.data.feature_groups`; empty for plain matrix factorisation. By default genres and year, as far as the
        data has them.
    user_penalty, item_penalty, user_bias_penalty, item_bias_penalty : float
        :math:`\lambda_u, \lambda_v, \lambda_{bu}, \lambda_{bi}`, in ratings: not scaled by a row's count. 0 switches
        one off.
    projection_penalties : float or mapping of str to float
        :math:`\lambda_f, \lambda_g`; one number stands for all groups.
    popularity_shrinkage : bool
        :math:`\lambda_{v,i} = \lambda_v / \sqrt{n_i + 1}` for an item with :math:`n_i` ratings.
    feature_biases : bool
        Give each feature an effect of its own on the rating, as one more column of its projection, penalised alike: a
        genre may then be liked less by all.
    graph_group : str or None
        The item group that similarities are taken from; it need not be among `groups`. None for no graph.
    graph_strength, graph_neighbours, graph_epsilon : float, int, float
        :math:`\alpha`; how many most similar films each film names, and the least similarity that counts.
    update_projections_every : int
        Projections are updated in the first iteration and in every so-many-th after it.
    n_iterations : int
        Exactly, or, with validation data, at most: then the best iteration's values are kept.
    tolerance, min_iterations : float, int
        With validation data, iterations end when its RMSE falls by less than this from one to the next, but not before
        so many.
    initial_scale, seed : float, int
        Standard deviation of the factors at the start; projections start at zero.

    Attributes
    ----------
    groups_ : list of str
    user_latent_, item_latent_, user_factors_, item_factors_ : ndarray of float64, shape (n_users or n_items, n_factors)
        p, q; U, V: what features do not explain.
    user_effect_, item_effect_ : ndarray of float64
        Biases, and with `feature_biases` what features add.
    projection_<group>_ : ndarray of float64, shape (n_features, n_factors) or (n_features, n_factors + 1)
    objective_, validation_rmse_ : ndarray of float64, shape (iterations,)
        After each iteration; the first is empty with validation data, the second without.
    n_iterations_ : int
        The iteration whose values were kept.
    """

    card = Card(
        "side_information_als",
        "Side-information ALS",
        "side information",
        "A cold user or film has no bias and no factors of its own; its features still speak.",
        project="B",
        colour="purple",
        starts=True,
        learns_taste=True,
        stopping={"limit": "n_iterations", "most": 100},
        most={"ratings": 500_000},
        small={
            "n_factors": 3,
            "groups": ["genres", "age", "raters", "rated"],
            "user_penalty": 0.5,
            "item_penalty": 0.5,
            "graph_group": "year",
            "graph_strength": 0.01,
            "feature_biases": True,
            "projection_penalties": 5.0,
        },
        without_tables={"groups": ["raters", "rated"], "graph_group": None},
    )

    def __init__(
        self,
        *,
        n_factors: int = 16,
        groups: Sequence[str] | None = None,
        user_penalty: float = 5.0,
        item_penalty: float = 50.0,
        user_bias_penalty: float = 2.0,
        item_bias_penalty: float = 5.0,
        projection_penalties: float | Mapping[str, float] = 20.0,
        popularity_shrinkage: bool = False,
        feature_biases: bool = False,
        graph_group: str | None = None,
        graph_strength: float = 1.0,
        graph_neighbours: int = 50,
        graph_epsilon: float = 1e-10,
        update_projections_every: int = 1,
        n_iterations: int = 20,
        tolerance: float = 1e-4,
        min_iterations: int = 10,
        initial_scale: float = 0.1,
        seed: int = 0,
    ):
        self._store(locals())

    def _fit(self, train: Interactions, validation: Interactions | None) -> None:
        with threadpool_limits(1, user_api="blas"):  # the rows are what runs in parallel
            self._iterate(self.engine(train), validation)

    def engine(self, train: Interactions) -> Engine:
        """Set up the blocks for `train`, before the first update: for looking at single steps.

        Raises ValueError: a hyperparameter is out of range, or a group is unknown or not among the data's columns.
        """
        self._check()
        usual = (name for name in ("genres", "year") if name in available_groups(train))
        self.groups_ = list(usual if self.groups is None else self.groups)
        penalties = self._penalties()
        wanted = self.groups_ + [self.graph_group] * (self.graph_group not in (None, *self.groups_))
        found = {group.name: group for group in feature_groups(train, wanted)}
        graph = None
        if self.graph_group is not None:
            if found[self.graph_group].side != "item":
                raise ValueError(f"graph_group={self.graph_group!r} describes users; the graph joins items")
            if self.graph_strength > 0:
                features = found[self.graph_group].matrix
                graph = cosine_graph(features, top_k=self.graph_neighbours, epsilon=self.graph_epsilon)
        self.mean_ = np.float64(train.ratings.mean(dtype=np.float64))
        rng = np.random.default_rng(self.seed)
        sides = []
        for kind, ratings in zip(("user", "item"), rating_lists(train), strict=True):
            counts = np.diff(ratings.start)
            factors = rng.normal(0.0, self.initial_scale, (len(counts), self.n_factors))
            factors[counts == 0] = 0.0
            ridges = np.full(len(counts), float(getattr(self, f"{kind}_penalty")))
            if kind == "item" and self.popularity_shrinkage:
                ridges /= np.sqrt(counts + 1.0)
            side = Side(
                ratings,
                self.mean_,
                factors,
                ridges=ridges,
                bias_penalty=getattr(self, f"{kind}_bias_penalty"),
                features={n: (found[n].matrix, penalties[n]) for n in self.groups_ if found[n].side == kind},
                feature_biases=self.feature_biases,
                graph=graph if kind == "item" else None,
                strength=self.graph_strength,
            )
            sides.append(side)
        return Engine(*sides)

    def predict(self, users, items, times=None) -> np.ndarray:
        """Predict pairs; a cold user or item is predicted from its features."""
        users, items = self._pairs(users, items, times)
        p, q = lookup(self.user_latent_, users), lookup(self.item_latent_, items)
        effects = self.mean_ + lookup(self.user_effect_, users) + lookup(self.item_effect_, items)
        return effects + np.einsum("nf,nf->n", p, q)

    def score(self, users) -> np.ndarray:
        """Score the catalogue by one product of latent vectors."""
        self._check_fitted()
        users = np.asarray(users)
        scores = lookup(self.user_latent_, users) @ self.item_latent_.T
        scores += self.mean_ + lookup(self.user_effect_, users)[:, None] + self.item_effect_
        return scores

    @property
    def n_parameters_(self) -> int:
        """Biases, factors and projections; not the sums of them that predictions are made from."""
        self._check_fitted()
        return sum(
            value.size
            for name, value in self._state().items()
            if name.endswith(("_bias_", "_factors_")) or name.startswith("projection_")
        )

    def _iterate(self, engine: Engine, validation: Interactions | None) -> None:
        objective, errors, kept, sums = [], [], None, None
        for iteration in range(1, self.n_iterations + 1):
            engine.sweep(projections=(iteration - 1) % self.update_projections_every == 0, sums=sums)
            if validation is None:
                reached, sums = engine.summed()
                objective.append(reached)
                continue
            self._take(engine, iteration)
            predicted = self.scale_.clip(self.predict(validation.users, validation.items))
            errors.append(rmse(validation.ratings, predicted))
            if errors[-1] == min(errors):
                kept = {name: value for name, value in vars(self).items() if name.endswith("_")}
            if iteration >= self.min_iterations and errors[-2:][0] - errors[-1] < self.tolerance:
                break
        if not np.isfinite(objective[-1] if objective else engine.objective()):
            raise FloatingPointError("SideInformationALS: the residuals are not finite; raise the penalties")
        if kept is None:
            self._take(engine, self.n_iterations)
        else:
            vars(self).update(kept)
        self.objective_, self.validation_rmse_ = np.array(objective), np.array(errors)

    def _take(self, engine: Engine, iteration: int) -> None:
        """Copy what the engine has learned into fitted attributes."""
        for kind, side in (("user", engine.users), ("item", engine.items)):
            for name in ("bias", "effect", "factors", "latent"):
                setattr(self, f"{kind}_{name}_", getattr(side, name).copy())
            for group, projection in side.projections.items():
                setattr(self, f"projection_{group}_", projection.weights.copy())
        self.n_iterations_ = iteration

    def _penalties(self) -> dict[str, float]:
        given = self.projection_penalties
        if not isinstance(given, Mapping):
            given = dict.fromkeys(self.groups_, given)
        if missing := [name for name in self.groups_ if name not in given]:
            raise ValueError(f"projection_penalties lacks {', '.join(missing)}: give each group a penalty")
        for group, penalty in given.items():
            if not penalty >= 0:
                raise ValueError(f"SideInformationALS: projection penalty of {group} must be at least 0; got {penalty}")
        return {name: float(given[name]) for name in self.groups_}

    def _check(self) -> None:
        amounts = ["user_penalty", "item_penalty", "user_bias_penalty", "item_bias_penalty", "initial_scale"]
        amounts += ["n_factors", "graph_strength", "graph_epsilon"]
        counts = ["graph_neighbours", "update_projections_every", "n_iterations", "min_iterations"]
        for least, names in ((0, amounts), (1, counts)):
            for name in names:
                value = getattr(self, name)
                if not np.isfinite(value) or value < least:
                    raise ValueError(f"SideInformationALS: {name} must be at least {least}; got {value}")
