"""How much a spool may hold, and for how long."""

import sqlite3
from math import inf
from pathlib import Path
from time import time

from attrs import frozen

from .. import _guard
from ._spool_file import scalar

#: A writer looks at the bounds once in so many writes.
LOOK_EVERY = 128
#: Only so many of the oldest messages are looked at: to look at all would read the
#: whole file. They are more than come between two looks, so that this keeps up.
_OLDEST = 2 * LOOK_EVERY

_WHY = {"spool_expired": "they are too old", "spool_full": "it is full"}


@frozen
class Bounds:
    """Drops the oldest messages of a spool, and counts them in it.

    Attributes:
        directory: The spool's, for the log.
        max_bytes: At most so many bytes are in use.
        max_age: No message is older, in seconds.
    """

    directory: Path
    max_bytes: int
    max_age: float

    def keep(self, connection: sqlite3.Connection) -> None:
        """Drop what is too old or too much; what is being sent stays."""
        oldest = time() - self.max_age
        self._drop(connection, "spool_expired", before=oldest)
        connection.execute("DELETE FROM aside WHERE refused_at < ?", (oldest,))
        while bytes_used(connection) > self.max_bytes:
            if not self._drop(connection, "spool_full", before=inf):
                connection.execute("DELETE FROM aside")
                return

    def _drop(
        self, connection: sqlite3.Connection, reason: str, *, before: float
    ) -> int:
        dropped = connection.execute(
            "DELETE FROM messages WHERE id IN (SELECT id FROM"
            " (SELECT id, stored_at FROM messages ORDER BY id LIMIT ?) WHERE"
            " stored_at < ? AND id NOT IN"
            " (SELECT message FROM todo WHERE leased_until > 0))",
            (_OLDEST, before),
        ).rowcount
        if dropped:
            connection.execute(
                "INSERT INTO losses VALUES (?, ?)"
                " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
                (reason, dropped),
            )
            _guard.warn(
                f"spool.{reason}",
                "The spool in %s drops its oldest events (%s). Check that Libretto can "
                "be reached, or that a relay runs.",
                self.directory,
                _WHY[reason],
            )
        return dropped


def bytes_used(connection: sqlite3.Connection) -> int:
    """Measure how many bytes of the file are in use."""
    pages = scalar(connection, "PRAGMA page_count")
    free = scalar(connection, "PRAGMA freelist_count")
    return (pages - free) * scalar(connection, "PRAGMA page_size")
