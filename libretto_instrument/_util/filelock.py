"""Advisory locks on open files, taken without waiting.

A lock belongs to the open file, not to the process: a forked child that inherits the
descriptor holds it, too, until it closes it. The system releases it when the last of
these descriptors is closed, however their processes end.
"""

import errno
import os
import sys

if sys.platform == "win32":
    import msvcrt

    #: Windows locks bytes and keeps others from reading them; no file is this long.
    _OFFSET = 2**31 - 2

    def try_lock(fd: int) -> bool:
        """Lock an open file unless another open file holds the lock.

        Args:
            fd: A descriptor of the file, open for writing.

        Returns:
            Whether it is locked now, until the descriptor is closed.

        Raises:
            OSError: Files can't be locked here.
        """
        position = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            os.lseek(fd, _OFFSET, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as exc:
            if exc.errno in (errno.EACCES, errno.EDEADLOCK):
                return False
            raise
        finally:
            os.lseek(fd, position, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Lock an open file unless another open file holds the lock.

        Args:
            fd: A descriptor of the file.

        Returns:
            Whether it is locked now, until the descriptor is closed.

        Raises:
            OSError: Files can't be locked here.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True
