"""The segments and acknowledgements of a spool, cached: only what is new is read.

Whole segments are judged by their first entry: all entries of one are for the same
destinations, and the first is the oldest.
"""

import math
import os
from array import array
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from attrs import define, field

from .._util.clock import monotonic
from .._util.private_files import opened
from .acks import AckLog
from .directory import SpoolDirectory, is_this_boot
from .segment import DamagedError, Head, IncompleteError, iter_offsets, read_head

#: Places in the order of all entries: those of earlier boots first, by the wall clock;
#: then this boot's, by the monotonic clock.
SortKey = tuple[int, float]
LAST: SortKey = (2, 0.0)


def get_sort_key(segment: str, head: Head) -> SortKey:
    """Return an entry's place among all."""
    if is_this_boot(segment):
        return (1, head.clock)
    return (0, head.stored_at)


@define(eq=False)
class Segment:
    """What is known of one segment.

    Attributes:
        size: How long it was when the directory was listed, in bytes.
        first: The place of its first entry; `LAST` until that has been read.
        destinations: Who is to get it; None leaves that to the reader.
        stored_at: When its first entry was written, in seconds since the epoch.
        offsets: Where its entries begin, as far as they were looked for.
    """

    size: int
    first: SortKey = LAST
    destinations: tuple[str, ...] | None = None
    stored_at: float = 0.0
    offsets: "array[int]" = field(factory=lambda: array("Q"))
    _end: int = 0

    def read_first(self, name: str, fd: int) -> None:
        """Read the first entry, unless that was done, or it is not whole."""
        if self.first is not LAST:
            return
        with suppress(DamagedError, IncompleteError):
            head = read_head(fd, 0, self.size)
            self.destinations, self.stored_at = head.destinations, head.stored_at
            self.first = get_sort_key(name, head)

    def read_offsets(self, fd: int) -> None:
        """Look for entries that were not there before."""
        for offset, end in iter_offsets(fd, self.size, self._end):
            if offset >= self._end:  # No other thread was faster.
                self.offsets.append(offset)
                self._end = end


class SpoolIndex:
    """Knows the segments and the acknowledgements of all processes."""

    def __init__(self, directory: SpoolDirectory) -> None:
        self.directory = directory
        self._segments: dict[str, Segment] = {}
        self._logs: dict[Path, AckLog] = {}

    def list_segments(self, time_limit: float = math.inf) -> dict[str, Segment]:
        """Return the segments there are, by their names.

        First entries are read for at most ``time_limit`` seconds.
        """
        deadline, known = monotonic() + time_limit, self._segments
        found: dict[str, Segment] = {}
        for name, size in self.directory.list_segments().items():
            segment = found[name] = known.get(name) or Segment(size)
            segment.size = size
            if segment.first is LAST and monotonic() < deadline:
                with suppress(OSError), self._opened(name) as fd:
                    segment.read_first(name, fd)
        self._segments = found
        return dict(found)

    def read_offsets(self, name: str, segment: Segment) -> None:
        """Look for all entries of a segment, if it is still there."""
        with suppress(FileNotFoundError), self._opened(name) as fd:
            segment.read_offsets(fd)

    def _opened(self, name: str) -> AbstractContextManager[int]:
        return opened(self.directory.segments / name, os.O_RDONLY)

    def read_log(self, destination: str) -> AckLog:
        """Return what a destination has got by now."""
        return self._read_log(self.directory.ack_log(destination))

    def read_logs(self) -> list[AckLog]:
        """Return what each destination that has got anything has got by now."""
        paths = self.directory.list_files(self.directory.acks)
        return [self._read_log(path) for path in paths]

    def _read_log(self, path: Path) -> AckLog:
        log = self._logs.setdefault(path, AckLog(path))
        log.refresh()
        return log
