"""What a spool does when the disk or the system fails it."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from support.spooling import (
    TO_LIBRETTO,
    append,
    hear,
    make_message,
    program,
    read,
    read_ids,
    segments,
)
from support.waiting import eventually

from libretto_instrument._spool import Spool

_Open = Callable[..., Spool]


def _is_written(spool: Spool, name: str, size: int = 100) -> bool:
    return spool.append(make_message(name, size=size), TO_LIBRETTO)


def _remove(directory: Path) -> None:
    shutil.rmtree(directory)


def _move(directory: Path) -> None:
    directory.rename(directory.with_name("moved"))


def _remove_segments(directory: Path) -> None:
    shutil.rmtree(directory / "segments")


@pytest.mark.parametrize("vanish", [_remove, _remove_segments])
def test_deleted_under_our_feet(
    directory: Path,
    open_spool: _Open,
    vanish: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A new spool is made at once, with one warning; writer and reader use it."""
    spool = open_spool()
    append(spool, "a")
    read(spool)
    vanish(directory)
    append(spool, "b", "c")
    assert read_ids(spool) == ["b", "c"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_moved_away(directory: Path, open_spool: _Open) -> None:
    """A directory that is moved is found out soon, and a new one made."""
    spool = open_spool()
    append(spool, "a")
    _move(directory)
    eventually(lambda: _is_written(spool, "b") and directory.exists())
    assert "b" in read_ids(spool)


def test_two_readers_after_deletion(directory: Path, open_spool: _Open) -> None:
    """Who read from a directory that was deleted does not go on as a second reader."""
    one, other = open_spool(), open_spool()
    append(one, "a")
    read(one)
    _remove(directory)
    append(other, "b")
    assert read_ids(other) == ["b"]
    assert not one.try_lead("libretto")
    assert one.read("libretto", 10, 2**20) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a volume of one megabyte."""
    place = tmp_path / "small"
    place.mkdir(0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs the right to mount a volume")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On a full disk nothing is written in part; emptied, it is written to again."""
    spool = Spool(small_disk / "spool")
    written = 0
    while _is_written(spool, str(written), size=30_000):
        written += 1
    assert written > 10
    filler = (small_disk / "filler").open("wb", buffering=0)
    with suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    assert any("space" in record.getMessage() for record in caplog.records)
    # Everything is delivered, and space freed, with not a byte to spare.
    reader = Spool(small_disk / "spool")
    found = read(reader)
    assert [stored.message.id for stored in found] == [
        str(number) for number in range(written)
    ]
    for stored in found[:5]:
        reader.reject(stored, "HTTP 413")
    for stored in found[5:]:
        reader.ack(stored)
    spool.close()
    reader.maintain()
    assert not segments(small_disk / "spool")
    eventually(lambda: _is_written(spool, "again", size=30_000), timeout=60)
    assert read_ids(reader) == ["again"]
    reader.close()
    filler.close()
    assert "spool_damaged" not in spool.stats().dropped


def test_file_size_limit(directory: Path) -> None:
    """Where a write succeeds in part, the part is taken back."""
    with program(
        directory,
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        first = spool.append(make_message("a", size=40_000), TO_LIBRETTO)
        second = spool.append(make_message("b", size=40_000), TO_LIBRETTO)
        time.sleep(0.1)
        third = spool.append(make_message("c", size=1_000), TO_LIBRETTO)
        print(first, second, third, read_ids(spool), spool.stats().dropped, flush=True)
        """,
    ) as process:
        assert hear(process) == "True False True ['a', 'c'] {}"


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_out_of_descriptors(open_spool: _Open) -> None:
    """Without a descriptor to be had nothing is written or read; later it is."""
    spool = open_spool()
    append(spool, "a")
    read_ids(spool)
    spool.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/dev/fd"))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    taken = []
    try:
        while True:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        assert not _is_written(spool, "b")
        assert not spool.try_lead("libretto")
        spool.maintain()
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: _is_written(spool, "c"))
    assert read_ids(spool) == ["a", "c"]


def test_read_only(tmp_path: Path, open_spool: _Open, directory: Path) -> None:
    """On a volume that is mounted to be read only, nothing raises."""
    append(open_spool(), "a")
    bind = ["mount", "--bind", "-o", "ro", str(directory), str(directory)]
    if shutil.which("mount") is None or subprocess.run(bind, check=False).returncode:
        pytest.skip("needs the right to mount a volume")
    try:
        spool = Spool(directory)
        assert not _is_written(spool, "b")
        assert not spool.try_lead("libretto")
        spool.maintain()
        assert spool.stats().pending == 1
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_interrupted_by_itself(open_spool: _Open) -> None:
    """A signal handler may append while an append runs."""
    spool = open_spool()
    numbers, by_handler = count(), set[str]()

    def handler(*_: object) -> None:
        name = f"h{next(numbers)}"
        if _is_written(spool, name):
            by_handler.add(name)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        written = [one for one in map(str, range(3000)) if _is_written(spool, one)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(written) == 3000
    found = read_ids(spool, 100_000)
    assert [one for one in found if not one.startswith("h")] == written
    assert {one for one in found if one.startswith("h")} == by_handler


# A directory may be left half listed, of which Python warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupted_by_an_exception(open_spool: _Open) -> None:
    """What a signal handler raises reaches the caller, and the spool works on."""
    spool = open_spool()

    class SoftTimeLimitError(Exception):
        pass

    def handler(*_: object) -> None:
        raise SoftTimeLimitError

    previous = signal.signal(signal.SIGALRM, handler)
    came, written = 0, set()
    try:
        while came < 200:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                for number in range(100):
                    if _is_written(spool, f"{came}-{number}"):
                        written.add(f"{came}-{number}")
            except SoftTimeLimitError:
                came += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert _is_written(spool, "last")
    assert written <= set(read_ids(spool, 100_000))
    assert spool.stats().dropped == {}


def test_stuck_thread(open_spool: _Open) -> None:
    """A thread that never ends its append holds no other one up for long."""
    spool = open_spool()
    append(spool, "a")
    assert spool._writer._lock.acquire()
    append(spool, "b", "c")
    assert read_ids(spool) == ["a", "b", "c"]
