"""An exporter to a file, one JSON object a line."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from .._util.clock import monotonic
from .._util.filelock import try_lock
from .._util.json import encode
from .._util.private_files import check_parents, opened
from ._protocol import ExportError, ExportRecord

#: How long to wait for the lock, and how often to try, in seconds.
LOCK_TIMEOUT, LOCK_POLL = 2.0, 0.002


class JsonLinesExporter:
    """Appends records to a file: ``kind``, ``id``, ``timestamp`` and ``body``.

    Several processes may append to one file. A failed write, as on a full disk, is
    truncated away and retried; only a process killed during a write leaves a partial
    line. The file is created for its owner alone. The exporter refuses a file that
    belongs to another user or is readable by others, a symbolic link, and a directory
    that others may write to. An empty ``<file>.lock`` lies beside it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        backup_count: int = 10,
        name: str = "jsonl",
    ) -> None:
        """Name a file; nothing is opened or created before the first export.

        Args:
            path: The file; created, with its directory, if missing.
            max_bytes: Before the file grows beyond this many bytes it is renamed to
                ``<file>.1``, that to ``<file>.2`` and so on. None never rotates.
            backup_count: How many rotated files to keep; the oldest is deleted.
            name: Identifies the exporter in `stats()` and in the spool.

        Raises:
            ValueError: ``max_bytes`` is below 1, or ``backup_count`` below 0.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}.")
        if backup_count < 0:
            raise ValueError(f"backup_count must be at least 0, not {backup_count}.")
        self.name = name
        self.max_batch = 100
        self.path = Path(path).absolute()
        self.max_bytes = max_bytes
        self.backup_count = backup_count

    def export(self, records: Sequence[ExportRecord]) -> None:
        """Append the records.

        Raises:
            ExportError: Another process holds the lock for too long.
            OSError: The file can't be written, or is not this user's alone.
        """
        lines = b"".join(
            encode(
                {
                    "kind": record.kind,
                    "id": record.id,
                    "timestamp": record.timestamp,
                    "body": record.body,
                }
            )
            + b"\n"
            for record in records
        )
        check_parents(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            self._rotate(len(lines))
            # Opened for each batch: other processes may have rotated the file, and a
            # fork then inherits no descriptor.
            with opened(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND) as file:
                _append(file, lines)

    def _rotate(self, length: int) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if self.max_bytes is None or not size or size + length <= self.max_bytes:
            return
        if not self.backup_count:
            self.path.unlink()
            return
        for number in range(self.backup_count - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.replace(self.path, f"{self.path}.1")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other processes from writing or rotating during the block."""
        with opened(f"{self.path}.lock", os.O_CREAT | os.O_RDWR) as lock:
            deadline = monotonic() + LOCK_TIMEOUT
            while not try_lock(lock):
                if monotonic() > deadline:
                    raise ExportError("the file is locked")
                sleep(LOCK_POLL)
            yield

    def close(self) -> None:
        """Do nothing: no file is open between two exports."""


def _append(file: int, lines: bytes) -> None:
    """Write all of the lines or none.

    Raises:
        OSError: They can't be written.
    """
    size = os.fstat(file).st_size
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            # A process was killed in the middle of a line.
            lines = b"\n" + lines
    try:
        if os.write(file, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise
