"""Write the stub that tells type checkers which of openai's methods take `libretto=`.

    python tools/build_surface.py           writes libretto_openai/_typed_clients.pyi
    python tools/build_surface.py --check   says whether it is what would be written

Everything in it is read from the source of the installed openai: its overloads stay as
they are, and each gets one argument more. Which methods take it is read from the table
by which they are patched. The classes that lead from a client to such a method come
along, the views for raw and streaming responses included.

Openai is parsed, never imported.
"""

import argparse
import ast
import builtins
import copy
import difflib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from attrs import define, field, frozen
from openai_source import (
    Class,
    Function,
    Module,
    assignments,
    decorators,
    find,
    find_class,
    last_name,
    origin,
)

from libretto_instrument._capture import TARGETS

STUB = Path(__file__).parents[1] / "libretto_openai" / "_typed_clients.pyi"
CLIENTS = ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI")

#: What is added to the methods that call a model, and to the making of a client.
OF_CALLS = "libretto: LibrettoCreateParams | CallFields | None = ..."
OF_CLIENTS = "libretto: LibrettoConfig | None = ..."

HEADER = '''\
# Made by tools/build_surface.py from openai {version}. Do not edit: run it again.
# The signatures are openai's, with what a strict checker holds against them.
# pyright: reportPrivateUsage=false, reportInvalidTypeVarUse=false
# pyright: reportIncompatibleVariableOverride=false
"""openai's clients and what leads from them to a model, with `libretto=`."""

'''


@frozen
class View:
    """A class for raw or streaming responses: the methods of another one, wrapped.

    Attributes:
        of: The class whose methods they are.
        argument: What its `__init__` calls an object of that class.
        wrappers: For each method that takes ``libretto=``, what it is wrapped with.
    """

    of: Class
    argument: str
    wrappers: dict[str, ast.expr]


def targets() -> dict[Class, list[str]]:
    """Return the methods that take ``libretto=``, by the class that has them."""
    found: dict[Class, list[str]] = {}
    for target in TARGETS:
        owner = find(target.owner, target.module)
        if isinstance(owner, Class) and owner.functions(target.method):
            names = found.setdefault(owner, [])
            if target.method not in names:
                names.append(target.method)
    return found


@define
class Surface:
    """The stub, as it grows.

    Attributes:
        methods: The methods that take ``libretto=``, by the class that has them.
        made: The source of each class that is in it, or None for a class that leads to
            no such method.
        imports: For each name that it imports, where from and what it is there.
    """

    methods: dict[Class, list[str]] = field(factory=targets)
    made: dict[Class, str | None] = field(factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(factory=dict)

    def text(self) -> str:
        """Return the whole stub."""
        for name in CLIENTS:
            found = find(name, "openai")
            if isinstance(found, Class):
                self.add(found)
        classes = [text for text in self.made.values() if text]
        names = [name_of(owner) for owner, text in self.made.items() if text]
        if len({*names, *self.imports}) < len(names) + len(self.imports):
            raise SystemExit("Two things in the stub would have one name.")
        header = HEADER.format(version=version("openai"))
        return header + "\n\n".join([self._import_lines(), *classes])

    def add(self, owner: Class) -> str | None:
        """Put a class into the stub, if it leads to a method; return its name there."""
        if owner not in self.made:
            self.made[owner] = None  # A class that leads back to itself ends here.
            body = "".join(self._body(owner))
            if body:
                base = self._import(owner)
                # Behind what it refers to, for those who read it.
                del self.made[owner]
                name, view = name_of(owner), self._view(owner)
                if view is None:
                    self.made[owner] = f"class {name}({base}):\n{body}"
                else:
                    # A class of its own, since mypy lets no subclass say that an
                    # attribute takes more than it did.
                    self.made[owner] = (
                        f"class _CallsOf{name}:\n{body}\n"
                        f"class {name}(\n"
                        f"    _CallsOf{name}, {base}\n): ...\n"
                    )
        return name_of(owner) if self.made[owner] else None

    def _body(self, owner: Class) -> Iterator[str]:
        """Yield what a class has in the stub."""
        if owner.name in CLIENTS:
            for node in owner.functions("__init__"):
                yield self._function(node, owner, OF_CLIENTS)
            for node in owner.functions("copy"):
                yield self._function(node, owner, OF_CLIENTS)
            yield "    with_options = copy\n"
        for method in self.methods.get(owner, ()):
            for node in owner.functions(method):
                yield self._function(node, owner, OF_CALLS)
        view = self._view(owner)
        if view is not None:
            of = name_of(view.of)
            yield f"    def __init__(self, {view.argument}: {of}) -> None:\n"
            for name, wrapper in view.wrappers.items():
                wrapped = f"{view.argument}.{name}"
                kind = self._expression(wrapper, owner)
                yield f"        self.{name} = {kind}({wrapped})\n"
        for name, (target, is_property) in members(owner).items():
            inner = self.add(target)
            if inner and is_property:
                yield f"    @property\n    def {name}(self) -> {inner}: ...\n"
            elif inner:
                yield f"    {name}: {inner}\n"

    def _view(self, owner: Class) -> View | None:
        """Return what a class wraps, if it wraps methods that take ``libretto=``."""
        for maker in owner.functions("__init__"):
            for argument in maker.args.args[1:]:
                of = find_class(argument.annotation, owner.module.name)
                taking = self.methods.get(of, []) if of else []
                wrappers = {
                    name: wrapper
                    for name, wrapper, wrapped in assignments(maker)
                    if wrapped in {f"{argument.arg}.{method}" for method in taking}
                }
                if of and wrappers:
                    return View(of, argument.arg, wrappers)
        return None

    def _function(self, node: Function, owner: Class, argument: str) -> str:
        """Return a signature with one argument more."""
        lines = []
        for decorator in node.decorator_list:
            if last_name(decorator) in ("overload", "deprecated"):
                lines.append(f"@{self._expression(decorator, owner)}")
        is_async = isinstance(node, ast.AsyncFunctionDef)
        lines.append(f"{'async ' if is_async else ''}def {node.name}(")
        given = node.args
        if given.posonlyargs or given.vararg or given.kwarg or given.args[1:]:
            raise SystemExit(f"{owner.name}.{node.name} takes more than keywords.")
        lines.append("    self,\n        *,")
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            kind = self._expression(each.annotation, owner)
            lines.append(f"    {each.arg}: {kind}{' = ...' if default else ''},")
        lines.append(f"    {argument},")
        lines.append(f") -> {self._expression(node.returns, owner)}: ...")
        return "".join(f"    {line}\n" for line in lines)

    def _expression(self, node: ast.AST | None, owner: Class) -> str:
        """Return the source of an expression, and import what it names."""
        if node is None:
            raise SystemExit(f"A method of {owner.name} is not annotated.")
        return ast.unparse(_Renamed(self, owner.module).visit(copy.deepcopy(node)))

    def _import(self, owner: Class) -> str:
        """Import a class from the shortest path that leads to it."""
        parts = owner.module.name.split(".")
        for length in range(1, len(parts) + 1):
            path = ".".join(parts[:length])
            if find(owner.name, path) == owner:
                break
        local = f"_{name_of(owner)}"
        self.imports[local] = (path, owner.name)
        return local

    def use(self, name: str, inside: Module) -> str:
        """Import what a name means in a module; return its name in the stub."""
        if name in inside.imported:
            source = origin(*inside.imported[name])
        elif name in dir(builtins):
            return name
        else:
            source = (inside.name, name)
        local = name
        if self.imports.get(local, source) != source:
            # Openai has parameters of the same name for different methods.
            local = f"{source[0].rpartition('.')[2]}_{name}".lstrip("_")
        if self.imports.setdefault(local, source) != source:
            raise SystemExit(f"{local} would mean both {self.imports[local]}, {source}")
        return local

    def _import_lines(self) -> str:
        """Return the imports of the stub, in order of the alphabet."""
        lines = [
            "from libretto_instrument import LibrettoConfig, LibrettoCreateParams",
            "from libretto_instrument._config.config import CallFields",
        ]
        sources: dict[str, list[str]] = {}
        for local, (source, name) in self.imports.items():
            if name is None:
                renamed = "" if source == local else f" as {local}"
                lines.append(f"import {source}{renamed}")
            else:
                renamed = name if name == local else f"{name} as {local}"
                sources.setdefault(source, []).append(renamed)
        for source, names in sources.items():
            inner = "".join(f"    {name},\n" for name in sorted(names))
            lines.append(f"from {source} import (\n{inner})")
        return "\n".join([*sorted(lines), ""])


class _Renamed(ast.NodeTransformer):
    """Gives the names in an expression those that they have in the stub."""

    def __init__(self, surface: Surface, inside: Module) -> None:
        self._surface = surface
        self._inside = inside

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._surface.use(node.id, self._inside))


