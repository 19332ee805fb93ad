"""The models, a folder a family, known by the names on their cards; a module loads when its model is first asked for.

It imports `lib.data` and `lib.metrics`.
"""

from collections.abc import Iterable
from importlib import import_module

from lib.data.errors import near_miss
from lib.models.base import Recommender
from lib.models.card import Card, read_cards


def cards() -> dict[str, Card]:
    """Return the cards of all registered models by name: of every class below this folder that carries one."""
    return read_cards(tuple(__path__), __name__)


def card_of(name: str) -> Card | None:
    """Return a model's card by its name; a variant such as ``svd_tuned`` has its model's, and what is neither has none."""
    known = cards()
    models = [model for model in known if name == model or name.startswith(f"{model}_")]
    return known[max(models, key=len)] if models else None


def card_of_class(cls: type[Recommender]) -> Card:
    """Return the card that a class carries itself, as an inherited one is another model's; else what is known without."""
    starts = "seed" in cls.parameter_names()
    bare = Card(cls.__name__, cls.__name__, "your model", "", project="own", starts=starts)
    return vars(cls).get("card", bare)


def label(name: str) -> str:
    """Return what a reader sees for a model's name; a variant is named after its model."""
    card = card_of(name)
    if card is None:
        return name
    variant = name.removeprefix(card.name).replace("_", " ")
    return f"{card.label},{variant}" if variant else card.label


def place_of(name: str) -> str:
    """Return where a model's class stands, ``module:Class``, by its name or these words; KeyError names the nearest."""
    known = cards()
    if name not in known and ":" not in name:
        raise KeyError(f"no model is called {name!r}{near_miss(name, known)}")
    return known[name].place if name in known else name


def model_class(name: str) -> type[Recommender]:
    """Return a model's class; the name, and the error for an unknown one, as in `place_of`."""
    module, _, attribute = place_of(name).partition(":")
    return getattr(import_module(module), attribute)


def create(name: str, **parameters) -> Recommender:
    """Make an unfitted model by its registered name; an unknown parameter is an error that names the near miss."""
    cls = model_class(name)
    check_parameters(cls, parameters)
    return cls(**parameters)


def check_parameters(cls: type[Recommender], parameters: Iterable[str]) -> None:
    """Raise a TypeError that names the near miss where a class has no such hyperparameter."""
    known = cls.parameter_names()
    for name in parameters:
        if name not in known:
            raise TypeError(f"{cls.__name__} has no hyperparameter {name!r}{near_miss(name, known) or '; it has none'}")
