"""One source file: the definitions that it holds, what counts of each, and what each mentions."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

CARDS = frozenset({"card", "CARD", "loaded_first"})  # attributes and constants that no result depends on, as colours
MAKERS = frozenset({"create", "model_class", "evaluate", "fit_model"})  # their first argument is a model's name
ON_IMPORT = "on import"  # a module's statements that act when it is imported: they count for all that it defines

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
OWN_SCOPE = (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef, ast.Lambda)
ALIKE = {kind.__name__: "ListComp" for kind in COMPREHENSIONS} | {"AsyncFunctionDef": "FunctionDef"}
ALIKE |= {"Lambda": "FunctionDef", "ImportFrom": "Import", "Nonlocal": "Global"}
"""Kinds of nodes that are read in the same way as another."""

LEFT_OUT = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind", "simple", "msg"})

Chain = tuple[str, ...]  # a dotted name
Origin = tuple[str, str]  # a module and a name in it (empty: the module itself); no module: a dotted name of elsewhere


class Read(NamedTuple):
    """What reading a definition gave: what counts of it, whatever the layout, and what it leads to.

    Names that it does not bind itself, each with where it imports them from (None: as its module has them); attributes of
    its own objects; text constants; models made by name.
    """

    text: str
    mentions: frozenset[tuple[Chain, frozenset[Origin] | None]]
    attributes: frozenset[str]
    texts: frozenset[str]
    made: frozenset[str]


class Module:
    """A file's statements by the names that they bind at its top level, and where imported names are from."""

    def __init__(self, name: str, tree: ast.Module, path: Path | None = None, signpost=False, stamp=(0, 0)):
        self.name, self.path, self.signpost, self.stamp = name, path, signpost, stamp
        self.is_package = path is not None and path.name == "__init__.py"
        self.folder = name if self.is_package else name.rpartition(".")[0]
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, set[Origin]] = defaultdict(set)
        self._members: dict[str, dict[str, list[ast.stmt]]] = {}
        self._reads: dict[tuple[str, str], Read] = {}
        for statement in tree.body:
            self._index(statement)

    def _index(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.If) and _passed_over(statement.test):
            for other in statement.orelse:
                self._index(other)
            return
        nodes, names = list(_top_level(statement)), set[str]()
        for node in nodes:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                for name, origin in _imported(node, self.folder):
                    self.imports[name].add(origin)
            elif isinstance(getattr(node, "ctx", None), ast.Store):
                while isinstance(node, (ast.Subscript, ast.Attribute)):
                    node = node.value
                name = getattr(node, "id", "")
                if name in self.definitions or (name and isinstance(getattr(node, "ctx", None), ast.Store)):
                    names.add(name)
        if isinstance(statement, ast.For):
            names -= {node.id for node in ast.walk(statement.target) if isinstance(node, ast.Name)}
        acts = isinstance(statement, (ast.For, ast.While)) or (
            not names and any(isinstance(node, (ast.Call, ast.Assign, ast.AugAssign)) for node in nodes)
        )
        for name in {*names, *([ON_IMPORT] if acts else [])}:
            self.definitions.setdefault(name, []).append(statement)

    def classes(self, name: str) -> list[ast.ClassDef]:
        """Return the classes among a name's definitions."""
        return [one for one in self.definitions[name] if isinstance(one, ast.ClassDef)]

    def members(self, name: str) -> dict[str, list[ast.stmt]]:
        """Return a class's methods, and its card, by name."""
        if name not in self._members:
            found = self._members[name] = {}
            for statement in (inner for one in self.classes(name) for inner in one.body):
                own = _member(statement)
                if own:
                    found.setdefault(own, []).append(statement)
        return self._members[name]

    def read(self, name: str, member: str = "") -> Read:
        """Read a definition without its members, or one member."""
        if (name, member) not in self._reads:
            reader, members = _Reader(self.folder), self.members(name)
            if member:
                with reader.scope_of(members, of_class=True):
                    reader.value(members[member])
            for statement in () if member else self.definitions[name]:
                if isinstance(statement, ast.ClassDef):
                    reader.visit_ClassDef(statement, members)
                else:
                    reader.visit(statement)
            self._reads[name, member] = reader.close()
        return self._reads[name, member]


def read_cells(body: list[ast.stmt]) -> Read:
    """Read statements that stand outside a module."""
    reader = _Reader("")
    reader.value(body)
    return reader.close()


class _Scope:
    """Names that a module, class, function or comprehension binds and looks up."""

    def __init__(self, parent: Self | None = None, bound: Iterable[str] = (), *, of_class: bool = False):
        self.parent, self.of_class = parent, of_class
        self.bound, self.outer, self.chains = set(bound), set[str](), set[Chain]()
        self.imports: dict[str, set[Origin]] = defaultdict(set)


