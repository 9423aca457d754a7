"""Dead letters: refused messages, with reasons, kept for ``spool ls | retry | drop``.

One file for each destination, in the format of a segment. The reader appends; the
commands rewrite the file. A lock keeps them apart, and neither waits for it.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from .._delivery.message import Message
from .._util.filelock import try_lock
from .._util.private_files import opened
from .directory import SpoolDirectory, append_whole, replaced
from .segment import Stored, encode_entry, iter_entries


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

    def encode(self) -> bytes:
        """Return it as an entry of its file."""
        return encode_entry(
            self.message,
            (self.destination,),
            stored_at=self.rejected_at,
            clock=0.0,
            reason=self.reason,
        )


class DeadLetters:
    """The dead letters of one destination: the older half of too many is dropped."""

    def __init__(self, path: Path, max_bytes: int = 0) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def append(self, stored: Stored, reason: str) -> bool:
        """Keep a message, unless another process uses the file; return whether it is.

        Raises:
            OSError: The disk is full, or the file can't be written.
            TooLargeError: It can't be kept along with the reason.
        """
        message, destination = stored.message, stored.destination
        letter = DeadLetter(message, destination, reason[:1000], time.time())
        entry = letter.encode()
        with self._locked() as is_locked:
            if is_locked:
                size = self._path.stat().st_size if self._path.exists() else 0
                if size and size + len(entry) > self._max_bytes:
                    try:
                        self._rewrite(self._iter(size // 2))
                    except OSError:
                        os.unlink(self._path)  # There is no space for a second file.
                with opened(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as fd:
                    append_whole(fd, entry, os.fstat(fd).st_size)
            return is_locked

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        flags = os.O_RDWR | os.O_CREAT
        with opened(self._path.with_suffix(".lock"), flags) as fd:
            yield try_lock(fd)

    def __iter__(self) -> Iterator[DeadLetter]:
        """Yield the dead letters, oldest first; what is damaged is left out."""
        return self._iter(0)

    def _iter(self, start: int) -> Iterator[DeadLetter]:
        try:
            with opened(self._path, os.O_RDONLY) as fd:
                for head, body in iter_entries(fd, os.fstat(fd).st_size, start):
                    message, names = evolve(head.message, body=body), head.destinations
                    if names:
                        yield DeadLetter(message, names[0], head.reason, head.stored_at)
        except FileNotFoundError:
            return

    def remove(
        self, ids: Collection[str] | None, use: Callable[[DeadLetter], bool]
    ) -> int:
        """Remove those with these ids, or all, for which ``use`` returns True.

        Raises:
            BlockingIOError: The reader, or another command, uses the file.
        """
        removed = 0

        def is_kept(letter: DeadLetter) -> bool:
            nonlocal removed
            is_meant = ids is None or letter.message.id in ids
            is_used = is_meant and use(letter)
            removed += is_used
            return not is_used

        with self._locked() as is_locked:
            if not is_locked:
                raise BlockingIOError("the dead letters are in use")
            if self._path.exists():
                self._rewrite(filter(is_kept, self))
        return removed

    def _rewrite(self, letters: Iterable[DeadLetter]) -> None:
        with replaced(self._path) as fd:
            for letter in letters:
                append_whole(fd, letter.encode(), os.fstat(fd).st_size)


def iter_dead_letters(directory: SpoolDirectory) -> Iterator[DeadLetter]:
    """Yield what all destinations refused."""
    for path in directory.list_files(directory.dead):
        yield from DeadLetters(path)


def remove_dead_letters(
    directory: SpoolDirectory,
    ids: Collection[str] | None,
    use: Callable[[DeadLetter], bool],
) -> int:
    """Remove those of all destinations that were used; see `DeadLetters.remove`."""
    paths = directory.list_files(directory.dead)
    return sum(DeadLetters(path).remove(ids, use) for path in paths)
