"""The bounds of a spool, in bytes and in age, kept by all that write or read.

Whole segments are deleted, the oldest first, and what a destination did not get of them
is counted. A segment that a process writes to is never deleted.
"""

import os
import time
from collections import Counter
from contextlib import suppress
from struct import Struct

from .._delivery.message import LIBRETTO
from .._util import errors
from .._util.clock import monotonic
from .._util.filelock import try_lock
from .._util.private_files import opened, read_at
from .directory import SpoolDirectory
from .index import LAST, Segment, SortKey, SpoolIndex
from .segment import iter_offsets

#: For how long segments are looked at, and then deleted, at a time, in seconds.
TIME_LIMIT = 0.025
#: A file takes at least this many bytes of a disk.
_BLOCK_BYTES = 4096
#: By how much a segment's oldest entry may be older than the youngest.
_SEGMENT_AGE_FACTOR = 1.125

#: Of this many losses it is remembered that they were counted.
_MAX_REMEMBERED = 10_000

#: The counts of losses, as they are written in place: a full disk has space for that.
_COUNTS = Struct("<3Q")


class DropCounts:
    """Counts in a file that all processes add to; see `REASONS`."""

    #: Pushed out by the bounds of bytes, and of age; and what could not be read.
    REASONS = ("spool_full", "spool_expired", "spool_damaged")

    def __init__(self, directory: SpoolDirectory) -> None:
        """Name the file; nothing is opened."""
        self._path = directory.path / "dropped"
        self._unwritten: Counter[str] = Counter()

    def add(self, reason: str, count: int) -> None:
        """Count losses; written now if possible, else with the next ones or `write`."""
        self._unwritten[reason] += count
        self.write()

    def write(self) -> None:
        """Write what could not be written before. Never raises."""
        if not any(self._unwritten.values()):
            return
        with suppress(OSError), opened(self._path, os.O_RDWR | os.O_CREAT) as fd:
            if try_lock(fd):  # Else the next time, as after an error.
                # What another thread adds meanwhile stays for the next time.
                new, self._unwritten = self._unwritten, Counter()
                try:
                    counts = _read_counts(fd) + new
                    os.lseek(fd, 0, os.SEEK_SET)
                    os.write(fd, _COUNTS.pack(*(counts[each] for each in self.REASONS)))
                except BaseException:
                    self._unwritten += new
                    raise

    def read(self) -> dict[str, int]:
        """Return the counts by reason, those that are not zero."""
        counts: Counter[str] = Counter()
        with suppress(OSError), opened(self._path, os.O_RDONLY) as fd:
            counts = _read_counts(fd)
        return dict(sorted((counts + self._unwritten).items()))


def _read_counts(fd: int) -> Counter[str]:
    data = read_at(fd, _COUNTS.size + 1, 0)
    if len(data) != _COUNTS.size:
        return Counter()
    found = zip(DropCounts.REASONS, _COUNTS.unpack(data), strict=True)
    return Counter({reason: min(count, 2**60) for reason, count in found})


class Retention:
    """Keeps a spool within its bounds.

    Attributes:
        index: What is in it.
        drops: What was lost.
        max_bytes: How large the spool may be.
        max_age: For how long it keeps a message, in seconds.
    """

    def __init__(
        self, directory: SpoolDirectory, *, max_bytes: int, max_age: float
    ) -> None:
        self._directory = directory
        self.index = SpoolIndex(directory)
        self.drops = DropCounts(directory)
        self.max_bytes = max_bytes
        self.max_age = max_age
        self._counted: set[tuple[str, int]] = set()

    def get_age(self, key: SortKey) -> float:
        """Return how old an entry is, in seconds.

        Within a boot the monotonic clock tells, whatever was done to the other.
        """
        is_this_boot, since = key
        # Looked up each time: programs freeze the wall clock, and tests set it.
        return (monotonic() if is_this_boot else time.time()) - since

    def free_space(self, reserve: int) -> dict[str, int]:
        """Delete what is too old, and the oldest of what is too much.

        There is place for ``reserve`` more bytes then. It returns the segments that are
        left, with their sizes in bytes.
        """
        segments = self.index.list_segments(TIME_LIMIT)
        deadline = monotonic() + TIME_LIMIT
        total = self._directory.other_bytes()
        total += sum(_on_disk(each.size) for each in segments.values())
        for name in sorted(segments, key=lambda each: segments[each].first):
            if monotonic() > deadline:
                break
            first = segments[name].first
            max_age = self.max_age * _SEGMENT_AGE_FACTOR
            if first is not LAST and self.get_age(first) > max_age:
                reason = "spool_expired"
            elif total + reserve > self.max_bytes:
                reason = "spool_full"
            else:
                continue
            if self._delete(name, segments[name], reason):
                total -= _on_disk(segments.pop(name).size)
        return {name: segment.size for name, segment in segments.items()}

    def _delete(self, name: str, segment: Segment, reason: str) -> bool:
        with self._directory.locked_for_deletion(name) as fd:
            if fd is None:
                return False
            try:
                lost = self._count_unsent(name, segment, fd)
                os.unlink(self._directory.segments / name)
            except OSError:
                return False
        self.count(reason, lost)
        return True

    def _count_unsent(self, name: str, segment: Segment, fd: int) -> int:
        segment.read_first(name, fd)
        size, destinations = self._directory.get_size(fd), segment.destinations
        if segment.first is LAST:
            return 1 if size else 0
        if destinations is None:
            logs = self.index.read_logs() or [self.index.read_log(LIBRETTO)]
        else:
            logs = [self.index.read_log(each) for each in destinations]
        progress = [log.get(name) for log in logs]
        return sum(
            not all(each.has(offset) for each in progress)
            for offset, _ in iter_offsets(fd, size)
        )

    def count_once(self, reason: str, segment: str, offset: int) -> None:
        """Count the loss of one message, which several destinations' readers find."""
        if len(self._counted) > _MAX_REMEMBERED:
            self._counted.clear()
        if (segment, offset) not in self._counted:
            self._counted.add((segment, offset))
            self.count(reason, 1)

    def count(self, reason: str, lost: int) -> None:
        """Count messages that were lost, and warn of them."""
        if not lost:
            return
        self.drops.add(reason, lost)
        if reason in _WARNINGS:
            errors.warn(f"spool.{reason}", _WARNINGS[reason], self._directory.path)


_ADVICE = "Check that Libretto can be reached, or that a relay runs."
_WARNINGS = {
    "spool_full": f"The spool in %s is full and drops its oldest events. {_ADVICE}",
    "spool_expired": f"The spool in %s drops events as too old. {_ADVICE}",
    "spool_damaged": "Some of what is in the spool in %s is damaged and left out.",
}


def _on_disk(size: int) -> int:
    return max(size, _BLOCK_BYTES)
