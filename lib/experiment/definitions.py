"""What a result rests on: the definitions reached from some roots, found by reading source files, not importing them.

A definition is a function, a class's head, a method or a constant. Docstrings, comments, annotations, import statements,
cards and the texts of raised errors belong to none, and of an ``__init__.py`` only counts where its names come from.
Methods are found by name: one counts if any code that is reached uses an attribute called like it. What is asked for by
a name put together at run time (``getattr(x, f"_{kind}")``) is not seen.
"""

import ast
import hashlib
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lib import ROOT
from lib.experiment.source import CARDS, ON_IMPORT, Chain, Module, Origin, chain_of, read_cells
from lib.models.card import read_cards

ENTRIES = ("fit", "predict")  # methods that count of a class that is itself a root: what every model is there for

HARMLESS = frozenset({"abc", "typing", "typing_extensions", "enum", "collections"})
"""Packages whose base classes call special methods only; any other base may call every method of a class."""

EVERY = "cards"  # the function that hands out the cards of all models
MAGIC = re.compile(r"^(\s*)(?:[\w, ]+=\s*)?[%!].*$", re.MULTILINE)  # a line in a cell that is IPython's


class Definitions:
    """The definitions of the library under `root`. A file is read when it is first needed, and again once it has changed.

    Of modules outside the library those that a root names are read, and what lies beside them.
    """

    def __init__(self, root: Path = ROOT):
        self.root = Path(root)
        self._modules: dict[Path, Module] = {}
        self._known: dict[tuple, tuple[dict[Path, tuple[int, int]], dict[str, str]]] = {}

    def reached(self, roots: Iterable[str], *, words: bool = False) -> dict[str, str]:
        """Return the digest of each definition that is reached, by ``module:name`` or ``module:Class.member``.

        Roots are ``module:name`` of a function, class or constant, or ``.name`` of an attribute that is used elsewhere.
        With `words` cards count too, and models that are only named: by a text in reached code, or all where it asks
        for all cards. KeyError where there is no such root; SyntaxError, which names it, where a file is not Python.
        """
        key = (frozenset(roots), words)
        if key in self._known:
            stamps, found = self._known[key]
            if all(_stamp(path) == stamp for path, stamp in stamps.items()):
                return dict(found)
        walk = _Walk(self, {root.partition(":")[0] for root in key[0]}, words)
        for root in sorted(key[0]):
            walk.start(root)
        found = dict(sorted(walk.finish().items()))
        self._known[key] = {m.path: m.stamp for m in walk.modules.values() if m and m.path}, found
        return dict(found)

    def digest(self, roots: Iterable[str]) -> str:
        """Return 16 hexadecimal digits for all that `reached` finds, wherever it is defined."""
        found = self.reached(roots)
        return _hash(repr(sorted((key.partition(":")[2], digest) for key, digest in found.items())))

    def roots_of(self, sources: Iterable[str], *, texts: bool = False, values: Any = None) -> set[str]:
        """Return the roots of a notebook: what its code cells import from the library and use.

        With `texts`, a text in a cell that is a registered model's name counts as that model; one in the parameters'
        `values`, in any nest of mappings and sequences, does so always. A cell that is not Python even without IPython's
        commands is passed over.
        """
        body = [statement for source in sources for statement in _cell(source).body]
        cells, read = Module("cells of a notebook", ast.Module(body, [])), read_cells(body)
        walk = _Walk(self, set())
        walk.modules[cells.name] = cells
        names = read.made | set(_strings(values)) | (read.texts if texts else set())
        roots = {root for name, root in walk.registry.items() if name in names}
        attributes = set(read.attributes)
        for chain, targets in read.mentions:
            places = list(walk.resolve(cells, chain, targets))
            for place, name, rest in places:
                module = walk.module(place) if place else None
                roots.update(walk.registry.values() if texts and name == EVERY else ())
                if module is not None and name and module is not cells and not module.signpost:
                    roots.add(f"{place}:{name}")
                attributes.update(rest if place else ())
            attributes.update(() if places else chain[1:])
        return roots | {f".{name}" for name in attributes}

    def module(self, name: str, folders: Iterable[Path] = ()) -> Module | None:
        """Return a module of the library, or another one that lies in one of some folders."""
        inside = _inside(name)
        for folder in [self.root] if inside else folders if name else ():
            base = folder.joinpath(*name.split("."))
            for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
                if path.is_file():
                    kept, stamp = self._modules.get(path), _stamp(path)
                    if kept is None or (kept.name, kept.stamp) != (name, stamp):
                        signpost = inside and path.name == "__init__.py"
                        kept = Module(name, _parse(path), path, signpost, stamp)
                        self._modules[path] = kept
                    return kept
        return None


