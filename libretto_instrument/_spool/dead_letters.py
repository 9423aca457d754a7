"""What a destination refused, with the reason, kept for ``spool ls | retry | drop``.

One JSON object a line, in one file for each destination. The reader appends; the
commands write the file anew. A lock keeps them apart, and nobody waits for it.
"""

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from attrs import frozen

from .._delivery.message import Message
from .._util.filelock import try_lock
from .cursor import Stored
from .directory import SpoolDirectory, open_private, opened
from .segment import MAX_BODY_BYTES, MAX_HEAD_BYTES, parse_number

#: A longer line is none of ours: a body in Base64, and what says what it is.
_MAX_LINE_BYTES = MAX_BODY_BYTES // 3 * 4 + 2 * MAX_HEAD_BYTES


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
    """The dead letters of one destination."""

    def __init__(
        self, directory: SpoolDirectory, destination: str, max_bytes: int
    ) -> None:
        """Name a destination; nothing is opened.

        Args:
            directory: The spool.
            destination: The destination.
            max_bytes: How large the file may be; the older half of more is dropped.
        """
        self._directory = directory
        self._destination = destination
        self._path = directory.dead_letters(destination)
        self._max_bytes = max_bytes

    def append(self, stored: Stored, reason: str) -> bool:
        """Keep a message; return whether another process left it to us to write.

        Raises:
            OSError: There is no room, or the file can't be written.
        """
        line = _format(
            DeadLetter(stored.message, self._destination, reason, time.time())
        )
        with self._locked() as is_locked:
            if not is_locked:
                return False
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            with opened(self._path, flags) as fd:
                size = os.fstat(fd).st_size
                if size + len(line) <= self._max_bytes or not size:
                    _write(fd, line)
                    return True
            self._drop_older_half(size)
            with opened(self._path, flags) as fd:
                _write(fd, line)
            return True

    def _drop_older_half(self, size: int) -> None:
        passed = 0

        def is_younger(line: bytes) -> bool:
            nonlocal passed
            passed += len(line)
            return passed > size // 2

        try:
            self._rewrite(is_younger)
        except OSError:
            os.unlink(self._path)  # There is no room for a second file.

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        flags = os.O_RDWR | os.O_CREAT
        with opened(self._path.with_suffix(".lock"), flags) as fd:
            yield try_lock(fd)

    def __iter__(self) -> Iterator[DeadLetter]:
        """Yield the dead letters, oldest first; what is damaged is left out."""
        for line in self._lines():
            letter = _parse(line, self._destination)
            if letter is not None:
                yield letter

    def count(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self._lines())

    def remove(
        self, ids: Collection[str] | None, use: Callable[[DeadLetter], bool]
    ) -> int:
        """Remove those that were used.

        Args:
            ids: The ids of the messages to use; None for all.
            use: Called with each; what it returns False for is kept.

        Returns:
            How many were removed.

        Raises:
            BlockingIOError: The reader, or another command, uses the file.
            OSError: The file can't be read or written.
        """
        removed = 0

        def is_kept(line: bytes) -> bool:
            nonlocal removed
            letter = _parse(line, self._destination)
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
        temporary = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
            with opened(temporary, flags) as fd:
                for line in self._lines():
                    if is_kept(line):
                        _write(fd, line)
            os.replace(temporary, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

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
    names = directory.refusing_destinations()
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


def _write(fd: int, line: bytes) -> None:
    start = os.fstat(fd).st_size
    try:
        written = os.write(fd, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written")
    except OSError:
        os.ftruncate(fd, start)
        raise


def _format(letter: DeadLetter) -> bytes:
    message = letter.message
    found: dict[str, Any] = {
        "id": message.id,
        "kind": message.kind,
        "destination": letter.destination,
        "reason": letter.reason[:1000],
        "rejected_at": letter.rejected_at,
        "key": message.ordering_key,
        "timestamp": message.timestamp,
        "endpoint": message.endpoint,
        "credential": message.credential,
    }
    try:
        found["body"] = message.body.decode()
    except UnicodeDecodeError:
        found["base64"] = b64encode(message.body).decode()
    return (
        json.dumps(found, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
    )


def _parse(line: bytes, destination: str) -> DeadLetter | None:
    try:
        found = json.loads(line)
        texts = {
            name: found.get(key)
            for name, key in (
                ("ordering_key", "key"),
                ("endpoint", "endpoint"),
                ("credential", "credential"),
            )
        }
        if not all(text is None or isinstance(text, str) for text in texts.values()):
            return None
        timestamp = found["timestamp"]
        if "body" in found:
            body = str(found["body"]).encode(errors="backslashreplace")
        else:
            body = b64decode(found["base64"])
        message = Message(
            kind=str(found["kind"]),
            id=str(found["id"]),
            body=body,
            timestamp=None if timestamp is None else parse_number(timestamp),
            **texts,
        )
        name = str(found.get("destination", destination))
        return DeadLetter(
            message, name, str(found["reason"]), parse_number(found["rejected_at"])
        )
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        return None
