"""Messages on disk, shared by processes that write and processes that send."""

import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep, time
from uuid import uuid4

from attrs import evolve

from .._util import errors
from . import _life, _spool_deeds
from ._ingestion import offsets, take_in, tidy
from ._journal import LENGTH, Journal, JournalsUnavailableError
from ._journal_form import FIRST, packed
from ._journal_reading import journals_in
from ._message import HOME, Finishers, Message
from ._spool_bounds import LOOK_EVERY, Bounds
from ._spool_deeds import LEASE
from ._spool_figures import stats_of
from ._spool_file import FORMER_FILE, SpoolFile, scalar, transaction
from ._spool_values import Refused, SpoolStats, Stored

#: After a write failed, none is tried for at least and at most so many seconds. What
#: comes meanwhile is not safe from the end of the process, and most failures are a file
#: that is busy for a moment longer than a write may wait.
REST, LONGEST_REST = 0.01, 30.0
#: How long the processes that send wait for a busy file, in seconds; less to move what
#: was written, which they try again soon.
_PATIENCE, _SHORT_PATIENCE = 5.0, 0.25
#: How long a flush waits before it tries again to move something, in seconds.
_PAUSE = 0.01
#: In bytes. SQLite takes not much more.
_LONGEST_BODY = 2**29
#: In pages. The senders move the log into the file; a writer only if nobody else does.
_SENDERS_CHECKPOINT, _WRITERS_CHECKPOINT = 1000, 16_000


