"""What users may rely on: the names, and that each says what it is."""

import importlib
import inspect
from types import ModuleType

import pytest

import libretto_instrument
import libretto_instrument.improve
import libretto_instrument.testing
import libretto_openai

NAMES = {
    libretto_instrument: [
        "Chain",
        "LibrettoConfig",
        "LibrettoCreateParams",
        "Scope",
        "Stats",
        "TemplateChat",
        "TemplateError",
        "TemplateString",
        "TemplateText",
        "__version__",
        "attach",
        "chain",
        "feedback_key",
        "flush",
        "install",
        "installed",
        "propagate",
        "scope",
        "send_feedback",
        "shutdown",
        "stats",
        "uninstall",
        "update_chain",
    ],
    libretto_instrument.improve: [
        "Answer",
        "Case",
        "Comparison",
        "Replay",
        "ReplayError",
        "ReplayInterrupt",
        "Result",
        "cases",
        "read_cases",
        "replay",
    ],
    libretto_instrument.testing: ["CapturedEvents", "capture_events", "cases"],
    libretto_openai: [
        "AsyncAzureOpenAI",
        "AsyncClient",
        "AsyncOpenAI",
        "AzureOpenAI",
        "Client",
        "LibrettoConfig",
        "LibrettoCreateParams",
        "OpenAI",
        "TemplateChat",
        "TemplateError",
        "TemplateString",
        "TemplateText",
    ],
}

each_package = pytest.mark.parametrize("package", NAMES, ids=lambda it: it.__name__)
each_name = pytest.mark.parametrize(
    ("package", "name"),
    [
        pytest.param(package, name, id=f"{package.__name__}.{name}")
        for package, names in NAMES.items()
        for name in names
        if name != "__version__"
    ],
)


@each_package
def test_names(package: ModuleType) -> None:
    """The public names are these, in order; another is added here on purpose."""
    assert package.__all__ == NAMES[package] == sorted(NAMES[package])


@each_package
def test_all_of_it_can_be_imported(package: ModuleType) -> None:
    """`import *` gives every public name and nothing else."""
    given: dict[str, object] = {}
    exec(f"from {package.__name__} import *", given)
    assert set(given) - {"__builtins__"} == set(NAMES[package])


@each_name
def test_documented(package: ModuleType, name: str) -> None:
    """Every public name has a docstring of its own, and so has each public method."""
    public = getattr(package, name)
    assert own_doc(public)
    if inspect.isclass(public):
        assert [
            method
            for method, function in vars(public).items()
            if inspect.isfunction(function)
            and not method.startswith("_")
            and not function.__doc__
        ] == []


def own_doc(public: object) -> str | None:
    """Return a docstring, unless it is one that a base class handed down."""
    doc = inspect.getdoc(public)
    if inspect.isclass(public) and doc:
        inherited = {inspect.getdoc(base) for base in public.__mro__[1:]}
        return None if doc in inherited else doc
    return doc


@pytest.mark.parametrize(
    "name", sorted({*NAMES[libretto_openai]} & {*NAMES[libretto_instrument]})
)
def test_the_same_things(name: str) -> None:
    """What both packages offer is one and the same."""
    assert getattr(libretto_openai, name) is getattr(libretto_instrument, name)


@each_package
def test_packages_are_documented(package: ModuleType) -> None:
    """Each package begins with what it does."""
    assert importlib.import_module(package.__name__).__doc__


def test_version() -> None:
    """The version is three numbers."""
    parts = libretto_instrument.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts)
