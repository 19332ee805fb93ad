"""``--model module:Class``: a reader's own model takes the place of the example in the run ``your_model``."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.data.near_miss import near_miss
from lib.runner.errors import OK, UsageError
from lib.runner.options import Options
from lib.runner.parameters import Parameter
from lib.runner.plan import Plan

RUN = "your_model"
"""Its parameters `model` and `parameters` are filled by `--model` and the model's own ``-p``."""


def with_model(plan: Plan, options: Options) -> tuple[Plan, Options]:
    """Return the plan and the options with which `RUN` fits the class of ``--model``.

    ``-p NAME`` is a hyperparameter, ``-p your_model:NAME`` a parameter of the notebook. The files that the class was imported
    from count for the cache. Raises UsageError: there is no such class, or a name or value that it does not take.
    """
    if RUN not in plan.ids:
        raise UsageError(f"--model needs a run {RUN!r}, which {plan.path.name} does not have")
    if options.only and tuple(options.only) != (RUN,):
        raise UsageError(f"--model executes the run {RUN} alone; leave --only out")
    cls, files = _load(options.model)
    rest = tuple((key, text) for key, text in options.parameters if ":" in key)
    own = [(key, text) for key, text in options.parameters if ":" not in key]
    hyperparameters = json.dumps(_hyperparameters(options.model, cls, own))
    given = ((f"{RUN}:model", options.model), (f"{RUN}:parameters", hyperparameters))
    # A file's full path stays what it is beside the plan's folder.
    runs = tuple(replace(r, files=(*r.files, *map(str, files))) if r.id == RUN else r for r in plan.runs)
    return replace(plan, runs=runs), replace(options, only=(RUN,), parameters=(*rest, *given))


def contract(spec: str | None, parameters: Iterable[tuple[str, str]] = ()) -> int:
    """Run the shared tests that every model must pass on a class under some hyperparameters, and return their exit code.

    Raises UsageError: no class was named, there is none of the name, or it has no such parameter.
    """
    if not spec:
        raise UsageError("--contract tests the class that --model names: --model my_module:MyModel --contract")  # fmt: skip
    cls, _ = _load(spec)
    from lib.workbench.own_model.loading import contract_command

    command = contract_command(spec, _hyperparameters(spec, cls, parameters))
    return subprocess.run(command, cwd=ROOT, check=False).returncode or OK


def _hyperparameters(spec: str, cls: type, parameters: Iterable[tuple[str, str]]) -> dict[str, Any]:
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    takes = {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind in kinds}
    found: dict[str, Any] = {}
    for name, text in parameters:
        if name not in takes:
            raise UsageError(
                f"-p {name}: {spec} takes {', '.join(takes) or 'no parameters'}{near_miss(name, takes)}; "
                f"a parameter of the notebook is written {RUN}:NAME"
            )
        found[name] = _hyperparameter(takes[name]).taken(text, f"-p {name}: {spec}", as_text=True)
    return found


def _hyperparameter(parameter: inspect.Parameter) -> Parameter:
    """Return a constructor's parameter as one of a notebook."""
    hint, default = parameter.annotation, parameter.default
    if hint is parameter.empty:
        hint = ""
    text = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    return Parameter(parameter.name, text, None if default is parameter.empty else default)


def _load(spec: str) -> tuple[type, list[Path]]:
    """Import the class, and return it with the files of the reader's own that this read."""
    here = str(Path.cwd())
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))  # the notebooks' processes look there too  # fmt: skip
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    from lib.workbench.own_model.loading import load_class

    before = set(sys.modules)
    try:
        cls = load_class(spec)
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        raise UsageError(f"--model {spec}: {error}") from None
    except Exception as error:  # whatever the reader's own module does on import
        raise UsageError(f"--model {spec}: importing it failed: {type(error).__name__}: {error}") from None
    names = (set(sys.modules) - before) | {cls.__module__}
    found = {Path(f).resolve() for name in names if (f := getattr(sys.modules.get(name), "__file__", None))}
    # The reader's own are neither installed nor of `lib`, which counts by itself.
    others = Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), ROOT / "lib"
    own = [f for f in found if f.suffix == ".py" and not any(f.is_relative_to(folder) for folder in others)]
    return cls, sorted(own)
