"""From the journals of processes into the database that those who send share.

How far each journal was read is kept in the database and moves on together with the
messages, so that each of them is moved once, whoever is killed at whatever moment. The
row that says it outlives the journal, and journals are opened by who keeps all others
from writing to the database: so nobody takes one that was moved for one that was not.
"""

import heapq
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic, time

from attrs import evolve, frozen

from .._util import errors
from . import _spool_deeds
from ._journal import SUFFIX
from ._journal_form import (
    BEGINNING,
    FIRST,
    MARK,
    Entry,
    is_of_another_version,
    title_of,
    write_title,
)
from ._journal_reading import LAST, Place, Reading, is_growing, journals_in, opened
from ._message import HOME, Finishers, Message
from ._spool_file import transaction

#: So many messages are moved in one transaction, of so many bytes, and from so many
#: journals at most.
PORTION, _PORTION_BYTES, _TOGETHER = 1000, 8 * 2**20, 64
#: One that has to be finished takes as long as so many others, while writers may wait.
_UNFINISHED = 4


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


def take_in(
    connection: sqlite3.Connection,
    directory: Path,
    finishers: Finishers,
    *,
    oldest: float,
) -> Moved:
    """Move a portion of what is in the journals, in the order in which it was written.

    Args:
        connection: The spool's, in no transaction.
        directory: Where the journals are.
        finishers: What finishes messages; a journal is not read past one of a form that
            has none.
        oldest: What was written before, in seconds since the epoch, is dropped.
    """
    began = monotonic()
    with ExitStack() as files:
        with transaction(connection):
            forms = {0, *finishers}
            readings, until = _unread(files, connection, directory, forms)
            portion = _Portion(readings, until, began, forms)
            taken = list(portion.taken())
            fresh = [pair for pair in taken if pair[1].stored_at >= oldest]
            expired = len(taken) - len(fresh)
            whole, failed = _finished(fresh, finishers)
            connection.executemany(_spool_deeds.ADD, whole)
            connection.executemany(_spool_deeds.ADD_ASIDE, failed)
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
    files: ExitStack,
    connection: sqlite3.Connection,
    directory: Path,
    forms: Collection[int],
) -> tuple[list[Reading], Place]:
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
    until = LAST
    if len(paths) > _TOGETHER:
        paths, until = _earliest(paths, moved, forms)
    readings = [
        Reading.of(path, file, moved)
        for path in paths
        if (file := opened(files, path)) is not None
    ]
    return readings, until


def _earliest(
    paths: list[Path], moved: Mapping[str, int], forms: Collection[int]
) -> tuple[list[Path], Place]:
    places: list[tuple[Place, Path]] = []
    for path in paths:
        with ExitStack() as files:
            file = opened(files, path)
            if file is not None:
                reading = Reading.of(path, file, moved)
                entry = next(reading.entries(), None)
                # One that nothing can be moved from must not be in the way of others.
                place = LAST
                if entry is not None and entry.message.form in forms:
                    place = reading.place_of(entry)
                places.append((place, path))
    places.sort()
    until = places[_TOGETHER][0] if len(places) > _TOGETHER else LAST
    return [path for _, path in places[:_TOGETHER]], until


class _Portion:
    """What is moved in one go, in the order in which it was written.

    Attributes:
        gaps: How often something damaged was left out.
        is_all: Nothing was left behind.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        until: Place,
        began: float,
        forms: Collection[int],
    ) -> None:
        self.gaps = 0
        self.is_all = False
        self._forms = forms
        self._readings = readings
        self._until = until
        self._rest = [reading.entries(began) for reading in readings]
        self._heads: list[tuple[Place, int, Entry]] = []

    def taken(self) -> Iterator[tuple[Reading, Entry]]:
        """Take one entry after the other."""
        for number in range(len(self._readings)):
            self._pull(number, (0, 0.0))
        size = count = 0
        while count < PORTION and size <= _PORTION_BYTES:
            if not self._heads or self._heads[0][0] > self._until:
                break
            place, number, entry = heapq.heappop(self._heads)
            reading = self._readings[number]
            self.gaps += entry.start > reading.offset
            reading.offset = entry.end
            yield reading, entry
            self._pull(number, place)
            size += entry.message.weight
            count += _UNFINISHED if entry.message.form else 1
        held = any(reading.held for reading in self._readings)
        self.is_all = not (self._heads or held or self._until != LAST)

    def _pull(self, number: int, not_before: Place) -> None:
        # The entries of one journal keep their order: threads may have come to write
        # in another one than they looked at the clock in.
        entry, reading = next(self._rest[number], None), self._readings[number]
        if entry is None:
            return
        if entry.message.form not in self._forms:
            reading.held = True
            errors.warn_once(
                f"spool.form:{reading.path.parent}",
                "%s was written by a newer version of libretto-instrument than this "
                "one. What this one cannot read there is left alone: run that version, "
                "or a newer one, to send it.",
                reading.path,
            )
            return
        place = max(reading.place_of(entry), not_before)
        heapq.heappush(self._heads, (place, number, entry))


def tidy(connection: sqlite3.Connection, directory: Path) -> None:
    """Delete the journals that were moved to their end and will not grow any more."""
    with ExitStack() as files, transaction(connection):
        moved = offsets(connection)
        for path in journals_in(directory):
            file = opened(files, path)
            if file is not None and not is_growing(file):
                reading = Reading.of(path, file, moved)
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
                file = opened(files, path)
                if file is None or is_growing(file):
                    continue
                reading = Reading.of(path, file, moved)
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
                file = opened(files, path, os.O_RDONLY)
                if file is not None:
                    yield from Reading.of(path, file, moved).entries()


def _note_moved(reading: Reading) -> None:
    title = title_of(reading.file)
    if title is not None and title.moved < reading.offset:
        write_title(reading.file, evolve(title, moved=reading.offset))


def _finish(reading: Reading) -> None:
    """Delete a journal if it was moved to its end and will not grow any more."""
    path, file = reading.path, reading.file
    if is_growing(file) or os.fstat(file).st_size != reading.size:
        return
    is_ours = reading.title is not None
    if not is_ours and is_of_another_version(file):
        return
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
    errors.warn_once(
        f"spool.damaged:{path}",
        "A file of the spool is damaged or is none of it. It was moved to %s; what "
        "could be read is sent.",
        aside,
    )


def _finished(
    taken: Iterable[tuple[Reading, Entry]], finishers: Finishers
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the columns of messages, and of those that cannot be finished.

    What is wrong with this process, and not with them, is raised: they are tried again.
    """
    whole: list[tuple[object, ...]] = []
    failed: list[tuple[object, ...]] = []
    for reading, entry in taken:
        message = entry.message
        try:
            if message.form:
                message = finishers[message.form](message)
        except (MemoryError, OSError):
            raise
        except Exception as exc:
            failed.append(_columns_aside(reading, entry, type(exc).__name__))
            errors.log_internal_error(exc, "spool.finish")
        else:
            whole.append(_columns(reading, entry, message))
    return whole, failed


def _columns_aside(reading: Reading, entry: Entry, error: str) -> tuple[object, ...]:
    kind, *rest, at, destinations, body = _columns(reading, entry, entry.message)
    # Of a kind that nobody posts, lest it be sent as it is when it is tried once more.
    to = (destinations or HOME).split("\n")[0]
    reason = f"could not be finished: {error}"
    return (f"unfinished {kind}", *rest, time(), reason, at, to, body)


def _columns(
    reading: Reading, entry: Entry, message: Message
) -> tuple[str, str, str | None, str, float, float | None, str | None, bytes]:
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
