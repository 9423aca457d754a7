"""Exporters named by --exporter."""

import sys
from pathlib import Path

import pytest

from libretto_instrument._cli.exporter_args import parse_exporters

MODULE = """
import sys
from libretto_instrument.exporters import MemoryExporter
ready = MemoryExporter("ready")
def make():
    import beside_it
    return MemoryExporter(beside_it.NAME)
class Own(MemoryExporter):
    def __init__(self):
        super().__init__("own")
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with modules in it."""
    (tmp_path / "exporter_of_mine.py").write_text(MODULE)
    (tmp_path / "beside_it.py").write_text('NAME = "made"')
    (tmp_path / "broken_one.py").write_text("import there_is_no_such_module")
    (tmp_path / "fractions.py").write_text("raise SystemExit('not the real one')")
    for name in ("exporter_of_mine", "beside_it", "broken_one", "fractions"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("attribute", "name"), [("ready", "ready"), ("make", "made"), ("Own", "own")]
)
def test_a_module_beside(directory: Path, attribute: str, name: str) -> None:
    """An exporter of a module in the working directory is found, and the directory is
    not searched for any later import."""
    before = list(sys.path)
    (exporter,) = parse_exporters([f"exporter_of_mine:{attribute}"])
    assert exporter.name == name
    assert sys.path == before


@pytest.mark.parametrize(
    "named", ["there_is_none:x", "broken_one:x", "exporter_of_mine:nothing"]
)
def test_a_module_that_fails(directory: Path, named: str) -> None:
    """A module that can't be used is named, and leaves the path as it was."""
    before = list(sys.path)
    with pytest.raises(ValueError, match=named):
        parse_exporters([named])
    assert sys.path == before


@pytest.mark.parametrize("entry", ["", "directory"])
def test_a_path_that_had_it_before(
    directory: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """A working directory that was on the path stays where it was."""
    first = str(directory) if entry else ""
    monkeypatch.setattr(sys, "path", [first, *sys.path])
    before = list(sys.path)
    parse_exporters(["exporter_of_mine:ready"])
    assert sys.path == before


def test_it_shadows_nothing(directory: Path) -> None:
    """A file of the working directory is not taken for a module of Python's."""
    with pytest.raises(ValueError, match="has no attribute 'exporter'"):
        parse_exporters(["fractions:exporter"])


@pytest.mark.parametrize(
    "named",
    [
        "otlp:http://user:hunter2@host:4318/v1/traces",
        "=otlp:http://user:hunter2@host",
        "mine=module:http://user:hunter2@host",
        "mine=module:http://user:hunter2/x@host",
    ],
)
def test_no_password_in_an_error(named: str) -> None:
    """An error does not repeat the password of an address."""
    with pytest.raises(ValueError, match="host") as caught:
        parse_exporters([named])
    assert "hunter2" not in str(caught.value)
