"""Reading journals: what is there, what of it is whole, and what may yet grow."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from time import time

from attrs import define

from .._util import errors
from ._journal import SUFFIX, lock_to_read
from ._journal_form import (
    BEGINNING,
    MARK,
    Entry,
    Title,
    boot,
    length_of,
    title_of,
    unpacked,
)

#: So much of a journal is read at a time, in bytes, or one entry if that is longer.
_WINDOW = 2**18
#: What was written within so many seconds after a look began is left for the next one.
_JUST_NOW = 60.0
#: A journal without anything in it is one that is just being made, unless that was so
#: many seconds ago.
_MAKING = 60.0

#: Where an entry stands among all: what was written before the machine was started
#: first, by the clock on the wall; then the rest, by the clock that nobody sets.
Place = tuple[int, float]
LAST: Place = (2, 0.0)


@define
class Reading:
    """A journal that is read.

    Attributes:
        path: Where it is.
        file: Its descriptor.
        size: How long it is, in bytes.
        offset: Up to where it has been moved.
        title: What it says of itself; None if it is none of ours.
        held: What comes next was written just now, or cannot be read by this version.
        unreadable: Nothing that comes can be read, or not yet.
    """

    path: Path
    file: int
    size: int
    offset: int
    title: Title | None
    held: bool = False
    unreadable: bool = False

    @classmethod
    def of(cls, path: Path, file: int, moved: Mapping[str, int]) -> "Reading":
        """Begin to read a journal.

        Args:
            path: Where it is.
            file: Its descriptor.
            moved: Up to where journals were moved; see `offsets`.
        """
        size, title = os.fstat(file).st_size, title_of(file)
        offset = moved.get(path.name, title.moved if title else 0)
        return cls(path, file, size, offset, title, unreadable=title is None)

    def entries(self, before: float = math.inf) -> Iterator[Entry]:
        """Read on, up to what was written before a time of the monotonic clock.

        What is damaged is left out, if there is something to be read behind it.
        """
        start = self.offset
        while start < self.size and not self.unreadable:
            window = os.pread(self.file, _WINDOW, start)
            entry = self._entry_in(window, 0, start) or self._next_from(start)
            if entry is None:
                self.unreadable = True
            window_at = start
            while entry is not None:
                if self._is_of_now and before <= entry.clock < before + _JUST_NOW:
                    # Of two messages written one after the other by two processes, the
                    # later one must not be moved without the earlier.
                    self.held = True
                    return
                yield entry
                start = entry.end
                entry = self._entry_in(window, start - window_at, start)

    def place_of(self, entry: Entry) -> Place:
        """Return where an entry of this journal stands among all."""
        return (1, entry.clock) if self._is_of_now else (0, entry.stored_at)

    @property
    def _is_of_now(self) -> bool:
        return self.title is not None and self.title.boot == boot()

    def _entry_in(self, window: bytes, at: int, start: int) -> Entry | None:
        """Read the entry at a place of what was read, if it is whole."""
        length = length_of(window[at : at + BEGINNING])
        if length is None or length > len(window) - at:
            return None
        return unpacked(memoryview(window)[at : at + length], start)

    def _next_from(self, start: int) -> Entry | None:
        """Find the first entry that begins there or later, whatever its length."""
        while start < self.size:
            window = os.pread(self.file, _WINDOW + BEGINNING, start)
            at = window.find(MARK)
            if not 0 <= at < _WINDOW:
                start += _WINDOW
                continue
            start += at
            length = length_of(window[at : at + BEGINNING])
            if length is not None and length <= self.size - start:
                data = os.pread(self.file, length, start)
                entry = self._entry_in(data, 0, start)
                if entry is not None:
                    return entry
            start += 1
        return None


def journals_in(directory: Path) -> dict[Path, int]:
    """Find the journals and their lengths in bytes, the oldest first."""
    found: dict[Path, int] = {}
    with suppress(FileNotFoundError), os.scandir(directory) as files:
        for file in files:
            if file.name.endswith(SUFFIX):
                with suppress(OSError):
                    if file.is_file(follow_symlinks=False):
                        found[Path(file.path)] = file.stat().st_size
    return dict(sorted(found.items()))


def opened(files: ExitStack, path: Path, flags: int = os.O_RDWR) -> int | None:
    """Open a journal until ``files`` is closed; None if it is gone or not to be had."""
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as exc:
        errors.warn_once(
            f"spool.unopened:{path}",
            "The spool's file %s can't be opened (%s), and what is in it not sent. It "
            "has to belong to the user that sends.",
            path,
            exc.strerror,
        )
        return None
    files.callback(os.close, file)
    return file


def is_growing(file: int) -> bool:
    """Say whether a journal may yet be longer."""
    status = os.fstat(file)
    # To try the lock could be in the way of the process that is about to have it.
    is_new = not status.st_size and time() - status.st_mtime < _MAKING
    return is_new or not lock_to_read(file)
