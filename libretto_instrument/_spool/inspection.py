"""What is in a spool, for operators; nothing is created, changed or waited for."""

import os
from array import array
from bisect import bisect_left
from collections import Counter
from pathlib import Path

from attrs import define, field, frozen

from .._delivery.message import LIBRETTO
from .._util.filelock import try_lock
from .._util.private_files import RefusedError, opened
from .acks import AckLog, AckLogs, Progress
from .dead_letters import count_dead_letters
from .directory import SpoolDirectory
from .retention import DropCounts
from .segment import DamagedError, IncompleteError, iter_offsets, read_head


@frozen(kw_only=True)
class SpoolStats:
    """What is in a spool, over all the processes that share it.

    Attributes:
        pending: Messages that some destination has yet to get.
        pending_by_destination: Messages that each destination has yet to get.
        dead_letters: Messages that were refused, kept for inspection.
        dropped: Messages that will never arrive, by reason: ``"spool_full"`` and
            ``"spool_expired"`` were pushed out by the bounds, ``"spool_damaged"`` could
            not be read.
        oldest_at: When the oldest pending one was written, in seconds since the epoch.
        size: The size of all files, in bytes.
    """

    pending: int
    pending_by_destination: dict[str, int]
    dead_letters: int
    dropped: dict[str, int]
    oldest_at: float | None
    size: int


@frozen
class SpoolInspection:
    """What there is where a spool should be.

    Attributes:
        path: The directory.
        state: ``"absent"``, ``"ready"``, ``"refused"`` (another user's, or open to
            others), or ``"unreadable"``.
        reason: Why it is refused or can't be read.
        stats: What is in it, if it is ready.
    """

    path: Path
    state: str
    reason: str = ""
    stats: SpoolStats | None = None


@define
class _Segment:
    """What is known of one segment, so that a second look reads only what is new."""

    destinations: tuple[str, ...] | None = None
    stored_at: float | None = None
    offsets: "array[int]" = field(factory=lambda: array("Q"))
    end: int = 0


class Scanner:
    """Counts what is in a spool."""

    def __init__(self, directory: SpoolDirectory, drops: DropCounts) -> None:
        self._directory = directory
        self._drops = drops
        self._logs = AckLogs(directory)
        self._segments: dict[str, _Segment] = {}

    def scan(self, default: tuple[str, ...] = (LIBRETTO,)) -> SpoolStats:
        """Count what is in the spool now.

        Args:
            default: Who gets what names no destination.

        Raises:
            OSError: It can't be read.
        """
        sizes = self._directory.list_segments()
        known = self._segments
        self._segments = {name: known.get(name) or _Segment() for name in sizes}
        pending: Counter[str] = Counter()
        total, oldest_at = 0, None
        logs: dict[str, AckLog] = {}
        for name, segment in self._segments.items():
            try:
                self._update(name, segment, sizes[name])
            except FileNotFoundError:
                continue
            names = segment.destinations or default
            logs |= {each: self._logs.read(each) for each in names if each not in logs}
            lacking = set[int]()
            for destination in names:
                offsets = _find_pending(segment, logs[destination].get(name))
                pending[destination] += len(offsets)
                lacking.update(offsets)
            total += len(lacking)
            if lacking and segment.stored_at is not None:
                oldest_at = min(oldest_at or segment.stored_at, segment.stored_at)
        return SpoolStats(
            pending=total,
            pending_by_destination=dict(+pending),
            dead_letters=count_dead_letters(self._directory),
            dropped=self._drops.read(),
            oldest_at=oldest_at,
            size=sum(sizes.values()) + self._directory.other_bytes(),
        )

    def _update(self, name: str, segment: _Segment, size: int) -> None:
        if segment.end >= size:
            return
        with opened(self._directory.segments / name, os.O_RDONLY) as fd:
            if segment.stored_at is None:
                try:
                    first = read_head(fd, 0, size)
                except (DamagedError, IncompleteError):
                    return
                segment.destinations = first.destinations
                segment.stored_at = first.stored_at
            for offset, end in iter_offsets(fd, size, segment.end):
                segment.offsets.append(offset)
                segment.end = end


def _find_pending(segment: _Segment, acks: Progress) -> list[int]:
    first = bisect_left(segment.offsets, acks.read_to)
    return [
        offset
        for offset in (*acks.pending, *segment.offsets[first:])
        if not acks.has(offset)
    ]


def inspect_spool(
    path: str | os.PathLike[str], *, default: tuple[str, ...] = (LIBRETTO,)
) -> SpoolInspection:
    """Look at the spool in a directory.

    Args:
        path: The directory.
        default: Who gets what names no destination.
    """
    directory = SpoolDirectory(path)
    try:
        directory.check()
        if not directory.segments.is_dir():
            return SpoolInspection(directory.path, "absent")
        stats = Scanner(directory, DropCounts(directory)).scan(default)
    except FileNotFoundError:
        return SpoolInspection(directory.path, "absent")
    except RefusedError as exc:
        return SpoolInspection(directory.path, "refused", str(exc))
    except OSError as exc:
        return SpoolInspection(directory.path, "unreadable", str(exc))
    return SpoolInspection(directory.path, "ready", stats=stats)


def is_relay_running(
    path: str | os.PathLike[str], destination: str = LIBRETTO
) -> bool | None:
    """Return whether some process reads a spool; None if that can't be told."""
    try:
        with opened(SpoolDirectory(path).relay_lock(destination), os.O_RDWR) as fd:
            return not try_lock(fd)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
