"""Entries in a segment, whole, damaged and hostile."""

import json
import os
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import time
from zlib import crc32

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.spooling import append, make_message, read, read_ids, segments
from support.waiting import eventually

from libretto_instrument._delivery.message import Message
from libretto_instrument._spool import Spool
from libretto_instrument._spool.segment import encode_entry

_Open = Callable[..., Spool]
_texts = st.text(max_size=50)
_messages = st.builds(
    Message,
    kind=_texts,
    id=_texts,
    body=st.binary(max_size=2000),
    ordering_key=st.none() | _texts,
    timestamp=st.none() | st.floats(0, 1e11),
    endpoint=st.none() | _texts,
    credential=st.none() | _texts,
)
_examples = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _entry(name: str, **changes: object) -> bytes:
    entry = encode_entry(make_message(name), ("libretto",), stored_at=time(), clock=0.5)
    if not changes:
        return entry
    size = struct.unpack_from("<I", entry, 8)[0]
    head = json.loads(entry[20 : 20 + size]) | changes
    return _pack(json.dumps(head).encode(), entry[20 + size :])


def _pack(head: bytes, body: bytes) -> bytes:
    lengths = struct.pack("<III", len(head), len(body), crc32(body))
    head_crc = crc32(head, crc32(lengths)).to_bytes(4, "little")
    return b"\xffLS1" + head_crc + lengths + head + body


def _plant(directory: Path, data: bytes) -> None:
    """Leave a segment that no process writes to."""
    Spool(directory).directory.prepare()
    for path in (*segments(directory), *(directory / "acks").iterdir()):
        path.unlink()
    path = directory / "segments" / f"{'a' * 16}-{os.urandom(8).hex()}-1.seg"
    path.touch(0o600)
    path.write_bytes(data)


@_examples
@given(message=_messages)
@example(Message("event", "half a pair \ud83d", b"\xff\x00LS1", "\udc80"))
def test_round_trip(open_spool: _Open, message: Message) -> None:
    """What is written is read, whatever is in it."""
    with closing(open_spool()) as spool:
        assert spool.append(message, ("libretto",))
        (stored,) = read(spool)
        assert stored.message == message
        spool.ack(stored)


@_examples
@given(
    noise=st.binary(max_size=300) | st.just(b"\xffLS1" * 50),
    cut=st.integers(0, 150),
)
def test_damage_costs_what_is_damaged(
    open_spool: _Open, directory: Path, noise: bytes, cut: int
) -> None:
    """Before and after noise, and an entry that is cut, entries are read."""
    cut_off = _entry("c")[:cut]
    _plant(directory, _entry("a") + noise + _entry("b") + cut_off + _entry("d"))
    with closing(open_spool()) as spool:
        assert read_ids(spool) == ["a", "b", "d"]


@_examples
@given(at=st.integers(0, 10_000), change=st.integers(1, 255))
def test_flipped_bytes(
    open_spool: _Open, directory: Path, at: int, change: int
) -> None:
    """An entry with any byte changed is left out and counted; others are read."""
    entries = [_entry("a"), _entry("b"), _entry("c")]
    changed = bytearray(entries[1])
    changed[at % len(changed)] ^= change
    _plant(directory, entries[0] + bytes(changed) + entries[2])
    with closing(open_spool()) as spool:
        before = spool.stats().dropped.get("spool_damaged", 0)
        assert read_ids(spool) == ["a", "c"]
        assert spool.stats().dropped["spool_damaged"] == before + 1


@pytest.mark.parametrize(
    "hostile",
    [
        _entry("x", kind=5),
        _entry("x", id=None),
        _entry("x", id="x" * 5000),
        _entry("x", destinations="libretto"),
        _entry("x", destinations=["libretto", 5]),
        _entry("x", destinations=["libretto"] * 1000),
        _entry("x", stored_at="now"),
        _entry("x", clock=True),
        _entry("x", clock=1e300),
        _entry("x", timestamp=10**400),
        _pack(b"[" * 30_000, b""),
        _pack(b'{"a":' * 5_000, b""),
        _pack(b"[]", b""),
        _pack(b"{}", b""),
        _pack(b'{"clock": NaN}', b""),
        _pack(b"1" * 30_000, b""),
        b"\xffLS1" + struct.pack("<IIII", 0, 2**32 - 1, 2**32 - 1, 0),
        b"\xffLS1" + struct.pack("<IIII", 0, 10, 2**26, 0),
    ],
    ids=map(str, range(18)),  # The entries hold the time.
)
def test_hostile_entry(open_spool: _Open, directory: Path, hostile: bytes) -> None:
    """An entry that is not what a writer makes costs itself, and nothing raises."""
    _plant(directory, _entry("a") + hostile + _entry("b"))
    spool = open_spool()
    assert read_ids(spool) == ["a", "b"]
    spool.maintain()
    spool.stats()


def test_endless_damage(open_spool: _Open, directory: Path) -> None:
    """A segment of nothing but false beginnings is given up; others are read."""
    _plant(directory, (b"\xffLS1" + struct.pack("<IIII", 0, 2**15, 0, 0)) * 30_000)
    spool = open_spool()
    append(spool, "a")
    eventually(lambda: read_ids(spool) == ["a"])
    spool.maintain()
    assert len(segments(directory)) == 1


def test_sparse_segment(open_spool: _Open, directory: Path) -> None:
    """A segment that claims to be huge is read in bounded time and memory."""
    _plant(directory, _entry("a"))
    os.truncate(segments(directory)[0], 2**40)
    assert read_ids(open_spool()) == ["a"]


def test_too_large_to_be_read(open_spool: _Open) -> None:
    """What a reader would refuse is not written."""
    spool = open_spool()
    assert not spool.append(make_message("x" * 5000), ("libretto",))
    assert not spool.append(make_message("x", size=2**26 + 1), ("libretto",))
    assert read_ids(spool) == []
