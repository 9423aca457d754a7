"""Who may import whom, read from the source; and that importing does nothing."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from attrs import frozen

import libretto_instrument

#: Where the packages are: beside the tests in a checkout, elsewhere once installed.
ROOT = Path(libretto_instrument.__file__).parents[1]
PACKAGES = ("libretto_instrument", "libretto_openai")

ANYTHING = "anything"


# --8<-- [start:layers]
VALUES = ("_util", "_templates", "_events", "_recognition")
CLIENT = (
    *VALUES,
    "redaction",
    "_delivery",
    "_spool",
    "exporters",
    "_config",
    "_capture",
    "_processing",
    "_runtime",
)

#: Bottom up: each package with the packages of ours that it may import, and those of
#: others. Modules of one package know each other. A package is a folder or a module of
#: `libretto_instrument`, or the whole of `libretto_openai`.
LAYERS: dict[str, tuple[tuple[str, ...], str]] = {
    "_util":       ((), "attrs pydantic_core tqdm"),
    "_templates":  (("_util",), ""),
    "_events":     (("_util",), "attrs"),
    "_recognition": (("_templates",), "attrs"),
    "redaction":   (("_util",), "attrs phonenumbers stdnum"),
    "_delivery":   (("_util",), "attrs certifi truststore"),
    "_spool":      (("_delivery", "_util"), "attrs"),
    "exporters":   (("_util",), "attrs"),
    "_config":     ((*VALUES, "exporters"), "attrs"),
    "_capture":    ((*VALUES, "_config"), "attrs openai wrapt"),
    "_processing": (
        (*VALUES, "_config", "_capture", "redaction", "_delivery"),
        "attrs",
    ),
    "_runtime":    (
        (*VALUES, "redaction", "_delivery", "_spool", "exporters", "_config",
         "_capture", "_processing"),
        "attrs",
    ),
    "otel":        (CLIENT, "attrs opentelemetry requests"),
    "improve":     (CLIENT, "attrs openai rapidfuzz"),
    "testing":     ((*CLIENT, "improve"), ""),
    "__init__":    (CLIENT, ""),
    "libretto_openai": (("__init__", "_config"), "openai"),
    "_collector":  (
        VALUES,
        "anyio attrs genai_prices jinja2 rapidfuzz starlette uvicorn",
    ),
    "demo":        ((ANYTHING,), "anyio attrs openai starlette uvicorn"),
    "_cli":        ((ANYTHING,), "attrs openai prometheus_client"),
    "__main__":    ((ANYTHING,), ""),
}  # fmt: skip
# --8<-- [end:layers]


@frozen
class Import:
    """One import of one module.

    Attributes:
        module: The full name of what is imported.
        line: Where.
        typing: Whether only type checkers follow it.
    """

    module: str
    line: int
    typing: bool = False


def modules() -> dict[str, Path]:
    """Return every module of both packages by its full name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


def package_of(module: str) -> str:
    """Return the package that a module of ours is in."""
    package, _, inner = module.partition(".")
    if package == "libretto_openai":
        return package
    return inner.partition(".")[0] or "__init__"


def imports(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Yield every import in a module's source, those inside functions included."""
    home = module if is_package else module.rpartition(".")[0]
    for node, typing in walk(ast.parse(source), typing=False):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, typing)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                around = home.split(".")[: len(home.split(".")) - node.level + 1]
                base = ".".join([*around, base] if base else around)
            for name in node.names:
                inner = f"{base}.{name.name}"
                yield Import(inner if inner in MODULES else base, node.lineno, typing)


