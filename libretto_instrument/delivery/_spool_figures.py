"""How much is in a spool, wherever in it."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from . import _spool_deeds
from ._ingestion import offsets, unmoved_bytes, waiting
from ._message import HOME
from ._spool_bounds import bytes_used
from ._spool_file import scalar
from ._spool_values import SpoolStats

#: How often figures are taken anew if something was moved meanwhile.
_LOOKS = 5


def stats_of(
    connection: sqlite3.Connection,
    directory: Path,
    otherwise: tuple[str, ...] = (HOME,),
) -> SpoolStats:
    """Count what is in a spool.

    Args:
        connection: To its file.
        directory: Where it is.
        otherwise: The destinations of messages that name none.
    """
    for _ in range(_LOOKS):
        with _at_one_moment(connection):
            moved = offsets(connection)
            found = _stats_in_file(connection, otherwise)
            unmoved = unmoved_bytes(connection, directory)
        entries = [
            (entry.destinations, entry.stored_at) for entry in waiting(directory, moved)
        ]
        if offsets(connection) == moved:
            break
    waiting_for = Counter(found.waiting_for)
    for destinations, _ in entries:
        waiting_for.update(_spool_deeds.destinations_of(destinations, otherwise))
    times = [at for _, at in entries]
    if found.oldest_at is not None:
        times.append(found.oldest_at)
    return evolve(
        found,
        waiting=found.waiting + len(entries),
        waiting_for=dict(waiting_for),
        oldest_at=min(times, default=None),
        size=found.size + unmoved,
    )


@contextmanager
def _at_one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Read what is there at one moment, whatever others write meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def _stats_in_file(
    connection: sqlite3.Connection, otherwise: tuple[str, ...]
) -> SpoolStats:
    waiting_there, oldest = connection.execute(
        "SELECT count(*), min(stored_at) FROM messages"
    ).fetchone()
    claimed = f"SELECT count(DISTINCT message) FROM todo WHERE {_spool_deeds.HELD}"
    return SpoolStats(
        waiting=waiting_there,
        waiting_for=_spool_deeds.waiting_for(connection, otherwise),
        claimed=scalar(connection, claimed, _spool_deeds.now()),
        aside=scalar(connection, "SELECT count(*) FROM aside"),
        lost=dict(connection.execute("SELECT reason, count FROM losses")),
        oldest_at=oldest,
        size=bytes_used(connection),
    )
