"""From the journals of processes into the database that those who send share.

How far each journal was read is kept in the database and moves on together with the
messages, so that each of them is moved once, whoever is killed at whatever moment. The
row that says it outlives the journal, and journals are opened by who keeps all others
from writing to the database: so nobody takes one that was moved for one that was not.
"""

import heapq
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic, time

from attrs import define, evolve, frozen

from .. import _guard
from . import _spool_deeds
from ._journal import (
    BEGINNING,
    FIRST,
    MARK,
    SUFFIX,
    Entry,
    Title,
    boot,
    length_of,
    lock_to_read,
    title_of,
    unpacked,
    write_title,
)
from ._spool_file import transaction

#: So many messages are moved in one transaction, of so many bytes, and from so many
#: journals at most.
PORTION, _PORTION_BYTES, _TOGETHER = 1000, 8 * 2**20, 64
#: So much of a journal is read at a time, in bytes, or one entry if that is longer.
_WINDOW = 2**18
#: What was written within so many seconds after a look began is left for the next one.
_JUST_NOW = 60.0
#: A journal without anything in it is one that is just being made, unless that was so
#: many seconds ago.
_MAKING = 60.0


#: Where an entry stands among all: what was written before the machine was started
#: first, by the clock on the wall; then the rest, by the clock that nobody sets.
_Place = tuple[int, float]
_LAST: _Place = (2, 0.0)


@define
class _Reading:
    """A journal that is read.

    Attributes:
        path: Where it is.
        file: Its descriptor.
        size: How long it is, in bytes.
        offset: Up to where it has been moved.
        title: What it says of itself; None if it is none of ours.
        held: What comes next was written just now.
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
    def of(cls, path: Path, file: int, moved: Mapping[str, int]) -> "_Reading":
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

    def place_of(self, entry: Entry) -> _Place:
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


def offsets(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how far each journal was moved, by its file's name."""
    try:
        return dict(connection.execute("SELECT name, offset FROM journals"))
    except sqlite3.OperationalError as exc:
        # Who only looks at a file of before there were journals does not add it.
        if "no such table" in str(exc):
            return {}
        raise


def unmoved_bytes(connection: sqlite3.Connection, directory: Path) -> int:
    """Return how much has yet to be moved, in bytes."""
    moved = offsets(connection)
    return sum(
        max(0, length - moved.get(path.name, FIRST))
        for path, length in journals_in(directory).items()
    )


@frozen
class Moved:
    """What became of a portion.

    Attributes:
        count: How many messages were moved or dropped.
        expired: How many of them were dropped, as they are too old.
        is_all: There was nothing else when it began.
    """

    count: int
    expired: int
    is_all: bool


def take_in(connection: sqlite3.Connection, directory: Path, *, oldest: float) -> Moved:
    """Move a portion of what is in the journals, in the order in which it was written.

    Args:
        connection: The spool's, in no transaction.
        directory: Where the journals are.
        oldest: What was written before, in seconds since the epoch, is dropped.
    """
    began = monotonic()
    with ExitStack() as files:
        with transaction(connection):
            readings, until = _unread(files, connection, directory)
            portion = _Portion(readings, until, began)
            taken = list(portion.taken())
            fresh = [pair for pair in taken if pair[1].stored_at >= oldest]
            expired = len(taken) - len(fresh)
            connection.executemany(_spool_deeds.ADD, map(_columns, fresh))
            _spool_deeds.count_losses(connection, "spool_expired", expired)
            _spool_deeds.count_losses(connection, "spool_damaged", portion.gaps)
            connection.executemany(
                "INSERT OR REPLACE INTO journals VALUES (?, ?)",
                {reading.path.name: reading.offset for reading, _ in taken}.items(),
            )
        for reading in readings:
            _note_moved(reading)
            _finish(reading)
    return Moved(len(taken), expired, portion.is_all)


def _unread(
    files: ExitStack, connection: sqlite3.Connection, directory: Path
) -> tuple[list[_Reading], _Place]:
    """Open journals that there is something to be moved from.

    Returns:
        Those that begin the earliest, and from where on the rest has something.
    """
    moved = offsets(connection)
    paths = [
        path
        for path, length in journals_in(directory).items()
        if length > moved.get(path.name, FIRST)
    ]
    until = _LAST
    if len(paths) > _TOGETHER:
        paths, until = _earliest(paths, moved)
    opened = (_opened(files, path) for path in paths)
    readings = [
        _Reading.of(path, file, moved)
        for path, file in zip(paths, opened, strict=True)
        if file is not None
    ]
    return readings, until


def _earliest(paths: list[Path], moved: Mapping[str, int]) -> tuple[list[Path], _Place]:
    places: list[tuple[_Place, Path]] = []
    for path in paths:
        with ExitStack() as files:
            file = _opened(files, path)
            if file is not None:
                reading = _Reading.of(path, file, moved)
                entry = next(reading.entries(), None)
                places.append((reading.place_of(entry) if entry else _LAST, path))
    places.sort()
    until = places[_TOGETHER][0] if len(places) > _TOGETHER else _LAST
    return [path for _, path in places[:_TOGETHER]], until


