import pytest

from lib.runner.dependencies import Dependencies
from lib.runner.notebook import read_notebook
from tests.toy_report import ToyReport

FILES = {
    "__init__.py": "ROOT = 1\n",
    "alone.py": "X = 1\n",
    "deep.py": '"""Docs."""\n\ndef f():\n    """Say."""\n    from lib import deeper\n    return deeper\n',
    "deeper.py": "from . import alone\n",
    "lazy.py": "from importlib import import_module\nM = import_module('lib.alone')\n",
    "listing.py": "from lib.models import REGISTRY, create\nALL = [create(name) for name in REGISTRY]\n",
    "reference.py": "from lib.models import create\nNAMES = {'bias'}\nMODEL = create('svd', seed=1)\n",
    "colours.py": "from lib.models import REGISTRY\nCOLOURS = dict.fromkeys(REGISTRY, 'red')\n",
    "models/__init__.py": 'REGISTRY: dict = {"svd": "lib.models.svd:SVD", "bias": "lib.models.bias:Bias"}\n'
    'LABELS = {"svd": "SVD", "bias": "Bias"}\n\ndef create(name):\n    return name\n',
    "models/base.py": "",
    "models/svd.py": "from lib.models.base import *\n",
    "models/bias.py": "from lib import alone\n",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    toy = ToyReport(tmp_path / "toy")

    def used(code, **options):
        return Dependencies(tmp_path).used(read_notebook(toy.notebook("a", code)), **options)

    used.root = tmp_path / "lib"
    return used


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import numpy", set()),
        ("import lib.alone", {"lib", "lib.alone"}),
        ("from lib import deep", {"lib", "lib.deep", "lib.deeper", "lib.alone"}),
        ("from lib.lazy import M", {"lib", "lib.lazy", "lib.alone"}),
        ("from lib.models import create\ncreate('svd')",
         {"lib", "lib.models", "lib.models.svd", "lib.models.base"}),
        ("from lib.models import create", {"lib", "lib.models"}),
        ("import lib.reference", {"lib", "lib.reference", "lib.models", "lib.models.svd", "lib.models.base"}),
        ("import lib.colours", {"lib", "lib.colours", "lib.models"}),
        ("from lib import models\nmodels.REGISTRY",
         {"lib", "lib.models", "lib.models.svd", "lib.models.base", "lib.models.bias", "lib.alone"}),
        ("import lib.listing",
         {"lib", "lib.listing", "lib.models", "lib.models.svd", "lib.models.base", "lib.models.bias", "lib.alone"}),
    ],
)  # fmt: skip
def test_modules_are_found_through_imports_and_registered_names(tree, code, modules):
    assert set(tree(code)) == modules


def test_names_in_parameters_and_modules_of_the_plan_count(tree):
    assert "lib.models.bias" in tree("from lib.models import create", parameters={"models": ["bias"]})
    assert "lib.models.bias" not in tree("from lib.models import create", parameters={"models": ["svd"]})
    assert "lib.alone" in tree("1", extra=["lib.alone"])


def test_a_hash_follows_code_not_comments_and_docstrings(tree):
    before = tree("from lib import deep")
    path = tree.root / "deep.py"
    path.write_text(
        path.read_text().replace("Say.", "Say it.").replace("return deeper", "return deeper  # so")
    )
    assert tree("from lib import deep") == before
    path.write_text(path.read_text().replace("return deeper", "return [deeper]"))
    after = tree("from lib import deep")
    assert [name for name in before if before[name] != after[name]] == ["lib.deep"]


def test_a_new_model_leaves_the_runs_of_the_others_alone(tree):
    code = "from lib.models import create\ncreate('svd')"
    before = tree(code)
    path = tree.root / "models" / "__init__.py"
    text = path.read_text()
    path.write_text(text.replace('{"svd"', '{"new": "lib.models.new:New", "svd"').replace('"svd": "SVD"', '"svd": "SVD", "new": "N"'))  # fmt: skip
    assert tree(code) == before
    path.write_text(text.replace('"svd": "SVD"', '"svd": "The SVD"'))
    assert tree(code) != before
    path.write_text(text.replace("return name", "return name + ''"))
    assert tree(code) != before


def test_the_projects_own_registry_is_read():
    from lib.models import REGISTRY

    found = Dependencies()
    assert found.registry == REGISTRY
    assert {"lib.results", "lib.display", "lib.provenance"} <= found.closure({"lib.results"})
