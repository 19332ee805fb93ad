"""Which modules of lib a notebook's results depend on, found by reading the code instead of importing it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.runner.notebook import Notebook, parse

REGISTRY_MODULE = "lib.models"
REGISTRY_TABLES = ("REGISTRY", "LABELS")
"""Tables that grow by a line with each new model; only the lines of the models that a notebook uses count."""


MAKERS = ("create", "model_class", "evaluate")
"""Functions that turn a model's name into a model."""


class Dependencies:
    """The modules of one source tree, each read once.

    Models load by name from a registry, which no import statement shows: a model counts where its name stands
    as a text in the notebook's code or in a parameter's value. All of them count where the notebook mentions the
    registry itself. A module of the package counts the models that it makes: those whose names it gives to a
    function of `MAKERS`, or all of them if it also mentions the registry.

    Parameters
    ----------
    root : Path
        The folder that holds the package.
    package : str
        The package whose modules count.
    """

    def __init__(self, root: Path = ROOT, package: str = "lib"):
        self.root, self.package = root, package
        self._trees: dict[str, ast.Module | None] = {}
        self._imports: dict[str, frozenset[str]] = {}
        self.registry = self._read_registry()

    def used(
        self,
        notebook: Notebook,
        *,
        extra: Iterable[str] = (),
        parameters: Any = None,
        upstream: Iterable[Notebook] = (),
    ) -> dict[str, str]:
        """Return the hash of each module that a notebook uses, directly or not, by module name.

        Parameters
        ----------
        notebook : Notebook
            Its code cells are read.
        extra : iterable of str
            Modules that count besides.
        parameters : object
            Resolved parameter values, searched for models' names.
        upstream : iterable of Notebook
            Notebooks whose results it reads: the labels of their models count too.
        """
        trees = [tree for cell in notebook.code if (tree := parse(cell.source)) is not None]
        texts = {text for tree in trees for text in _texts(tree)} | set(_strings(parameters))
        start = {name for tree in trees for name in self._imported(tree, package="")}
        start |= {name for name in extra if self.file(name)}
        everything = self.closure(start)
        models = texts & set(self.registry)
        if any("REGISTRY" in _names(tree) for tree in trees):
            models = set(self.registry)
        while True:
            made = {model for name in everything if name != REGISTRY_MODULE for model in self._made_by(name)}
            models |= made
            grown = everything | self.closure({self.registry[name].partition(":")[0] for name in models})
            if grown == everything:
                break
            everything = grown
        shown = set(models)
        for other in upstream:
            trees = [tree for cell in other.code if (tree := parse(cell.source)) is not None]
            shown |= {text for tree in trees for text in _texts(tree)}
        return {name: self._hash(name, models, shown) for name in sorted(everything)}

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return modules and all that they import, with the packages that hold them."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found or self.file(name) is None:
                continue
            found.add(name)
            if "." in name:
                waiting.append(name.rpartition(".")[0])
            waiting.extend(self.imports(name))
        return found

    def imports(self, name: str) -> frozenset[str]:
        """Return the modules of the package that a module imports, anywhere in its code."""
        if name not in self._imports:
            file, tree = self.file(name), self._tree(name)
            package = name if file is not None and file.name == "__init__.py" else name.rpartition(".")[0]
            self._imports[name] = frozenset(self._imported(tree, package) if tree is not None else ())
        return self._imports[name]

    def file(self, name: str) -> Path | None:
        """Return the file of a module, or None where the package has no such module."""
        if name != self.package and not name.startswith(self.package + "."):
            return None
        base = self.root.joinpath(*name.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
        return None

    def _imported(self, tree: ast.Module, package: str) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parts, base] if base else parts)
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
            elif (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).endswith("import_module")
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                yield str(node.args[0].value)

    def _tree(self, name: str) -> ast.Module | None:
        if name not in self._trees:
            file = self.file(name)
            self._trees[name] = parse(file.read_text(encoding="utf-8")) if file is not None else None
        return self._trees[name]

    def _made_by(self, name: str) -> set[str]:
        """Return the models that a module makes by name; merely to mention names depends on none."""
        tree = self._tree(name)
        names = _names(tree)
        if names.isdisjoint(MAKERS):
            return set()
        if "REGISTRY" in names:
            return set(self.registry)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        makers = [call for call in calls if ast.unparse(call.func).rpartition(".")[2] in MAKERS]
        return {text for call in makers for argument in call.args for text in _texts(argument)} & set(
            self.registry
        )

    def _read_registry(self) -> dict[str, str]:
        tree = self._tree(REGISTRY_MODULE)
        for statement in tree.body if tree is not None else ():
            if "REGISTRY" in _targets(statement) and isinstance(statement.value, ast.Dict):
                return ast.literal_eval(statement.value)
        return {}

    def _hash(self, name: str, models: set[str], shown: set[str]) -> str:
        file, tree = self.file(name), self._tree(name)
        if tree is None:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        if name == REGISTRY_MODULE and self.registry:
            return _hash_text(_dump_registry(tree, {"REGISTRY": models, "LABELS": shown | models}))
        return _hash_module(file, file.stat().st_mtime_ns)


@cache
def _hash_module(file: Path, _changed: int) -> str:
    return _hash_text(_dump(ast.parse(file.read_text(encoding="utf-8"))))


def _dump(tree: ast.Module) -> str:
    """Write a module down without comments, layout and docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [statement for statement in body if not _is_text(statement)]
    return ast.dump(tree)


def _dump_registry(tree: ast.Module, kept: dict[str, set[str]]) -> str:
    lines = []
    for statement in tree.body:
        tables = [name for name in _targets(statement) if name in REGISTRY_TABLES]
        if tables and isinstance(statement.value, ast.Dict):
            entries = ast.literal_eval(statement.value)
            lines.append(repr((tables, sorted(i for i in entries.items() if i[0] in kept[tables[0]]))))
        elif not _is_text(statement):
            lines.append(_dump(ast.Module([statement], [])))
    return "\n".join(lines)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _names(tree: ast.Module | None) -> set[str]:
    """Return the identifiers that code mentions."""
    nodes = list(ast.walk(tree)) if tree is not None else []
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    found |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return found | {node.name for node in nodes if isinstance(node, ast.alias)}


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_strings(key), *_strings(inner))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _strings(inner)


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
