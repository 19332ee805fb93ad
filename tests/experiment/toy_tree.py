"""A small package whose models, kernels and studies reach each other in every way that code does."""

import os

from lib.experiment.definitions import Definitions

FILES = {
    "__init__.py": "PLACE = 1\n",
    "models/__init__.py": """
from lib.models.base import Base
def create(name):
    return Base()
def cards():
    return {}
""",
    "models/base.py": '''
"""The contract."""
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from numba import njit
import numpy as np
if TYPE_CHECKING:
    from lib.data import Data

class NotFitted(RuntimeError):
    pass

class Base(ABC):
    card = {"colour": "red"}
    kind = "model"
    def fit(self, train: "Data") -> "Base":
        """Learn."""
        if train is None:
            raise NotFitted(f"{words(self)}: fit first")
        assert train, "no ratings"
        self._fit(train)
        return self
    @abstractmethod
    def _fit(self, train): ...
    @abstractmethod
    def predict(self, users): ...
    @property
    def size(self):
        return 1
    def save(self, path):
        return np.save(path, self.size)

def words(value):
    return str(value)
''',
    "models/svd.py": '''
from lib.models.base import Base
from lib.kernels import RATE, descend as go, penalty
from .. import stopping

class SVD(Base):
    """A model."""
    card = Card("svd", "SVD", "latent factors", "", colour="blue")
    def __init__(self, *, rank: int = 10):
        self.rank = rank  # of the factors
    def _fit(self, train):
        from lib.late import prepare
        go(prepare(train), RATE, loss=lambda e: penalty(e))
        self.stop = stopping.Stopping()
        while not self.stop.done(train):
            pass
    def predict(self, users):
        return getattr(self, "_answer")(users)
    def _answer(self, users):
        return [helper for helper in users]
    def explain(self, user):
        return unused(user)

def unused(value):
    return value

def helper(value):
    return value
''',
    "models/bias.py": "from lib.models.base import Base\nclass Bias(Base):\n    card = Card('bias', 'Bias', '', '')\n\n    def predict(self, users):\n        return 0\n",
    "kernels.py": """
from numba import njit
FAST = {"reassoc"}
RATE: float = 0.1
TABLE = {}
TABLE["a"] = 1

@njit(cache=True, fastmath=FAST)
def descend(data, rate, loss):
    return loss(data) * rate

def penalty(error: float, power=2) -> float:
    return error ** power + TABLE["a"]

def other():
    return penalty(1)
""",
    "stopping.py": """
class Stopping:
    patience = 3
    def done(self, train):
        return check(self)
    def __len__(self):
        return 1
def check(stopping):
    return stopping.patience > other(stopping)
def other(stopping):
    return 0 if stopping else check(stopping)
""",
    "late.py": "def prepare(train):\n    return train\n",
    "metrics/__init__.py": "from lib.metrics.rating import rmse, mae as error\nNAMES = ['rmse']\n",
    "metrics/rating.py": "from numpy.linalg import norm\ndef rmse(a):\n    return norm(a)\ndef mae(a):\n    return a\n",
    "data.py": "class Data:\n    def users(self):\n        return 1\n",
    "studies.py": """
import lib.metrics.rating
from lib import metrics, kernels as k
from lib.models import cards, create, svd
from lib.cards import CARD
import logging
logging.disable()
NAME = "bias"
class Watching(logging.Handler):
    def emit(self, record):
        return k.other()
def measure(parts):
    return create("svd").fit(parts), CARD
def by_name(parts):
    return create(NAME).predict(parts)
def every(parts):
    return [card.label for card in cards().values()]
def through_modules(a):
    return lib.metrics.rating.rmse(a), metrics.error(a), svd.helper(a)
""",
    "cards.py": "CARD = {'label': 'SVD'}\n",
}
SVD = "lib.models.svd:SVD"


class Tree:
    def __init__(self, root):
        self.root, self.definitions, self.writes = root, Definitions(root), 0
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.writes += 1  # faster than a clock of files ticks
        os.utime(path, ns=(self.writes, self.writes))

    def edit(self, name, old, new):
        text = (self.root / "lib" / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def digest(self, *roots, **options):
        return self.definitions.digest(roots or [SVD], **options)

    def names(self, *roots, **options):
        return {name.removeprefix("lib.") for name in self.definitions.reached(roots or [SVD], **options)}
