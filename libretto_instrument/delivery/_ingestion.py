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

from attrs import define, field

from .. import _guard
from . import _spool_deeds
from ._journal import (
    FIRST,
    SUFFIX,
    Entry,
    entries,
    is_locked,
    moved_of,
    needed,
    note_moved,
)
from ._spool_file import transaction

#: So many messages are moved in one transaction, from so many journals at most.
PORTION, _TOGETHER = 1000, 64
#: So much of a journal is read at a time, in bytes, or one entry if that is longer.
_WINDOW = 2**20
#: What was written within so many seconds after a look began is left for the next one.
_JUST_NOW = 60.0
#: A journal without a lock and without an entry is one that is just being made, unless
#: it has been so for so many seconds.
_MAKING = 60.0


@define
class _Reading:
    """A journal, as far as it is read at one time.

    Attributes:
        path: Where it is.
        file: Its descriptor.
        offset: How far it has been moved.
        entries: What comes next.
        cut: There is more that could be read.
        damaged: What comes after that is no entry.
    """

    path: Path
    file: int
    offset: int
    entries: list[Entry] = field(factory=list)
    cut: bool = False
    damaged: bool = False

    def read(self, before: float) -> None:
        """Read on, up to what was written before a time of the monotonic clock."""
        try:
            self.offset = self.offset or moved_of(self.file)
            data = os.pread(self.file, _WINDOW, self.offset)
            if data and (length := needed(data)) > len(data):
                data = os.pread(self.file, length, self.offset)
            for entry in entries(data, self.offset):
                if before <= entry.clock < before + _JUST_NOW:
                    # Of two messages written one after the other by two processes, the
                    # later one must not be moved without the earlier.
                    return
                self.entries.append(entry)
            self.cut = bool(self.entries) and len(data) >= _WINDOW
        except ValueError:
            self.damaged = True


def journals_in(directory: Path) -> dict[Path, int]:
    """Find the journals and their lengths in bytes, the oldest first."""
    found: dict[Path, int] = {}
    with suppress(FileNotFoundError), os.scandir(directory) as files:
        for file in files:
            if file.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):
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


def take_in(
    connection: sqlite3.Connection, directory: Path, *, oldest: float
) -> tuple[int, bool]:
    """Move a portion of what is in the journals, in the order in which it was written.

    Args:
        connection: The spool's, in no transaction.
        directory: Where the journals are.
        oldest: What was written before, in seconds since the epoch, is dropped.

    Returns:
        How many messages were moved or dropped, and whether that was all there were
        when it began.
    """
    now = monotonic()
    with ExitStack() as files:
        with transaction(connection):
            readings = _unread(files, connection, directory, now)
            portion = list(_in_order(readings))
            for reading, entry in portion:
                reading.offset = entry.end
            moved = {reading.path.name: reading.offset for reading, _ in portion}
            fresh = [pair for pair in portion if pair[1].stored_at >= oldest]
            expired = len(portion) - len(fresh)
            connection.executemany(_spool_deeds.ADD, map(_columns, fresh))
            _spool_deeds.count_losses(connection, "spool_expired", expired)
            connection.executemany(
                "INSERT OR REPLACE INTO journals VALUES (?, ?)", moved.items()
            )
        for reading in readings:
            if reading.path.name in moved:
                note_moved(reading.file, reading.offset)
            _finish(reading)
    read = sum(len(reading.entries) for reading in readings)
    is_all = len(readings) < _TOGETHER and not any(each.cut for each in readings)
    return len(portion), is_all and len(portion) == read


def _unread(
    files: ExitStack, connection: sqlite3.Connection, directory: Path, now: float
) -> list[_Reading]:
    readings: list[_Reading] = []
    moved = offsets(connection)
    for path, length in journals_in(directory).items():
        offset = moved.get(path.name, 0)
        if length > max(offset, FIRST) and len(readings) < _TOGETHER:
            with suppress(FileNotFoundError):
                reading = _Reading(path, _opened(files, path), offset)
                reading.read(now)
                readings.append(reading)
    return readings


