"""Server-sent events, parsed from the bytes of a response.

See https://html.spec.whatwg.org/multipage/server-sent-events.html. Of an event only its
data is of interest, which is JSON, or ``[DONE]`` at the end.
"""

from codecs import BOM_UTF8
from itertools import accumulate
from typing import Any

from attrs import field, frozen

from .._util.json import decode


@frozen(repr=False)
class ParsedEvents:
    """The events of a response's body.

    Attributes:
        data: The JSON value of each event.
        chunk_indexes: The index of the chunk of bytes that completed each event.
        is_complete: The stream ended with ``[DONE]``.
    """

    data: list[Any] = field(factory=list)
    chunk_indexes: list[int] = field(factory=list)
    is_complete: bool = False


def parse(chunks: list[bytes]) -> ParsedEvents:
    """Return the events in a body that came in chunks of bytes.

    An event that is not JSON is left out; one that was cut off at the end is not, if
    its data is complete.
    """
    data: list[Any] = []
    chunk_indexes: list[int] = []
    chunk_ends = list(accumulate(map(len, chunks)))
    body = b"".join(chunks)
    at, offset = 0, len(BOM_UTF8) if body.startswith(BOM_UTF8) else 0
    lines: list[bytes] = []
    # Bytes, unlike text, are split at the three line ends of the standard alone.
    for line in [*body[offset:].splitlines(keepends=True), b"\n"]:
        content = line.rstrip(b"\r\n")
        if content.startswith(b"data:"):
            lines.append(content[5:].removeprefix(b" "))
        elif not content and lines:
            end = offset + len(line)
            while at < len(chunk_ends) - 1 and chunk_ends[at] < end:
                at += 1
            text = b"\n".join(lines).decode(errors="replace")
            lines.clear()
            if text.startswith("[DONE]"):
                return ParsedEvents(data, chunk_indexes, is_complete=True)
            try:
                data.append(decode(text))
                chunk_indexes.append(at)
            except ValueError:
                pass
        offset += len(line)
    return ParsedEvents(data, chunk_indexes)
