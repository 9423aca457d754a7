"""Reads what all processes wrote for one destination, and notes what it has got.

One process at a time reads for a destination, under a lock. It merges the
segments by time, so that what one process wrote after another one is also read after.
"""

import os
from collections import deque
from contextlib import suppress
from heapq import heapify, heappop, heapreplace

from attrs import define, evolve, field

from .._util import errors
from .._util.clock import monotonic
from .._util.filelock import try_lock
from .._util.private_files import open_private
from .acks import AckLog, Progress
from .dead_letters import DeadLetters
from .directory import SpoolDirectory
from .index import SortKey, get_sort_key
from .retention import Retention
from .segment import (
    MAX_DAMAGE,
    DamagedError,
    Head,
    IncompleteError,
    Stored,
    TooLargeError,
    find_entry,
    read_body,
    read_head,
)

#: For how long one call reads, in seconds.
_TIME_LIMIT = 0.04
_CLOCK_TOLERANCE = 60.0  #: In seconds; what is further ahead is not of this boot.


@define
class Cursor:
    """How far one segment was read.

    Attributes:
        name: The segment.
        progress: What the destination has got.
        again: Offsets that an earlier reader handed out without an outcome, in order.
        size: How long the segment was when the directory was listed, in bytes.
        next: The entry that comes next, if it is known.
        damage: How many damaged places were found.
        is_in_damage: Whether nothing but damage was found since the last entry.
    """

    name: str
    progress: Progress
    again: deque[int] = field(factory=deque)
    size: int = 0
    next: Head | None = None
    damage: int = 0
    is_in_damage: bool = False

    @property
    def offset(self) -> int:
        """Where to read next."""
        return self.again[0] if self.again else self.progress.read_to


