"""What is to be done with the messages of a spool: one deed for each destination.

To write a message takes a single insert, without any of this. Those who deliver spread
the new messages into deeds, which are claimed, struck off and given up one by one. A
message goes with the last of its deeds.
"""

import sqlite3
from collections.abc import Sequence
from time import monotonic, time

from ._message import Message
from ._spool_values import Stored

#: Who takes a message to send it has it to itself for so many seconds, unless the claim
#: is renewed.
LEASE = 60.0
#: So many messages are spread in one go, which keeps writers waiting.
SPREAD = 1000
#: So many are taken over from another file in one transaction, which takes longer.
_ADOPTED = 100
#: So many are struck off with one statement: SQLite takes only so many values.
_AT_ONCE = 250

#: Writes a message. Its number is the one after the last one, and after all that were
#: ever spread: one that was given a second time would be taken for done. (As INSERT …
#: SELECT it would take the caller 2 µs more.)
ADD = """
    INSERT INTO messages
        (id, kind, message_id, order_key, writer, stored_at, at, destinations, body)
    VALUES (
        1 + max(
            coalesce((SELECT max(id) FROM messages), 0), (SELECT upto FROM spread)
        ),
        ?, ?, ?, ?, ?, ?, ?, ?
    )
"""
#: Keeps a message for inspection that was not claimed before.
ADD_ASIDE = "INSERT INTO aside VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#: Whether somebody has claimed it. All processes share the monotonic clock, which no
#: step of the wall clock moves. A claim that ends later than any can is from before the
#: machine was started.
HELD = "leased_until > 0 AND leased_until > :now AND leased_until <= :latest"
NOT_SPREAD = "FROM messages WHERE id > (SELECT upto FROM spread)"

# What this process may claim: not while another has a message of the same key. Without
# being told, SQLite would look at all that waits, and not at the few that are claimed.
_FREE = f"""
    FROM todo CROSS JOIN messages ON id = message
    WHERE destination = :destination AND NOT ({HELD})
    AND (order_key IS NULL OR order_key NOT IN (
        SELECT order_key FROM todo INDEXED BY leases CROSS JOIN messages ON id = message
        WHERE {HELD} AND destination = :destination AND owner != :me
        AND order_key IS NOT NULL
    ))
"""
_LAST = f"""
    SELECT message, length(body) {_FREE} ORDER BY message LIMIT :limit
"""
_CLAIM = f"""
    UPDATE todo SET owner = :me, leased_until = :until
    WHERE destination = :destination AND message IN (
        SELECT message {_FREE} AND message <= :last ORDER BY message LIMIT :limit
    )
"""
_OURS = """
    leased_until > 0 AND leased_until = :until AND destination = :destination
    AND owner = :me
"""
_CLAIMED = f"""
    SELECT id, kind, message_id, body, order_key, at
    FROM todo INDEXED BY leases CROSS JOIN messages ON id = message
    WHERE {_OURS} ORDER BY id
"""
# The file, and with it the numbers of messages, may have been made anew meanwhile.
_STILL_OURS = """
    destination = :destination AND message = :row AND owner = :me
    AND EXISTS (SELECT 1 FROM messages WHERE id = :row AND message_id = :id)
"""


def now() -> dict[str, object]:
    """Return the terms of `HELD`, as they are now."""
    at = monotonic()
    return {"now": at, "latest": at + 2 * LEASE}


def named(destinations: tuple[str, ...] | None) -> str | None:
    """Return destinations as they are written beside a message."""
    return None if destinations is None else "\n".join(destinations)


def destinations_of(text: str | None, otherwise: tuple[str, ...]) -> Sequence[str]:
    """Return what is written beside a message; ``otherwise`` if that is nothing."""
    return otherwise if text is None else text.split("\n")


def spread(connection: sqlite3.Connection, otherwise: tuple[str, ...]) -> None:
    """Make new messages into deeds, with one statement and only if there are any.

    Args:
        connection: The spool's.
        otherwise: The destinations of those that name none.
    """
    (last,) = connection.execute(
        f"SELECT max(id) FROM (SELECT id {NOT_SPREAD} ORDER BY id LIMIT {SPREAD})"
    ).fetchone()
    if last is not None:
        connection.execute(
            "UPDATE spread SET upto = :last, otherwise = :otherwise WHERE upto < :last",
            {"last": last, "otherwise": named(otherwise)},
        )