def walk(node: ast.AST, typing: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node, and whether it stands under `if TYPE_CHECKING:`."""
    yield node, typing
    for name, children in ast.iter_fields(node):
        guarded = (
            isinstance(node, ast.If)
            and name == "body"
            and "TYPE_CHECKING" in ast.unparse(node.test)
            and not isinstance(node.test, ast.UnaryOp)
        )
        for child in children if isinstance(children, list) else [children]:
            if isinstance(child, ast.AST):
                yield from walk(child, typing or guarded)


def refused(layer: str, found: Import) -> str | None:
    """Return why a package may not import this, or None if it may."""
    allowed, packages = LAYERS[layer]
    top = found.module.partition(".")[0]
    if top in PACKAGES:
        other = package_of(found.module)
        if other in (layer, *allowed) or ANYTHING in allowed:
            return None
        return f"{layer} may not import {other}"
    if top in packages.split() or top in sys.stdlib_module_names:
        return None
    if found.typing and top == "typing_extensions":
        return None
    return f"{layer} may not import {top}"


# The reading


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import httpx", Import("httpx", 1)),
        ("import httpx._client as c", Import("httpx._client", 1)),
        ("from httpx import Client", Import("httpx", 1)),
        ("from . import call", Import("libretto_instrument._capture.call", 1)),
        ("from .call import Call", Import("libretto_instrument._capture.call", 1)),
        ("from .._util import errors", Import("libretto_instrument._util.errors", 1)),
        ("from .. import install", Import("libretto_instrument", 1)),
        ("from .._delivery import Stats", Import("libretto_instrument._delivery", 1)),
        ("def f():\n  import httpx", Import("httpx", 2)),
        ("async def f():\n  async with x:\n    import httpx", Import("httpx", 3)),
        ("try:\n  import a\nexcept E:\n  pass", Import("a", 2)),
        ("if TYPE_CHECKING:\n  import httpx", Import("httpx", 2, typing=True)),
        ("if typing.TYPE_CHECKING:\n  import httpx", Import("httpx", 2, typing=True)),
        ("if not TYPE_CHECKING:\n  import httpx", Import("httpx", 2)),
        ("if TYPE_CHECKING:\n  pass\nelse:\n  import httpx", Import("httpx", 4)),
    ],
)
def test_imports_are_read(source: str, expected: Import) -> None:
    """Every way to import something is seen, wherever it stands."""
    module = "libretto_instrument._capture.raw"
    assert list(imports(source, module, is_package=False)) == [expected]


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("_capture", "httpx"),
        ("_capture", "httpcore"),
        ("_capture", "httpx2"),
        ("_capture", "libretto_instrument._delivery"),
        ("_capture", "libretto_instrument._runtime.state"),
        ("_capture", "libretto_instrument"),
        ("_delivery", "openai"),
        ("_delivery", "libretto_instrument._events"),
        ("_delivery", "libretto_instrument._capture"),
        ("_runtime", "openai"),
        ("_config", "libretto_instrument._capture"),
        ("_templates", "attrs"),
        ("redaction", "libretto_instrument._delivery"),
        ("_collector", "libretto_instrument._config.fields"),
        ("__init__", "libretto_openai"),
        ("libretto_openai", "libretto_instrument._capture"),
    ],
)
def test_the_table_refuses(layer: str, module: str) -> None:
    """What the design forbids is forbidden by the table, also for types alone."""
    assert refused(layer, Import(module, 1))
    assert refused(layer, Import(module, 1, typing=True))


def test_the_table_is_bottom_up() -> None:
    """A package may import only packages above it in the table: no cycles."""
    names = list(LAYERS)
    for at, (allowed, _) in enumerate(LAYERS.values()):
        assert set(allowed) - {ANYTHING} <= set(names[:at])


def test_every_module_has_a_package() -> None:
    """The table names every package there is, and none that is not."""
    assert {package_of(module) for module in MODULES} == set(LAYERS)


# The packages


@pytest.mark.parametrize("module", MODULES)
def test_imports(module: str) -> None:
    """A module imports only what the table allows its package."""
    path = MODULES[module]
    is_package = path.name == "__init__.py"
    broken = [
        f"{path.relative_to(ROOT)}:{found.line}: {why}"
        for found in imports(path.read_text("utf-8"), module, is_package)
        if (why := refused(package_of(module), found))
    ]
    assert not broken, "\n".join(broken)


def test_no_module_imports_itself_through_others() -> None:
    """The modules' imports have no cycle either, not even for types alone."""
    graph = {
        module: {
            found.module
            for found in imports(
                path.read_text("utf-8"), module, path.name == "__init__.py"
            )
            # A stub is not a module here; its import looks like one of its package.
            if found.module in MODULES and not module.startswith(f"{found.module}.")
        }
        for module, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module: str) -> None:
    """A module that needs more lines than this has two purposes."""
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 350


# Importing


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    # Measuring coverage in there would itself load modules and open files.
    quiet = {name: value for name, value in os.environ.items() if name[:3] != "COV"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=quiet | {"PYTHONPATH": str(ROOT), "LIBRETTO_API_KEY": "key"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_does_nothing() -> None:
    """Importing starts no thread, opens no socket and no file to write, and loads
    neither openai nor an HTTP library nor an extra."""
    code = """
import sys

heavy = (
    "openai httpx httpx2 httpcore requests aiohttp sqlite3 pydantic "
    "starlette uvicorn jinja2 phonenumbers stdnum opentelemetry prometheus_client"
).split()
done = []

def hook(event, args):
    if event in ("socket.__new__", "_thread.start_new_thread", "subprocess.Popen"):
        done.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        done.append(event)

sys.dont_write_bytecode = True
sys.addaudithook(hook)
import libretto_instrument
import libretto_instrument.testing
print(done, sorted(set(heavy) & set(sys.modules)))
"""
    assert run(code) == "[] []"


def test_importing_patches_nothing() -> None:
    """Importing either package leaves every method of openai as it is; making a client
    of ours does not."""
    code = """
import openai
from libretto_instrument._capture import TARGETS
import importlib

def methods():
    found = []
    for target in TARGETS:
        try:
            owner = getattr(importlib.import_module(target.module), target.owner)
        except (ImportError, AttributeError):
            continue
        found.append(owner.__dict__.get(target.method))
    return found

before = methods()
import libretto_instrument, libretto_openai, libretto_instrument.testing
print(all(map(lambda a, b: a is b, before, methods())), len(before) > 10)
libretto_openai.Client(api_key="sk-test")
print(any(map(lambda a, b: a is not b, before, methods())))
"""
    assert run(code).splitlines() == ["True True", "True"]


def test_installing_without_openai() -> None:
    """install() loads neither openai nor an HTTP library and starts no thread: both
    wait for the first call."""
    code = """
import sys, threading
import libretto_instrument as libretto
libretto.install(api_key="key", prompt_template_name="name")
libretto.flush(1)
libretto.uninstall()
libretto.shutdown(1)
print(threading.active_count(), sorted({"openai", "httpx"} & set(sys.modules)))
"""
    assert run(code) == "1 []"