def tidy(connection: sqlite3.Connection, directory: Path) -> None:
    """Delete the journals that were moved to their end and will not grow any more."""
    with ExitStack() as files, transaction(connection):
        moved = offsets(connection)
        for path, length in journals_in(directory).items():
            offset = moved.get(path.name, 0)
            if length <= max(offset, FIRST):
                with suppress(FileNotFoundError):
                    reading = _Reading(path, _opened(files, path), offset)
                    reading.read(math.inf)
                    _finish(reading)
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
        too_much: So many bytes are to go.
        oldest: And what was written before, in seconds since the epoch.

    Returns:
        How many messages were lost, by reason.
    """
    lost: dict[str, int] = {}
    with ExitStack() as files, transaction(connection):
        moved = offsets(connection)
        for path, length in journals_in(directory).items():
            with suppress(FileNotFoundError):
                file = _opened(files, path)
                expired = os.fstat(file).st_mtime < oldest
                if not (expired or too_much > 0):
                    break
                if _is_growing(file):
                    continue
                reason = "spool_expired" if expired else "spool_full"
                unread = sum(1 for _ in _rest_of(path, file, moved.get(path.name, 0)))
                lost[reason] = lost.get(reason, 0) + unread
                os.unlink(path)
                too_much -= length
        for reason, count in lost.items():
            _spool_deeds.count_losses(connection, reason, count)
    return lost


def waiting(directory: Path, moved: Mapping[str, int]) -> Iterator[Entry]:
    """Read what has yet to be moved, without moving it.

    Args:
        directory: Where the journals are.
        moved: How far each was moved; see `offsets`.
    """
    for path, length in journals_in(directory).items():
        offset = moved.get(path.name, 0)
        if length > max(offset, FIRST):
            with ExitStack() as files, suppress(FileNotFoundError):
                file = os.open(path, os.O_RDONLY)
                files.callback(os.close, file)
                yield from _rest_of(path, file, offset)


def _rest_of(path: Path, file: int, offset: int) -> Iterator[Entry]:
    while True:
        reading = _Reading(path, file, offset)
        reading.read(math.inf)
        yield from reading.entries
        if not reading.cut:
            return
        offset = reading.entries[-1].end


def _opened(files: ExitStack, path: Path) -> int:
    file = os.open(path, os.O_RDWR)
    files.callback(os.close, file)
    return file


def _is_growing(file: int) -> bool:
    """Say whether a journal may yet be longer."""
    status = os.fstat(file)
    # To try the lock could be in the way of the process that is about to have it.
    is_new = not status.st_size and time() - status.st_mtime < _MAKING
    return is_new or is_locked(file)


def _finish(reading: _Reading) -> None:
    """Delete a journal if it was moved to its end and will not grow any more."""
    path, file = reading.path, reading.file
    if _is_growing(file):
        return
    # Looked at once more: before it let go of the lock, its process may have written.
    size = os.fstat(file).st_size
    if not size or (size <= reading.offset and not reading.damaged):
        with suppress(FileNotFoundError):
            os.unlink(path)
    elif reading.damaged or not _has_entry(file, reading.offset):
        aside = path.with_name(f"{path.name}.damaged")
        with suppress(FileNotFoundError):
            os.replace(path, aside)
        _guard.warn_once(
            f"spool.damaged:{path}",
            "A file of the spool is damaged or is none of it. It was moved to %s; what "
            "could be read is sent.",
            aside,
        )


def _has_entry(file: int, offset: int) -> bool:
    """Say whether there is a whole entry at an offset, or what may be one."""
    try:
        length = needed(os.pread(file, _WINDOW, offset))
    except ValueError:
        return False
    return os.fstat(file).st_size >= offset + length


def _in_order(readings: Sequence[_Reading]) -> Iterator[tuple[_Reading, Entry]]:
    """Yield a portion of the entries of several journals as they were written.

    Those of one journal keep their order even if somebody set the clock back.
    """
    rest = [iter(reading.entries) for reading in readings]
    heads: list[tuple[float, int, Entry]] = []

    def next_of(number: int, not_before: float) -> bool:
        entry = next(rest[number], None)
        if entry is None:
            return False
        heapq.heappush(heads, (max(entry.stored_at, not_before), number, entry))
        return True

    for number in range(len(readings)):
        next_of(number, 0.0)
    for _ in range(PORTION):
        if not heads:
            return
        at, number, entry = heapq.heappop(heads)
        yield readings[number], entry
        if not next_of(number, at) and readings[number].cut:
            return  # What it has next may be older than what the others have.


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
