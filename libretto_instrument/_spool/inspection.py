"""What is in a spool, for operators; nothing is created, changed or waited for."""

import os
from bisect import bisect_left
from collections import Counter
from pathlib import Path

from attrs import frozen

from .._delivery.message import LIBRETTO
from .._util.filelock import try_lock
from .._util.private_files import RefusedError, opened
from .acks import AckLog, Progress
from .dead_letters import iter_dead_letters
from .directory import SpoolDirectory
from .index import LAST, Segment, SpoolIndex
from .retention import DropCounts


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


def collect_stats(
    index: SpoolIndex, drops: DropCounts, default: tuple[str, ...]
) -> SpoolStats:
    """Count what is in a spool now.

    What names no destination is for ``default``. It raises `OSError` if the spool can't
    be read.
    """
    pending: Counter[str] = Counter()
    total, size, times = 0, 0, list[float]()
    logs: dict[str, AckLog] = {}
    for name, segment in index.list_segments().items():
        size += segment.size
        index.read_offsets(name, segment)
        names = segment.destinations or default
        logs |= {each: index.read_log(each) for each in names if each not in logs}
        lacking = set[int]()
        for destination in names:
            offsets = _find_pending(segment, logs[destination].get(name))
            pending[destination] += len(offsets)
            lacking.update(offsets)
        total += len(lacking)
        if lacking and segment.first is not LAST:
            times.append(segment.stored_at)
    return SpoolStats(
        pending=total,
        pending_by_destination=dict(+pending),
        dead_letters=sum(1 for _ in iter_dead_letters(index.directory)),
        dropped=drops.read(),
        oldest_at=min(times, default=None),
        size=size + index.directory.other_bytes(),
    )


def _find_pending(segment: Segment, acks: Progress) -> list[int]:
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

    What names no destination counts as pending for each of ``default``.
    """
    directory = SpoolDirectory(path)
    try:
        directory.check()
        if not directory.segments.is_dir():
            return SpoolInspection(directory.path, "absent")
        stats = collect_stats(SpoolIndex(directory), DropCounts(directory), default)
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
