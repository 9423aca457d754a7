"""An exporter to a file, one JSON object a line."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from .._util.filelock import try_lock
from .._util.json import encode
from .._util.private_files import check_parents, opened
from ._protocol import ExportError, Report

#: How long to wait for other processes, in seconds, and how often to look.
PATIENCE, LOOK_EVERY = 2.0, 0.002


class JsonLinesExporter:
    """Appends reports to a file: ``kind``, ``id``, ``at`` and ``body`` of each.

    Any number of processes may append to one file. What can't be written now, as when
    the disk is full, is taken back and tried again; only who is killed in the middle
    of a line leaves one that is cut. The file is readable by its owner only; one that
    is another user's or readable by others, a symbolic link, and a file in a directory
    that others may write to, are not written to. Beside it lies ``<file>.lock``, which
    is empty.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rotate_bytes: int | None = None,
        keep: int = 10,
        name: str = "jsonl",
    ) -> None:
        """Name a file; nothing is opened or made before there is a report.

        Args:
            path: The file; made, with its directory, if it does not exist.
            rotate_bytes: Before the file grows beyond so many bytes it is renamed to
                ``<file>.1``, that to ``<file>.2`` and so on. If left out it grows.
            keep: How many renamed files to keep; the oldest is deleted.
            name: Tells this exporter from others, in `stats()` and in the spool.

        Raises:
            ValueError: ``rotate_bytes`` is below 1, or ``keep`` below 0.
        """
        if rotate_bytes is not None and rotate_bytes < 1:
            raise ValueError(f"rotate_bytes must be at least 1, not {rotate_bytes}.")
        if keep < 0:
            raise ValueError(f"keep must be at least 0, not {keep}.")
        self.name = name
        self.max_batch = 100
        self.path = Path(path).absolute()
        self.rotate_bytes = rotate_bytes
        self.keep = keep

    def export(self, reports: Sequence[Report]) -> None:
        """Append the reports.

        Raises:
            ExportError: Another process keeps the file locked for too long.
            OSError: The file can't be written now, or is not this user's alone.
        """
        lines = b"".join(
            encode(
                {
                    "kind": report.kind,
                    "id": report.id,
                    "at": report.at,
                    "body": report.body,
                }
            )
            + b"\n"
            for report in reports
        )
        check_parents(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._make_room(len(lines))
            # Opened anew each time: others may have renamed it since, and it does
            # not have to be minded when the process forks.
            with opened(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND) as file:
                _append(file, lines)

    def _make_room(self, length: int) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if self.rotate_bytes is None or not size or size + length <= self.rotate_bytes:
            return
        if not self.keep:
            self.path.unlink()
            return
        for number in range(self.keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
        os.replace(self.path, f"{self.path}.1")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing and renaming meanwhile."""
        with opened(f"{self.path}.lock", os.O_CREAT | os.O_RDWR) as lock:
            deadline = monotonic() + PATIENCE
            while not try_lock(lock):
                if monotonic() > deadline:
                    raise ExportError("the file is locked")
                sleep(LOOK_EVERY)
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
            # Somebody was killed in the middle of a line.
            lines = b"\n" + lines
    try:
        if os.write(file, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise
