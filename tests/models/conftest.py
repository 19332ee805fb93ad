"""The contract held to one class of a reader's own: ``--own-model my_module:MyModel``; see `lib.workbench.own_model.loading`."""

import json

import pytest

OPTION, PARAMETERS = "--own-model", "--own-model-parameters"


def pytest_addoption(parser):
    group = parser.getgroup("own model")
    group.addoption(OPTION, metavar="MODULE:CLASS", help="run the contract on this class alone")
    group.addoption(PARAMETERS, metavar="JSON", default="{}", help="its hyperparameters")


def pytest_configure(config):
    spec = config.getoption(OPTION, default=None)
    if spec is None:
        return
    from lib.models import check_parameters
    from lib.workbench.own_model.loading import load_class

    try:
        cls = load_class(spec)
        parameters = json.loads(config.getoption(PARAMETERS))
        check_parameters(cls, parameters)
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        raise pytest.UsageError(f"{OPTION} {spec}: {error}") from None
    config.stash[OWN] = spec, parameters


OWN = pytest.StashKey[tuple[str, dict]]()


def pytest_collection_modifyitems(config, items):
    if OWN not in config.stash:
        return
    name, parameters = config.stash[OWN]
    kept = [item for item in items if getattr(item, "callspec", None) and name in item.callspec.params.values()]
    for item in kept:
        item.module.GIVEN[name] = parameters
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