class _Reader(ast.NodeVisitor):
    """Goes through a definition once, writes down what counts, and gathers what it mentions."""

    def __init__(self, folder: str):
        self.folder = folder
        self.scope, self.text = _Scope(), list[str]()
        self.mentions: set[tuple[Chain, frozenset[Origin] | None]] = set()
        self.attributes: set[str] = set()
        self.texts: set[str] = set()
        self.made: set[str] = set()

    def close(self) -> Read:
        for chain in self.scope.chains:
            origins = self.scope.imports.get(chain[0])
            self.mentions.add((chain, frozenset(origins) if origins else None))
        own = frozenset(self.attributes), frozenset(self.texts), frozenset(self.made)
        return Read("\n".join(self.text), frozenset(self.mentions), *own)

    @contextmanager
    def scope_of(self, bound: Iterable[str] = (), *, of_class: bool = False) -> Iterator[None]:
        above = self.scope
        scope = self.scope = _Scope(above, bound, of_class=of_class)
        yield
        self.scope = above
        while above.of_class and above.parent:  # names of a class are not seen inside its methods
            above = above.parent
        for chain in scope.chains:
            if chain[0] in scope.imports:
                self.mentions.add((chain, frozenset(scope.imports[chain[0]])))
            elif chain[0] in scope.bound - scope.outer:
                self.attributes.update(chain if scope.of_class else chain[1:])
            else:
                above.chains.add(chain)

    def visit(self, node: ast.AST) -> None:
        kind = type(node).__name__
        getattr(self, f"visit_{ALIKE.get(kind, kind)}", self.generic_visit)(node)

    def generic_visit(self, node: ast.AST) -> None:
        self.text.append(type(node).__name__)
        for field in node._fields:
            if field not in LEFT_OUT:
                self.value(getattr(node, field, None))
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):  # bound by except and match
            self.scope.bound.add(name)
        self.attributes.update(getattr(node, "kwd_attrs", ()))  # of match

    def value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.visit(value)
        elif isinstance(value, list):
            self.text.append("[")
            for one in value:
                if not _idle(one):
                    self.value(one)
            self.text.append("]")
        else:
            self.text.append(repr(value))

    def visit_Constant(self, node: ast.Constant) -> None:
        self.text.append(f"Constant {node.value!r}")
        if isinstance(node.value, str):
            self.texts.add(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        self.text.append(f"Name {node.id}")
        if isinstance(node.ctx, ast.Load):
            self.scope.chains.add((node.id,))
        else:
            self.scope.bound.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = chain_of(node)
        if chain:
            self.text.append(f"Name {'.'.join(chain)}")
            self.scope.chains.add(chain)
        else:
            self.attributes.add(node.attr)
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first, second = [*(getattr(argument, "value", None) for argument in node.args[:2]), None, None][:2]
        if called in MAKERS and isinstance(first, str):
            self.made.add(first)
        if called in ("getattr", "hasattr", "setattr") and isinstance(second, str):
            chain = chain_of(node.args[0])
            if chain:
                self.scope.chains.add((*chain, second))
            else:
                self.attributes.add(second)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        name, given = getattr(node, "name", ""), node.args
        self.text += [type(node).__name__, name]
        self.scope.bound.add(name)
        self.value([getattr(node, "decorator_list", []), given.defaults, given.kw_defaults])
        with self.scope_of():
            for kind in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
                self.value(getattr(given, kind))
            self.value(node.body)

    def visit_arg(self, node: ast.arg) -> None:
        self.text.append(node.arg)
        self.scope.bound.add(node.arg)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.text.append(type(node).__name__)
        self.visit(node.generators[0].iter)  # looked up outside
        with self.scope_of():
            for number, part in enumerate(node.generators):
                self.value([part.target, *([part.iter] if number else []), part.ifs, part.is_async])
            self.value([getattr(node, field) for field in node._fields if field != "generators"])

    def visit_ClassDef(self, node: ast.ClassDef, members: Iterable[str] | None = None) -> None:
        """Read a class; where its members are given, without them."""
        if members is None:
            self.scope.bound.add(node.name)
        self.text += ["ClassDef", node.name]
        self.value([node.decorator_list, node.bases, node.keywords])
        with self.scope_of(members or (), of_class=True):
            self.value([one for one in node.body if members is None or not _member(one)])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.text.append("Assign")
        self.value([node.target])
        self.value(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.text.append("Raise")
        self.value(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)

    def visit_If(self, node: ast.If) -> None:
        if _passed_over(node.test):
            self.value(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, origin in _imported(node, self.folder):
            self.scope.imports[name].add(origin)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.outer.update(node.names)
        self.text += [type(node).__name__, *node.names]


def chain_of(node: ast.AST) -> Chain:
    """Return a dotted name's parts; nothing for any other expression."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


def _imported(node: ast.Import | ast.ImportFrom, folder: str) -> Iterator[tuple[str, Origin]]:
    """Yield the names that an import statement binds, each with where it comes from."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            first = alias.name.partition(".")[0]
            yield (alias.asname, (alias.name, "")) if alias.asname else (first, (first, ""))
            continue
        above = folder.split(".")[: len(folder.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*above, node.module] if node.module else above)
        yield alias.asname or alias.name, (module, "" if alias.name == "*" else alias.name)


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement's nodes, without what lies inside functions, classes and comprehensions."""
    yield node
    if not isinstance(node, OWN_SCOPE):
        for child in ast.iter_child_nodes(node):
            yield from _top_level(child)


def _idle(node: object) -> bool:
    """Whether a statement does nothing, as docstrings."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _passed_over(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers or scripts only."""
    return chain_of(test)[-1:] == ("TYPE_CHECKING",) or chain_of(getattr(test, "left", test)) == ("__name__",)


def _member(statement: ast.stmt) -> str:
    """Return the name under which a class's statement is taken by itself, if it is."""
    if isinstance(statement, FUNCTIONS):
        return statement.name
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    name = getattr(targets[0], "id", "") if len(targets) == 1 else ""
    return name if name in CARDS else ""
