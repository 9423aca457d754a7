"""What a destination has got, as a log that the destination's reader appends to.

A line is ``SEGMENT OFFSET`` for an entry that was delivered, ``SEGMENT OFFSET !`` for
one that was rejected, and ``SEGMENT OFFSET = PENDING`` for the whole of a segment:
what begins before the offset is done, but for the offsets in PENDING (with commas, or
``-``). When the log is long it is written anew, as one line of that kind a segment.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from .directory import open_private, read_at

#: A log longer than this, in bytes, is written anew.
COMPACT_BYTES = 2**18
#: Of a log that is longer than any we write, the rest is not read.
_MAX_BYTES = 2**24
_MAX_SEGMENTS = 2**16


@define
class SegmentAcks:
    """What of one segment a destination has got.

    Attributes:
        read_to: What begins before this offset is done, unless it is pending.
        pending: Offsets before ``read_to`` that are not done.
        done: Offsets that are done, whatever the rest says.
        rejected: Those among them that the destination refused.
    """

    read_to: int = 0
    pending: set[int] = field(factory=set)
    done: set[int] = field(factory=set)
    rejected: set[int] = field(factory=set)

    def has(self, offset: int) -> bool:
        """Return whether the entry at an offset is done."""
        return offset in self.done or (
            offset < self.read_to and offset not in self.pending
        )

    def is_complete(self, size: int) -> bool:
        """Return whether nothing of a segment of that size is left to be sent."""
        return self.read_to >= size and self.pending <= self.done


_NOTHING = SegmentAcks()


class AckLog:
    """A log, followed by one process and appended to by at most one.

    Attributes:
        segments: What is done, by the segments' names.
    """

    def __init__(self, path: Path) -> None:
        """Name a log; nothing is opened."""
        self._path = path
        self._inode = 0
        self._offset = 0
        self.segments: dict[str, SegmentAcks] = {}

    def get(self, segment: str) -> SegmentAcks:
        """Return what is done of a segment."""
        return self.segments.get(segment, _NOTHING)

    def has(self, segment: str, offset: int) -> bool:
        """Return whether the entry at an offset of a segment is done."""
        return self.get(segment).has(offset)

    def refresh(self) -> None:
        """Read what was appended since the last time.

        Raises:
            OSError: The log can't be read; one that does not exist is empty.
        """
        try:
            fd = open_private(self._path, os.O_RDONLY)
        except FileNotFoundError:
            self._forget(0)
            return
        try:
            status = os.fstat(fd)
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._forget(status.st_ino)
            size = min(status.st_size, _MAX_BYTES)
            data = read_at(fd, size - self._offset, self._offset)
        finally:
            os.close(fd)
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            # A line that was cut or damaged costs a repetition, no more.
            with suppress(ValueError, IndexError):
                self._apply(line.decode("ascii").split(" "))

    def _forget(self, inode: int) -> None:
        self._inode, self._offset, self.segments = inode, 0, {}

    def _apply(self, words: list[str]) -> None:
        name, offset = words[0], int(words[1])
        if name not in self.segments and len(self.segments) >= _MAX_SEGMENTS:
            return
        acks = self.segments.setdefault(name, SegmentAcks())
        if len(words) == 4 and words[2] == "=":
            pending = words[3]
            acks.read_to = offset
            acks.pending = (
                set() if pending == "-" else set(map(int, pending.split(",")))
            )
            acks.done.clear()
        elif len(words) == 2 or words[2] == "!":
            acks.done.add(offset)
            if len(words) == 3:
                acks.rejected.add(offset)


class AckWriter:
    """Appends to a log, for the one reader of its destination.

    Attributes:
        is_behind: An acknowledgement could not be written. It has to be written anew
            from what the reader remembers.
    """

    def __init__(self, path: Path) -> None:
        """Name a log; nothing is opened."""
        self._path = path
        self._fd: int | None = None
        self._size = 0
        self.is_behind = False

    @property
    def needs_compaction(self) -> bool:
        """Whether the log is to be written anew."""
        return self.is_behind or self._size > COMPACT_BYTES

    def append(self, line: str) -> None:
        """Write a line; see the module. What fails is remembered, and never raises."""
        try:
            if self._fd is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
                self._fd = open_private(self._path, flags)
                self._size = os.fstat(self._fd).st_size
                if self._size and read_at(self._fd, 1, self._size - 1) != b"\n":
                    line = f"\n{line}"
            data = f"{line}\n".encode()
            written = os.write(self._fd, data)
            self._size += written
            if written != len(data):
                raise OSError("short write")
        except OSError:
            self.is_behind = True

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace the log by these lines.

        Raises:
            OSError: It could not be replaced; it is as it was.
        """
        data = "".join(f"{line}\n" for line in lines).encode()
        temporary = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        fd = open_private(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            if os.write(fd, data) != len(data):
                raise OSError("short write")
            if os.name == "nt":
                self.close()  # An open file can't be replaced there.
            os.replace(temporary, self._path)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self.close()
        self._fd, self._size, self.is_behind = fd, len(data), False

    def close(self) -> None:
        """Close the log; another line opens it again."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def format_segment(name: str, read_to: int, pending: Iterable[int]) -> str:
    """Return the line for the whole of a segment."""
    offsets: Iterator[str] = map(str, sorted(pending))
    return f"{name} {read_to} = {','.join(offsets) or '-'}"
