"""The acknowledgements of a destination: in memory, and as a log on disk.

A line is ``SEGMENT OFFSET`` for an entry that was delivered, ``SEGMENT OFFSET !`` for
one that was rejected, and ``SEGMENT OFFSET = PENDING`` for the whole of a segment: what
begins before the offset is done, but for the offsets in PENDING (with commas, or
``-``). A long log is rewritten, with the fewest lines that say the same.
"""

import os
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from .._util.private_files import open_private, opened, read_at
from .directory import replaced

#: A log longer than this, in bytes, is rewritten.
COMPACT_BYTES = 2**17
#: Of a log that is longer than any we write, the rest is not read.
_MAX_BYTES = 2**24


@define
class Progress:
    """How much of one segment a destination has got.

    Attributes:
        read_to: What begins before this offset is done, unless it is pending.
        pending: Offsets before ``read_to`` that are not done.
        done: Offsets from there on that are done.
        rejected: Offsets of entries that the destination refused.
        noted: The offset up to which the log says that all is done.
    """

    read_to: int = 0
    pending: set[int] = field(factory=set)
    done: set[int] = field(factory=set)
    rejected: set[int] = field(factory=set)
    noted: int = 0

    def has(self, offset: int) -> bool:
        """Return whether the entry at an offset is done."""
        if offset < self.read_to:
            return offset not in self.pending
        return offset in self.done

    def is_complete(self, size: int) -> bool:
        """Return whether nothing of a segment of that size is left to be sent."""
        return self.read_to >= size and not self.pending

    def complete(self, offset: int, *, is_rejected: bool = False) -> None:
        """Note that the entry at an offset is done."""
        self.pending.discard(offset)
        if offset >= self.read_to:
            self.done.add(offset)
        if is_rejected:
            self.rejected.add(offset)

    def format(self, segment: str) -> str:
        """Return the lines that say so in the log."""
        pending = ",".join(map(str, sorted(self.pending))) or "-"
        lines = [f"{segment} {self.read_to} = {pending}"]
        lines += [f"{segment} {offset}" for offset in sorted(self.done - self.rejected)]
        lines += [f"{segment} {offset} !" for offset in sorted(self.rejected)]
        return "\n".join(lines)


class AckLog:
    """A log, which any process reads, and the one reader of its destination writes.

    Attributes:
        segments: What is done, by the segments' names: to the writer, of all that there
            are; to others as of the last ``refresh``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.segments: dict[str, Progress] = {}
        self._fd: int | None = None
        self._size = 0
        # Something could not be written.
        self._is_behind = False

    def get(self, segment: str) -> Progress:
        """Return what is done of a segment."""
        return self.segments.get(segment) or Progress()

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
        segments: dict[str, Progress] = {}
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            # A line that was cut or damaged costs a repetition, no more.
            with suppress(ValueError, IndexError):
                _apply(line.decode("ascii").split(" "), segments)
        self._seen, self.segments = seen, segments

    # For the one that writes. What can't be written is remembered, and never raises.

    def complete(self, segment: str, offset: int, *, is_rejected: bool = False) -> None:
        """Note that a pending entry is done."""
        progress = self.segments.get(segment)
        if progress is not None and offset in progress.pending:
            progress.complete(offset, is_rejected=is_rejected)
            self._append(f"{segment} {offset}{' !' if is_rejected else ''}")

    def note_complete(self, segment: str) -> None:
        """Tell the readers for other destinations that this one has all of it."""
        progress = self.get(segment)
        if progress.noted < progress.read_to:
            progress.noted = progress.read_to
            self._append(progress.format(segment))

    def _append(self, line: str) -> None:
        try:
            if self._fd is None:
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
                self._fd = open_private(self._path, flags)
                self._size = os.fstat(self._fd).st_size
                line = f"\n{line}"  # After what was perhaps cut off.
            data = f"{line}\n".encode()
            self._size += len(data)
            if os.write(self._fd, data) != len(data):
                self._is_behind = True
        except OSError:
            self._is_behind = True

    def compact(self, *, is_forced: bool = False) -> None:
        """Rewrite the log, if it is long or lacks something."""
        if not (is_forced or self._is_behind or self._size > COMPACT_BYTES):
            return
        lines = [each.format(name) + "\n" for name, each in self.segments.items()]
        data = "".join(lines).encode()
        # If the disk is full, the log is as it was, and it is tried again.
        with suppress(OSError), replaced(self._path) as fd:
            if os.write(fd, data) != len(data):
                raise OSError("no space for all of it")
            self.close()
            self._is_behind = False

    def close(self) -> None:
        """Close the log; another line opens it again."""
        fd, self._fd, self._size = self._fd, None, 0
        if fd is not None:
            os.close(fd)


def _apply(words: list[str], segments: dict[str, Progress]) -> None:
    name, offset = words[0], int(words[1])
    if len(words) == 2 or words[2:] == ["!"]:
        progress = segments.setdefault(name, Progress())
        progress.complete(offset, is_rejected=len(words) == 3)
    elif len(words) == 4 and words[2] == "=":
        pending = [] if words[3] == "-" else words[3].split(",")
        segments[name] = Progress(offset, set(map(int, pending)))
