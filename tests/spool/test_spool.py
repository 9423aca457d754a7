"""Writing, reading and acknowledging, within one process."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from support.spooling import (
    TO_LIBRETTO,
    append,
    make_message,
    read,
    read_ids,
    segments,
    size_of,
)

from libretto_instrument._spool import Spool, index
from libretto_instrument._spool.dead_letters import iter_dead_letters

_Open = Callable[..., Spool]
_BOTH = ("libretto", "files")


def test_first_in_first_out(open_spool: _Open) -> None:
    """What several writers wrote is read in the order of the writes."""
    one, other = open_spool(), open_spool()
    for number in range(0, 40, 2):
        append(one, str(number))
        append(other, str(number + 1))
    assert read_ids(one) == [str(number) for number in range(40)]


def test_handed_out_once(open_spool: _Open) -> None:
    """What was read is not read again, by the same reader."""
    spool = open_spool()
    append(spool, "a", "b", "c")
    assert read_ids(spool, 2) == ["a", "b"]
    assert read_ids(spool) == ["c"]
    assert read_ids(spool) == []


def test_window_in_bytes(open_spool: _Open) -> None:
    """A read is bounded in bytes, and brings one message at least."""
    spool = open_spool()
    append(spool, "a", "b", "c", size=1000)
    assert spool.try_lead("libretto")
    assert len(spool.read("libretto", 10, 2500)) == 2
    assert len(spool.read("libretto", 10, 1)) == 1


def test_one_reader(open_spool: _Open) -> None:
    """While one reads another one does not, and takes over when the first stops."""
    one, other = open_spool(), open_spool()
    append(one, "a", "b")
    assert read_ids(one, 1) == ["a"]
    assert not other.try_lead("libretto")
    assert other.read("libretto", 10, 2**20) == []
    one.stop_leading()
    assert read_ids(other) == ["a", "b"]


def test_successor_repeats_what_was_not_acknowledged(open_spool: _Open) -> None:
    """A successor is given what was handed out and not acknowledged, in its order."""
    one, other = open_spool(), open_spool()
    append(one, *"abcdef")
    found = read(one, 5)
    for stored in (found[1], found[3]):
        one.ack(stored)
    one.stop_leading()
    assert read_ids(other) == ["a", "c", "e", "f"]


@pytest.mark.parametrize("rounds", [3, 3000])
def test_long_log(open_spool: _Open, directory: Path, rounds: int) -> None:
    """What is acknowledged stays so, through rewritten logs and changes of reader."""
    spool = open_spool()
    append(spool, *map(str, range(rounds * 4)), size=1)
    found = read(spool, rounds * 4)
    for stored in found[::2]:
        spool.ack(stored)
        if int(stored.message.id) % 500 == 0:
            spool.maintain()
    spool.maintain()
    log = directory / "acks" / "libretto.log"
    assert log.stat().st_size < 300_000
    left = [stored.message.id for stored in found[1::2]]
    for _ in range(2):
        spool.stop_leading()
        spool = open_spool()
        assert read_ids(spool, rounds * 4) == left


def test_deleted_when_all_have_it(open_spool: _Open, directory: Path) -> None:
    """A segment is deleted once each destination has it and its writer is done."""
    writer, reader, other = open_spool(), open_spool(), open_spool()
    writer.append(make_message("a"), _BOTH)
    for stored in read(reader):
        reader.ack(stored)
    writer.close()
    reader.maintain()
    assert segments(directory)
    for stored in read(other, destination="files"):
        other.ack(stored)
    other.maintain()
    assert not segments(directory)


def test_not_deleted_before_it_is_known_for_whom_it_is(
    open_spool: _Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no time to look at all segments, none is deleted for that."""
    monkeypatch.setattr(index, "monotonic", count().__next__)
    writer, reader = open_spool(), open_spool()
    writer.append(make_message("a"), _BOTH)
    for stored in read(reader):
        reader.ack(stored)
    writer.close()
    reader.maintain()
    assert segments(directory)
    assert read_ids(reader, destination="files") == ["a"]


def test_current_segment_stays(open_spool: _Open, directory: Path) -> None:
    """What a living writer writes to is not deleted, though all have what is there."""
    writer, reader = open_spool(), open_spool()
    append(writer, "a")
    for stored in read(reader):
        reader.ack(stored)
    reader.maintain()
    append(writer, "b")
    assert len(segments(directory)) == 1
    assert read_ids(reader) == ["b"]


def test_destinations_apart(open_spool: _Open) -> None:
    """Each destination has what is for it, at its own pace, from its own reader."""
    one, other = open_spool(), open_spool()
    one.append(make_message("a"), _BOTH)
    one.append(make_message("b"), ("files",))
    one.append(make_message("c"), TO_LIBRETTO)
    assert read_ids(one) == ["a", "c"]
    assert read_ids(other, destination="files") == ["a", "b"]
    assert one.stats().pending_by_destination == {"libretto": 2, "files": 2}


