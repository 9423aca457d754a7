"""The bounds of a spool, in bytes and in age, kept by whoever writes or reads.

Whole segments are deleted, the oldest first, and what nobody got of them is counted.
A segment that a process writes to is never deleted.
"""

import os
import time
from collections.abc import Iterable, Mapping

from .._delivery.clock import monotonic
from .._delivery.message import LIBRETTO
from .._util import errors
from .._util.private_files import opened
from .acks import AckLog
from .directory import NO_BOOT_ID, SpoolDirectory, read_boot_id
from .drop_counts import DropCounts
from .segment import DamagedError, Head, IncompleteError, iter_offsets, read_head

#: For how long segments are looked at, and then deleted, at a time, in seconds.
_TIME_LIMIT = 0.025
#: A file takes at least this many bytes of a disk.
_BLOCK_BYTES = 4096
#: By how much a segment's oldest entry may be older than the youngest.
_SEGMENT_AGE_FACTOR = 1.125

#: Of this many losses it is remembered that they were counted.
_MAX_REMEMBERED = 10_000

#: Places in the order of all entries: those of earlier boots first, by the wall clock;
#: then this boot's, by the monotonic clock.
SortKey = tuple[int, float]
LAST: SortKey = (2, 0.0)


def get_sort_key(segment: str, head: Head) -> SortKey:
    """Return an entry's place among all."""
    if is_this_boot(segment):
        return (1, head.clock)
    return (0, head.stored_at)


def is_this_boot(segment: str) -> bool:
    """Return whether a segment's monotonic clock is ours."""
    boot = read_boot_id()
    return boot != NO_BOOT_ID and segment.startswith(boot)


class Retention:
    """Keeps a spool within its bounds.

    Attributes:
        max_bytes: How large the spool may be.
        max_age: For how long it keeps a message, in seconds.
    """

    def __init__(
        self,
        directory: SpoolDirectory,
        drops: DropCounts,
        *,
        max_bytes: int,
        max_age: float,
    ) -> None:
        self._directory = directory
        self._drops = drops
        self.max_bytes = max_bytes
        self.max_age = max_age
        # When the oldest entry of a segment was written; it does not change.
        self._first: dict[str, SortKey] = {}
        self._counted: set[tuple[str, int]] = set()

    def get_age(self, segment: str, head: Head) -> float:
        """Return how old an entry is, in seconds.

        Within a boot the monotonic clock tells, whatever was done to the other.
        """
        if is_this_boot(segment):
            return monotonic() - head.clock
        return _wall_clock() - head.stored_at

    def make_room(self, reserve: int) -> dict[str, int]:
        """Delete what is too old, and the oldest of what is too much.

        Args:
            reserve: How many bytes are about to be written.

        Returns:
            The segments that are left, and their sizes in bytes.
        """
        segments = self._directory.list_segments()
        first = self._read_firsts(segments)
        deadline, logs = monotonic() + _TIME_LIMIT, dict[str, AckLog]()
        total = self._directory.other_bytes() + sum(map(_on_disk, segments.values()))
        for name in sorted(segments, key=first.__getitem__):
            if monotonic() > deadline:
                break
            if self._is_expired(first[name]):
                reason = "spool_expired"
            elif total + reserve > self.max_bytes:
                reason = "spool_full"
            else:
                continue
            if self._delete(name, reason, logs):
                total -= _on_disk(segments.pop(name))
        return segments

    def _read_firsts(self, segments: Mapping[str, int]) -> dict[str, SortKey]:
        deadline, first = monotonic() + _TIME_LIMIT, dict[str, SortKey]()
        for name, size in segments.items():
            known = self._first.get(name, LAST)
            if known is LAST and monotonic() < deadline:
                known = self._read_first(name, size)
            first[name] = known
        self._first = first
        return first

    def _read_first(self, name: str, size: int) -> SortKey:
        try:
            with opened(self._directory.segments / name, os.O_RDONLY) as fd:
                return get_sort_key(name, read_head(fd, 0, size))
        except (DamagedError, IncompleteError, OSError):
            return LAST

    def _is_expired(self, first: SortKey) -> bool:
        boot, since = first
        if first is LAST:
            return False
        now = monotonic() if boot == 1 else _wall_clock()
        return now - since > self.max_age * _SEGMENT_AGE_FACTOR

    def _delete(self, name: str, reason: str, logs: dict[str, AckLog]) -> bool:
        fd = self._directory.lock_for_deletion(name)
        if fd is None:
            return False
        try:
            lost = self._count_unsent(name, fd, logs)
            os.unlink(self._directory.segments / name)
        except OSError:
            return False
        finally:
            os.close(fd)
        self.count(reason, lost)
        return True

    def _count_unsent(self, name: str, fd: int, logs: dict[str, AckLog]) -> int:
        size = self._directory.get_size(fd)
        try:
            destinations: Iterable[str] | None = read_head(fd, 0, size).destinations
        except (DamagedError, IncompleteError):
            return 1 if size else 0
        if destinations is None:
            known = self._directory.list_destinations(self._directory.acks)
            destinations = known or (LIBRETTO,)
        for destination in destinations:
            if destination not in logs:
                logs[destination] = AckLog(self._directory.ack_log(destination))
                logs[destination].refresh()
        acks = [logs[destination].get(name) for destination in destinations]
        return sum(
            not all(each.has(offset) for each in acks)
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
        self._drops.add(reason, lost)
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