def claim(
    connection: sqlite3.Connection,
    terms: dict[str, object],
    limit: int,
    max_bytes: int,
    until: float,
) -> list[Stored]:
    """Claim what is free, the oldest first.

    Args:
        connection: The spool's, in no transaction.
        terms: ``destination``, and for claims: ``me``, ``now`` and ``latest``.
        limit: At most so many.
        max_bytes: At most so many bytes, but at least one message.
        until: Until when the claim holds, by the monotonic clock.
    """
    terms = terms | {"limit": limit, "until": until}
    # A look first, which unlike the claim keeps no writer waiting.
    last = _last_that_fits(connection, terms, max_bytes)
    if last is None:
        return []
    # One statement: a thread that has to wait for the interpreter in between two would
    # keep the writers waiting for as long.
    connection.execute(_CLAIM, terms | {"last": last})
    try:
        rows = connection.execute(_CLAIMED, terms).fetchall()
    except BaseException:
        # Kept, they would be nobody's to send for as long as this process is.
        connection.execute(f"UPDATE todo SET leased_until = 0 WHERE {_OURS}", terms)
        raise
    destination = str(terms["destination"])
    return [
        Stored(row, Message(kind, name, body, key, at), destination)
        for row, kind, name, body, key, at in rows
    ]


def _last_that_fits(
    connection: sqlite3.Connection, terms: dict[str, object], max_bytes: int
) -> int | None:
    last, size = None, 0
    for row, length in connection.execute(_LAST, terms).fetchall():
        size += length
        if last is not None and size > max_bytes:
            break
        last = row
    return last


def strike_off(
    connection: sqlite3.Connection, delivered: Sequence[Stored], me: str
) -> None:
    """End deeds that are still ours, and each message with its last one.

    Args:
        connection: The spool's.
        delivered: What was claimed, for one destination.
        me: Who claimed it.
    """
    for start in range(0, len(delivered), _AT_ONCE):
        part = delivered[start : start + _AT_ONCE]
        # One statement again, for them all.
        pairs = ", ".join(["(?, ?)"] * len(part))
        terms = [value for stored in part for value in (stored.row, stored.message.id)]
        connection.execute(
            f"WITH done (row, name) AS (VALUES {pairs}) DELETE FROM todo"
            " WHERE destination = ? AND owner = ? AND message IN (SELECT row FROM done"
            " CROSS JOIN messages ON id = row WHERE message_id = name)",
            [*terms, part[0].destination, me],
        )


def set_aside(
    connection: sqlite3.Connection, stored: Stored, me: str, reason: str
) -> None:
    """Keep a copy for inspection, and strike it off."""
    connection.execute(
        "INSERT INTO aside SELECT NULL, kind, message_id, order_key, writer, stored_at,"
        " :time, :reason, at, destination, body"
        f" FROM todo CROSS JOIN messages ON id = message WHERE {_STILL_OURS}",
        {"time": time(), "reason": reason} | _terms(stored, me),
    )
    strike_off(connection, [stored], me)


def _terms(stored: Stored, me: str) -> dict[str, object]:
    return {
        "row": stored.row,
        "id": stored.message.id,
        "destination": stored.destination,
        "me": me,
    }


def count_losses(connection: sqlite3.Connection, reason: str, count: int) -> None:
    """Remember that so many messages were dropped."""
    if count:
        connection.execute(
            "INSERT INTO losses VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
            (reason, count),
        )


def waiting_for(
    connection: sqlite3.Connection, otherwise: tuple[str, ...]
) -> dict[str, int]:
    """Count what is to be done, by destination."""
    counts: dict[str, int] = dict(
        connection.execute(
            "SELECT destination, count(*) FROM todo GROUP BY destination"
        ).fetchall()
    )
    for text, count in connection.execute(
        f"SELECT destinations, count(*) {NOT_SPREAD} GROUP BY destinations"
    ):
        for destination in destinations_of(text, otherwise):
            counts[destination] = counts.get(destination, 0) + count
    return counts


def adopt(
    former: sqlite3.Connection,
    connection: sqlite3.Connection,
    terms: dict[str, object],
    destination: str,
) -> bool:
    """Take over messages from a file of the version before.

    Args:
        former: That file's, in a transaction.
        connection: The spool's, in a transaction that ends first.
        terms: For claims: ``now`` and ``latest``.
        destination: Who refused what is set aside there.

    Returns:
        Whether there were any that nobody held.
    """
    rows = former.execute(
        "SELECT id, kind, message_id, order_key, writer, stored_at, stored_at, NULL,"
        f" body FROM messages WHERE NOT ({HELD}) ORDER BY id LIMIT {_ADOPTED}",
        terms,
    ).fetchall()
    refused = former.execute(
        "SELECT id, kind, message_id, order_key, writer, stored_at, refused_at, reason,"
        f" ?, body FROM aside ORDER BY id LIMIT {_ADOPTED}",
        (destination,),
    ).fetchall()
    connection.executemany(ADD, [row[1:] for row in rows])
    connection.executemany(
        "INSERT INTO aside VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
        [row[1:] for row in refused],
    )
    for table, gone in (("messages", rows), ("aside", refused)):
        former.executemany(
            f"DELETE FROM {table} WHERE id = ?", [row[:1] for row in gone]
        )
    return bool(rows or refused)
