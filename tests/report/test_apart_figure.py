"""Who can be told apart, or why that is not drawn."""

import matplotlib.pyplot as plt
import numpy as np

from lib.metrics.per_user import PerUser
from lib.report.charts.apart_figure import apart_figure
from lib.statistics.indistinguishable import standing

FAMILIES = {"a": "f", "b": "f", "c": "g"}


def test_the_numbers_name_the_bars_that_a_model_stands_beside():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=200)
    users = np.arange(200)
    samples = {
        "a": PerUser.mean("ndcg", users, 0.50 + 0.01 * noise),
        "b": PerUser.mean("ndcg", users, 0.50 + 0.01 * noise[::-1]),
        "c": PerUser.mean("ndcg", users, 0.10 + 0.01 * rng.normal(size=200)),
    }
    found = standing(samples, lower_is_better=False, n_flips=500, n_resamples=50)
    figure, numbers = apart_figure(found, "nDCG", FAMILIES, FAMILIES, most=1, why_not="", always="c")
    assert len(figure.axes[0].get_yticklabels()) == 3
    assert numbers.set_index("model")["groups"].to_dict() == {"a": "1", "b": "1", "c": ""}
    plt.close(figure)


def test_without_a_standing_it_says_why():
    figure, numbers = apart_figure(None, "x", {}, {}, most=3, why_not="all $1 the same.")
    assert [t.get_text() for t in figure.axes[0].texts] == ["all $1 the same."]
    assert numbers["note"].tolist() == ["all $1 the same."]
    plt.close(figure)
