"""The format of a segment: entries one after the other, each of which stands alone.

An entry is a prefix (a mark, two checksums, two lengths), a head in JSON, and the body
as it is to be posted. Whatever is in a segment may be damaged or hostile: lengths are
bounded before anything is read, and a fault costs the entry that it is in.
"""

import json
from collections.abc import Iterator
from struct import Struct
from typing import Any
from zlib import crc32

from attrs import frozen

from .._delivery.message import Message
from .._util.private_files import read_at

#: The limits of an entry, in bytes. A longer one is not written, nor read.
MAX_HEAD_BYTES = 2**15
MAX_BODY_BYTES = 2**26
#: The longest text in a head, in characters, and how many destinations it may name.
_MAX_TEXT, _MAX_DESTINATIONS = 4096, 64

#: More damage than this in one segment, and the rest of it is left out.
MAX_DAMAGE = 200

#: 0xff occurs in no UTF-8 text, so in no body that is one.
_MARK = b"\xffLS1"
#: The mark; the checksum of the rest of the prefix and of the head; the lengths of head
#: and body; the checksum of the body.
_PREFIX = Struct("<4sIIII")
_CHECKED_FROM = 8
_LENGTHS = Struct("<III")
#: Read at once with the prefix, in bytes: most heads are shorter.
_USUAL_HEAD_BYTES = 492
_SCAN_BYTES = 2**16

_encode = json.JSONEncoder(separators=(",", ":")).encode


class TooLargeError(Exception):
    """A message, or what is said of it, is larger than an entry may be."""


class IncompleteError(Exception):
    """The segment ends before the entry does; its writer may not be done."""


class DamagedError(Exception):
    """What is at this place is not an entry."""


@frozen
class Head:
    """An entry without its body.

    Attributes:
        offset: Where the entry begins, in bytes from the segment's beginning.
        body_offset: Where its body begins, likewise.
        end: Where the next entry begins, likewise.
        body_crc: The checksum of the body.
        message: The message, with an empty body.
        destinations: Who is to get it; None leaves that to the reader.
        stored_at: When it was written, in seconds since the epoch.
        clock: The same by `time.monotonic`, which all processes of a boot share.
        reason: Why the destination refused it, if it is a dead letter.
    """

    offset: int
    body_offset: int
    end: int
    body_crc: int
    message: Message
    destinations: tuple[str, ...] | None
    stored_at: float
    clock: float
    reason: str


@frozen(eq=False)
class Stored:
    """A message in the spool that one destination has yet to get.

    Attributes:
        message: The message.
        destination: The destination's name.
        segment: The name of the segment it is in.
        offset: Where it begins there, in bytes.
        stored_at: When it was written, in seconds since the epoch.
    """

    message: Message
    destination: str
    segment: str
    offset: int
    stored_at: float


def encode_entry(
    message: Message,
    destinations: tuple[str, ...] | None,
    *,
    stored_at: float,
    clock: float,
    reason: str = "",
) -> bytes:
    """Return a message as an entry; `TooLargeError` if no reader would take it."""
    found = {
        "kind": message.kind,
        "id": message.id,
        "key": message.ordering_key,
        "timestamp": message.timestamp,
        "endpoint": message.endpoint,
        "credential": message.credential,
        "destinations": destinations,
        "stored_at": stored_at,
        "clock": clock,
    }
    if reason:
        found["reason"] = reason
    # Lone surrogates, as of text cut in the wrong place, are escaped in the JSON.
    head, body = _encode(found).encode(), message.body
    if len(body) > MAX_BODY_BYTES or len(head) > MAX_HEAD_BYTES:
        raise TooLargeError
    if len(head) > _MAX_TEXT:
        try:
            _decode(json.loads(head))
        except (ValueError, TypeError) as exc:
            raise TooLargeError from exc
    lengths = _LENGTHS.pack(len(head), len(body), crc32(body))
    head_crc = crc32(head, crc32(lengths))
    return b"".join((_MARK, head_crc.to_bytes(4, "little"), lengths, head, body))