def members(owner: Class) -> dict[str, tuple[Class, bool]]:
    """Return the public attributes of a class that are objects of openai's, by name:
    the class of each, and whether it is a property."""
    inside = owner.module.name
    there: dict[str, tuple[Class, bool]] = {}
    if owner.name in CLIENTS:
        for base in owner.node.bases:
            above = find_class(base, inside)
            there.update(members(above) if above else {})
    # Older versions make some of them at once: `self.chat = Chat(self)`.
    found: list[tuple[str, ast.expr | None, bool]] = [
        (name, kind, False)
        for maker in owner.functions("__init__")
        for name, kind, _ in assignments(maker)
    ]
    for node in owner.node.body:
        if isinstance(node, ast.FunctionDef) and "cached_property" in decorators(node):
            found.append((node.name, node.returns, True))
        elif isinstance(node, ast.AnnAssign):
            found.append((last_name(node.target), node.annotation, False))
    for name, kind, is_property in found:
        target = find_class(kind, inside)
        if target and not name.startswith("_"):
            there[name] = (target, is_property)
    return there


def name_of(owner: Class) -> str:
    """Return the name of a class in the stub: openai has many `Completions`."""
    parts = owner.module.name.removeprefix("openai.").split(".")
    path = parts[1:] if parts[0] == "resources" else []
    distinct = list(dict.fromkeys(path))[:-1]
    name = owner.name.removeprefix("Async")
    asynchronous = owner.name.removesuffix(name)
    return "".join([asynchronous, *(part.title() for part in distinct), name])


def check(text: str) -> str | None:
    """Return why the stub as committed will not do, or None if it will."""
    ast.parse(text)
    if not STUB.is_file():
        return f"{STUB.name} is missing; run tools/build_surface.py."
    there = STUB.read_text("utf-8")
    if there == text:
        return None
    made_from = re.search(r"from openai (\S+)\. ", there)
    if made_from is None or made_from[1] != version("openai"):
        was = made_from[1] if made_from else "another version"
        print(
            f"{STUB.name} was made from openai {was}, and {version('openai')} is "
            "installed: it can be made from that, too, but is not compared."
        )
        return None
    lines = difflib.unified_diff(
        there.splitlines(), text.splitlines(), "committed", "made now", lineterm="", n=1
    )
    return "\n".join([*lines, f"{STUB.name} is stale; run tools/build_surface.py."])


def main() -> None:
    """Write the stub, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    text = Surface().text()
    if arguments.check:
        sys.exit(check(text))
    STUB.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
