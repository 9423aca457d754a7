"""Where a process writes messages first: a file of its own, which only grows.

To append to it takes one write and waits for no other process, about an eighth of what
an insert into the database takes. Those who send move its entries there; see
`_ingestion`.

The writer holds a lock on the file, which the system lets go of when the process ends,
however it ends. So a file without a lock will not grow any more.
"""

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, time_ns

from attrs import frozen

from .._util import errors
from . import _life
from ._journal_form import FIRST, new_title
from ._spool_file import make_directory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".journal"
#: A file this long, in bytes, is left for a new one, so that what was moved elsewhere
#: can be deleted.
LENGTH = 4 * 2**20

#: How often a new file is tried to be made, each under a name of its own.
_ATTEMPTS = 3
#: What it means that a file can't be locked because the system can't lock files.
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK}
#: How often a file is looked for by its path, in seconds.
_LOOK_EVERY = 0.05
#: For how long a fork waits for whoever writes, in seconds.
_FORK_PATIENCE = 1.0


class JournalsUnavailableError(OSError):
    """This system, or this directory's file system, lacks what journals need."""


def lock_to_read(file: int) -> bool:
    """Lock a journal that no process writes to any more, until it is closed.

    Returns:
        False if its process lives, or may live.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
        self._locked_for_fork = False
        self._look_at = 0.0
        #: Where the last entry ends: the file's name, and the offset in bytes.
        self.end = ("", 0)
        _life.reset_after_fork(self)
        _life.close_before_fork(self)

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
        except BaseException:
            # Nothing may follow what was written only in part.
            self._close()
            raise
        finally:
            self._user = None
            self._turn.release()

    def _append(self, entry: bytes, writer: str) -> None:
        journal = self._open
        if journal is None or not self._is_there(journal):
            journal = self._begin(writer)
        written = os.write(journal.file, entry)
        name, end = self.end
        if written != len(entry):
            os.ftruncate(journal.file, end)
            raise OSError(f"only {written} of {len(entry)} bytes could be written")
        self.end = (name, end + written)
        if end + written >= self._length:
            self._close()

    def _is_there(self, journal: _Open) -> bool:
        # Whoever deletes the file must not make us write into the void. To look for it
        # by its path, which is what tells that it was moved, takes four times as long.
        now = monotonic()
        if now < self._look_at and os.fstat(journal.file).st_nlink:
            return True
        self._look_at = now + _LOOK_EVERY
        with suppress(FileNotFoundError):
            if os.stat(journal.path).st_ino == journal.inode:
                return True
        errors.warn_once(
            "spool.vanished",
            "The spool's file %s was deleted or moved while in use; what was in it and "
            "not yet sent is lost. A new one is made.",
            journal.path,
        )
        return False

    def _begin(self, writer: str) -> _Open:
        if fcntl is None:
            raise JournalsUnavailableError("there are no locks of files here")
        self._close()
        make_directory(self._directory)
        for _ in range(_ATTEMPTS):
            path = self._directory / f"{time_ns():016x}-{writer}{SUFFIX}"
            file = os.open(
                path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY, 0o600
            )
            try:
                if _lock_to_write(file):
                    title = new_title()
                    if os.write(file, title) != len(title):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    self._open = _Open(path, file, os.fstat(file).st_ino)
                    self.end = (path.name, FIRST)
                    return self._open
            except BaseException:
                os.close(file)
                with suppress(FileNotFoundError):
                    os.unlink(path)
                raise
            # Whoever looks for files that were left had it first.
            os.close(file)
        raise BlockingIOError("a new file was taken for one that was left")

    def close(self) -> None:
        """Close the file; another use makes a new one."""
        # Not from inside a write, as in a signal handler: that would wait for itself.
        if self._user != threading.get_ident() and self._turn.acquire(timeout=1.0):
            try:
                self._close()
            finally:
                self._turn.release()

    def _close(self) -> None:
        journal, self._open = self._open, None
        if journal is not None:
            os.close(journal.file)

    def before_fork(self) -> None:
        """Let nobody be in the middle of a write when the process forks, if possible.

        A file that was being opened would stay open in the child, and locked.
        """
        self._locked_for_fork = self._turn.acquire(timeout=_FORK_PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Let it be used again."""
        if self._locked_for_fork:
            self._turn.release()

    def after_fork_in_child(self) -> None:
        """Leave the parent's file to the parent."""
        self._turn = threading.Lock()
        self._user = None
        self.end = ("", 0)
        self._close()


def _lock_to_write(file: int) -> bool:
    """Lock a new file; say whether it is still there, and ours.

    Raises:
        JournalsUnavailableError: Files can't be locked here.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in _NO_LOCKS:
            raise JournalsUnavailableError(*exc.args) from exc
        return False
    return os.fstat(file).st_nlink > 0
