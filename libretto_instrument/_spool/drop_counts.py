"""How many messages the spool lost, by reason, over all processes and their ends."""

import json
import os
from collections import Counter
from pathlib import Path

from .._util.filelock import try_lock
from .._util.private_files import opened, read_at

#: Written in place with this length, so that a count needs no space on a full disk.
_SIZE = 256


class DropCounts:
    """Counts in a file that all processes add to; see `REASONS`."""

    #: Pushed out by the bounds of bytes, and of age; and what could not be read.
    REASONS = ("spool_full", "spool_expired", "spool_damaged")

    def __init__(self, path: Path) -> None:
        """Name a file; nothing is opened."""
        self._path = path
        self._unwritten: Counter[str] = Counter()

    def add(self, reason: str, count: int) -> None:
        """Count losses; written now if possible, else with the next ones or `write`."""
        self._unwritten[reason] += count
        self.write()

    def write(self) -> None:
        """Write what could not be written before. Never raises."""
        if not any(self._unwritten.values()):
            return
        try:
            with opened(self._path, os.O_RDWR | os.O_CREAT) as fd:
                if not try_lock(fd):
                    return
                # What another thread adds meanwhile stays for the next time.
                new, self._unwritten = self._unwritten, Counter()
                try:
                    text = json.dumps(_read(fd) + new)
                    os.lseek(fd, 0, os.SEEK_SET)
                    os.write(fd, text.ljust(_SIZE - 1).encode() + b"\n")
                except BaseException:
                    self._unwritten += new
                    raise
        except OSError:
            pass  # The next time, then.

    def read(self) -> dict[str, int]:
        """Return the counts by reason, those that are not zero."""
        try:
            with opened(self._path, os.O_RDONLY) as fd:
                counts = _read(fd)
        except OSError:
            counts = Counter()
        return dict(sorted((counts + self._unwritten).items()))


def _read(fd: int) -> Counter[str]:
    try:
        found = json.loads(read_at(fd, _SIZE, 0))
        return Counter(
            {
                name: min(int(found[name]), 2**60)
                for name in DropCounts.REASONS
                if name in found
            }
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return Counter()
