"""Reports in a file, and what becomes of files."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from libretto_instrument.exporters import ExportError, ExportRecord, JsonLinesExporter
from libretto_instrument.exporters import _json_lines as module

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def report(name: str = "a", **body: Any) -> ExportRecord:
    return ExportRecord("event", name, body, 1_700_000_000.25)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "down" / "events.jsonl"


def test_one_line_each(path: Path) -> None:
    """Each report is a line of its own, whatever stands in it."""
    exporter = JsonLinesExporter(path)
    assert not path.parent.exists()
    odd = {"text": "line\nbreak \u2028 \x00 \ud800", "number": float("inf")}
    exporter.export([report("a"), report("b", **odd)])
    exporter.export([report("c")])
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 4
    assert json.loads(lines[0]) == {
        "kind": "event",
        "id": "a",
        "timestamp": 1_700_000_000.25,
        "body": {},
    }
    assert json.loads(lines[1])["body"] == {**odd, "number": None}


@posix
def test_nobody_else_reads_it(path: Path) -> None:
    """The file is the owner's alone."""
    JsonLinesExporter(path).export([report()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_rotation(path: Path, keep: int) -> None:
    """No file grows beyond the bound, and the given number of older ones is kept."""
    exporter = JsonLinesExporter(path, max_bytes=100, backup_count=keep)
    for n in range(5):
        exporter.export([report(str(n), text="x" * 40)])
    assert ids(path) == ["4"]
    older = [Path(f"{path}.{n}") for n in range(1, 6)]
    assert [ids(file) for file in older if file.exists()] == [["3"], ["2"]][:keep]
    exporter.export([report("long", text="x" * 1000)])
    assert ids(path) == ["long"]


def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could be written of a batch is taken back, so that it is not there twice."""
    exporter = JsonLinesExporter(path)
    exporter.export([report("a")])
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda file, data: write(file, data[:10]))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        exporter.export([report("b"), report("c")])
    monkeypatch.undo()
    exporter.export([report("b"), report("c")])
    assert ids(path) == ["a", "b", "c"]


def test_a_line_that_was_cut(path: Path) -> None:
    """After a line without an end, a new one is started."""
    exporter = JsonLinesExporter(path)
    exporter.export([report("a")])
    with path.open("ab") as file:
        file.write(b'{"kind": "ev')
    exporter.export([report("b")])
    first, _, last = path.read_bytes().splitlines()
    assert (json.loads(first)["id"], json.loads(last)["id"]) == ("a", "b")


@posix
def test_locked_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that keeps the lock delays an export for a bounded time."""
    import fcntl

    monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.05)
    exporter = JsonLinesExporter(path)
    exporter.export([report("a")])
    with open(f"{path}.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ExportError, match="locked") as caught:
            exporter.export([report("b")])
        assert caught.value.retry
    exporter.export([report("b")])
    assert ids(path) == ["a", "b"]


def test_a_path_in_the_way(tmp_path: Path) -> None:
    """What can't be a file is the delivery's to try again, as any other failure."""
    with pytest.raises(OSError, match="directory"):
        JsonLinesExporter(tmp_path).export([report()])


SCRIPT = """
import sys
from libretto_instrument.exporters import JsonLinesExporter, ExportRecord
path, who, rotate = sys.argv[1], sys.argv[2], int(sys.argv[3])
exporter = JsonLinesExporter(path, max_bytes=rotate, backup_count=1000)
for n in range(0, 200, 2):
    exporter.export([
        ExportRecord("event", f"{who}-{m}", {"text": "x" * 500}, 0.0)
        for m in (n, n + 1)
    ])
"""


@posix
def test_several_processes(path: Path) -> None:
    """Processes and threads that write and rotate at once lose and mix up nothing."""
    rotate = 20_000
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path), f"child{n}", str(rotate)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for n in range(3)
    ]
    exporter = JsonLinesExporter(path, max_bytes=rotate, backup_count=1000)

    def write(who: str) -> None:
        for n in range(50):
            exporter.export([report(f"{who}-{n}")])

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(60) for child in children] == [0, 0, 0]
    files = [file for file in path.parent.iterdir() if file.suffix != ".lock"]
    assert len(files) > 3
    assert all(file.stat().st_size <= rotate for file in files)
    found = Counter(name for file in files for name in ids(file))
    assert found == Counter(
        [f"child{n}-{m}" for n in range(3) for m in range(200)]
        + [f"t{n}-{m}" for n in range(3) for m in range(50)]
    )


@pytest.mark.parametrize("options", [{"max_bytes": 0}, {"backup_count": -1}])
def test_bounds_that_make_no_sense(path: Path, options: Any) -> None:
    """A wrong bound is refused, by name."""
    with pytest.raises(ValueError, match=next(iter(options))):
        JsonLinesExporter(path, **options)


def _named_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _symbolic_link(path: Path) -> None:
    path.with_name("elsewhere").touch(0o600)
    path.symlink_to(path.with_name("elsewhere"))


def _readable_by_others(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


def _exchangeable(path: Path) -> None:
    path.parent.chmod(0o777)


@posix
@pytest.mark.parametrize(
    "prepare", [_named_pipe, _symbolic_link, _readable_by_others, _exchangeable]
)
@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.lock"])
def test_not_this_users_alone(
    tmp_path: Path, prepare: Callable[[Path], None], name: str
) -> None:
    """A file that others could read, exchange or listen to is not written to."""
    prepare(tmp_path / name)
    with pytest.raises(OSError, match=r"\S"):
        JsonLinesExporter(tmp_path / "events.jsonl").export([report()])
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert not any(path.stat().st_size for path in written)