def test_undecided_destination(open_spool: _Open, directory: Path) -> None:
    """What names no destination goes to all that are read for."""
    writer, reader = open_spool(), open_spool()
    writer.append(make_message("a"), None)
    writer.close()
    for destination in _BOTH:
        (stored,) = read(reader, destination=destination)
        reader.ack(stored)
    reader.maintain()
    assert not segments(directory)


@pytest.mark.parametrize("name", ["Ünicode", "a/../b", "x" * 300, "CON", ".", "a b\n"])
def test_odd_names(open_spool: _Open, directory: Path, name: str) -> None:
    """Any destination's name is kept within the directory."""
    spool = open_spool()
    spool.append(make_message("a"), (name,))
    (stored,) = read(spool, destination=name)
    spool.reject(stored, "no")
    (letter,) = iter_dead_letters(spool.directory)
    assert letter.destination == name
    assert {path.name for path in directory.parent.iterdir()} == {"spool"}


def test_own_pending(open_spool: _Open) -> None:
    """A process knows what of its own is left, also if another one reads."""
    one, other = open_spool(), open_spool()
    append(one, "a", "b")
    append(other, "c")
    assert one.own_pending(TO_LIBRETTO) == 2
    for stored in read(other):
        other.ack(stored)
    assert one.own_pending(TO_LIBRETTO) == other.own_pending(TO_LIBRETTO) == 0
    append(one, "d")
    assert one.own_pending(TO_LIBRETTO) == 1
    (stored,) = read(other)
    other.reject(stored, "no")
    assert one.own_pending(TO_LIBRETTO) == 0


def test_own_pending_of_what_is_deleted(open_spool: _Open) -> None:
    """What is gone from the disk is not waited for."""
    one, other = open_spool(), open_spool()
    append(one, "a")
    for stored in read(other):
        other.ack(stored)
    one.close()
    other.maintain()
    assert one.own_pending(TO_LIBRETTO) == 0


def test_stats(open_spool: _Open, directory: Path) -> None:
    """The statistics count what is there, each message once."""
    spool = open_spool()
    append(spool, *"abcd")
    found = read(spool)
    spool.ack(found[0])
    spool.reject(found[1], "HTTP 400")
    stats = spool.stats()
    assert (stats.pending, stats.dead_letters, stats.dropped) == (2, 1, {})
    assert stats.oldest_at == pytest.approx(found[2].stored_at, abs=60)
    assert stats.size == size_of(directory)
    append(spool, "e")
    assert spool.stats().pending == 3


def test_short_processes_share_segments(open_spool: _Open, directory: Path) -> None:
    """What an ended process left unfilled is continued by the next one."""
    for number in range(20):
        spool = open_spool()
        append(spool, str(number))
        spool.close()
    assert len(segments(directory)) == 1
    assert read_ids(open_spool()) == [str(number) for number in range(20)]


def test_cut_segment_is_not_continued(open_spool: _Open, directory: Path) -> None:
    """Nothing is written after an entry that was cut off."""
    spool = open_spool()
    append(spool, "a", "b")
    spool.close()
    (segment,) = segments(directory)
    os.truncate(segment, segment.stat().st_size - 1)
    append(spool, "c")
    assert read_ids(open_spool()) == ["a", "c"]


def test_rotation(open_spool: _Open, directory: Path) -> None:
    """A segment that is full is closed for a new one, and deleted when it is read."""
    spool = open_spool()
    append(spool, *map(str, range(100)), size=50_000)
    assert len(segments(directory)) > 3
    for stored in read(spool):
        spool.ack(stored)
    spool.maintain()
    assert len(segments(directory)) == 1


def test_many_pending(open_spool: _Open) -> None:
    """With much pending, a read takes no more memory than its window."""
    tracemalloc = pytest.importorskip("tracemalloc")
    spool = open_spool()
    append(spool, *map(str, range(5000)), size=1000)
    tracemalloc.start()
    try:
        assert len(read(spool, 10)) == 10
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bounds", [{"max_bytes": 0}, {"max_age": 0}])
def test_bounds_that_allow_nothing(directory: Path, bounds: dict[str, int]) -> None:
    """Such bounds are refused."""
    with pytest.raises(ValueError, match="a spool needs"):
        Spool(directory, **bounds)


def test_own_rejected(open_spool: _Open) -> None:
    """A process knows what of its own was refused, also if another one reads."""
    one, other = open_spool(), open_spool()
    append(one, "a", "b")
    append(other, "c")
    for stored in read(other):
        if stored.message.id == "b":
            other.ack(stored)
        else:
            other.reject(stored, "HTTP 413")
    assert len(one.own_rejected(TO_LIBRETTO)) == 1
    assert len(other.own_rejected(TO_LIBRETTO)) == 1
    other.stop_leading()
    assert read_ids(one) == []
    assert len(one.own_rejected(TO_LIBRETTO)) == 1
    assert len(other.own_rejected(TO_LIBRETTO)) == 1
