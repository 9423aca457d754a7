"""What installing this brings along."""

import re
from importlib.metadata import requires, version

import libretto_instrument

RUNTIME = {"attrs", "httpx", "openai", "wrapt"}


def _requirements() -> list[str]:
    return requires("libretto-instrument") or []


def test_few_dependencies() -> None:
    """An application takes on four packages, two of which it has with openai."""
    always = [line for line in _requirements() if "extra ==" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in always} == RUNTIME


def test_lower_bounds_only() -> None:
    """No requirement has an upper bound."""
    for line in _requirements():
        pins = line.split(";")[0]
        assert "<" not in pins, line
        assert "==" not in pins, line
        assert "~=" not in pins, line


def test_one_version() -> None:
    """The distribution and the package tell the same version."""
    assert libretto_instrument.__version__ == version("libretto-instrument")
