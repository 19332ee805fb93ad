"""Heading, decimals, unit and meaning of every quantity, once: tables, numbers in prose and the glossary read them here."""

import re
from typing import Any, NamedTuple

import pandas as pd

TABLE = """
rmse | RMSE | {:.4f} | stars | Root mean squared error: the root of the mean squared difference between predicted and given ratings. Large errors weigh more than small ones.
mae | MAE | {:.4f} | stars | Mean absolute error: the mean size of the difference between predicted and given ratings.
mse | MSE | {:.3f} | stars² | Mean squared error, the square of the RMSE.
rating | Rating | {:.4g} | stars | What a user gave a film.
contribution | Contribution | {:+.3f} | stars | What one rated film, or one input of a network, adds to a prediction.
spread | Spread | {:.4f} | as the figure | Sample standard deviation of a figure over random starts, folds or splits.
difference | Difference | {:+.4f} | as the figure | One figure minus another; paired by user where a test says how sure it is.
lead | Lead | {:.4f} | as the figure | By how much the best is better than the next.
interval | 95% interval | | as the figure | Range that holds a figure in 95 of 100 resamplings of the users, or of the folds where it says so.
value | Value | {:.4f} | as the figure | A figure whose name stands beside it.
change | Change | {:+.1%} | | One figure relative to another, minus one.
ratio | Ratio | {:.2f} | | One figure divided by another.
reported | Reported | {:.4g} | as the figure | What a project's own document gives.
published | Published | {:.4g} | as the figure | What a paper or a library's page gives.
p | p | {:.4f} | | Share of random relabellings with a difference at least as large as the one seen (permutation test).
p_adjusted | p, corrected | {:.4f} | | A p-value made larger for the number of comparisons in its table.
effect_size | Effect size | {:+.2f} | standard deviations | Mean of the differences by user, each user weighing alike, in their standard deviations.
ndcg | nDCG | {:.3f} | 0 to 1 | Normalised discounted cumulative gain: relevant films in a list, the sooner the better, as a share of the best possible list.
precision | Precision | {:.3f} | 0 to 1 | Share of a list that is relevant.
recall | Recall | {:.3f} | 0 to 1 | Share of a user's relevant films that are in the list.
map | MAP | {:.3f} | 0 to 1 | Mean average precision: the precision at each relevant film of the list, averaged.
mrr | MRR | {:.3f} | 0 to 1 | Mean reciprocal rank: one divided by the place of the first relevant film.
hit_rate | Hit rate | {:.3f} | 0 to 1 | Share of users with a relevant film in the list.
hits | Hits | {:,.0f} | films | Relevant films in a list.
percentile | Mean rank | {:.1f} | % | Place of a liked film among films drawn at random: 0 is first, 50 by chance.
coverage | Coverage | {:.1%} | | Share of the catalogue that is in at least one list.
novelty | Novelty (bits) | {:.1f} | bits | How rarely rated the films of a list are: mean of minus the binary logarithm of the share of users who rated one.
popularity | Popularity | {:,.0f} | ratings | Mean number of training ratings of the films that stand in lists or near a film.
shared_films | Shared films | {:.2f} | films | Films that two lists for one user have in common.
correlation | Correlation | {:.3f} | −1 to 1 | Pearson's correlation of two models' predictions, or of their errors.
weight | Weight | {:+.2f} | | Factor of a model's prediction in a linear blend.
objective | Objective | {:,.1f} | | What training makes as small as it can: loss and penalties.
share | Share | {:.1%} | | Part of a whole, in per cent.
density | Density | {:.2%} | | Share of the pairs of a user and a film that are rated.
gini | Gini coefficient | {:.2f} | 0 to 1 | Inequality of the numbers of ratings: 0 where all have equally many, near 1 where one has them all.
count | Number | {:,.0f} | | How many there are.
rank | Rank | {:,.0f} | | Place in an order, or the number of independent directions of a matrix.
seconds | Time | {:.2f} | s | Wall time on one core.
wall_time | Wall time | duration | | How long a whole run took, in minutes and seconds.
seconds_fit | Fit (s) | {:.2f} | s | Time of one fit on one core.
seconds_predict | Predict (s) | {:.3f} | s | Time to predict all test ratings.
seconds_rank | Rank (s) | {:.2f} | s | Time to make everybody's list.
seconds_epoch | One epoch (s) | {:.1f} | s | Time of one pass over the training ratings, preparation included.
peak_mib | Peak memory (MiB) | {:,.0f} | MiB | The most memory that a fit took, in units of 1,048,576 bytes.
n_parameters | Parameters | {:,.0f} | | Numbers that a model learns.
genre_agreement | Genre agreement | {:.3f} | 0 to 1 | Shared genres of a film and its neighbours, divided by all genres of the two.
folding | Folding | {:.1%} | | Share of neighbours that fewer users rated together with the film than by chance.
disjoint | No common rater, one expected | {:.2%} | | Share of neighbours that nobody rated together with the film, where one such user was expected.
effective_rank | Effective rank | {:.1f} | directions | How many directions of an embedding carry its variance.
silhouette | Silhouette | {:.3f} | −1 to 1 | How much nearer films are to their own genre than to the next one.
trust | Trustworthiness | {:.3f} | 0 to 1 | Whether films that are near on a map are near in the embedding.
norm_popularity | Norm and popularity (ρ) | {:.2f} | −1 to 1 | Spearman's correlation of an embedding's length with the film's number of training ratings.
"""  # name, heading, format, unit, meaning
HEADINGS = {"label": "Model", "mark": "", "measure": "", "parameter": "Hyperparameter"}
"""Columns of text whose heading is another than their name."""


