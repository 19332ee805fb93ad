"""Jobs for the grid's tests, in a module of their own so that other processes can import them."""

from __future__ import annotations

import os
import time

import numpy as np


def multiply(context, *, factor, folder=""):
    """Leave a trace of having been done, and return numbers, words, an array and who did it."""
    if folder:
        with open(os.path.join(folder, f"{factor}"), "a", encoding="utf-8") as file:
            file.write("x")
    return {
        "product": context["base"] * factor, "array": np.arange(factor), "process": os.getpid(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""), "nothing": np.nan,
    }  # fmt: skip


def fail_at_three(context, *, factor):
    """Fail once, when other jobs have long been done: of two that end in the same instant the failed one may count first."""
    if factor == 3:
        time.sleep(1)
        raise ZeroDivisionError("three is too much")
    return {"product": context["base"] * factor}


def die(context, *, factor):
    """End the process, as the system does to one that takes too much memory."""
    os._exit(9)


def wait(context, *, factor):
    """Take long, except for the first job."""
    time.sleep(0 if factor == 0 else 60)
    return {"pid": os.getpid()}
