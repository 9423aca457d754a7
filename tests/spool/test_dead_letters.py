"""What a destination refused, and what the commands make of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from support.spooling import append, make_message, read, read_ids

from libretto_instrument._delivery.message import Message
from libretto_instrument._spool import Spool
from libretto_instrument._spool.dead_letters import (
    DeadLetter,
    DeadLetters,
    iter_dead_letters,
    remove_dead_letters,
)
from libretto_instrument._spool.segment import encode_entry
from libretto_instrument._util.filelock import try_lock

_Open = Callable[..., Spool]


def _retry(spool: Spool, ids: set[str] | None) -> int:
    def append(letter: DeadLetter) -> bool:
        return spool.append(letter.message, (letter.destination,))

    return remove_dead_letters(spool.directory, ids, append)


def _drop(spool: Spool, ids: set[str] | None) -> int:
    return remove_dead_letters(spool.directory, ids, lambda letter: True)


def _reject_all(spool: Spool) -> None:
    for stored in read(spool):
        spool.reject(stored, f"HTTP 413 {stored.message.id}")


@pytest.mark.parametrize("body", [b'{"a": "\xc3\xa4\xf0\x9f\x98\x80"}', b"\xff\x00\n"])
def test_kept_with_the_reason(open_spool: _Open, body: bytes) -> None:
    """A refused message is kept whole, with the reason, and is not sent again."""
    spool = open_spool()
    message = Message("event", "a\ud83d", body, "key", 2.5, "http://x/", "hash")
    spool.append(message, ("libretto",))
    _reject_all(spool)
    (letter,) = iter_dead_letters(spool.directory)
    assert letter.message == message
    assert letter.reason == "HTTP 413 a\ud83d"
    spool.stop_leading()
    assert read_ids(spool) == []


def test_retry(open_spool: _Open) -> None:
    """Those that are retried are sent once more, to where they were refused."""
    spool = open_spool()
    append(spool, "a", "b", "c")
    _reject_all(spool)
    assert _retry(spool, {"b", "unknown"}) == 1
    assert read_ids(spool) == ["b"]
    assert [letter.message.id for letter in iter_dead_letters(spool.directory)] == [
        "a",
        "c",
    ]
    assert _retry(spool, None) == 2
    assert read_ids(spool) == ["a", "c"]
    assert not list(iter_dead_letters(spool.directory))


def test_drop(open_spool: _Open) -> None:
    """Those that are dropped are gone, the others stay."""
    spool = open_spool()
    append(spool, "a", "b", "c")
    _reject_all(spool)
    assert _drop(spool, {"a"}) == 1
    assert [letter.message.id for letter in iter_dead_letters(spool.directory)] == [
        "b",
        "c",
    ]
    assert _drop(spool, None) == 2


def test_retry_without_room(open_spool: _Open) -> None:
    """What can't be written once more stays a dead letter."""
    spool = open_spool()
    append(spool, "a", size=10_000)
    _reject_all(spool)
    assert _retry(open_spool(max_bytes=5_000), None) == 0
    assert [letter.message.id for letter in iter_dead_letters(spool.directory)] == ["a"]


def test_command_at_work(open_spool: _Open, directory: Path) -> None:
    """While a command works on dead letters, the reader holds its own back."""
    spool = open_spool()
    append(spool, "a", "b")
    first, second = read(spool)
    spool.reject(first, "no")
    lock = os.open(directory / "dead" / "libretto.lock", os.O_RDWR)
    assert try_lock(lock)
    spool.reject(second, "no")
    assert spool.own_pending(("libretto",)) == 1
    with pytest.raises(BlockingIOError):
        _drop(spool, None)
    os.close(lock)
    spool.maintain()
    assert [letter.message.id for letter in iter_dead_letters(spool.directory)] == [
        "a",
        "b",
    ]
    assert spool.own_pending(("libretto",)) == 0


def _entry(**changes: object) -> bytes:
    """Return a dead letter whose head says something else, with right checksums."""
    message = Message("event", "hostile", b"{}")
    whole = encode_entry(message, ("libretto",), stored_at=1.0, clock=0.0, reason="r")
    size = int.from_bytes(whole[8:12], "little")
    head = json.dumps(json.loads(whole[20 : 20 + size]) | changes).encode()
    lengths = len(head).to_bytes(4, "little") + whole[12:20]
    crc = crc32(head, crc32(lengths)).to_bytes(4, "little")
    return whole[:4] + crc + lengths + head + whole[20 + size :]


@pytest.mark.parametrize(
    "entry",
    [
        b"\n",
        b"[" * 100_000,
        b"\xffLS1" * 100,
        _entry()[:-1],
        _entry()[:50],
        _entry(reason=[]),
        _entry(reason="x" * 5000),
        _entry(stored_at=1e300),
        _entry(timestamp=10**400),
        _entry(kind=2, id=None),
        _entry(destinations="libretto"),
        _entry(destinations=[["libretto"]]),
        _entry(destinations=None),
        _entry(destinations=[]),
    ],
)
def test_hostile_entries(open_spool: _Open, directory: Path, entry: bytes) -> None:
    """What is not a dead letter is left out, and nothing raises."""
    spool = open_spool()
    append(spool, "a", "b")
    first, second = read(spool)
    spool.reject(first, "no")
    path = directory / "dead" / "libretto.seg"
    path.write_bytes(path.read_bytes() + entry)
    spool.reject(second, "no")
    assert [letter.message.id for letter in iter_dead_letters(spool.directory)] == [
        "a",
        "b",
    ]
    spool.stats()
    assert _retry(spool, None) == 2


def test_count(open_spool: _Open) -> None:
    """Dead letters are counted for each destination."""
    spool = open_spool()
    spool.append(make_message("a"), ("libretto", "files"))
    for destination in ("libretto", "files"):
        (stored,) = read(spool, destination=destination)
        spool.reject(stored, "no")
    assert spool.stats().dead_letters == 2
    assert len(list(DeadLetters(spool.directory.dead_letters("files")))) == 1
