"""Opens files that belong to this user alone.

A file of another user, or one that others can read, exchange or write to, is refused:
its content would be taken for ours, or ours be read by them.
"""

import os
import stat
from pathlib import Path

__all__ = ["check_parents", "create_private", "is_private"]

_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # Opening a FIFO would wait for its other end.
)


def is_private(status: os.stat_result) -> bool:
    """Return whether a file is this user's and nobody else has a right to it."""
    if os.name != "posix":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def create_private(path: Path) -> None:
    """Create a file for this user alone, or check the one that is there.

    Raises:
        PermissionError: It is no regular file of this user alone.
        OSError: It cannot be created.
    """
    check_parents(path)
    if path.is_symlink():
        raise PermissionError(f"{path} is a symbolic link; name the file itself")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise PermissionError(f"{path} is not a regular file")
    if not is_private(status):
        raise PermissionError(
            f"{path} is another user's, or open to others; run: chmod 600 {path}"
        )


def check_parents(path: Path) -> None:
    """Refuse a file that other users could exchange for one of their own.

    Raises:
        PermissionError: Everybody can write to one of the directories above it.
    """
    if os.name != "posix":
        return
    parent = Path(os.path.realpath(path.parent))
    for directory in (parent, *parent.parents):
        mode = os.stat(directory).st_mode
        # In a sticky directory, such as /tmp, only the owner can exchange a file.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(
                f"other users can exchange what is in {directory}; run: "
                f"chmod o-w {directory}, or name another directory"
            )