class DestinationReader:
    """Reads for one destination, while this process holds its lock.

    Its owner sees to it that one thread at a time uses it.

    Attributes:
        acks: What the destination has got.
    """

    def __init__(
        self, directory: SpoolDirectory, destination: str, retention: Retention
    ) -> None:
        self._directory = directory
        self.destination = destination
        self._retention = retention
        self._lock_fd: int | None = None
        self.acks = AckLog(directory.ack_log(destination))
        path = directory.dead_letters(destination)
        self._dead = DeadLetters(path, retention.max_bytes // 8)
        self._cursors: dict[str, Cursor] = {}
        # The segment that was read last, and its descriptor.
        self._open: tuple[str, int] | None = None
        # Refused, while a command works on the dead letters.
        self._rejected: list[tuple[Stored, str]] = []

    # The lock

    def try_lead(self) -> bool:
        """Take the lock, or keep it; return whether this process has it."""
        if self._is_lock_there():
            return True
        self.stop_leading()
        self._directory.prepare()
        fd = open_private(
            self._directory.relay_lock(self.destination), os.O_RDWR | os.O_CREAT
        )
        try:
            if try_lock(fd):
                self.acks.refresh()
                self._lock_fd = fd
        finally:
            if self._lock_fd is None:
                os.close(fd)
        return self.is_leading

    def _is_lock_there(self) -> bool:
        if self._lock_fd is not None:
            with suppress(OSError):
                path = self._directory.relay_lock(self.destination)
                return os.path.samestat(os.lstat(path), os.fstat(self._lock_fd))
        return False

    @property
    def is_leading(self) -> bool:
        """Whether this process reads for the destination."""
        return self._lock_fd is not None

    def stop_leading(self) -> None:
        """Let another process read; what was handed out will be read again."""
        if self._lock_fd is not None:
            self.acks.compact(is_forced=True)
            self.abandon()

    def abandon(self) -> None:
        """Close all files, writing nothing, as after a fork."""
        self.acks.close()
        self._close_segment()
        self._cursors = {}
        fd, self._lock_fd = self._lock_fd, None
        if fd is not None:
            os.close(fd)

    # Reading

    def read(self, max_messages: int, max_bytes: int) -> list[Stored]:
        """Return what comes next, oldest first, within bounds of number and bytes."""
        began = monotonic()
        self._list_segments()
        # Of two messages written one after the other, the later must not be read
        # without the earlier, whose segment may have been looked at before. So what
        # was written since then is left for the next time.
        heap = [
            (key, name)
            for name, cursor in self._cursors.items()
            if (key := self._peek(cursor, began)) is not None
        ]
        heapify(heap)
        found: list[Stored] = []
        size = 0
        while heap and len(found) < max_messages:
            if monotonic() - began > _TIME_LIMIT:
                break
            cursor = self._cursors[heap[0][1]]
            head = cursor.next
            assert head is not None
            body_size = head.end - head.body_offset
            if found and size + body_size > max_bytes:
                break
            try:
                stored = self._take(cursor, head)
            except OSError as exc:
                self._warn_unreadable(cursor.name, exc)
                heappop(heap)
                continue
            if stored is not None:
                found.append(stored)
                size += body_size
            key = self._peek(cursor, began)
            if key is None:
                heappop(heap)
            else:
                heapreplace(heap, (key, cursor.name))
        return found

    def _list_segments(self) -> None:
        sizes = self._directory.list_segments()
        for name in self.acks.segments.keys() - sizes.keys():
            self.forget(name)
        for name, size in sizes.items():
            if name not in self._cursors:
                progress = self.acks.segments.setdefault(name, Progress())
                again = deque(sorted(progress.pending))
                self._cursors[name] = Cursor(name, progress, again)
            self._cursors[name].size = size

    def forget(self, name: str) -> None:
        """Close a segment that was deleted: until then it takes space on the disk."""
        self._cursors.pop(name, None)
        self.acks.segments.pop(name, None)
        if self._open and self._open[0] == name:
            self._close_segment()

    def _peek(self, cursor: Cursor, began: float) -> SortKey | None:
        """Find the next entry of a segment that may be handed out now."""
        try:
            while cursor.next is None:
                if cursor.offset >= cursor.size:
                    return None
                if monotonic() - began > _TIME_LIMIT or not self._look(cursor):
                    return None
        except OSError as exc:
            self._warn_unreadable(cursor.name, exc)
            return None
        key = get_sort_key(cursor.name, cursor.next)
        if key[0] == 1 and began <= key[1] < began + _CLOCK_TOLERANCE:
            return None
        return key

    def _look(self, cursor: Cursor) -> bool:
        """Look at the next place of a segment; return whether to go on."""
        fd, offset = self._get_fd(cursor.name), cursor.offset
        try:
            head = read_head(fd, offset, cursor.size)
        except IncompleteError:
            if not self._is_abandoned(cursor):
                return False
            self._skip_damage(cursor)
        except DamagedError:
            self._skip_damage(cursor)
        else:
            names = head.destinations
            if offset in cursor.progress.done or not (
                names is None or self.destination in names
            ):
                self._advance(cursor, head, is_pending=False)
            else:
                cursor.next = head
        return True

    def _warn_unreadable(self, name: str, exc: OSError) -> None:
        if not isinstance(exc, FileNotFoundError):
            errors.warn(
                f"spool.unreadable:{self._directory.path}",
                "The spool's file %s can't be read now (%s); trying again.",
                self._directory.segments / name,
                exc,
            )

    def _advance(self, cursor: Cursor, head: Head, *, is_pending: bool) -> None:
        progress, offset = cursor.progress, head.offset
        cursor.next, cursor.is_in_damage = None, False
        if cursor.again:
            cursor.again.popleft()
        else:
            progress.read_to = head.end
            progress.done.discard(offset)
        if is_pending:
            progress.pending.add(offset)
        else:
            progress.pending.discard(offset)

    def _take(self, cursor: Cursor, head: Head) -> Stored | None:
        """Hand out the next entry; None if it is damaged or too old."""
        name, offset = cursor.name, head.offset
        try:
            body = read_body(self._get_fd(name), head)
        except DamagedError:
            cursor.next = None
            self._skip_damage(cursor)
            return None
        self._advance(cursor, head, is_pending=True)
        age = self._retention.get_age(get_sort_key(name, head))
        if age > self._retention.max_age:
            self.acks.complete(name, offset)
            self._retention.count_once("spool_expired", name, offset)
            return None
        message = evolve(head.message, body=body)
        return Stored(message, self.destination, name, offset, head.stored_at)

    def _skip_damage(self, cursor: Cursor) -> None:
        """Go on to where the next entry may begin; damage in one piece counts once."""
        progress, damaged = cursor.progress, cursor.offset
        if cursor.again:
            progress.pending.discard(cursor.again.popleft())
            return
        cursor.damage += 1
        if cursor.damage > MAX_DAMAGE:
            progress.read_to = cursor.size
        else:
            fd = self._get_fd(cursor.name)
            progress.read_to = find_entry(fd, damaged + 1, cursor.size)
        if not cursor.is_in_damage:
            cursor.is_in_damage = True
            self._retention.count_once("spool_damaged", cursor.name, damaged)

    def _is_abandoned(self, cursor: Cursor) -> bool:
        """Return whether no process writes to a segment, which is as long as it was."""
        with self._directory.locked_for_deletion(cursor.name) as fd:
            return fd is not None and self._directory.get_size(fd) == cursor.size

    def _get_fd(self, name: str) -> int:
        if self._open is None or self._open[0] != name:
            self._close_segment()
            fd = open_private(self._directory.segments / name, os.O_RDONLY)
            self._open = name, fd
        return self._open[1]

    def _close_segment(self) -> None:
        segment, self._open = self._open, None
        if segment is not None:
            os.close(segment[1])

    # Results

    def reject(self, stored: Stored, reason: str) -> None:
        """Keep a message that the destination refused as a dead letter."""
        try:
            if not self._dead.append(stored, reason):
                self._rejected.append((stored, reason))
                return
        except (OSError, TooLargeError) as exc:
            # It must not stay where it is: a full disk could then not be emptied.
            self._retention.count("spool_full", 1)
            errors.warn(
                "spool.dead_letters",
                "A message that was refused can't be kept in %s (%s).",
                self._directory.dead,
                exc,
            )
        self.acks.complete(stored.segment, stored.offset, is_rejected=True)

    # Maintenance

    def maintain(self) -> None:
        """Write what could not be written when it was due."""
        rejected, self._rejected = self._rejected, []
        for stored, reason in rejected:
            self.reject(stored, reason)
        self.acks.compact()