class _Walk:
    """One search: what is reached so far, what is still to be looked at, and which attributes are used."""

    def __init__(self, tree: Definitions, named: set[str], words: bool = False):
        self.tree, self.words = tree, words
        self.named = {name for name in named if not name.startswith(".")}
        self.modules: dict[str, Module | None] = {}
        self.beside: list[Path] = []
        self.found: dict[str, str] = {}
        self._places: dict[Origin, set[Origin]] = {}
        self._foreign: dict[Origin, bool] = {}
        self._reached: set[Origin] = set()
        self._queue: list[tuple[Module, str, str]] = []
        self._used: set[str] = set()
        self._waiting: dict[str, list[tuple[Module, str, str]]] = defaultdict(list)
        for name in sorted(self.named):
            self.module(name)
        cards = read_cards((str(tree.root / "lib" / "models"),), "lib.models")
        self.registry = {name: card.place for name, card in cards.items()}

    def module(self, name: str) -> Module | None:
        """Return a module that counts: of the library, named by a root, or, as a reader's helpers do, beside such a one."""
        if name not in self.modules:
            named = name in self.named and not _inside(name)
            found = self.tree.module(name, [Path.cwd(), *map(Path, sys.path)] if named else self.beside)
            self.modules[name] = found
            if named and found and found.path and not found.path.is_relative_to(sys.prefix):
                self.beside.append(found.path.parents[name.count(".") + found.is_package])
        return self.modules[name]

    def start(self, root: str) -> None:
        if root.startswith("."):
            return self.use([root[1:]])
        place, _, name = root.partition(":")
        origins = self.find(place, name) if name and self.module(place) else set()
        origins = {(place, name) for place, name in origins if place and name}
        if not origins:
            raise KeyError(f"no definition {root!r}")
        for place, name in origins:
            module = self.module(place)
            if module is None or module.signpost:
                raise KeyError(f"{root!r} is defined in an __init__.py, where nothing counts; move it")
            self.reach(place, name)
            if module.classes(name):
                self.use(ENTRIES)

    def finish(self) -> dict[str, str]:
        while self._queue:
            module, name, member = self._queue.pop()
            read, bindings = module.read(name, member), set()
            for chain, targets in read.mentions:
                places = list(self.resolve(module, chain, targets))
                for place, other, rest in places:
                    # A name that comes to mean something else is another definition, whatever its text.
                    bindings.add((chain[: len(chain) - len(rest)] if place else chain[0], other))
                    if place and other:
                        self.reach(place, other)
                        self.use(rest)
                self.use(() if places else chain[1:])
            self.use(read.attributes)
            models = read.made | read.texts if self.words else read.made
            if self.words and any(other == EVERY for _, other in bindings):
                models = frozenset(self.registry)
            for model in models & self.registry.keys():
                self.reach(*self.registry[model].split(":"))
            key = f"{module.name}:{name}.{member}" if member else f"{module.name}:{name}"
            self.found[key] = _hash(repr((read.text, sorted(map(repr, bindings)))))
        return self.found

    def use(self, attributes: Iterable[str]) -> None:
        for name in set(attributes) - self._used:
            self._used.add(name)
            self._queue += self._waiting.pop(name, ())

    def reach(self, place: str, name: str) -> None:
        for origin in self.find(place, name):
            place, name = origin
            module = self.module(place)
            if (place, name) in self._reached or module is None or module.signpost or not name:
                continue
            self._reached.add((place, name))
            if name in CARDS and not self.words:
                continue
            self._queue.append((module, name, ""))
            if ON_IMPORT in module.definitions:
                self.reach(place, ON_IMPORT)
            for member in module.members(name):
                asked = member in self._used or (member.startswith("__") and member.endswith("__"))
                if self.words if member in CARDS else asked or self.foreign(*origin):
                    self._queue.append((module, name, member))
                elif member not in CARDS:
                    self._waiting[member].append((module, name, member))

    def foreign(self, place: str, name: str) -> bool:
        """Whether code outside the library may call any method of a class, as Keras does with its layers'."""
        if (place, name) not in self._foreign:
            self._foreign[place, name] = False
            if module := self.module(place):
                bases = [base for one in module.classes(name) for base in one.bases]
                self._foreign[place, name] = any(self._foreign_base(module, base) for base in bases)
        return self._foreign[place, name]

    def _foreign_base(self, module: Module, base: ast.expr) -> bool:
        while isinstance(base, (ast.Subscript, ast.Call)):
            base = base.value if isinstance(base, ast.Subscript) else base.func
        chain = chain_of(base)
        for place, name, _ in self.resolve(module, chain, None) if chain else ():
            if self.foreign(place, name) if place and name else name.split(".")[0] not in HARMLESS:
                return True
        return not chain

    def resolve(self, module: Module, chain: Chain, targets: frozenset | None) -> Iterator[tuple[str, str, Chain]]:
        """Yield what a dotted name leads to, and the attributes that are asked of it; nothing for a builtin."""
        if targets is None:
            heads = self.find(module.name, chain[0])
        else:
            heads = set().union(*(self._follow(*target) for target in targets))
        for head in sorted(heads):
            yield from self._descend(*head, chain[1:])

    def _descend(self, place: str, name: str, rest: Chain) -> Iterator[tuple[str, str, Chain]]:
        if place and not name and rest:
            for inner in sorted(self.find(place, rest[0])):
                yield from self._descend(*inner, rest[1:])
        else:
            yield place, name, rest

    def find(self, place: str, name: str) -> set[Origin]:
        """Return where a module's name is defined, through any number of modules that pass it on."""
        if (place, name) not in self._places:
            self._places[place, name] = found = set()  # met again by modules that import each other
            module = self.module(place)
            if module is None:
                found.add(("", f"{place}.{name}"))
                return found
            if name in module.definitions:
                found.add((place, name))
            for origin in module.imports.get(name, ()):
                found |= self._follow(*origin)
            if not found and module.is_package and self.module(f"{place}.{name}"):
                found.add((f"{place}.{name}", ""))
            for origin in module.imports.get("*", ()) if not found else ():
                found |= self.find(origin[0], name)
        return self._places[place, name]

    def _follow(self, place: str, name: str) -> set[Origin]:
        if name:
            return self.find(place, name)
        return {(place, "")} if self.module(place) else {("", place)}


def _inside(name: str) -> bool:
    return name == "lib" or name.startswith("lib.")


def _stamp(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return 0, 0


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise SyntaxError(f"{path} is not Python that can be read: {error}") from error


def _cell(source: str) -> ast.Module:
    for text in (source, MAGIC.sub(r"\1pass", source)):
        with suppress(SyntaxError, ValueError):
            return ast.parse(text)
    return ast.Module([], [])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _strings([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _strings(inner)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
