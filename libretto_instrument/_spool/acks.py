"""What a destination has got, as a log that the destination's reader appends to.

A line is ``SEGMENT OFFSET`` for an entry that was delivered, ``SEGMENT OFFSET !`` for
one that was rejected, and ``SEGMENT OFFSET = PENDING`` for the whole of a segment: what
begins before the offset is done, but for the offsets in PENDING (with commas, or
``-``). A long log is rewritten, with the fewest lines that say the same.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from .._util.private_files import open_private, opened, read_at

#: A log longer than this, in bytes, is rewritten.
COMPACT_BYTES = 2**17
#: Of a log that is longer than any we write, the rest is not read.
_MAX_BYTES = 2**24


@define
class SegmentAcks:
    """What of one segment a destination has got.

    Attributes:
        read_to: What begins before this offset is done, unless it is pending.
        pending: Offsets before ``read_to`` that are not done.
        done: Offsets that are done, whatever the rest says.
        rejected: Offsets of entries that the destination refused.
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


class AckLog:
    """A log, as read by any process.

    Attributes:
        segments: What is done, by the segments' names.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.segments: dict[str, SegmentAcks] = {}

    def get(self, segment: str) -> SegmentAcks:
        """Return what is done of a segment."""
        return self.segments.get(segment) or SegmentAcks()

    def refresh(self) -> None:
        """Read the log again if it has changed; one that does not exist is empty."""
        try:
            with opened(self._path, os.O_RDONLY) as fd:
                status = os.fstat(fd)
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                if seen == self._seen:
                    return
                data = read_at(fd, min(status.st_size, _MAX_BYTES), 0)
        except FileNotFoundError:
            seen, data = None, b""
        self._seen, self.segments = seen, {}
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            # A line that was cut or damaged costs a repetition, no more.
            with suppress(ValueError, IndexError):
                self._apply(line.decode("ascii").split(" "))

    def _apply(self, words: list[str]) -> None:
        name, offset = words[0], int(words[1])
        if len(words) == 2 or words[2:] == ["!"]:
            acks = self.segments.setdefault(name, SegmentAcks())
            acks.done.add(offset)
            if len(words) == 3:
                acks.rejected.add(offset)
        elif len(words) == 4 and words[2] == "=":
            pending = [] if words[3] == "-" else words[3].split(",")
            self.segments[name] = SegmentAcks(offset, set(map(int, pending)))


class AckWriter:
    """Appends to a log, for the one reader of its destination.

    Attributes:
        is_behind: Something could not be written. The log has to be rewritten from
            what the reader remembers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._size = 0
        self.is_behind = False

    @property
    def needs_compaction(self) -> bool:
        """Whether the log is to be rewritten."""
        return self.is_behind or self._size > COMPACT_BYTES

    def append(self, line: str) -> None:
        """Write a line; see the module. What fails is remembered, and never raises."""
        try:
            if self._fd is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
                self._fd = open_private(self._path, flags)
                self._size = os.fstat(self._fd).st_size
                line = f"\n{line}"  # After what was perhaps cut off.
            data = f"{line}\n".encode()
            self._size += len(data)
            if os.write(self._fd, data) != len(data):
                self.is_behind = True
        except OSError:
            self.is_behind = True

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace the log by these lines; if that fails it is as it was."""
        data = "".join(f"{line}\n" for line in lines).encode()
        temporary = self._path.with_suffix(".new")
        try:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            with opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
                if os.write(fd, data) != len(data):
                    return
            self.close()
            os.replace(temporary, self._path)
            self.is_behind = False
        except OSError:
            return  # The disk may be full. It is tried again.

    def close(self) -> None:
        """Close the log; another line opens it again."""
        fd, self._fd, self._size = self._fd, None, 0
        if fd is not None:
            os.close(fd)


def format_segment(name: str, read_to: int, pending: Iterable[int]) -> str:
    """Return the line for the whole of a segment."""
    offsets = ",".join(map(str, sorted(pending)))
    return f"{name} {read_to} = {offsets or '-'}"
