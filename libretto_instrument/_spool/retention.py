"""The bounds of a spool, in bytes and in age, kept by all that write or read.

Whole segments are deleted, the oldest first, and what a destination did not get of them
is counted. A segment that a process writes to is never deleted.
"""

import json
import os
import time
from collections import Counter

from .._delivery.message import LIBRETTO
from .._util import errors
from .._util.clock import monotonic
from .._util.filelock import try_lock
from .._util.private_files import opened, read_at
from .directory import SpoolDirectory, is_this_boot
from .index import LAST, Segment, SortKey, SpoolIndex
from .segment import Head, iter_offsets

#: For how long segments are looked at, and then deleted, at a time, in seconds.
_TIME_LIMIT = 0.025
#: A file takes at least this many bytes of a disk.
_BLOCK_BYTES = 4096
#: By how much a segment's oldest entry may be older than the youngest.
_SEGMENT_AGE_FACTOR = 1.125

#: Of this many losses it is remembered that they were counted.
_MAX_REMEMBERED = 10_000

#: Written in place with this length, so that a count needs no space on a full disk.
_DROP_COUNTS_BYTES = 256


class DropCounts:
    """Counts in a file that all processes add to; see `REASONS`."""

    #: Pushed out by the bounds of bytes, and of age; and what could not be read.
    REASONS = ("spool_full", "spool_expired", "spool_damaged")

    def __init__(self, directory: SpoolDirectory) -> None:
        """Name the file; nothing is opened."""
        self._path = directory.path / "dropped.json"
        self._unwritten: Counter[str] = Counter()

    def add(self, reason: str, count: int) -> None:
        """Count losses; written now if possible, else with the next ones or `write`."""
        self._unwritten[reason] += count
        self.write()

    def write(self) -> None:
        """Write what could not be written before. Never raises."""
        if not any(self._unwritten.values()):
            return
        try:
            with opened(self._path, os.O_RDWR | os.O_CREAT) as fd:
                if not try_lock(fd):
                    return
                # What another thread adds meanwhile stays for the next time.
                new, self._unwritten = self._unwritten, Counter()
                try:
                    text = json.dumps(_parse_counts(fd) + new)
                    os.lseek(fd, 0, os.SEEK_SET)
                    os.write(fd, text.ljust(_DROP_COUNTS_BYTES - 1).encode() + b"\n")
                except BaseException:
                    self._unwritten += new
                    raise
        except OSError:
            pass  # The next time, then.

    def read(self) -> dict[str, int]:
        """Return the counts by reason, those that are not zero."""
        try:
            with opened(self._path, os.O_RDONLY) as fd:
                counts = _parse_counts(fd)
        except OSError:
            counts = Counter()
        return dict(sorted((counts + self._unwritten).items()))


def _parse_counts(fd: int) -> Counter[str]:
    try:
        found = json.loads(read_at(fd, _DROP_COUNTS_BYTES, 0))
        return Counter(
            {
                name: min(int(found[name]), 2**60)
                for name in DropCounts.REASONS
                if name in found
            }
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return Counter()


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

    def get_age(self, segment: str, head: Head) -> float:
        """Return how old an entry is, in seconds.

        Within a boot the monotonic clock tells, whatever was done to the other.
        """
        if is_this_boot(segment):
            return monotonic() - head.clock
        return _wall_clock() - head.stored_at

    def free_space(self, reserve: int) -> dict[str, int]:
        """Delete what is too old, and the oldest of what is too much.

        Args:
            reserve: How many bytes are about to be written.

        Returns:
            The segments that are left, and their sizes in bytes.
        """
        segments = self.index.list_segments(_TIME_LIMIT)
        deadline = monotonic() + _TIME_LIMIT
        total = self._directory.other_bytes()
        total += sum(_on_disk(each.size) for each in segments.values())
        for name in sorted(segments, key=lambda each: segments[each].first):
            if monotonic() > deadline:
                break
            if self._is_expired(segments[name].first):
                reason = "spool_expired"
            elif total + reserve > self.max_bytes:
                reason = "spool_full"
            else:
                continue
            if self._delete(name, segments[name], reason):
                total -= _on_disk(segments.pop(name).size)
        return {name: segment.size for name, segment in segments.items()}

    def _is_expired(self, first: SortKey) -> bool:
        boot, since = first
        if first is LAST:
            return False
        now = monotonic() if boot == 1 else _wall_clock()
        return now - since > self.max_age * _SEGMENT_AGE_FACTOR

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
        size, destinations = self._directory.get_size(fd), segment.destinations
        if segment.first is LAST:
            return 1 if size else 0
        if destinations is None:
            known = self._directory.list_destinations(self._directory.acks)
            destinations = tuple(known) or (LIBRETTO,)
        progress = [self.index.read_log(each).get(name) for each in destinations]
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


def _wall_clock() -> float:
    # Looked up each time: programs freeze it, and tests set it.
    return time.time()