class _Portion:
    """What is moved in one go, in the order in which it was written.

    Attributes:
        gaps: How often something damaged was left out.
        is_all: Nothing was left behind.
    """

    def __init__(
        self, readings: Sequence[_Reading], until: _Place, began: float
    ) -> None:
        self.gaps = 0
        self.is_all = False
        self._readings = readings
        self._until = until
        self._rest = [reading.entries(began) for reading in readings]
        self._heads: list[tuple[_Place, int, Entry]] = []

    def taken(self) -> Iterator[tuple[_Reading, Entry]]:
        """Take one entry after the other."""
        for number in range(len(self._readings)):
            self._pull(number, (0, 0.0))
        size = 0
        for _ in range(PORTION):
            if not self._heads or self._heads[0][0] > self._until:
                break
            place, number, entry = heapq.heappop(self._heads)
            reading = self._readings[number]
            self.gaps += entry.start > reading.offset
            reading.offset = entry.end
            yield reading, entry
            self._pull(number, place)
            size += entry.message.weight
            if size > _PORTION_BYTES:
                break
        held = any(reading.held for reading in self._readings)
        self.is_all = not (self._heads or held or self._until != _LAST)

    def _pull(self, number: int, not_before: _Place) -> None:
        # The entries of one journal keep their order: threads may have come to write
        # in another one than they looked at the clock in.
        entry = next(self._rest[number], None)
        if entry is not None:
            place = max(self._readings[number].place_of(entry), not_before)
            heapq.heappush(self._heads, (place, number, entry))


def tidy(connection: sqlite3.Connection, directory: Path) -> None:
    """Delete the journals that were moved to their end and will not grow any more."""
    with ExitStack() as files, transaction(connection):
        moved = offsets(connection)
        for path in journals_in(directory):
            file = _opened(files, path)
            if file is not None and not _is_growing(file):
                reading = _Reading.of(path, file, moved)
                if next(reading.entries(), None) is None:
                    _finish(reading)
            files.close()
        left = {path.name for path in journals_in(directory)}
        connection.executemany(
            "DELETE FROM journals WHERE name = ?",
            [(name,) for name in moved if name not in left],
        )


def drop_oldest(
    connection: sqlite3.Connection, directory: Path, *, too_much: int, oldest: float
) -> dict[str, int]:
    """Delete journals that will not grow any more, whatever is in them.

    Args:
        connection: The spool's, in no transaction.
        directory: Where the journals are.
        too_much: So many bytes that have yet to be moved are to go.
        oldest: And what was written before, in seconds since the epoch.

    Returns:
        How many messages were lost, by reason.
    """
    lost: dict[str, int] = {}
    dropped: dict[Path, int] = {}
    with ExitStack() as files:
        with transaction(connection):
            moved = offsets(connection)
            for path in journals_in(directory):
                file = _opened(files, path)
                if file is None or _is_growing(file):
                    continue
                reading = _Reading.of(path, file, moved)
                expired = os.fstat(file).st_mtime < oldest
                if not (expired or too_much > 0):
                    break
                reason = "spool_expired" if expired else "spool_full"
                unread = sum(1 for _ in reading.entries())
                lost[reason] = lost.get(reason, 0) + unread
                dropped[path] = reading.size
                too_much -= reading.size - reading.offset
            for reason, count in lost.items():
                _spool_deeds.count_losses(connection, reason, count)
            # Should this process end before it has deleted them, somebody else will.
            connection.executemany(
                "INSERT OR REPLACE INTO journals VALUES (?, ?)",
                [(path.name, size) for path, size in dropped.items()],
            )
        for path in dropped:
            with suppress(OSError):
                os.unlink(path)
    return lost


def waiting(directory: Path, moved: Mapping[str, int]) -> Iterator[Entry]:
    """Read what has yet to be moved, without moving it.

    Args:
        directory: Where the journals are.
        moved: How far each was moved; see `offsets`.
    """
    for path, length in journals_in(directory).items():
        if length > moved.get(path.name, FIRST):
            with ExitStack() as files:
                file = _opened(files, path, os.O_RDONLY)
                if file is not None:
                    yield from _Reading.of(path, file, moved).entries()


def _opened(files: ExitStack, path: Path, flags: int = os.O_RDWR) -> int | None:
    """Open a journal until ``files`` is closed; None if it is gone or not to be had."""
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as exc:
        _guard.warn_once(
            f"spool.unopened:{path}",
            "The spool's file %s can't be opened (%s), and what is in it not sent. It "
            "has to belong to the user that sends.",
            path,
            exc.strerror,
        )
        return None
    files.callback(os.close, file)
    return file


def _is_growing(file: int) -> bool:
    """Say whether a journal may yet be longer."""
    status = os.fstat(file)
    # To try the lock could be in the way of the process that is about to have it.
    is_new = not status.st_size and time() - status.st_mtime < _MAKING
    return is_new or not lock_to_read(file)


def _note_moved(reading: _Reading) -> None:
    title = title_of(reading.file)
    if title is not None and title.moved < reading.offset:
        write_title(reading.file, evolve(title, moved=reading.offset))


def _finish(reading: _Reading) -> None:
    """Delete a journal if it was moved to its end and will not grow any more."""
    path, file = reading.path, reading.file
    if _is_growing(file) or os.fstat(file).st_size != reading.size:
        return
    is_ours = reading.title is not None
    if not reading.size or (is_ours and reading.offset >= reading.size):
        _unlink(path)
    elif reading.unreadable:
        # What its process was writing when it was killed was not promised to anybody.
        beginning = os.pread(file, BEGINNING, reading.offset)
        if is_ours and beginning[: len(MARK)] == MARK[: len(beginning)]:
            _unlink(path)
        else:
            _set_aside(path)


def _unlink(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _set_aside(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged")
    with suppress(FileNotFoundError):
        os.replace(path, aside)
    _guard.warn_once(
        f"spool.damaged:{path}",
        "A file of the spool is damaged or is none of it. It was moved to %s; what "
        "could be read is sent.",
        aside,
    )


def _columns(pair: tuple[_Reading, Entry]) -> tuple[object, ...]:
    reading, entry = pair
    message = entry.message
    return (
        message.kind,
        message.id,
        message.order_key,
        reading.path.name.removesuffix(SUFFIX).partition("-")[2],
        entry.stored_at,
        message.at,
        entry.destinations,
        message.body,
    )
