"""Opens files that belong to this user alone.

A file of another user, or one that others can read, exchange or write to, is refused:
its content would be taken for ours, or ours be read by them.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # Opening a FIFO would wait for its other end.
    | getattr(os, "O_BINARY", 0)
)


class RefusedError(PermissionError):
    """A file or directory that is not this user's alone."""


def is_private(status: os.stat_result) -> bool:
    """Return whether a file is this user's, and nobody else has a right to it."""
    if os.name != "posix":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a regular file that is this user's alone; created files are.

    Raises:
        RefusedError: It is another user's, open to others, or no regular file.
        OSError: It can't be opened.
    """
    fd = os.open(path, flags | _FLAGS, 0o600)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{path} is not a regular file")
        if not is_private(status):
            raise RefusedError(
                f"{path} is another user's, or open to others; run: chmod 600 {path}"
            )
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def opened(path: str | os.PathLike[str], flags: int) -> Iterator[int]:
    """Open a private file for the duration of a block."""
    fd = open_private(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def create_private(path: Path) -> None:
    """Create a file for this user alone, or check the one that is there.

    Raises:
        RefusedError: It is not a regular file of this user alone.
        OSError: It cannot be created.
    """
    check_parents(path)
    if path.is_symlink():
        raise RefusedError(f"{path} is a symbolic link; name the file itself")
    os.close(open_private(path, os.O_RDWR | os.O_CREAT))


def read_at(fd: int, size: int, offset: int) -> bytes:
    """Read up to ``size`` bytes at an offset of an open file."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows. No two threads share a descriptor.
    return os.read(fd, size)


def make_private_directory(path: Path) -> None:
    """Create a directory, with its parents, for this user alone; it may exist."""
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)


def check_parents(path: Path) -> None:
    """Refuse what other users could exchange for something of their own."""
    if os.name != "posix":
        return
    place = Path(os.path.realpath(path.parent))
    for ancestor in (place, *place.parents):
        try:
            status = os.stat(ancestor)
        except FileNotFoundError:
            continue
        # A volume's mount point in a container is often open to all, and its own.
        if (
            _others_may_write(status)
            and not status.st_mode & stat.S_ISVTX
            and not os.path.ismount(ancestor)
        ):
            raise RefusedError(
                f"other users can exchange what is in {ancestor}; run: "
                f"chmod go-w {ancestor}, or name another directory"
            )


def check_directory(path: Path, *, is_readable_by_others: bool) -> None:
    """Refuse a directory that is not this user's, or that others may write to."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise RefusedError(f"{path} is a symbolic link; name the directory itself")
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{path} is not a directory")
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise RefusedError(
            f"{path} belongs to another user (uid {status.st_uid}); name another "
            "directory, one for each user"
        )
    if _others_may_write(status) or not (is_readable_by_others or is_private(status)):
        raise RefusedError(f"{path} is open to other users; run: chmod 700 {path}")


def _others_may_write(status: os.stat_result) -> bool:
    # A user's private group has the user's own number.
    shared = status.st_gid not in (0, os.geteuid())
    return bool(status.st_mode & stat.S_IWOTH) or bool(
        status.st_mode & stat.S_IWGRP and shared
    )