def read_head(fd: int, offset: int, size: int) -> Head:
    """Read the head of the entry at an offset of a segment of some size.

    Raises:
        IncompleteError: The segment ends within the entry.
        DamagedError: There is no entry there.
    """
    data, body_offset, end, body_crc = _read_checked(fd, offset, size)
    try:
        found = json.loads(data)
        return Head(offset, body_offset, end, body_crc, *_decode(found))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as exc:
        raise DamagedError from exc


def _read_checked(fd: int, offset: int, size: int) -> tuple[bytes, int, int, int]:
    """Return the JSON of a head, and what its prefix says: see `Head`."""
    start = _PREFIX.size
    data = read_at(fd, min(start + _USUAL_HEAD_BYTES, size - offset), offset)
    if not data.startswith(_MARK[: len(data)]):
        raise DamagedError
    if len(data) < start:
        raise IncompleteError
    _, head_crc, head_size, body_size, body_crc = _PREFIX.unpack_from(data)
    if head_size > MAX_HEAD_BYTES or body_size > MAX_BODY_BYTES:
        raise DamagedError
    body_offset = offset + start + head_size
    if body_offset > size:
        raise IncompleteError
    if len(data) < start + head_size:
        data += read_at(fd, start + head_size - len(data), offset + len(data))
    head = data[start : start + head_size]
    if crc32(head, crc32(data[_CHECKED_FROM:start])) != head_crc:
        raise DamagedError
    if body_offset + body_size > size:
        raise IncompleteError
    return head, body_offset, body_offset + body_size, body_crc


def read_body(fd: int, head: Head) -> bytes:
    """Read the body of an entry; raises `DamagedError` if it is not as written."""
    body = read_at(fd, head.end - head.body_offset, head.body_offset)
    if len(body) != head.end - head.body_offset or crc32(body) != head.body_crc:
        raise DamagedError
    return body


def find_entry(fd: int, offset: int, size: int) -> int:
    """Return where the next entry may begin, at an offset or later; else the size."""
    while offset < size:
        data = read_at(fd, min(_SCAN_BYTES, size - offset), offset)
        at = data.find(_MARK)
        if at >= 0:
            return offset + at
        if len(data) < _SCAN_BYTES:
            break
        offset += len(data) - len(_MARK) + 1
    return size


def iter_offsets(fd: int, size: int, offset: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where each entry from an offset on begins and ends; damage is left out."""
    damage = 0
    while offset < size and damage <= MAX_DAMAGE:
        try:
            _, _, end, _ = _read_checked(fd, offset, size)
        except (IncompleteError, DamagedError):
            damage += 1
            offset = find_entry(fd, offset + 1, size)
        else:
            yield offset, end
            offset = end


def iter_entries(fd: int, size: int, offset: int) -> Iterator[tuple[Head, bytes]]:
    """Yield each entry from an offset on, with its body; damage is left out."""
    damage = 0
    while offset < size and damage <= MAX_DAMAGE:
        try:
            head = read_head(fd, offset, size)
            body = read_body(fd, head)
        except (IncompleteError, DamagedError):
            damage += 1
            offset = find_entry(fd, offset + 1, size)
        else:
            yield head, body
            offset = head.end


def _decode(
    found: Any,
) -> tuple[Message, tuple[str, ...] | None, float, float, str]:
    names = found["destinations"]
    if names is not None:
        if not isinstance(names, list) or len(names) > _MAX_DESTINATIONS:
            raise ValueError
        names = tuple(map(_text, names))
    timestamp = found["timestamp"]
    message = Message(
        kind=_text(found["kind"]),
        id=_text(found["id"]),
        body=b"",
        ordering_key=_text_or_none(found["key"]),
        timestamp=None if timestamp is None else _number(timestamp),
        endpoint=_text_or_none(found["endpoint"]),
        credential=_text_or_none(found["credential"]),
    )
    stored_at, clock = _number(found["stored_at"]), _number(found["clock"])
    return message, names, stored_at, clock, _text(found.get("reason", ""))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> float:
    """Return a number of seconds, one that a date can be made of."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    number = float(value)
    if not abs(number) < 2e11:
        raise ValueError
    return number