class Quantity(NamedTuple):
    """How a quantity is shown, and what the glossary says of it; without a format by the value's kind."""

    heading: str
    format: str = ""
    unit: str = ""
    meaning: str = ""


QUANTITIES = {
    name: Quantity(*rest)
    for name, *rest in ([part.strip() for part in line.split("|")] for line in TABLE.strip().splitlines())
}
_SAID = {name: q.heading for name, q in QUANTITIES.items() if name in (q.heading, q.heading.lower())}
SPELT = {name: heading for name, heading in _SAID.items() if heading != name.capitalize()}
"""How words of a name are written: ``rmse`` RMSE, ``ndcg`` nDCG, ``p`` p."""


def find(name: str) -> Quantity | None:
    """Return the quantity that a name means, None if it means none.

    Besides its own name a quantity has: its name and a heading, ``"rmse: By time"``; with the length of the lists,
    ``"ndcg@10"``; at either end of a longer name, ``"test_rmse"`` or ``"rmse_low"``; ``"n_users"`` is a count, and
    ``"rmse_interval"`` an interval.

    >>> find("test_rmse").heading, find("ndcg@10").heading, find("rmse: By time").heading
    ('Test RMSE', 'nDCG@10', 'By time')
    """
    if name in QUANTITIES:
        return QUANTITIES[name]
    first, colon, heading = name.partition(": ")
    if colon:
        found = find(first)
        return found and found._replace(heading=heading)
    first, at, length = name.partition("@")
    if at:
        found = find(first)
        return found and found._replace(heading=f"{found.heading}@{length}")
    if name.endswith("_interval"):
        return QUANTITIES["interval"]
    if name.startswith("n_"):
        return QUANTITIES["count"]._replace(heading=in_words(name.removeprefix("n_")))
    inside = [one for one in QUANTITIES if name.startswith(f"{one}_") or name.endswith(f"_{one}")]
    return QUANTITIES[max(inside, key=len)]._replace(heading=in_words(name)) if inside else None


def column(name: str) -> Quantity:
    """Return how a column of a table is shown; one that is no quantity has its name in words, and the values' own form."""
    return find(name) or Quantity(HEADINGS.get(name, in_words(name)))


def in_words(name: str) -> str:
    """Write a name such as ``cold_users`` as a heading; what isn't such a name stays as it is.

    >>> in_words("test_rmse"), in_words("Toy Story")
    ('Test RMSE', 'Toy Story')
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        return name
    first, *rest = (SPELT.get(word, word) for word in name.split("_"))
    return " ".join([first if first in SPELT.values() else first.capitalize(), *rest])


def as_text(value: Any, form: str = "") -> str:
    """Write a value as a reader sees it: missing ones as an en dash, truth values as yes or no, zero without a sign.

    `form`, for numbers, is such as ``"{:.4f}"``, or ``"duration"`` for seconds; without it floats get four digits.
    """
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–"
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if not pd.api.types.is_number(value):
        return str(value)
    if form == "duration":
        return duration(value)
    form = form or ("{:,}" if pd.api.types.is_integer(value) else "{:.4g}")
    text = form.format(value).replace("-", "−")
    return text if text.strip("+−0.%") else text.lstrip("+−")


def duration(seconds: Any) -> str:
    """Write seconds in words, such as ``"3.2 s"`` or ``"74 min 05 s"``; None as an en dash."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def interval_texts(frame: pd.DataFrame, quantity: str = "difference") -> list[str]:
    """Write the ends in columns ``low`` and ``high`` as text, such as "−0.0031 to +0.0012"; missing ones as an en dash."""
    return [interval_text(*ends, quantity) for ends in zip(frame["low"], frame["high"], strict=True)]


def p_texts(frame: pd.DataFrame) -> list[str]:
    """Write ``p_adjusted`` of `lib.statistics.significance.compare_models` as text: an upper bound where p is at its floor."""
    texts = [as_text(p, column("p_adjusted").format) for p in frame["p_adjusted"]]
    return [f"≤ {text}" if floor else text for text, floor in zip(texts, frame["at_floor"], strict=True)]


def interval_text(low: float, high: float, quantity: str = "difference") -> str:
    """Write an interval as text."""
    form = column(quantity).format
    return "–" if pd.isna(low) or pd.isna(high) else f"{as_text(low, form)} to {as_text(high, form)}"


def glossary() -> pd.DataFrame:
    """Return every quantity with its ``quantity`` (heading), ``unit`` and ``meaning``, in alphabetical order."""
    rows = pd.DataFrame([(q.heading, q.unit, q.meaning) for q in QUANTITIES.values()])
    rows.columns = ["quantity", "unit", "meaning"]
    return rows.sort_values("quantity", key=lambda names: names.str.lower(), ignore_index=True)
