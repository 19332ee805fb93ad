"""``--model module:Class``: a reader's own model takes the place of the example in the run ``your_model``."""

import inspect
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.data.errors import near_miss
from lib.runner.errors import NOTEBOOK_FAILED, OK, UsageError
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
    example, spec = plan.run(RUN), options.model or ""
    if options.only and tuple(options.only) != (RUN,):
        raise UsageError(f"--model executes the run {RUN} alone; leave --only out")
    cls, files = _load(spec)
    rest = tuple((key, text) for key, text in options.parameters if ":" in key)
    own = [(key, text) for key, text in options.parameters if ":" not in key]
    hyperparameters = json.dumps(_hyperparameters(spec, cls, own))
    given = ((f"{RUN}:model", spec), (f"{RUN}:parameters", hyperparameters))
    # A file's full path stays what it is beside the plan's folder.
    own_run = replace(example, files=(*example.files, *map(str, files)))
    runs = tuple(own_run if run is example else run for run in plan.runs)
    return replace(plan, runs=runs), replace(options, only=(RUN,), parameters=(*rest, *given))


def contract(spec: str | None, parameters: Iterable[tuple[str, str]] = ()) -> int:
    """Hold a class to the tests that every model must pass, print a line for each, and return 1 where one fails.

    Raises UsageError: no class was named, there is none of the name, it has no such parameter, or no test can be run.
    """
    if not spec:
        raise UsageError("--contract tests the class of --model: --model my_module:MyModel --contract")
    cls, _ = _load(spec)
    from lib.workbench.own_model.contract import contract_results, told

    given = _hyperparameters(spec, cls, parameters)
    try:
        results = contract_results(spec, given)
    except RuntimeError as error:
        raise UsageError(str(error)) from None
    print(told(results, spec, given))
    return NOTEBOOK_FAILED if (results["result"] == "failed").any() else OK


def _hyperparameters(spec: str, cls: type, parameters: Iterable[tuple[str, str]]) -> dict[str, Any]:
    takes, found = inspect.signature(cls).parameters, {}
    for name, text in parameters:
        if name not in takes:
            other = f"{near_miss(name, takes)}; a parameter of the notebook is written {RUN}:NAME"
            raise UsageError(f"-p {name}: {spec} takes {', '.join(takes) or 'no parameters'}{other}")
        hint = takes[name].annotation
        if hint is inspect.Parameter.empty:
            hint = ""
        hint = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
        one = Parameter(name, hint, takes[name].default)
        found[name] = one.taken(text, f"-p {name}: {spec}", as_text=True)
    return found


def _load(spec: str) -> tuple[type, list[Path]]:
    """Import the class, and return it with the files of the reader's own that this read."""
    from lib.workbench.own_model.loading import load_class, own_folders

    folders = own_folders()
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)  # the notebooks' processes look there too
    if folders[0] not in sys.path:
        sys.path.insert(0, folders[0])
    before = set(sys.modules)
    try:
        cls = load_class(spec)
    except Exception as error:  # what is wrong with the class, or whatever its module does on import
        known = isinstance(error, (ValueError, TypeError, ImportError, AttributeError))
        why = str(error) if known else f"importing it failed: {type(error).__name__}: {error}"
        raise UsageError(f"--model {spec}: {why}") from None
    names = (set(sys.modules) - before) | {cls.__module__}
    found = {Path(f).resolve() for name in names if (f := getattr(sys.modules.get(name), "__file__", None))}
    # The reader's own are neither installed nor of `lib`, which counts by itself.
    others = Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), ROOT / "lib"
    own = [f for f in found if f.suffix == ".py" and not any(f.is_relative_to(folder) for folder in others)]
    return cls, sorted(own)
