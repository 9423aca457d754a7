"""How messages are written to a journal, and read from it."""

import math
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from struct import Struct
from zlib import crc32

from attrs import frozen

from ._message import Message

#: What a journal begins with: which form it has, since which start of the machine it is
#: written, and how far it was moved elsewhere, in case that the database is lost, which
#: knows it.
_TITLE = Struct("<8s16sQ")
_FORM = b"\xffLibJr2\n"
_ANY_FORM = _FORM[:-2]
#: Where the first entry begins.
FIRST = _TITLE.size

#: What an entry begins with, which is no part of an UTF-8 text.
MARK = b"\xffLj2"
#: The mark, and the checksum of all that follows it.
_START = Struct("<4sI")
#: The lengths of the kind, the id, the key, the destinations (of these two, -1 stands
#: for none) and the body; the body's form; when it happened, and twice when it was
#: written: by the clock on the wall, and by the one that nobody sets.
_HEAD = Struct("<IIiiQIddd")
#: So many bytes of an entry tell how long it is.
BEGINNING = _START.size + _HEAD.size


@frozen
class Title:
    """What a journal says of itself.

    Attributes:
        boot: Since which start of the machine it is written; see `boot`.
        moved: Up to where it was moved elsewhere, in bytes.
    """

    boot: bytes
    moved: int


@frozen
class Entry:
    """A message as it is in a journal.

    Attributes:
        start: Where it begins, in bytes from the journal's beginning.
        end: Where the next one begins, likewise.
        message: The message.
        destinations: Who shall get it, one a line; None leaves that to whoever
            delivers it.
        stored_at: When it was written, in seconds since the epoch.
        clock: Likewise by `time.monotonic`, which all processes share.
    """

    start: int
    end: int
    message: Message
    destinations: str | None
    stored_at: float
    clock: float


@cache
def boot() -> bytes:
    """Return what tells this start of the machine from others; nulls if nothing does.

    It begins the monotonic clock anew.
    """
    with suppress(OSError, ValueError):
        told = Path("/proc/sys/kernel/random/boot_id").read_text()
        return bytes.fromhex(told.strip().replace("-", ""))[:16]
    return bytes(16)


def title_of(file: int) -> Title | None:
    """Read what a journal says of itself; None if it is none."""
    data = os.pread(file, FIRST, 0)
    if len(data) < FIRST or not data.startswith(_FORM):
        return None
    _, its_boot, moved = _TITLE.unpack(data)
    return Title(its_boot, moved) if moved >= FIRST else None


def is_of_another_version(file: int) -> bool:
    """Say whether a file is a journal in a form that this version does not know."""
    data = os.pread(file, len(_FORM), 0)
    return data.startswith(_ANY_FORM) and data != _FORM


def new_title() -> bytes:
    """Return what a journal of this process begins with."""
    return _TITLE.pack(_FORM, boot(), FIRST)


def write_title(file: int, title: Title) -> None:
    """Have a journal say something else of itself."""
    os.pwrite(file, _TITLE.pack(_FORM, title.boot, title.moved), 0)


def packed(
    message: Message, destinations: str | None, stored_at: float, clock: float
) -> bytes:
    """Return a message as an entry of a journal; see `Entry`."""
    # Half of a surrogate pair, as in text that was cut in the wrong place, is written
    # in another way.
    kind = message.kind.encode(errors="backslashreplace")
    name = message.id.encode(errors="backslashreplace")
    key, to = message.order_key, destinations
    keyed = b"" if key is None else key.encode(errors="backslashreplace")
    sent_to = b"" if to is None else to.encode(errors="backslashreplace")
    head = _HEAD.pack(
        len(kind),
        len(name),
        -1 if key is None else len(keyed),
        -1 if to is None else len(sent_to),
        len(message.body),
        message.form,
        math.nan if message.at is None else message.at,
        stored_at,
        clock,
    )
    rest = b"".join((head, kind, name, keyed, sent_to, message.body))
    return _START.pack(MARK, crc32(rest)) + rest


def length_of(beginning: bytes) -> int | None:
    """Return how long an entry is, in bytes, from its ``BEGINNING``; None if none is.

    Of a damaged one that may be anything.
    """
    if len(beginning) < BEGINNING or not beginning.startswith(MARK):
        return None
    kind, name, key, to, body, *_ = _HEAD.unpack_from(beginning, _START.size)
    length: int = BEGINNING + kind + name + max(key, 0) + max(to, 0) + body
    return length


def unpacked(data: memoryview, start: int) -> Entry | None:
    """Read an entry; None if it is damaged.

    Args:
        data: The entry.
        start: Where it begins in its journal, in bytes.
    """
    _, checksum = _START.unpack_from(data)
    if crc32(data[_START.size :]) != checksum:
        return None
    kind, name, key, to, _, form, at, stored_at, clock = _HEAD.unpack_from(
        data, _START.size
    )
    place = BEGINNING
    texts: list[str | None] = []
    for length in (kind, name, key, to):
        if length < 0:
            texts.append(None)
        else:
            texts.append(str(data[place : place + length], "utf-8"))
            place += length
    message = Message(
        texts[0] or "",
        texts[1] or "",
        bytes(data[place:]),
        texts[2],
        None if math.isnan(at) else at,
        form,
    )
    return Entry(start, start + len(data), message, texts[3], stored_at, clock)
