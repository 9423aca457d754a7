"""Messages on disk, written by any number of processes and read by one at a time."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from .._delivery.message import LIBRETTO, Message
from .._util import errors
from .._util.clock import monotonic
from .acks import Progress
from .directory import SpoolDirectory
from .index import LAST
from .inspection import SpoolStats, collect_stats
from .reader import DestinationReader
from .retention import TIME_LIMIT, Retention
from .segment import Stored, TooLargeError, encode_entry
from .writer import (
    SEGMENT_BYTES,
    Destinations,
    OwnSegment,
    SegmentWriter,
    StuckError,
)

#: After a write failed, none is tried for at least and at most this many seconds.
_MIN_WRITE_BACKOFF, _MAX_WRITE_BACKOFF = 0.01, 30.0
#: How often, in seconds, the bounds are looked at.
_RETENTION_INTERVAL = 5.0

#: A child resets all of them at once: descriptors closed for one are free for others.
_spools: "WeakSet[Spool]" = WeakSet()


class Spool:
    """A directory in which messages wait to be sent; see `Store`.

    Nothing waits for another process. Only ``stats`` raises.

    Attributes:
        directory: Where it is.
        max_bytes: How large it may be.
        max_age: For how long it keeps a message, in seconds.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        max_bytes: int = 512 * 2**20,
        max_age: float = 7 * 24 * 3600.0,
    ) -> None:
        """Name a spool; nothing is opened or created before it is used.

        Args:
            directory: Where; created, with its parents, if it does not exist.
            max_bytes: How large it may be; the oldest messages are dropped first.
            max_age: For how long it keeps a message, in seconds.

        Raises:
            ValueError: If a bound allows nothing.
        """
        if max_bytes < 1 or max_age <= 0:
            raise ValueError(
                "a spool needs max_bytes of at least 1 and max_age above 0, not "
                f"{max_bytes} and {max_age}"
            )
        self.max_bytes, self.max_age = max_bytes, max_age
        self.directory = SpoolDirectory(directory)
        self._retention = Retention(
            self.directory, max_bytes=max_bytes, max_age=max_age
        )
        self._start()
        _spools.add(self)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._writer = self._new_writer()
        self._readers: dict[str, DestinationReader] = {}
        self._lock = threading.RLock()
        self._backoff = 0.0
        self._retry_at = 0.0
        self._check_bounds_at = 0.0

    def _new_writer(self) -> SegmentWriter:
        size = min(SEGMENT_BYTES, self._retention.max_bytes // 8)
        return SegmentWriter(self.directory, self._retention, max(size, 1))

    def reset(self) -> None:
        """Forget, in a forked child, what belongs to the parent."""
        if self._pid == os.getpid():
            return
        spools = list(_spools)
        for spool in spools:
            spool._abandon()
        for spool in spools:
            spool.directory.close_inherited()
            spool._start()

    def _abandon(self) -> None:
        self._writer.abandon()
        for reader in self._readers.values():
            reader.abandon()

    def _check_pid(self) -> None:
        # Some servers fork in C, and none of Python's hooks is called.
        if self._pid != os.getpid():
            self.reset()

    # Writing

    def append(self, message: Message, destinations: Destinations) -> bool:
        """Write a message to disk; on any thread, in signal handlers and finalizers.

        Args:
            message: The message.
            destinations: Who is to get it; None leaves that to the reader.

        Returns:
            Whether it is on disk. If not, a warning has been logged.
        """
        now = monotonic()
        if now < self._retry_at:
            return False
        try:
            self._check_pid()
            entry = encode_entry(
                message, destinations, stored_at=time.time(), clock=now
            )
            if len(entry) > self._retention.max_bytes:
                raise TooLargeError
            self._append(entry, destinations)
        except (TooLargeError, BlockingIOError, StuckError, OSError) as exc:
            if errors.is_from_signal_handler(exc):
                raise
            self._on_write_failure(now, exc)
            return False
        except Exception as exc:
            errors.log_internal_error(exc, "spool.append")
            return False
        self._backoff = 0.0
        return True

    def _append(self, entry: bytes, destinations: Destinations) -> None:
        writer = self._writer
        try:
            writer.append(entry, destinations)
        except StuckError:
            # The thread that does not release it keeps the old writer.
            if self._writer is writer:
                self._writer = self._new_writer()
            self._writer.append(entry, destinations)

    def _on_write_failure(self, now: float, exc: Exception) -> None:
        if not isinstance(exc, OSError) or isinstance(exc, BlockingIOError):
            return  # The next message may fare better.
        self._backoff = min(
            max(_MIN_WRITE_BACKOFF, self._backoff * 2), _MAX_WRITE_BACKOFF
        )
        self._retry_at = now + self._backoff
        self._warn("Events can't be written to", exc)

    def _warn(self, what: str, exc: OSError) -> None:
        errors.warn(
            f"spool.unusable:{self.directory.path}",
            "%s the spool in %s (%s); they are kept in memory. Check that it is this "
            "user's, that it can be written to and that the disk has space.",
            what,
            self.directory.path,
            exc,
        )

    # Reading

    @contextmanager
    def _reading(self, doing: str) -> Iterator[None]:
        """Hold the lock, and log what goes wrong."""
        self._check_pid()
        try:
            with self._lock:
                yield
        except FileNotFoundError:
            pass  # Nothing was spooled yet.
        except Exception as exc:
            if errors.is_from_signal_handler(exc):
                raise
            if isinstance(exc, OSError):
                self._warn("Events can't be read from", exc)
            else:
                errors.log_internal_error(exc, f"spool.{doing}")

    def try_lead(self, destination: str) -> bool:
        """Become, or stay, the reader for a destination, unless another process is."""
        with self._reading("try_lead"):
            reader = self._readers.get(destination)
            if reader is None:
                reader = DestinationReader(self.directory, destination, self._retention)
                self._readers[destination] = reader
            return reader.try_lead()
        return False

    def read(self, destination: str, max_messages: int, max_bytes: int) -> list[Stored]:
        """Return what was not handed out yet in this process, oldest first.

        It is empty if this process is not the reader.
        """
        with self._reading("read"):
            if reader := self._get_reader(destination):
                return reader.read(max_messages, max_bytes)
        return []

    def _get_reader(self, destination: str) -> DestinationReader | None:
        reader = self._readers.get(destination)
        return reader if reader is not None and reader.is_leading else None

    def ack(self, stored: Stored) -> None:
        """Note that the destination has the message."""
        with self._reading("ack"):
            if reader := self._get_reader(stored.destination):
                reader.acks.complete(stored.segment, stored.offset)

    def reject(self, stored: Stored, reason: str) -> None:
        """Move the message to the destination's dead letters."""
        with self._reading("reject"):
            if reader := self._get_reader(stored.destination):
                reader.reject(stored, reason)

    def own_pending(self, destinations: tuple[str, ...]) -> int:
        """Count the messages that this process wrote and a destination lacks."""
        with self._reading("own_pending"):
            return sum(
                not all(progress.has(offset) for progress in asked)
                for _, own, asked in self._iter_own(destinations)
                for offset in own.offsets
            )
        return sum(len(own.offsets) for own in list(self._writer.own.values()))

    def own_rejected(self, destinations: tuple[str, ...]) -> set[tuple[str, int]]:
        """Return which messages of this process a destination refused, lately."""
        with self._reading("own_rejected"):
            return {
                (name, offset)
                for name, own, asked in self._iter_own(destinations)
                for progress in asked
                for offset in progress.rejected.intersection(own.offsets)
            }
        return set()

    def _iter_own(
        self, destinations: tuple[str, ...]
    ) -> Iterator[tuple[str, OwnSegment, list[Progress]]]:
        """Yield the segments this process wrote to, and what destinations have."""
        sources = {}
        for name in destinations:
            reader = self._get_reader(name)
            log = reader.acks if reader else self._retention.index.read_log(name)
            sources[name] = log
        # What is gone, all had, or the bounds did not allow for it.
        segments = self.directory.list_segments()
        for name, own in list(self._writer.own.items()):
            if name in segments:
                asked = destinations if own.destinations is None else own.destinations
                found = [sources[each].get(name) for each in asked if each in sources]
                yield name, own, found

    def stop_leading(self) -> None:
        """Let other processes read."""
        self._check_pid()
        with self._lock:
            for reader in self._readers.values():
                reader.stop_leading()

    def close(self) -> None:
        """Close files; a later ``append`` opens them again."""
        self._writer.close()
        self.maintain()
        self.stop_leading()

    # Maintenance

    def maintain(self) -> None:
        """Keep the bounds and delete what all have got; about once a second."""
        with self._reading("maintain"):
            self.directory.check()
            self._retention.drops.write()
            self._delete_finished()
            now = monotonic()
            if now >= self._check_bounds_at:
                self._check_bounds_at = now + _RETENTION_INTERVAL
                self._retention.free_space(0)
            for reader in self._readers.values():
                if reader.is_leading:
                    reader.maintain()

    def _delete_finished(self) -> None:
        """Delete what no process writes to any more and all destinations have.

        Readers that lead are asked; for other destinations, their logs are read.
        """
        readers, index = self._readers, self._retention.index
        leading = {name: each for name, each in readers.items() if each.is_leading}
        own = [each.acks for each in leading.values()]
        deadline = monotonic() + TIME_LIMIT
        segments = index.list_segments(TIME_LIMIT) if leading else {}
        for name, segment in segments.items():
            size = segment.size
            if monotonic() > deadline:
                break
            if not all(log.get(name).is_complete(size) for log in own):
                continue
            with self.directory.locked_for_deletion(name) as fd:
                if fd is None or self.directory.get_size(fd) != size:
                    continue
                segment.read_first(name, fd)  # There may have been no time for it.
                names = () if segment.first is LAST else segment.destinations
                others = set(readers if names is None else names) - leading.keys()
                logs = map(index.read_log, others)
                is_finished = all(log.get(name).is_complete(size) for log in logs)
                if is_finished:
                    os.unlink(self.directory.segments / name)
                for each in leading.values():
                    (each.forget if is_finished else each.acks.note_complete)(name)

    def stats(self) -> SpoolStats:
        """Count what is in the spool, whichever process wrote it.

        Raises:
            OSError: It can't be read.
        """
        retention, names = self._retention, tuple(self._readers) or (LIBRETTO,)
        return collect_stats(retention.index, retention.drops, names)
