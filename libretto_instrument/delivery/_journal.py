"""Where a process writes messages first: a file of its own, which only grows.

To append to it takes one write and waits for no other process, about an eighth of what
an insert into the database takes. Those who send move its entries there; see
`_ingestion`.

The writer holds a lock on the file, which the system lets go of when the process ends,
however it ends. So a file without a lock will not grow any more.
"""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from time import time_ns
from zlib import crc32

from attrs import frozen

from .. import _guard
from . import _life
from ._message import Message
from ._spool_file import make_directory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".journal"
#: A file this long, in bytes, is left for a new one, so that what was moved elsewhere
#: can be deleted.
LENGTH = 4 * 2**20

#: What a journal begins with: which form it has, and how far it was moved elsewhere, in
#: case that the database is lost, which knows it.
_TITLE = Struct("<8sQ")
_FORM = b"\xffLibJr1\n"
#: Where the first entry begins.
FIRST = _TITLE.size

#: What an entry begins with, which is no part of an UTF-8 text.
_MARK = b"\xffLj1"
#: The mark, and the checksum of all that follows it.
_START = Struct("<4sI")
#: The lengths of the kind, the id, the key, the destinations (of these two, -1 stands
#: for none) and the body; when it happened, and twice when it was written: by the clock
#: on the wall, and by the one that nobody sets.
_HEAD = Struct("<IIiiQddd")
_BEFORE_TEXTS = _START.size + _HEAD.size


class JournalsUnavailableError(OSError):
    """This system, or this directory's file system, lacks what journals need."""


@frozen
class Entry:
    """A message as it is in a journal.

    Attributes:
        end: Where the next one begins, in bytes from the journal's beginning.
        message: The message.
        destinations: Who shall get it, one a line; None leaves that to whoever
            delivers it.
        stored_at: When it was written, in seconds since the epoch.
        clock: Likewise by `time.monotonic`, which all processes share.
    """

    end: int
    message: Message
    destinations: str | None
    stored_at: float
    clock: float


def packed(
    message: Message, destinations: str | None, stored_at: float, clock: float
) -> bytes:
    """Return a message as an entry of a journal; see `Entry`."""
    # Half of a surrogate pair, as in text that was cut in the wrong place, is written
    # in another way.
    kind = message.kind.encode(errors="backslashreplace")
    name = message.id.encode(errors="backslashreplace")
    key, to = message.order_key, destinations
    keyed = b"" if key is None else key.encode(errors="backslashreplace")
    sent_to = b"" if to is None else to.encode(errors="backslashreplace")
    head = _HEAD.pack(
        len(kind),
        len(name),
        -1 if key is None else len(keyed),
        -1 if to is None else len(sent_to),
        len(message.body),
        math.nan if message.at is None else message.at,
        stored_at,
        clock,
    )
    rest = b"".join((head, kind, name, keyed, sent_to, message.body))
    return _START.pack(_MARK, crc32(rest)) + rest


def moved_of(file: int) -> int:
    """Read up to where a journal was moved.

    Raises:
        ValueError: It is none.
    """
    title = os.pread(file, FIRST, 0)
    if len(title) < FIRST or not title.startswith(_FORM):
        raise ValueError("not a journal")
    _, offset = _TITLE.unpack(title)
    return int(offset)


def note_moved(file: int, offset: int) -> None:
    """Note in a journal up to where it was moved."""
    os.pwrite(file, _TITLE.pack(_FORM, offset), 0)


def needed(data: bytes) -> int:
    """Return how many bytes the entry at the beginning of ``data`` has, or its start.

    Raises:
        ValueError: None begins there.
    """
    if data[: len(_MARK)] != _MARK[: len(data)]:
        raise ValueError("no entry begins here")
    if len(data) < _BEFORE_TEXTS:
        return _BEFORE_TEXTS
    kind, name, key, to, body, *_ = _HEAD.unpack_from(data, _START.size)
    length: int = kind + name + max(key, 0) + max(to, 0) + body
    return _BEFORE_TEXTS + length


def entries(data: bytes, offset: int) -> Iterator[Entry]:
    """Read the whole entries of a piece of a journal.

    Args:
        data: The piece.
        offset: Where it begins in the journal, in bytes.

    Raises:
        ValueError: What comes next is none, and no part of one.
    """
    view, start = memoryview(data), 0
    while start < len(data):
        length = needed(data[start : start + _BEFORE_TEXTS])
        if length > len(data) - start:
            return
        yield _unpacked(view[start : start + length], offset + start + length)
        start += length


