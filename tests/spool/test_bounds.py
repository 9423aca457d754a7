"""How much a spool holds, and for how long."""

import time
from collections.abc import Callable
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
    size_of,
)

from libretto_instrument._spool import Spool, retention
from libretto_instrument._spool.dead_letters import iter_dead_letters
from libretto_instrument._util.clock import monotonic

_Open = Callable[..., Spool]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass on the monotonic clock."""
    real, ahead = monotonic, [0.0]
    monkeypatch.setattr(retention, "monotonic", lambda: real() + ahead[0])

    def pass_time(seconds: float) -> None:
        ahead[0] += seconds

    return pass_time


@pytest.mark.parametrize("each", [1, 30])
def test_bytes_are_bounded_by_short_writers(
    open_spool: _Open, directory: Path, each: int
) -> None:
    """Processes that write a little and end keep the bound, without a reader."""
    written = 0
    for _ in range(60 // each):
        spool = open_spool(max_bytes=2**20)
        for _ in range(each):
            append(spool, str(written), size=100_000)
            written += 1
        spool.close()
        assert size_of(directory) <= 2**20
    stats = spool.stats()
    assert 6 <= stats.pending <= 10
    assert stats.pending + stats.dropped["spool_full"] == written
    left = read_ids(spool)
    assert left == [str(number) for number in range(written - len(left), written)]


def test_bytes_are_bounded_by_one_writer(open_spool: _Open, directory: Path) -> None:
    """A process that writes for long keeps the bound, without a reader."""
    spool = open_spool(max_bytes=2**20)
    for number in range(1000):
        append(spool, str(number), size=5_000)
    assert size_of(directory) <= 2**20
    stats = spool.stats()
    assert stats.pending + stats.dropped["spool_full"] == 1000
    assert stats.pending > 100


def test_living_writers_keep_their_segment(directory: Path, open_spool: _Open) -> None:
    """A segment that a process still writes to is never deleted to keep the bound."""
    with program(
        directory,
        """
        spool.append(make_message("theirs"), TO_LIBRETTO)
        print("written", flush=True)
        sys.stdin.readline()
        """,
    ) as process:
        assert hear(process) == "written"
        spool = open_spool(max_bytes=2**18)
        for number in range(100):
            append(spool, str(number), size=10_000)
        assert read_ids(spool)[0] == "theirs"


def test_larger_than_the_bound(open_spool: _Open, directory: Path) -> None:
    """A message that would never fit is not written, and costs no other."""
    spool = open_spool(max_bytes=10_000)
    append(spool, "a")
    assert not spool.append(make_message("b", size=10_001), TO_LIBRETTO)
    assert read_ids(spool) == ["a"]


def test_acknowledged_is_not_lost(open_spool: _Open) -> None:
    """What was delivered is not counted when its segment is dropped."""
    spool = open_spool(max_bytes=2**20)
    append(spool, *"abc", size=10_000)
    for stored in read(spool, 2):
        spool.ack(stored)
    for number in range(100):
        append(spool, str(number), size=20_000)
    stats = spool.stats()
    assert stats.pending + stats.dropped["spool_full"] == 101


def test_age_at_reading(open_spool: _Open, advance: Callable[[float], None]) -> None:
    """What is too old is dropped and counted, once, when it would be sent."""
    spool = open_spool(max_age=100.0)
    spool.append(make_message("old"), ("libretto", "files"))
    advance(101.0)
    assert read_ids(spool) == []
    assert read_ids(spool, destination="files") == []
    assert spool.stats().dropped == {"spool_expired": 1}
    assert spool.stats().pending == 0


def test_age_with_nobody_reading(
    open_spool: _Open, directory: Path, advance: Callable[[float], None]
) -> None:
    """What is too old is dropped and counted by the next process that writes."""
    first = open_spool(max_age=100.0)
    append(first, "a", "b")
    first.close()
    advance(130.0)
    second = open_spool(max_age=100.0)
    append(second, "c")
    assert len(segments(directory)) == 1
    assert second.stats().dropped == {"spool_expired": 2}


@pytest.mark.parametrize("step", [-1e6, 1e6, 1e9])
def test_wall_clock_is_set(
    open_spool: _Open, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """A wall clock that is set expires nothing and changes no order."""
    spool = open_spool()
    append(spool, "a")
    spool.close()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    other = open_spool()
    append(other, "b")
    other.maintain()
    assert read_ids(other) == ["a", "b"]


def test_earlier_boot(open_spool: _Open, directory: Path) -> None:
    """What was written before the machine was restarted is read first, in order."""
    spool = open_spool()
    for name in ("a", "b"):
        append(spool, name)
        spool.close()
        for path in segments(directory):
            if not path.name.startswith("0123"):
                path.rename(path.with_name(f"0123456789abcde{name}" + path.name[16:]))
    append(spool, "c")
    assert read_ids(spool) == ["a", "b", "c"]


def test_reader_keeps_the_bounds(open_spool: _Open, directory: Path) -> None:
    """A process that reads keeps bounds that are tighter than the writers'."""
    writer = open_spool()
    append(writer, *map(str, range(50)), size=100_000)
    reader = open_spool(max_bytes=2**21)
    read(reader, 1)
    reader.maintain()
    assert size_of(directory) <= 2**21 + 2**20  # One segment is being written to.


def test_a_full_log_of_dead_letters(open_spool: _Open, directory: Path) -> None:
    """Dead letters are bounded, too: the older half is deleted."""
    spool = open_spool(max_bytes=2**20)
    for number in range(100):
        append(spool, str(number), size=10_000)
        (stored,) = read(spool)
        spool.reject(stored, "HTTP 413")
    assert size_of(directory / "dead") <= 2**17
    ids = [letter.message.id for letter in iter_dead_letters(spool.directory)]
    assert ids
    assert ids == [str(number) for number in range(100 - len(ids), 100)]
