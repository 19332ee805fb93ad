"""A reader's own model: its class found by ``module:Class``, and held against what a model must have."""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.data.errors import near_miss
from lib.models.base import Recommender

EXAMPLES = ROOT / "notebooks"
"""Where the example lies; it is looked in last, so that a reader's file of the same name wins."""

CONTRACT = "tests/models/test_contract.py"

FIT, PREDICT = "_fit(self, train, validation)", "predict(self, users, items, times=None)"
"""The forms of a model's methods."""


def load_class(spec: str) -> type[Recommender]:
    """Import a model's class, such as ``"my_module:MyModel"``, and check that the project can use it.

    The module lies in the working folder, on ``PYTHONPATH`` or is installed, or is the notebooks' example. ValueError:
    `spec` is not a module and a class. ImportError: no such module where it was looked for, or something that it
    imports is missing. AttributeError: the module has no such name. TypeError: it is no class of a model, not derived
    from `Recommender`, a method missing, or hyperparameters that cannot be read from the constructor.
    """
    module_name, colon, name = str(spec).strip().partition(":")
    if not colon or not all(part.isidentifier() for part in (name, *module_name.split("."))):
        raise ValueError(f"a model is given as module:Class, such as my_module:MyModel for my_module.py; got {spec!r}")
    module = _import(module_name)
    found: Any = getattr(module, name, None)
    if found is None:
        own = [n for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == module.__name__]
        there = near_miss(name, own) or "; it defines no class"
        place = getattr(module, "__file__", None) or "a folder of modules, not a file"
        raise AttributeError(f"{module_name} ({place}) has no {name!r}{there}")
    if not isinstance(found, type):
        raise TypeError(f"{spec} is a {type(found).__name__}, not a class; name the class itself")
    if lack := _lack(found):
        raise TypeError(f"{spec}{lack}")
    return found


def _lack(found: Any) -> str:
    """Say what a class lacks to be a model's, and the fix; empty where it lacks nothing."""
    if not issubclass(found, Recommender):
        absent = [n for n in ("fit", "predict") if not callable(getattr(found, n, None))]
        lacks = f", and has no {' and no '.join(absent)}" if absent else ""
        return (
            f" is not derived from lib.models.base.Recommender{lacks}; write "
            f"`class {found.__name__}(Recommender):` with the methods `{FIT}` and `{PREDICT}`; the base class adds "
            "fit, score, saving and what the comparison asks"
        )
    if abstract := sorted(found.__abstractmethods__):
        forms = {"_fit": FIT, "predict": PREDICT}
        return f" lacks {' and '.join(forms.get(n, n) for n in abstract)}; write it"
    form = inspect.signature(found.predict)
    try:
        for given, named in (((0, 0), {}), ((0, 0, 0), {}), ((0, 0), {"times": 0})):
            form.bind(None, *given, **named)
    except TypeError:
        return (
            f": predict{form} can't be told the times of ratings; write `{PREDICT}`, and where the model knows "
            "no time hand them to `self._pairs(users, items, times)` and use them no further"
        )
    parameters = list(inspect.signature(found.__init__).parameters.values())[1:]
    for one in parameters:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            taken = str(one).partition(":")[0]
            return f": the constructor takes {taken}; name each hyperparameter, with a default, as they are read there"
        if one.kind is one.POSITIONAL_ONLY:
            return f": {one.name} is positional only; hyperparameters are given by name"
    if required := [one.name for one in parameters if one.default is one.empty]:
        written = f"def __init__(self, *, {', '.join(f'{name}=...' for name in required)})"
        return f": the constructor asks for {', '.join(required)}; give each a default: `{written}`"
    return ""


def contract_command(spec: str, parameters: Mapping[str, Any] | None = None) -> list[str]:
    """Return the command that runs the tests every model must pass on one class alone, with some hyperparameters."""
    command = [sys.executable, "-m", "pytest", CONTRACT, "--own-model", str(spec)]
    return [*command, "--own-model-parameters", json.dumps(dict(parameters))] if parameters else command


def _import(name: str) -> Any:
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    importlib.invalidate_caches()  # a file written a moment ago
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        absent = error.name or ""
        if name != absent and not name.startswith(f"{absent}."):
            raise ImportError(
                f"{name} imports {absent!r}, which was not found; install it into .venv, or mend the import"
            ) from error
        folders = ", ".join([*own_folders(), str(EXAMPLES)])
        raise ImportError(
            f"no module {name!r}; looked for {name.replace('.', '/')}.py in {folders}, and among what is installed. "
            "Type the command in the folder that holds it, or put that folder on PYTHONPATH"
        ) from None


def own_folders() -> list[str]:
    """Folders that a reader's file may lie in: the working folder, then those of ``PYTHONPATH``."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return list(dict.fromkeys([str(Path.cwd()), *given]))
