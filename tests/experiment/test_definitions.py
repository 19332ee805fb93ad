import shutil

import pytest

from lib import ROOT
from lib.experiment.definitions import Definitions
from lib.models import place_of
from tests.experiment.toy_tree import FILES, SVD, Tree


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_a_model_reaches_what_fitting_and_predicting_runs_and_no_more(tree):
    expected = """
        models.svd:SVD models.svd:SVD.__init__ models.svd:SVD._fit models.svd:SVD.predict models.svd:SVD._answer
        models.base:Base models.base:Base.fit models.base:Base._fit models.base:Base.predict models.base:NotFitted
        kernels:descend kernels:FAST kernels:RATE kernels:penalty kernels:TABLE
        stopping:Stopping stopping:Stopping.done stopping:Stopping.__len__ stopping:check stopping:other
        late:prepare
    """
    assert tree.names() == set(expected.split())


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/svd.py", '"""A model."""', '"""Another word."""'),
        ("models/svd.py", '    """A model."""\n', ""),
        ("models/svd.py", "# of the factors", "# how many"),
        ("models/svd.py", "rank: int = 10", "rank = 10"),
        ("kernels.py", "RATE: float = 0.1", "RATE = 0.1"),
        ("kernels.py", "error: float, power=2) -> float:", "error, power: int = 2):"),
        ("models/svd.py", '"blue"', '"green"'),
        ("models/base.py", "{words(self)}: fit first", "not fitted"),
        ("models/base.py", 'raise NotFitted(f"{words(self)}: fit first")', "raise NotFitted from None"),
        ("models/base.py", '"no ratings"', '"nothing to learn from"'),
        ("models/base.py", "return str(value)", "return repr(value)"),
        ("models/base.py", "import Data", "import Data as Ratings"),
        ("models/svd.py", "return unused(user)", "return [unused(user)]"),
        ("models/svd.py", "def helper(value):\n    return value", "def helper(value):\n    return None"),
        ("models/base.py", "return np.save(path, self.size)", "return None"),
        ("models/base.py", "return 1", "return 2"),
        ("kernels.py", "return penalty(1)", "return penalty(2)"),
        ("kernels.py", "(data, rate, loss):", "(data, rate,\n        loss,\n):"),
        ("models/svd.py", "import RATE, descend as go, penalty", "import penalty, descend as go, RATE"),
        ("models/bias.py", "'Bias'", "'Another'"),
        ("models/__init__.py", "return Base()", "return None"),
        ("data.py", "return 1", "return 2"),
        ("late.py", "def prepare", "if __name__ == '__main__':\n    print(1)\n\n\ndef prepare"),
    ],
)
def test_what_changes_no_result_leaves_the_digest(tree, file, old, new):
    before = tree.digest()
    tree.edit(file, old, new)
    assert tree.digest() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("kernels.py", "loss(data) * rate", "loss(data) + rate"),
        ("kernels.py", "error ** power", "abs(error)"),
        ("kernels.py", "power=2", "power=3"),
        ("kernels.py", "cache=True", "cache=True, parallel=True"),
        ("kernels.py", '{"reassoc"}', '{"contract"}'),
        ("kernels.py", "RATE: float = 0.1", "RATE: float = 0.2"),
        ("kernels.py", 'TABLE["a"] = 1', 'TABLE["a"] = 2'),
        ("models/svd.py", "rank: int = 10", "rank: int = 20"),
        ("models/svd.py", "class SVD(Base)", "class SVD(Base, dict)"),
        (
            "models/svd.py",
            "return [helper for helper in users]",
            "return [helper for helper in helper(users)]",
        ),
        ("models/svd.py", "return [helper for helper in users]", "return [helper(user) for user in users]"),
        ("models/svd.py", "penalty(e)", "e"),
        ("models/base.py", 'kind = "model"', 'kind = "other"'),
        ("models/base.py", "self._fit(train)", "self._fit([train])"),
        ("models/base.py", "raise NotFitted(", "raise KeyError("),
        ("models/base.py", "NotFitted(RuntimeError)", "NotFitted(ValueError)"),
        ("stopping.py", "patience = 3", "patience = 5"),
        ("stopping.py", "> other", ">= other"),
        ("stopping.py", "return 0 if", "return 1 if"),
        ("late.py", "return train", "return train[1:]"),
        ("late.py", "def prepare", "import os\nos.environ['A'] = '1'\ndef prepare"),
        ("late.py", "def prepare", "import os\nfor name in 'ab':\n    os.putenv(name, '1')\ndef prepare"),
        ("late.py", "def prepare", "if 1 > 0:\n  def prepare(x):\n    return 2\ndef prepare"),
        ("kernels.py", "from numba import njit", "from numba.cuda import jit as njit"),
    ],
)
def test_what_changes_a_result_changes_the_digest(tree, file, old, new):
    before = tree.digest()
    tree.edit(file, old, new)
    assert tree.digest() != before


def test_moved_definitions_are_the_same(tree):
    before = tree.digest()
    text = FILES["kernels.py"]
    tree.write("deep/__init__.py", "from lib.deep.constants import *\n")
    tree.write("deep/constants.py", text.partition("@njit")[0])
    tree.write(
        "deep/engine.py",
        "from numba import njit\nfrom . import FAST, TABLE\n@njit" + text.partition("@njit")[2],
    )
    tree.write("kernels.py", "from lib.deep.engine import *\nfrom lib.deep import RATE\n")
    assert tree.digest() == before
    tree.write("svd.py", FILES["models/svd.py"].replace("from .. import", "from . import"))
    assert tree.digest("lib.svd:SVD") == before


def test_a_name_that_comes_to_mean_another_definition_counts(tree):
    roots = ["lib.studies:through_modules", "lib.metrics.rating:rmse", "lib.metrics.rating:mae"]
    before = tree.digest(*roots)
    tree.edit("metrics/__init__.py", "rmse, mae as error", "mae, rmse as error")
    assert tree.digest(*roots) != before


def test_names_are_found_through_modules_and_packages_that_pass_them_on(tree):
    found = {
        "studies:through_modules",
        "metrics.rating:rmse",
        "metrics.rating:mae",
        "models.svd:helper",
        "studies:on import",
    }
    assert tree.names("lib.studies:through_modules") == found
    assert tree.names("lib.metrics:error") == {"metrics.rating:mae"}


def test_models_made_by_name_count_and_on_request_those_that_are_only_named(tree):
    assert "models.svd:SVD._fit" in tree.names("lib.studies:measure")
    assert "models.base:Base.save" not in tree.names("lib.studies:measure")
    assert not any("bias" in name for name in tree.names("lib.studies:by_name"))
    assert "models.bias:Bias.predict" in tree.names("lib.studies:by_name", words=True)


def test_all_models_count_on_request_where_all_cards_are_asked_for(tree):
    assert not any("bias" in name for name in tree.names("lib.studies:every"))
    found = tree.names("lib.studies:every", words=True)
    assert {"models.bias:Bias", "models.bias:Bias.card", "models.svd:SVD.card"} <= found
    assert "lib.models.bias:Bias" in tree.definitions.roots_of(["from lib.models import cards\ncards()"], texts=True)


def test_cards_count_on_request(tree):
    assert "cards:CARD" not in tree.names("lib.studies:measure")
    assert {"cards:CARD", "models.svd:SVD.card"} <= tree.names("lib.studies:measure", words=True)


def test_methods_that_code_from_elsewhere_may_call_count(tree):
    assert {"studies:Watching.emit", "kernels:other"} <= tree.names("lib.studies:Watching")


def test_attributes_that_are_used_elsewhere_can_be_roots(tree):
    assert "models.base:Base.save" in tree.names(SVD, ".save")
    assert "models.base:Base.size" in tree.names(SVD, ".save")


def test_a_module_of_the_users_own_counts_with_what_it_takes_from_the_package(tree, monkeypatch):
    (tree.root / "elsewhere").mkdir()
    monkeypatch.chdir(tree.root / "elsewhere")
    text = "from lib.models.svd import SVD\nMORE = 2\nclass Mine(SVD):\n    def predict(self, users):\n        return MORE\n"
    (tree.root / "elsewhere" / "my_own_module.py").write_text(text)
    found = tree.names("my_own_module:Mine")
    assert {"my_own_module:Mine", "my_own_module:MORE", "models.svd:SVD._fit", "kernels:descend"} <= found
    assert all(not name.startswith("my_own") for name in tree.names())


def test_what_a_module_of_the_users_own_takes_from_files_beside_it_counts(tree, monkeypatch, tmp_path_factory):
    folder, far = tree.root / "elsewhere", tmp_path_factory.mktemp("far")
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(far)
    (far / "my_far_module.py").write_text("SIZE = 1\n")
    (folder / "my_helper.py").write_text("SIZE = 1\nOTHER = 1\n")
    text = "import my_far_module, my_helper\nclass Mine:\n    def predict(self):\n        return my_helper.SIZE + my_far_module.SIZE\n"  # fmt: skip
    (folder / "my_own_module.py").write_text(text)
    assert tree.names("my_own_module:Mine") == {
        "my_own_module:Mine",
        "my_own_module:Mine.predict",
        "my_helper:SIZE",
    }


@pytest.mark.parametrize(
    "root",
    [
        "lib.models.svd:SVDD",
        "lib.nothing:f",
        "nowhere_at_all:f",
        "lib.studies:logging",
        "lib.late",
        "lib:PLACE",
    ],
)
def test_an_unknown_root_is_named(tree, root):
    with pytest.raises(KeyError, match=root):
        tree.digest(root)


def test_a_file_that_is_not_python_is_named(tree):
    tree.write("late.py", "def prepare(:\n")
    with pytest.raises(SyntaxError, match=r"late\.py"):
        tree.digest()


def test_modules_that_import_each_other_end(tree):
    tree.write("first.py", "from lib.second import g, x\ndef f():\n    return g() + x\n")
    tree.write("second.py", "from lib.first import f, x\ndef g():\n    return f()\n")
    assert tree.names("lib.first:f") == {"first:f", "second:g"}


CELLS = [
    "%matplotlib inline\nimport numpy as np\nfrom lib import metrics\nimport lib.studies as s\n!ls",
    "%%bash\nls -l | wc",
    "from lib.late import prepare\nfrom lib.models.svd import SVD\nfrom lib.models import create\n",
    "np.load(s.measure(metrics.error(1)).table.size)\nfiles = !ls\nmodel = create('svd')\nmodel.explain(1)",
]


def test_roots_of_a_notebook_are_what_its_cells_use(tree):
    roots = {SVD, "lib.studies:measure", "lib.metrics.rating:mae", ".table", ".size", ".explain"}
    assert tree.definitions.roots_of(CELLS) == roots
    assert tree.definitions.roots_of(["prepare(1)", CELLS[2], "a = 'bias'"]) == {"lib.late:prepare"}
    assert tree.definitions.roots_of(["a = 'bias'"], texts=True) == {"lib.models.bias:Bias"}
    assert tree.definitions.roots_of([], values={"a": ["bias", 1]}) == {"lib.models.bias:Bias"}
    assert {"models.svd:SVD.explain", "models.svd:unused"} <= tree.names(*tree.definitions.roots_of(CELLS))


# -- the project itself --------------------------------------------------------------------------------------------
@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__", "static"))
    definitions, root = Definitions(tmp_path), place_of("svdpp")
    modules = {name.partition(":")[2]: name.partition(":")[0] for name in definitions.reached([root])}

    def after(definition, old, new):
        path = tmp_path.joinpath(*modules[definition].split(".")).with_suffix(".py")
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return definitions.digest([root])

    after.modules, after.root, after.digest = modules, tmp_path, lambda: definitions.digest([root])
    return after


def test_words_about_a_real_model_leave_its_digest(copy):
    before = copy.digest()
    assert copy("SVDpp", "Matrix factorisation that also learns", "A model that learns") == before
    assert copy("SVDpp", "n_factors: int = 50", "n_factors = 50") == before
    assert copy("SVDpp", '"SVD++"', '"Plus plus"') == before
    assert copy("KorenModel._check", "{name} must {must}; got", "{name} has to {must}, not") == before
    [path] = copy.root.rglob("archives.py")
    path.write_text("raise SystemExit\n")
    assert copy.digest() == before


def test_the_kernel_and_the_stopping_of_a_real_model_change_its_digest(copy):
    before = copy.digest()
    first = copy("visit_users", "total += error * error", "total += abs(error)")
    second = copy("EarlyStopping.record", "error < self._least", "error <= self._least")
    third = copy("SVDpp.__init__", "n_factors: int = 50", "n_factors: int = 60")
    assert len({before, first, second, third}) == 4


def test_a_real_model_reaches_its_training_but_neither_data_sets_nor_reports(copy):
    assert {"visit_users", "Recommender.fit", "KorenModel.predict", "shuffle"} <= set(copy.modules)
    assert not {"Recommender.save", "Recommender.score", "SVDpp.card"} & set(copy.modules)
    rooms = {module.split(".")[1] for module in copy.modules.values()}
    assert not rooms & {"datasets", "report", "runner", "claims", "explorer"}
