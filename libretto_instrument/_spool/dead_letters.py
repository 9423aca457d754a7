"""What a destination refused, with the reason, kept for ``spool ls | retry | drop``.

One JSON object a line, in one file for each destination. The reader appends; the
commands rewrite the file. A lock keeps them apart, and neither waits for it.
"""

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from attrs import frozen

from .._delivery.message import Message
from .._util.filelock import try_lock
from .._util.private_files import open_private, opened
from .directory import SpoolDirectory, append_whole, replaced
from .segment import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Stored,
    describe,
    parse_message,
    parse_number,
)

#: A longer line is none of ours: a body in Base64, and what says what it is.
_MAX_LINE_BYTES = MAX_BODY_BYTES // 3 * 4 + 2 * MAX_HEAD_BYTES
_MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@frozen
class DeadLetter:
    """A message that a destination refused.

    Attributes:
        message: The message.
        destination: Where it was refused.
        reason: Why, such as ``"HTTP 413"``.
        rejected_at: When it was refused, in seconds since the epoch.
    """

    message: Message
    destination: str
    reason: str
    rejected_at: float


class DeadLetters:
    """The dead letters of one destination: the older half of too many is dropped."""

    def __init__(
        self, directory: SpoolDirectory, destination: str, max_bytes: int
    ) -> None:
        self._destination = destination
        self._path = directory.dead_letters(destination)
        self._max_bytes = max_bytes

    def append(self, stored: Stored, reason: str) -> bool:
        """Keep a message, unless another process uses the file; return whether it is.

        Raises:
            OSError: The disk is full, or the file can't be written.
        """
        now = time.time()
        line = _format(DeadLetter(stored.message, self._destination, reason, now))
        with self._locked() as is_locked:
            if is_locked:
                size = self._path.stat().st_size if self._path.exists() else 0
                if size and size + len(line) > self._max_bytes:
                    self._drop_older_half(size)
                with opened(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as fd:
                    append_whole(fd, line, os.fstat(fd).st_size)
            return is_locked

    def _drop_older_half(self, size: int) -> None:
        passed = 0

        def is_younger(line: bytes) -> bool:
            nonlocal passed
            passed += len(line)
            return passed > size // 2

        try:
            self._rewrite(is_younger)
        except OSError:
            os.unlink(self._path)  # There is no space for a second file.

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        flags = os.O_RDWR | os.O_CREAT
        with opened(self._path.with_suffix(".lock"), flags) as fd:
            yield try_lock(fd)

    def __iter__(self) -> Iterator[DeadLetter]:
        """Yield the dead letters, oldest first; what is damaged is left out."""
        for line in self._lines():
            letter = _parse(line)
            if letter is not None:
                yield letter

    def count(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self._lines())

    def remove(
        self, ids: Collection[str] | None, use: Callable[[DeadLetter], bool]
    ) -> int:
        """Remove those with these ids, or all, for which ``use`` returns True.

        Raises:
            BlockingIOError: The reader, or another command, uses the file.
        """
        removed = 0

        def is_kept(line: bytes) -> bool:
            nonlocal removed
            letter = _parse(line)
            if letter is None or not (ids is None or letter.message.id in ids):
                return letter is not None
            is_used = use(letter)
            removed += is_used
            return not is_used

        with self._locked() as is_locked:
            if not is_locked:
                raise BlockingIOError("the dead letters are in use")
            if self._path.exists():
                self._rewrite(is_kept)
        return removed

    def _rewrite(self, is_kept: Callable[[bytes], bool]) -> None:
        with replaced(self._path) as fd:
            for line in self._lines():
                if is_kept(line):
                    append_whole(fd, line, os.fstat(fd).st_size)

    def _lines(self) -> Iterator[bytes]:
        try:
            fd = open_private(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return
        with open(fd, "rb") as file:
            while line := file.readline(_MAX_LINE_BYTES):
                if line.endswith(b"\n"):
                    yield line


def _find(directory: SpoolDirectory) -> list[DeadLetters]:
    names = directory.list_destinations(directory.dead)
    return [DeadLetters(directory, name, 0) for name in names]


def iter_dead_letters(directory: SpoolDirectory) -> Iterator[DeadLetter]:
    """Yield what all destinations refused."""
    for letters in _find(directory):
        yield from letters


def count_dead_letters(directory: SpoolDirectory) -> int:
    """Return how many there are."""
    return sum(letters.count() for letters in _find(directory))


def remove_dead_letters(
    directory: SpoolDirectory,
    ids: Collection[str] | None,
    use: Callable[[DeadLetter], bool],
) -> int:
    """Remove those of all destinations that were used; see `DeadLetters.remove`."""
    return sum(letters.remove(ids, use) for letters in _find(directory))


def _format(letter: DeadLetter) -> bytes:
    found = describe(letter.message)
    found["destination"] = letter.destination
    found["reason"] = letter.reason[:1000]
    found["rejected_at"] = letter.rejected_at
    try:
        found["body"] = letter.message.body.decode()
    except UnicodeDecodeError:
        found["base64"] = b64encode(letter.message.body).decode()
    text = json.dumps(found, ensure_ascii=False)
    return text.encode(errors="backslashreplace") + b"\n"


def _parse(line: bytes) -> DeadLetter | None:
    try:
        found = json.loads(line)
        if "body" in found:
            body = found["body"].encode(errors="backslashreplace")
        else:
            body = b64decode(found["base64"])
        return DeadLetter(
            parse_message(found, body),
            str(found["destination"]),
            str(found["reason"]),
            parse_number(found["rejected_at"]),
        )
    except _MALFORMED:
        return None
