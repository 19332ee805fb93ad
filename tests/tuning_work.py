"""Objectives for searches in processes: they live in a module, so that a process can import them."""

from __future__ import annotations

import time


def bowl(context, *, parameters, fold):
    """Lowest at x = 0.3, n = 7, kind = b; folds differ a little."""
    x, n = parameters["x"], parameters["n"]
    if context.get("log"):
        with open(context["log"], "a") as file:
            file.write(f"{fold}\n")
    return {
        "score": (x - 0.3) ** 2 + 0.01 * (n - 7) ** 2 + (parameters["kind"] == "a") + 0.01 * fold,
        "n_iterations": n,
    }


def slow_bowl(context, *, parameters, fold):
    """The same, slowly: for killing it in the middle."""
    time.sleep(0.02)
    return bowl(context, parameters=parameters, fold=fold)


def diverging(context, *, parameters, fold):
    """Diverges where x is large."""
    if parameters["x"] > 0.6:
        raise FloatingPointError("too large")
    return {"score": parameters["x"] if parameters["x"] < 0.5 else float("nan")}


def broken(context, *, parameters, fold):
    """Has a mistake."""
    raise KeyError("no such thing")
