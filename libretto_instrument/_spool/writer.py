"""Where a process writes: segments of its own, which only grow.

An append is one write to an open file. The writer holds the segment's lock while it
uses it; a segment that is full is closed, and so unlocked, and a new one begun. What an
ended process left unfilled is continued, so that short processes share few files.
"""

import os
import sys
import threading
from array import array
from contextlib import suppress
from types import FrameType

from attrs import define, field

from .._util import errors
from .._util.clock import monotonic
from .._util.filelock import try_lock
from .._util.private_files import open_private
from .directory import SpoolDirectory, append_whole, is_this_boot, read_boot_id
from .retention import Retention
from .segment import DamagedError, IncompleteError, iter_offsets, read_head

#: A segment of this size, in bytes, is closed for a new one.
SEGMENT_BYTES = 2**20
#: How long an append waits for another thread of this process, in seconds. One that
#: takes longer hangs in a dead disk, or was frozen as the interpreter ended.
_LOCK_TIMEOUT = 0.25
#: How often the segment is looked for by its path, in seconds.
_PATH_CHECK_INTERVAL = 0.05
#: How many segments of ended processes are tried, and of segments that are created.
_CONTINUE_ATTEMPTS, _CREATE_ATTEMPTS = 8, 3
#: Segments that are open at the same time, one for each set of destinations.
_MAX_OPEN = 4

Destinations = tuple[str, ...] | None


class StuckError(Exception):
    """Another thread does not give the writer back; a new writer is needed."""


@define(eq=False)
class OwnSegment:
    """A segment that this process wrote to.

    Attributes:
        destinations: Who is to get it.
        offsets: Where the entries begin that this process wrote.
        fd: Its descriptor, while it is open and locked.
        end: How long it is, in bytes.
        began_at: When its first entry was written, by the monotonic clock.
        check_at: When to look for it by its path again, likewise.
    """

    name: str
    destinations: Destinations
    offsets: "array[int]" = field(factory=lambda: array("Q"))
    fd: int = -1
    end: int = 0
    began_at: float = 0.0
    check_at: float = 0.0