class Spool:
    """A directory in which messages wait to be sent, by this process or another.

    ``add`` is for the callers' threads: it never raises and waits for a bounded time.
    The rest is for those that send, and raises ``sqlite3.Error`` or ``OSError``.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        max_bytes: int = 512 * 2**20,
        max_age: float = 7 * 24 * 3600.0,
        busy_timeout: float = 0.05,
        finishers: Finishers | None = None,
    ) -> None:
        """Name a spool; nothing is opened or made before it is used.

        Args:
            directory: Where; made, with its parents, if it does not exist.
            max_bytes: At most so many bytes are kept, the oldest dropped first.
            max_age: Messages older than this, in seconds, are dropped.
            busy_timeout: For how many seconds a write may wait for other processes.
            finishers: What finishes messages before they can be claimed.

        Raises:
            ValueError: If a bound allows nothing.
        """
        if max_bytes < 1 or max_age <= 0 or busy_timeout < 0:
            raise ValueError(
                "a spool needs max_bytes of at least 1, max_age above 0 and "
                f"busy_timeout of at least 0, not {max_bytes}, {max_age} and "
                f"{busy_timeout}"
            )
        self.directory = Path(directory).absolute()
        self._finishers: Finishers = finishers or {}
        self._bounds = Bounds(self.directory, max_bytes, max_age)
        # One that is too long could not be dropped in part.
        self._journal: Journal | None = Journal(
            self.directory, busy=busy_timeout, length=min(LENGTH, max_bytes // 8)
        )
        self._for_writing = SpoolFile(
            self.directory, busy=busy_timeout, checkpoint=_WRITERS_CHECKPOINT
        )
        self._for_sending = SpoolFile(
            self.directory, busy=_PATIENCE, checkpoint=_SENDERS_CHECKPOINT
        )
        self._former = SpoolFile(
            self.directory,
            busy=_PATIENCE,
            checkpoint=_SENDERS_CHECKPOINT,
            name=FORMER_FILE,
        )
        #: To whom goes what names no destination, if it is delivered from here.
        self.delivers: tuple[str, ...] = (HOME,)
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        #: Tells this process's messages and claims from those of others.
        self.name = uuid4().hex
        #: How many messages this process wrote, in all and by their destinations, and
        #: how many it could not write.
        self.written = 0
        self.written_for: Counter[tuple[str, ...] | None] = Counter()
        self.missed = 0
        # How long the journals were when all that was in them had been moved.
        self._moved: Mapping[Path, int] = {}
        self._rest = 0.0
        self._resume_at = 0.0

    after_fork_in_child = _start_afresh

    # Writing

    def add(
        self, message: Message, destinations: tuple[str, ...] | None = None
    ) -> bool:
        """Write a message, so that it outlives this process.

        Args:
            message: The message.
            destinations: Who shall get it; it is kept until all of them have it. None
                leaves that to whoever delivers it.

        Returns:
            Whether it is on disk. If not, because the disk is full, the file busy for
            too long or the like, it is the caller's to keep; a warning has been said.
        """
        now = monotonic()
        if now < self._resume_at:
            self.missed += 1
            return False
        try:
            self._write(message, destinations, now)
        except (sqlite3.Error, OSError) as exc:
            return self._missed(exc)
        self._rest = 0.0
        self.written += 1
        self.written_for[destinations] += 1
        if self.written % LOOK_EVERY == 0:
            self._look_at_bounds()
        return True

    def _write(
        self, message: Message, destinations: tuple[str, ...] | None, now: float
    ) -> None:
        if len(message.body) > _LONGEST_BODY:
            raise OSError(f"{len(message.body)} bytes are too much for one message")
        journal, to = self._journal, _spool_deeds.named(destinations)
        if journal is not None:
            try:
                if not journal.end[1]:
                    self._make_file()
                journal.append(packed(message, to, time(), now), self.name)
            except JournalsUnavailableError:
                self._journal = None
            else:
                return
        if message.form:
            message = self._finishers[message.form](message)
        with self._for_writing.use() as connection:
            try:
                connection.execute(_spool_deeds.ADD, self._columns(message, to))
            except UnicodeEncodeError:
                # Half of a surrogate pair, as in text that was cut in the wrong place.
                columns = self._columns(_storable(message), to)
                connection.execute(_spool_deeds.ADD, columns)

    def _make_file(self) -> None:
        """Have the file that the journals' entries are moved to, if that is possible.

        One that is no spool is moved away, and said to be none, while somebody watches
        the application start.
        """
        with suppress(sqlite3.Error, OSError), self._for_writing.use():
            pass

    def _look_at_bounds(self) -> None:
        try:
            if self._bounds.may_be_exceeded():
                with self._for_writing.use() as connection:
                    self._bounds.keep(connection)
        except (sqlite3.Error, OSError):
            pass  # Next time, then.
        except Exception as exc:  # The message is written, whatever happens here.
            errors.log_internal_error(exc, "spool.bounds")

    def _columns(self, message: Message, to: str | None) -> tuple[object, ...]:
        return (
            message.kind,
            message.id,
            message.order_key,
            self.name,
            time(),
            message.at,
            to,
            message.body,
        )

    def _missed(self, exc: Exception) -> bool:
        # Each failure may have waited for as long as a write may, so not every message
        # gets to find out anew.
        self.missed += 1
        now = monotonic()
        if now >= self._resume_at:  # Else another thread has just found out the same.
            self._rest = min(max(REST, self._rest * 2), LONGEST_REST)
            self._resume_at = now + self._rest
        errors.warn(
            "spool.missed",
            "Events can't be written to the spool in %s (%s: %s); they are kept in "
            "memory. Check that the disk has room and that the directory is writable.",
            self.directory,
            type(exc).__name__,
            exc,
        )
        return False

    # Sending

    def take_in(self) -> bool:
        """Move what processes have written to where it can be claimed.

        Returns:
            Whether there was anything.
        """
        if journals_in(self.directory) == self._moved:
            return False
        return self._take_in(_SHORT_PATIENCE)

    def _take_in(self, patience: float) -> bool:
        lengths = journals_in(self.directory)
        try:
            with self._for_sending.use(patience) as connection:
                moved = take_in(
                    connection,
                    self.directory,
                    self._finishers,
                    oldest=self._bounds.oldest,
                )
        except sqlite3.OperationalError as exc:
            if "locked" in str(exc) or "busy" in str(exc):
                return False
            raise
        self._moved = lengths if moved.is_all else {}
        self._bounds.tell("spool_expired", moved.expired)
        return moved.count > 0

    def tidy(self, patience: float = _SHORT_PATIENCE) -> None:
        """Delete the files of processes that have ended, as far as they were moved.

        Args:
            patience: For how many seconds to wait for other processes.
        """
        if journals_in(self.directory) or self._moved:
            with self._for_sending.use(patience) as connection:
                tidy(connection, self.directory)

    def claim(
        self, limit: int, max_bytes: int = 8 * 2**20, *, destination: str = HOME
    ) -> list[Stored]:
        """Take messages to send, the oldest first, that nobody else is sending.

        A chat's or chain's messages for one destination are all with one process at a
        time, so that they can leave in order. The claim holds for ``LEASE`` seconds, or
        until renewed.

        Args:
            limit: At most so many messages.
            max_bytes: At most so many bytes, but at least one message.
            destination: Where they are to be sent.
        """
        self.take_in()
        with self._for_sending.use() as connection:
            _spool_deeds.spread(connection, self.delivers)
            terms = self._now() | {"destination": destination}
            until = monotonic() + LEASE
            return _spool_deeds.claim(connection, terms, limit, max_bytes, until)

    def _now(self) -> dict[str, object]:
        return {"me": self.name} | _spool_deeds.now()

    def renew(self) -> None:
        """Keep what was claimed for another ``LEASE`` seconds."""
        with self._for_sending.use() as connection:
            connection.execute(
                "UPDATE todo SET leased_until = ? WHERE leased_until > 0 AND owner = ?",
                (monotonic() + LEASE, self.name),
            )

    def release(self, but: Collection[int] = (), *, destination: str = HOME) -> None:
        """Give back what was claimed and not sent, for others to claim at once.

        Args:
            but: Rows that are still being sent.
            destination: Where they were to be sent.
        """
        with (
            self._for_sending.use(_SHORT_PATIENCE) as connection,
            transaction(connection),
        ):
            rows = connection.execute(
                "SELECT destination, message FROM todo"
                " WHERE leased_until > 0 AND owner = ? AND destination = ?",
                (self.name, destination),
            ).fetchall()
            connection.executemany(
                "UPDATE todo SET leased_until = 0"
                " WHERE destination = ? AND message = ?",
                [row for row in rows if row[1] not in but],
            )

    def remove(self, *delivered: Stored) -> None:
        """Strike off messages that were delivered; the last destination's ends them."""
        with self._for_sending.use() as connection:
            _spool_deeds.strike_off(connection, delivered, self.name)

    def set_aside(self, stored: Stored, reason: str) -> None:
        """Keep a message that was refused, for inspection.

        Args:
            stored: The message.
            reason: Why, such as ``"HTTP 413"``.
        """
        with self._for_sending.use() as connection, transaction(connection):
            _spool_deeds.set_aside(connection, stored, self.name, reason)

    def newest_of_mine(self, deadline: float) -> int | None:
        """Take in what this process has written.

        Args:
            deadline: Until when at most, by the monotonic clock.

        Returns:
            The row of the last of its messages that has yet to be sent; 0 if all were;
            None if they could not be taken in until then.
        """
        name, end = ("", 0) if self._journal is None else self._journal.end
        while not self._is_moved(name, end):
            left = deadline - monotonic()
            if left <= 0:
                return None
            if not self._take_in(min(left, _SHORT_PATIENCE)):
                sleep(min(left, _PAUSE))
        with self._for_sending.use() as connection:
            return scalar(
                connection,
                "SELECT coalesce(max(id), 0) FROM messages WHERE writer = ?",
                (self.name,),
            )

    def _is_moved(self, name: str, end: int) -> bool:
        if not (name and (self.directory / name).exists()):
            return True  # Only what was moved to its end is deleted.
        with self._for_sending.use() as connection:
            return offsets(connection).get(name, FIRST) >= end

    def left_of_mine(self, last_row: int) -> int:
        """Count this process's messages up to a row that have yet to be sent."""
        with self._for_sending.use() as connection:
            return scalar(
                connection,
                "SELECT count(*) FROM messages WHERE id <= ? AND writer = ?",
                (last_row, self.name),
            )

    def refused_of_mine(self) -> int:
        """Count this process's messages that were refused."""
        with self._for_sending.use() as connection:
            return scalar(
                connection, "SELECT count(*) FROM aside WHERE writer = ?", (self.name,)
            )

    # Looking after it

    def keep_bounds(self) -> None:
        """Drop what is too old or too much, and count it."""
        with self._for_sending.use() as connection:
            self._bounds.keep(connection)

    def stats(self) -> SpoolStats:
        """Count what is in the spool."""
        with self._for_sending.use() as connection:
            return stats_of(connection, self.directory, self.delivers)

    def refused(self) -> list[Refused]:
        """List what was set aside, the oldest first."""
        with self._for_sending.use() as connection:
            rows = connection.execute(
                "SELECT id, reason, stored_at, refused_at, destination,"
                " kind, message_id, body, order_key, at FROM aside ORDER BY id"
            )
            return [
                Refused(row, reason, stored_at, refused_at, Message(*rest), destination)
                for row, reason, stored_at, refused_at, destination, *rest in rows
            ]

    def refused_rows(self) -> list[int]:
        """List the numbers of what was set aside, the oldest first."""
        with self._for_sending.use() as connection:
            return list(self._rows_aside(connection, None))

    def retry(self, rows: Iterable[int] | None = None) -> int:
        """Have refused messages sent once more.

        Args:
            rows: Which; None for all.

        Returns:
            How many there were.
        """
        with self._for_sending.use() as connection, transaction(connection):
            count = 0
            for row in self._rows_aside(connection, rows):
                found = connection.execute(
                    "SELECT kind, message_id, order_key, writer, stored_at, at,"
                    " destination, body FROM aside WHERE id = ?",
                    (row,),
                ).fetchall()
                connection.executemany(_spool_deeds.ADD, found)
                connection.execute("DELETE FROM aside WHERE id = ?", (row,))
                count += len(found)
            return count

    def discard(self, rows: Iterable[int] | None = None) -> int:
        """Forget refused messages; arguments and result as for ``retry``."""
        with self._for_sending.use() as connection, transaction(connection):
            return sum(
                connection.execute("DELETE FROM aside WHERE id = ?", (row,)).rowcount
                for row in self._rows_aside(connection, rows)
            )

    @staticmethod
    def _rows_aside(
        connection: sqlite3.Connection, rows: Iterable[int] | None
    ) -> Sequence[int]:
        if rows is not None:
            return list(rows)
        return [
            row for (row,) in connection.execute("SELECT id FROM aside ORDER BY id")
        ]

    def adopt(self) -> None:
        """Take over what is in the file of the version before, and held by nobody.

        Processes of that version may still write to it, and send from it.
        """
        while self._former.path.exists() and self._adopt_some():
            pass

    def _adopt_some(self) -> bool:
        with (
            self._former.use() as former,
            # Whoever is killed between the two commits leaves messages in both files.
            transaction(former),
            self._for_sending.use() as connection,
            transaction(connection),
        ):
            return _spool_deeds.adopt(former, connection, self._now(), HOME)

    def close(self) -> None:
        """Close the files; another use opens them again."""
        if self._journal is not None:
            self._journal.close()
        if self._moved:
            with suppress(sqlite3.Error, OSError):  # Those who come later do it, then.
                self.tidy(0.0)
        self._former.close()
        self._for_writing.close()
        self._for_sending.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _storable(message: Message) -> Message:
    """Write what UTF-8 can't in another way."""
    key = message.order_key
    return evolve(
        message,
        id=_escaped(message.id),
        order_key=None if key is None else _escaped(key),
    )


def _escaped(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
