"""How much a spool may hold, and for how long."""

import sqlite3
from contextlib import suppress
from itertools import islice
from math import inf
from pathlib import Path
from time import time

from attrs import frozen

from .._util import errors
from ._ingestion import drop_oldest, unmoved_bytes
from ._journal_reading import journals_in
from ._spool_deeds import count_losses
from ._spool_file import FILE, scalar

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
        directory: The spool's.
        max_bytes: At most so many bytes are in use.
        max_age: No message is older, in seconds.
    """

    directory: Path
    max_bytes: int
    max_age: float

    @property
    def oldest(self) -> float:
        """When what may be kept was written at the earliest, as seconds since then."""
        return time() - self.max_age

    def keep(self, connection: sqlite3.Connection) -> None:
        """Drop what is too old or too much; what is being sent stays."""
        oldest = self.oldest
        self._drop(connection, "spool_expired", before=oldest)
        connection.execute("DELETE FROM aside WHERE refused_at < ?", (oldest,))
        while self._too_much(connection) > 0:
            if not self._drop(connection, "spool_full", before=inf):
                break
        # What is in the journals is younger.
        lost = drop_oldest(
            connection,
            self.directory,
            too_much=self._too_much(connection),
            oldest=oldest,
        )
        for reason, count in lost.items():
            self.tell(reason, count)
        if bytes_used(connection) > self.max_bytes:
            connection.execute("DELETE FROM aside")

    def _too_much(self, connection: sqlite3.Connection) -> int:
        in_journals = unmoved_bytes(connection, self.directory)
        return bytes_used(connection) + in_journals - self.max_bytes

    def may_be_exceeded(self) -> bool:
        """Say whether to ``keep`` them may change anything. It takes no lock."""
        lengths = journals_in(self.directory)
        total = sum(lengths.values())
        with suppress(FileNotFoundError):
            for path in islice(lengths, 1):
                if path.stat().st_mtime < self.oldest:
                    return True
            for name in (FILE, f"{FILE}-wal"):
                total += (self.directory / name).stat().st_size
        return total > self.max_bytes

    def _drop(
        self, connection: sqlite3.Connection, reason: str, *, before: float
    ) -> int:
        dropped = connection.execute(
            "DELETE FROM messages WHERE id IN (SELECT id FROM"
            " (SELECT id, stored_at FROM messages WHERE id NOT IN"
            " (SELECT message FROM todo WHERE leased_until > 0) ORDER BY id LIMIT ?)"
            " WHERE stored_at < ?)",
            (_OLDEST, before),
        ).rowcount
        count_losses(connection, reason, dropped)
        self.tell(reason, dropped)
        return dropped

    def tell(self, reason: str, dropped: int) -> None:
        """Warn of messages that were dropped, if there are any."""
        if dropped:
            errors.warn(
                f"spool.{reason}",
                "The spool in %s drops its oldest events (%s). Check that Libretto can "
                "be reached, or that a relay runs.",
                self.directory,
                _WHY[reason],
            )


def bytes_used(connection: sqlite3.Connection) -> int:
    """Measure how many bytes of the file are in use."""
    pages = scalar(connection, "PRAGMA page_count")
    free = scalar(connection, "PRAGMA freelist_count")
    return (pages - free) * scalar(connection, "PRAGMA page_size")