class SegmentWriter:
    """Appends entries, for all threads of one process.

    Attributes:
        own: What this process wrote, by the segments' names.
    """

    def __init__(
        self, directory: SpoolDirectory, retention: Retention, segment_bytes: int
    ) -> None:
        self._directory = directory
        self._retention = retention
        self._segment_bytes = segment_bytes
        self._max_segment_age = retention.max_age / 8
        self._boot = read_boot_id()
        self._name = os.urandom(8).hex()
        self._count = 0
        self._open: dict[Destinations, OwnSegment] = {}
        self._lock = threading.Lock()
        self.own: dict[str, OwnSegment] = {}

    def append(self, entry: bytes, destinations: Destinations) -> None:
        """Write an entry; it outlives the process when this returns.

        Raises:
            BlockingIOError: Called by what interrupted an append of the same thread.
            StuckError: Another thread has not finished its append in time.
            OSError: It can't be written now.
        """
        self._acquire()
        try:
            self._append(entry, destinations, monotonic())
        except BaseException:
            # Nothing may follow what was perhaps written in part.
            self._close(destinations)
            raise
        finally:
            self._lock.release()

    def _acquire(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        # A signal handler or a finalizer may have interrupted an append of this thread.
        # No mark tells so: a handler that raises could leave it behind.
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code is _APPEND and frame.f_locals.get("self") is self:
                raise BlockingIOError("an append was interrupted by this one")
            frame = frame.f_back
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT):
            raise StuckError

    def _append(self, entry: bytes, destinations: Destinations, now: float) -> None:
        segment = self._open.get(destinations)
        if segment is not None and (
            now - segment.began_at > self._max_segment_age
            or not self._is_there(segment, now)
        ):
            self._close(destinations)
            segment = None
        if segment is None:
            segment = self._begin(destinations, len(entry), now)
        append_whole(segment.fd, entry, segment.end)
        segment.offsets.append(segment.end)
        segment.end += len(entry)
        if segment.end >= self._segment_bytes:
            self._close(destinations)

    def _is_there(self, segment: OwnSegment, now: float) -> bool:
        """Return whether the file is still where readers find it.

        To look for it by its path, which tells that a directory was exchanged, costs
        more than the write.
        """
        status = os.fstat(segment.fd)
        if now < segment.check_at and status.st_nlink:
            return True
        segment.check_at = now + _PATH_CHECK_INTERVAL
        path = self._directory.segments / segment.name
        with suppress(FileNotFoundError, NotADirectoryError):
            if os.path.samestat(os.lstat(path), status):
                return True
        errors.warn(
            "spool.vanished",
            "The spool's file %s was deleted while in use; what was in it and not yet "
            "sent is lost. A new one is made.",
            path,
        )
        return False

    def _begin(self, destinations: Destinations, size: int, now: float) -> OwnSegment:
        self._directory.prepare()
        segments = self._retention.free_space(max(size, self._segment_bytes))
        for name in self.own.keys() - segments.keys():
            del self.own[name]  # It was deleted.
        while len(self._open) >= _MAX_OPEN:
            self._close(next(iter(self._open)))
        segment = self._continue(segments, destinations, now)
        segment = segment or self._create(destinations, now)
        self.own[segment.name] = self._open[destinations] = segment
        return segment

    def _continue(
        self, segments: dict[str, int], destinations: Destinations, now: float
    ) -> OwnSegment | None:
        """Lock a segment that an ended process, or an earlier append, did not fill."""
        unfilled = [
            name
            for name, size in segments.items()
            if size < self._segment_bytes and is_this_boot(name)
        ]
        for name in unfilled[:_CONTINUE_ATTEMPTS]:
            segment = self.own.get(name) or OwnSegment(name, destinations)
            with suppress(FileNotFoundError, DamagedError, IncompleteError):
                path, is_ours = self._directory.segments / name, False
                fd = open_private(path, os.O_RDWR | os.O_APPEND)
                try:
                    is_ours = self._resume(segment, destinations, fd, now)
                finally:
                    if not is_ours:
                        os.close(fd)
                if is_ours:
                    return segment
        return None

    def _resume(
        self, segment: OwnSegment, destinations: Destinations, fd: int, now: float
    ) -> bool:
        if not (try_lock(fd) and os.fstat(fd).st_nlink):
            return False
        size = os.fstat(fd).st_size
        first = read_head(fd, 0, size)
        *_, (_, end) = iter_offsets(fd, size)
        age = now - first.clock
        if (
            size >= self._segment_bytes
            or end != size  # Its last entry is cut off.
            or first.destinations != destinations
            or not 0 <= age < self._max_segment_age
        ):
            return False
        segment.fd, segment.end, segment.began_at = fd, size, first.clock
        return True

    def _create(self, destinations: Destinations, now: float) -> OwnSegment:
        for _ in range(_CREATE_ATTEMPTS):
            self._count += 1
            name = f"{self._boot}-{self._name}-{self._count}.seg"
            path = self._directory.segments / name
            fd = open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)
            is_ours = False
            try:
                # A reader that takes it for an abandoned one may be faster.
                is_ours = try_lock(fd) and os.fstat(fd).st_nlink > 0
                if is_ours:
                    return OwnSegment(name, destinations, fd=fd, began_at=now)
            finally:
                if not is_ours:
                    os.close(fd)
                    with suppress(OSError):
                        os.unlink(path)
        raise BlockingIOError("new segments were taken for abandoned ones")

    def _close(self, destinations: Destinations) -> None:
        segment = self._open.pop(destinations, None)
        if segment is not None:
            os.close(segment.fd)

    def close(self) -> None:
        """Close the segments; another append opens them again."""
        try:
            self._acquire()
        except (BlockingIOError, StuckError):
            return
        try:
            self.abandon()
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """Close the segments without a look at who may use them, as after a fork."""
        for destinations in list(self._open):
            self._close(destinations)


_APPEND = SegmentWriter.append.__code__
