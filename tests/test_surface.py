"""The stub that tells checkers where `libretto=` is taken, and what makes it."""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import openai
import pytest

import libretto_instrument
import libretto_openai
from libretto_instrument import LibrettoConfig, LibrettoCreateParams
from libretto_instrument._capture import TARGETS
from libretto_instrument._config.config import CallFields, ConfigFields, ScopeFields

TOOLS = Path(__file__).parents[1] / "tools"
STUB = Path(libretto_openai.__file__).with_name("_typed_clients.pyi")

#: The methods of each class of the stub: what each of their signatures takes by name.
Methods = dict[tuple[str, str], list[list[str]]]


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    """The tool, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield importlib.import_module("build_surface")


@pytest.fixture(scope="module")
def made(tool: ModuleType) -> str:
    """What the tool makes of the installed openai."""
    text: str = tool.Surface().text()
    return text


@pytest.fixture(scope="module")
def methods(made: str) -> Methods:
    """The methods of what the tool makes."""
    found: Methods = {}
    for owner in ast.parse(made).body:
        for node in owner.body if isinstance(owner, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [argument.arg for argument in node.args.kwonlyargs]
                found.setdefault((owner.name, node.name), []).append(names)
    return found


@pytest.fixture
def stub(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tool looks for a stub, instead of in the package."""
    path = tmp_path / "_typed_clients.pyi"
    monkeypatch.setattr(tool, "STUB", path)
    return path


# Whether the stub is fresh


def test_what_is_committed(
    tool: ModuleType,
    made: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The stub in the package is what the tool makes of its version of openai; with
    another one installed, the tool says that it could not compare."""
    monkeypatch.setattr(tool, "STUB", STUB)
    assert tool.check(made) is None
    is_its_own = f"openai {version('openai')}. " in STUB.read_text("utf-8")
    assert ("is not compared" in capsys.readouterr().out) is not is_its_own


def test_fresh(
    tool: ModuleType, made: str, stub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was just made will do, without a word."""
    stub.write_text(made, "utf-8")
    assert tool.check(made) is None
    assert capsys.readouterr().out == ""


def test_stale(tool: ModuleType, made: str, stub: Path) -> None:
    """A stub that was changed will not do; what differs is reported, and stays."""
    changed = made.replace("with_options = copy", "pass", 1)
    stub.write_text(changed, "utf-8")
    why = tool.check(made)
    assert "-    pass\n+    with_options = copy" in why
    assert "run tools/build_surface.py" in why
    assert stub.read_text("utf-8") == changed


def test_missing(tool: ModuleType, made: str, stub: Path) -> None:
    """No stub will not do."""
    assert not stub.exists()
    assert "is missing" in tool.check(made)


def test_another_version(
    tool: ModuleType, made: str, stub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stub of another version of openai will do, and the tool says which it is."""
    stub.write_text(made.replace(version("openai"), "0.1.2", 1) + "more", "utf-8")
    assert tool.check(made) is None
    assert "made from openai 0.1.2" in capsys.readouterr().out


# What the stub holds


def test_methods(tool: ModuleType, methods: Methods) -> None:
    """Every method that is recorded takes all that openai's own takes, and `libretto=`
    in each of its overloads."""
    seen = set()
    for target in TARGETS:
        found = tool.find(target.owner, target.module)
        if found is None or not found.functions(target.method):
            continue  # Not in this version of openai.
        owner = getattr(importlib.import_module(target.module), target.owner)
        signature = inspect.signature(getattr(owner, target.method))
        variants = methods[tool.name_of(found), target.method]
        assert {name for names in variants for name in names} == {
            *set(signature.parameters) - {"self"},
            "libretto",
        }
        assert all("libretto" in names for names in variants)
        seen.add((tool.name_of(found), target.method))
    assert {
        ("ChatCompletions", "create"),
        ("AsyncChatCompletions", "create"),
        ("Completions", "create"),
        ("AsyncCompletions", "create"),
    } <= seen


@pytest.mark.parametrize(
    "kind",
    [openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI],
)
def test_clients(kind: Any, methods: Methods) -> None:
    """Each client's copies take all that openai's take, and `libretto=`; so do clients
    when they are made."""
    (copy,) = methods[kind.__name__, "copy"]
    assert {*inspect.signature(kind.copy).parameters, "libretto"} == {*copy, "self"}
    for made in methods[kind.__name__, "__init__"]:
        assert {"api_key", "http_client", "libretto"} <= set(made)


# What goes with it


@pytest.mark.parametrize("package", [libretto_instrument, libretto_openai])
def test_typed(package: ModuleType) -> None:
    """Both packages tell checkers that they are typed, where they are installed."""
    assert Path(str(package.__file__)).with_name("py.typed").is_file()


def test_the_stub_is_not_imported() -> None:
    """Only checkers read the stub."""
    assert STUB.is_file()
    assert importlib.util.find_spec("libretto_openai._typed_clients") is None


def test_the_same_fields() -> None:
    """What checkers take as keywords or in a mapping is what is taken."""
    config = {field.name for field in attrs.fields(LibrettoConfig)}
    call = {field.name for field in attrs.fields(LibrettoCreateParams)}
    assert set(ConfigFields.__annotations__) == config
    assert set(CallFields.__annotations__) == call
    assert set(ScopeFields.__annotations__) == (config | call) - {"event_id"}
