"""Messages on disk, shared by processes that write and processes that send."""

import os
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from time import monotonic, time
from uuid import uuid4

from attrs import evolve

from .. import _guard
from . import _life
from ._message import Message
from ._spool_bounds import LOOK_EVERY, Bounds, bytes_used
from ._spool_file import SpoolFile, scalar, transaction
from ._spool_values import Refused, SpoolStats, Stored

#: Who takes a message to send it has it to itself for so many seconds, unless the claim
#: is renewed.
LEASE = 60.0
#: After a write failed, none is tried for at least and at most so many seconds. What
#: comes meanwhile is not safe from the end of the process, and most failures are a file
#: that is busy for a moment longer than a write may wait.
REST, LONGEST_REST = 0.01, 30.0
#: How long the processes that send wait for a busy file, in seconds.
_PATIENCE = 5.0
#: In pages. The senders move the log into the file; a writer only if nobody else does.
_SENDERS_CHECKPOINT, _WRITERS_CHECKPOINT = 1000, 16_000

# Whether somebody has claimed a message. All processes share the monotonic clock, which
# no step of the wall clock moves. A claim that ends later than any can is from before
# the machine was started.
_HELD = "leased_until > 0 AND leased_until > :now AND leased_until <= :latest"
# Whether this process may claim a message: not while another has one of the same key.
_FREE = f"""
    NOT ({_HELD}) AND (order_key IS NULL OR order_key NOT IN (
        SELECT order_key FROM messages
        WHERE {_HELD} AND owner != :me AND order_key IS NOT NULL
    ))
"""
# The number of a row that was deleted may be given to another message.
_STILL_OURS = "id = :row AND message_id = :id AND owner = :owner"


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
    ) -> None:
        """Name a spool; nothing is opened or made before it is used.

        Args:
            directory: Where; made, with its parents, if it does not exist.
            max_bytes: At most so many bytes are kept, the oldest dropped first.
            max_age: Messages older than this, in seconds, are dropped.
            busy_timeout: For how many seconds a write may wait for other processes.

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
        self._bounds = Bounds(self.directory, max_bytes, max_age)
        self._for_writing = SpoolFile(
            self.directory, busy=busy_timeout, checkpoint=_WRITERS_CHECKPOINT
        )
        self._for_sending = SpoolFile(
            self.directory, busy=_PATIENCE, checkpoint=_SENDERS_CHECKPOINT
        )
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        #: Tells this process's messages and claims from those of others.
        self.name = uuid4().hex
        #: How many messages this process wrote, and how many it could not write.
        self.written = 0
        self.missed = 0
        #: The row that this process wrote last.
        self.last_row = 0
        self._rest = 0.0
        self._resume_at = 0.0

    after_fork_in_child = _start_afresh

    # Writing

    def add(self, message: Message) -> bool:
        """Write a message, so that it outlives this process.

        Returns:
            Whether it is on disk. If not, because the disk is full, the file busy for
            too long or the like, it is the caller's to keep; a warning has been said.
        """
        if monotonic() < self._resume_at:
            self.missed += 1
            return False
        try:
            with self._for_writing.use() as connection:
                row = connection.execute(
                    "INSERT INTO messages"
                    " (kind, message_id, order_key, writer, stored_at, body)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        message.kind,
                        message.id,
                        message.order_key,
                        self.name,
                        time(),
                        message.body,
                    ),
                ).lastrowid
                self.last_row = row or self.last_row
                self.written += 1
                if self.written % LOOK_EVERY == 0:
                    self._bounds.keep(connection)
        except (sqlite3.Error, OSError) as exc:
            return self._missed(exc)
        except UnicodeEncodeError:
            # Half of a surrogate pair, as in text that was cut in the wrong place.
            return self.add(_storable(message))
        self._rest = 0.0
        return True

    def _missed(self, exc: Exception) -> bool:
        # Each failure may have waited for as long as a write may, so not every message
        # gets to find out anew.
        self.missed += 1
        now = monotonic()
        if now >= self._resume_at:  # Else another thread has just found out the same.
            self._rest = min(max(REST, self._rest * 2), LONGEST_REST)
            self._resume_at = now + self._rest
        _guard.warn(
            "spool.missed",
            "Events can't be written to the spool in %s (%s: %s); they are kept in "
            "memory. Check that the disk has room and that the directory is writable.",
            self.directory,
            type(exc).__name__,
            exc,
        )
        return False

    # Sending

    def claim(self, limit: int, max_bytes: int = 8 * 2**20) -> list[Stored]:
        """Take messages to send, the oldest first, that nobody else is sending.

        A chat's or chain's messages are all with one process at a time, so that they
        can leave in order. The claim holds for ``LEASE`` seconds, or until renewed.

        Args:
            limit: At most so many messages.
            max_bytes: At most so many bytes, but at least one message.
        """
        with self._for_sending.use() as connection:
            # A look first, which unlike the claim keeps no writer waiting.
            last = self._last_that_fits(connection, limit, max_bytes)
            if last is None:
                return []
            terms = {
                "until": monotonic() + LEASE,
                "last": last,
                "limit": limit,
                **self._now(),
            }
            # One statement: a thread that has to wait for the interpreter in between
            # two would keep the writers waiting for as long.
            connection.execute(
                "UPDATE messages SET owner = :me, leased_until = :until WHERE id IN ("
                f"SELECT id FROM messages WHERE {_FREE} AND id <= :last"
                " ORDER BY id LIMIT :limit)",
                terms,
            )
            ours = "leased_until > 0 AND leased_until = :until AND owner = :me"
            try:
                rows = connection.execute(
                    "SELECT id, kind, message_id, order_key, body FROM messages"
                    f" WHERE {ours} ORDER BY id",
                    terms,
                ).fetchall()
            except BaseException:
                # Kept, they would be nobody's to send for as long as this process is.
                connection.execute(
                    f"UPDATE messages SET leased_until = 0 WHERE {ours}", terms
                )
                raise
            return [
                Stored(row, Message(kind, name, body, key))
                for row, kind, name, key, body in rows
            ]

    def _last_that_fits(
        self, connection: sqlite3.Connection, limit: int, max_bytes: int
    ) -> int | None:
        last, size = None, 0
        rows = connection.execute(
            f"SELECT id, length(body) FROM messages WHERE {_FREE}"
            " ORDER BY id LIMIT :limit",
            {"limit": limit} | self._now(),
        ).fetchall()
        for row, length in rows:
            size += length
            if last is not None and size > max_bytes:
                break
            last = row
        return last

    def _now(self) -> dict[str, object]:
        return {"me": self.name} | _now()

    def renew(self) -> None:
        """Keep what was claimed for another ``LEASE`` seconds."""
        with self._for_sending.use() as connection:
            connection.execute(
                "UPDATE messages SET leased_until = ?"
                " WHERE leased_until > 0 AND owner = ?",
                (monotonic() + LEASE, self.name),
            )

    def release(self, but: Collection[int] = ()) -> None:
        """Give back what was claimed and not sent, for others to claim at once.

        Args:
            but: Rows that are still being sent.
        """
        with self._for_sending.use() as connection, transaction(connection):
            rows = connection.execute(
                "SELECT id FROM messages WHERE leased_until > 0 AND owner = ?",
                (self.name,),
            ).fetchall()
            connection.executemany(
                "UPDATE messages SET leased_until = 0 WHERE id = ?",
                [row for row in rows if row[0] not in but],
            )

    def remove(self, stored: Stored) -> None:
        """Forget a message that was delivered."""
        with self._for_sending.use() as connection:
            connection.execute(
                f"DELETE FROM messages WHERE {_STILL_OURS}", self._terms(stored)
            )

    def set_aside(self, stored: Stored, reason: str) -> None:
        """Keep a message that was refused, for inspection.

        Args:
            stored: The message.
            reason: Why, such as ``"HTTP 413"``.
        """
        with self._for_sending.use() as connection, transaction(connection):
            connection.execute(
                "INSERT INTO aside SELECT NULL, kind, message_id, order_key, writer,"
                f" stored_at, :now, :reason, body FROM messages WHERE {_STILL_OURS}",
                {"now": time(), "reason": reason} | self._terms(stored),
            )
            connection.execute(
                f"DELETE FROM messages WHERE {_STILL_OURS}", self._terms(stored)
            )

    def _terms(self, stored: Stored) -> dict[str, object]:
        return {"row": stored.row, "id": stored.message.id, "owner": self.name}

    def left_of_mine(self, last_row: int) -> int:
        """Count this process's messages up to a row that were not yet sent."""
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
            return stats_of(connection)

    def refused(self) -> list[Refused]:
        """List what was set aside, the oldest first."""
        with self._for_sending.use() as connection:
            rows = connection.execute(
                "SELECT id, reason, stored_at, refused_at,"
                " kind, message_id, body, order_key FROM aside ORDER BY id"
            )
            return [
                Refused(row, reason, stored_at, refused_at, Message(*rest))
                for row, reason, stored_at, refused_at, *rest in rows
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
                count += connection.execute(
                    "INSERT INTO messages"
                    " (kind, message_id, order_key, writer, stored_at, body)"
                    " SELECT kind, message_id, order_key, writer, stored_at, body"
                    " FROM aside WHERE id = ?",
                    (row,),
                ).rowcount
                connection.execute("DELETE FROM aside WHERE id = ?", (row,))
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

    def close(self) -> None:
        """Close the files; another use opens them again."""
        self._for_writing.close()
        self._for_sending.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _now() -> dict[str, object]:
    now = monotonic()
    return {"now": now, "latest": now + 2 * LEASE}


def stats_of(connection: sqlite3.Connection) -> SpoolStats:
    """Count what is in a spool's file."""
    waiting, oldest = connection.execute(
        "SELECT count(*), min(stored_at) FROM messages"
    ).fetchone()
    claimed = f"SELECT count(*) FROM messages WHERE {_HELD}"
    return SpoolStats(
        waiting=waiting,
        claimed=scalar(connection, claimed, _now()),
        aside=scalar(connection, "SELECT count(*) FROM aside"),
        lost=dict(connection.execute("SELECT reason, count FROM losses")),
        oldest_at=oldest,
        size=bytes_used(connection),
    )


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
