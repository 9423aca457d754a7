"""Server-sent events, read from the bytes that a raw response's caller read.

Only what the API sends is understood: ``data:`` lines of JSON and the closing
``[DONE]``. See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import re
from typing import Any

from attrs import field, frozen

from .._util.json import decode

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")

#: The most of a blank line that can stand at the end of a piece, in bytes.
_INCOMPLETE_TAIL = 3


@frozen
class ParsedEvents:
    """What a body of server-sent events held.

    Attributes:
        data: The JSON value of each event.
        chunk_indexes: The index of the piece of the body that completed each event.
        finished: The stream said that it was done.
    """

    data: list[Any] = field(factory=list)
    chunk_indexes: list[int] = field(factory=list)
    finished: bool = False


def parse(body: list[bytes]) -> ParsedEvents:
    """Return the events in a body that came in chunk_indexes."""
    data: list[Any] = []
    chunk_indexes: list[int] = []
    for block, piece in _split_blocks(body):
        text = _block_data(block)
        if text is None:
            continue
        if text.startswith("[DONE]"):
            return ParsedEvents(data, chunk_indexes, finished=True)
        try:
            data.append(decode(text))
        except ValueError:
            continue
        chunk_indexes.append(piece)
    return ParsedEvents(data, chunk_indexes)


def _split_blocks(body: list[bytes]) -> list[tuple[bytes, int]]:
    """Return the blocks between blank lines, each with the piece it ended in."""
    blocks: list[tuple[bytes, int]] = []
    held: list[bytes] = []
    tail = b""
    for at, piece in enumerate(body):
        # What is held was searched; only its tail may be part of a blank line.
        *whole, rest = _BLANK_LINE.split(tail + piece)
        for end in whole:
            blocks.append((b"".join((*held, end)), at))
            held.clear()
        cut = max(0, len(rest) - _INCOMPLETE_TAIL)
        held.append(rest[:cut])
        tail = rest[cut:]
    rest = b"".join((*held, tail))
    if rest.strip():
        blocks.append((rest, len(body) - 1))
    return blocks


def _block_data(block: bytes) -> str | None:
    # Split as bytes: text would be split inside JSON, at U+2028 and its like.
    lines = [
        line[5:].removeprefix(b" ")
        for line in block.splitlines()
        if line.startswith(b"data:")
    ]
    return b"\n".join(lines).decode(errors="replace") if lines else None
