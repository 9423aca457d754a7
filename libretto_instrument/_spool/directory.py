"""The layout of the spool's directory, all of which is one user's alone."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from zlib import crc32

from .._util import errors
from .._util.filelock import try_lock
from .._util.private_files import (
    check_directory,
    check_parents,
    is_private,
    make_private_directory,
    opened,
)

#: At most this many segments are looked at; more than any bound of bytes leaves.
MAX_SEGMENTS = 20_000

#: No writer makes a longer segment, in bytes; the rest of one is not looked at.
MAX_SEGMENT_BYTES = 2**27
#: Where the system does not tell one boot from another.
NO_BOOT_ID = "0" * 16

_SEGMENT_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}-\d{1,9}\.seg")
_NAMED = re.compile(r"([a-z0-9_-]|%[0-9a-f]{2})+\.(log|seg)")
_OUR_FILES = r"/((segments|acks|dead)/|relay[^/]*\.lock|dropped)"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


@cache
def read_boot_id() -> str:
    """Return 16 hex digits that tell this boot of the machine from others.

    Each boot restarts the monotonic clock: it is comparable within one boot alone.
    """
    with suppress(OSError, ValueError):
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
        return f"{int(text.strip().replace('-', '')[:16], 16):016x}"
    return NO_BOOT_ID


def is_this_boot(segment: str) -> bool:
    """Return whether a segment's monotonic clock is ours."""
    boot = read_boot_id()
    return boot != NO_BOOT_ID and segment.startswith(boot)


class SpoolDirectory:
    """Where the parts of a spool are.

    Attributes:
        path: The directory.
        segments: The directory of the segments.
        acks: That of the acknowledgements.
        dead: That of the dead letters.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name a directory; nothing is created or opened."""
        self.path = Path(os.path.abspath(path))
        self.segments = self.path / "segments"
        self.acks = self.path / "acks"
        self.dead = self.path / "dead"
        self._subdirectories = (self.segments, self.acks, self.dead)

    def prepare(self) -> None:
        """Create what is missing, and check what is there.

        Raises:
            RefusedError: Something is another user's, or open to others.
            OSError: The directory can't be created.
        """
        check_parents(self.path)
        make_private_directory(self.path)
        self.check()
        for path in self._subdirectories:
            make_private_directory(path)

    def check(self) -> None:
        """Check the directory and what is above it, creating nothing.

        Others may list the directory, as one made by hand often allows; what is in its
        subdirectories is private in any case.

        Raises:
            RefusedError: As for ``prepare``.
            FileNotFoundError: It does not exist.
        """
        check_parents(self.path)
        check_directory(self.path, is_readable_by_others=True)
        for path in self._subdirectories:
            with suppress(FileNotFoundError):
                check_directory(path, is_readable_by_others=False)

    def ack_log(self, destination: str) -> Path:
        """Return the path of a destination's acknowledgements."""
        return self.acks / f"{_escape(destination)}.log"

    def dead_letters(self, destination: str) -> Path:
        """Return the path of what a destination refused."""
        return self.dead / f"{_escape(destination)}.seg"

    def relay_lock(self, destination: str) -> Path:
        """Return the path of the file that the reader of a destination locks."""
        suffix = "" if destination == "libretto" else f"-{_escape(destination)}"
        return self.path / f"relay{suffix}.lock"

    def list_segments(self) -> dict[str, int]:
        """Return the names of the segments, with their sizes in bytes."""
        return {
            name: min(size, MAX_SEGMENT_BYTES)
            for name, size in _list_private(self.segments, _SEGMENT_NAME)
        }

    def list_files(self, parent: Path) -> list[Path]:
        """Return the files in ``acks`` or ``dead``: one for each destination."""
        return sorted(parent / name for name, _ in _list_private(parent, _NAMED))

    def other_bytes(self) -> int:
        """Return the size of all but the segments, in bytes."""
        return sum(
            size
            for parent in (self.acks, self.dead)
            for _, size in _list_private(parent, re.compile(".*"))
        )

    @staticmethod
    def get_size(fd: int) -> int:
        """Return the size of an open segment, in bytes, as in ``list_segments``."""
        return min(os.fstat(fd).st_size, MAX_SEGMENT_BYTES)

    def close_inherited(self) -> None:
        """Close, in a forked child, whatever of the parent's is open in the directory.

        A thread of the parent may have been about to open a file, and locked it since:
        a lock is held for as long as any process has the file open.
        """
        ours = re.compile(re.escape(os.path.realpath(self.path)) + _OUR_FILES)
        with suppress(OSError):
            for name in os.listdir("/proc/self/fd"):
                with suppress(OSError):
                    if ours.match(os.readlink(f"/proc/self/fd/{name}")):
                        os.close(int(name))

    @contextmanager
    def locked_for_deletion(self, name: str) -> Iterator[int | None]:
        """Lock a segment that no process writes to, so that none begins to.

        Yields:
            A descriptor; None if a process writes to the segment, or it is gone.
        """
        with ExitStack() as stack:
            fd = None
            with suppress(OSError):
                fd = stack.enter_context(opened(self.segments / name, os.O_RDWR))
                if not (try_lock(fd) and os.fstat(fd).st_nlink):
                    fd = None
            yield fd


@contextmanager
def replaced(path: Path) -> Iterator[int]:
    """Replace a file by what the block writes to the descriptor, if it succeeds."""
    temporary = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        with opened(temporary, flags) as fd:
            yield fd
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def append_whole(fd: int, data: bytes, size: int) -> None:
    """Append to a file of some size, or take back what could be written in part.

    Raises:
        OSError: Not all could be written.
    """
    written = os.write(fd, data)
    if written != len(data):
        os.ftruncate(fd, size)
        raise OSError(f"only {written} of {len(data)} bytes could be written")


def _escape(name: str) -> str:
    """Return a destination's name as a file name that is safe on any file system."""
    data = name.encode(errors="surrogatepass")
    text = "".join(
        chr(byte) if chr(byte) in _SAFE else f"%{byte:02x}" for byte in data[:200]
    )
    return text if len(text) <= 80 else f"{text[:60]}-{crc32(data):08x}"


def _list_private(
    directory: Path, pattern: re.Pattern[str]
) -> Iterator[tuple[str, int]]:
    """Yield name and size of a directory's regular files that are the user's alone."""
    with suppress(FileNotFoundError), os.scandir(directory) as files:
        for file in islice(files, MAX_SEGMENTS):
            if not pattern.fullmatch(file.name):
                continue
            try:
                status = file.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode) and is_private(status):
                yield file.name, status.st_size
            else:
                errors.warn(
                    f"spool.refused:{directory}",
                    "Files in %s are not of this user alone and are left out, such as "
                    "%s; remove them.",
                    directory,
                    ascii(file.name),
                )
