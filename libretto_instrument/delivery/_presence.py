"""How others can tell that a relay empties a spool."""

import os
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FILE = "relay.lock"


class Presence:
    """A lock that a relay holds while it lives, shared with other relays.

    The system lets go of it when the process ends, however it ends, so that it is
    never out of date.
    """

    def __init__(self, directory: Path) -> None:
        """Hold nothing yet.

        Args:
            directory: The spool.
        """
        self._path = directory / _FILE
        self._lock: int | None = None

    def show(self) -> None:
        """Take the lock, unless it is held already. What fails is tried again."""
        if fcntl is None or (self._lock is not None and os.fstat(self._lock).st_nlink):
            return
        self.end()
        with suppress(OSError):
            lock = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
            else:
                self._lock = lock

    def end(self) -> None:
        """Let go of it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def is_relayed(directory: str | os.PathLike[str]) -> bool | None:
    """Say whether a relay is at work on a spool; None if that cannot be told."""
    if fcntl is None:
        return None
    try:
        lock = os.open(Path(directory) / _FILE, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(lock)
    return False
