"""Openai's source, as far as `build_surface` reads it: modules, classes, what is where.

Nothing of openai is imported; it is parsed.
"""

import ast
import functools
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from attrs import define, field, frozen

Function = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Class:
    """A class of openai's, where it is defined.

    Attributes:
        module: The module that defines it.
        node: Its source.
    """

    module: "Module"
    node: ast.ClassDef = field(eq=lambda node: node.name, hash=True)

    @property
    def name(self) -> str:
        """The name that openai gave it."""
        return self.node.name

    def functions(self, name: str) -> list[Function]:
        """Return what callers see of a method: its overloads, or all there is."""
        found = [
            node
            for node in self.node.body
            if isinstance(node, Function) and node.name == name
        ]
        return [node for node in found if "overload" in decorators(node)] or found


@define(eq=False)
class Module:
    """A module of openai's.

    Attributes:
        name: Its full name.
        is_package: Whether other modules lie in it.
        tree: Its source.
        imported: For each name that it imports, the module that it comes from, and
            what it is there, if it is not that module itself.
        classes: Its classes by name.
    """

    name: str
    is_package: bool
    tree: ast.Module
    imported: dict[str, tuple[str, str | None]] = field(factory=dict)
    classes: dict[str, ast.ClassDef] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for node in _statements(self.tree.body):
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.partition(".")[0]
                    whole = alias.name if alias.asname else local
                    self.imported[local] = (whole, None)
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node)
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = (source, alias.name)

    def _absolute(self, node: ast.ImportFrom) -> str:
        """Return the full name of the module that an import is from."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*parts[: len(parts) - up], node.module or ""]).strip(".")


@functools.cache
def module(name: str) -> Module | None:
    """Return a module of openai's, or None if there is none of that name."""
    spec = find_spec("openai")
    if spec is None or spec.origin is None:
        raise SystemExit("openai is not installed.")
    first, *rest = name.split(".")
    base = Path(spec.origin).parent.joinpath(*rest)
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if first == "openai" and path.is_file():
            is_package = path.name == "__init__.py"
            return Module(name, is_package, ast.parse(path.read_text("utf-8")))
    return None


def find(name: str, inside: str) -> "Class | Module | None":
    """Return the class or module that a dotted name means in a module, or None."""
    there: Class | Module | None = module(inside)
    for step in name.split("."):
        if not isinstance(there, Module):
            return None
        if step in there.classes:
            there = Class(there, there.classes[step])
        elif step in there.imported:
            source, attribute = there.imported[step]
            inner = module(f"{source}.{attribute}") if attribute else module(source)
            there = inner or (find(attribute, source) if attribute else None)
        else:
            there = module(f"{there.name}.{step}")
    return there


def find_class(annotation: ast.expr | None, inside: str) -> Class | None:
    """Return the class of openai's that an annotation is, or None."""
    name = ast.unparse(annotation) if annotation else ""
    found = find(name, inside) if re.fullmatch(r"[\w.]+", name) else None
    return found if isinstance(found, Class) else None


def origin(source: str, name: str | None) -> tuple[str, str | None]:
    """Return where to import from what openai imports from a place."""
    if source == "typing":
        return ("typing_extensions", name)  # Which has all of it, and one `overload`.
    above = module(source)
    if above is not None and name in above.imported:
        further = above.imported[name]
        # Openai's modules don't hand on what they have from elsewhere.
        return origin(*further) if module(further[0]) is None else (source, name)
    return (source, name)


def assignments(maker: Function) -> Iterator[tuple[str, ast.expr, str]]:
    """Yield each ``self.name = call(argument)`` of an `__init__`, in three parts."""
    for node in maker.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for argument in node.value.args[:1]:
                name = last_name(node.targets[0])
                yield name, node.value.func, ast.unparse(argument)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those for type checkers included."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements(node.body)


def decorators(node: Function) -> list[str]:
    """Return what a function is decorated with, without the dots and arguments."""
    return [last_name(decorator) for decorator in node.decorator_list]


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, of a call's function too."""
    if isinstance(node, ast.Call):
        node = node.func
    return ast.unparse(node).rpartition(".")[2]