def _unpacked(data: memoryview, end: int) -> Entry:
    _, checksum = _START.unpack_from(data)
    if crc32(data[_START.size :]) != checksum:
        raise ValueError("an entry is damaged")
    kind, name, key, to, _, at, stored_at, clock = _HEAD.unpack_from(data, _START.size)
    place = _BEFORE_TEXTS
    texts: list[str | None] = []
    for length in (kind, name, key, to):
        if length < 0:
            texts.append(None)
        else:
            texts.append(str(data[place : place + length], "utf-8"))
            place += length
    message = Message(
        texts[0] or "",
        texts[1] or "",
        bytes(data[place:]),
        texts[2],
        None if math.isnan(at) else at,
    )
    return Entry(end, message, texts[3], stored_at, clock)


def is_locked(file: int) -> bool:
    """Say whether the process that writes to a journal lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


@frozen
class _Open:
    """The file that is written to.

    Attributes:
        path: Where it is.
        file: Its descriptor.
        inode: Tells it from another one in its place.
    """

    path: Path
    file: int
    inode: int


class Journal:
    """This process's way to write."""

    def __init__(self, directory: Path, *, busy: float, length: int = LENGTH) -> None:
        """Name a place; nothing is opened or made before it is used.

        Args:
            directory: Where.
            busy: For how many seconds to wait for this process's other threads.
            length: See `LENGTH`.
        """
        self._directory = directory
        self._busy = min(busy, threading.TIMEOUT_MAX)
        self._length = length
        self._open: _Open | None = None
        self._turn = threading.Lock()
        self._user: int | None = None
        #: Where the last entry ends: the file's name, and the offset in bytes.
        self.end = ("", 0)
        _life.reset_after_fork(self)

    def append(self, entry: bytes, writer: str) -> None:
        """Write an entry; it outlives the process when this returns.

        Args:
            entry: The entry, packed.
            writer: Which process this is, for a new file's name.

        Raises:
            JournalsUnavailableError: Here it never works.
            OSError: It does not work now.
        """
        me = threading.get_ident()
        # A finaliser or a signal handler may run inside this very block.
        if self._user == me or not self._turn.acquire(timeout=self._busy):
            raise BlockingIOError("busy in this process")
        self._user = me
        try:
            self._append(entry, writer)
        finally:
            self._user = None
            self._turn.release()

    def _append(self, entry: bytes, writer: str) -> None:
        journal = self._open
        if journal is None or not _is_there(journal):
            journal = self._begin(writer)
        name, end = self.end
        written = os.write(journal.file, entry)
        if written != len(entry):
            # A part of one would be in the way of the next.
            os.ftruncate(journal.file, end)
            raise OSError(f"only {written} of {len(entry)} bytes could be written")
        self.end = (name, end + written)
        if end + written >= self._length:
            self._close()

    def _begin(self, writer: str) -> _Open:
        if fcntl is None:
            raise JournalsUnavailableError("there are no locks of files here")
        self._close()
        make_directory(self._directory)
        path = self._directory / f"{time_ns():016x}-{writer}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY
        file = os.open(path, flags, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise JournalsUnavailableError(*exc.args) from exc
            os.write(file, _TITLE.pack(_FORM, FIRST))
            self._open = _Open(path, file, os.fstat(file).st_ino)
        except BaseException:
            os.close(file)
            os.unlink(path)
            raise
        self.end = (path.name, FIRST)
        return self._open

    def close(self) -> None:
        """Close the file; another use makes a new one."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        journal, self._open = self._open, None
        if journal is not None:
            os.close(journal.file)

    def after_fork_in_child(self) -> None:
        """Leave the parent's file to the parent."""
        self._turn = threading.Lock()
        self._user = None
        self.end = ("", 0)
        self._close()


def _is_there(journal: _Open) -> bool:
    # Whoever deletes the file must not make us write into the void.
    try:
        if os.stat(journal.path).st_ino == journal.inode:
            return True
    except FileNotFoundError:
        pass
    _guard.warn_once(
        "spool.vanished",
        "The spool's file %s was deleted or replaced while in use; what was in it and "
        "not yet sent is lost. A new one is made.",
        journal.path,
    )
    return False
