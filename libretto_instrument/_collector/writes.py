"""Writes to the store: events, feedback, results of chains, and deletions."""

import json
from sqlite3 import Connection

from .database import execute_script, inflate, load_sql
from .schema import Row, parse_event


def put_event(db: Connection, values: Row) -> Row:
    """Store an event and the time ``now``; one whose id is known changes nothing."""
    row = _prepare(db, values)
    if row["stored_as"] is None:
        cursor = db.execute(load_sql("insert_event")[0], row)
        row |= {"seq": cursor.lastrowid, "n": 1}
        _count(db, row)
        _insert_texts(db, row)
        if row["replayed"] is not None:
            execute_script(db, "insert_replayed", row | row["replayed"])
    return {"id": values["id"], "api_name": row["stored_as"] or values["name"]}


def replace_event(db: Connection, values: Row) -> None:
    """Give the event ``seq`` another body, and with it another template."""
    old = _read_event(db, values["seq"])
    row = _prepare(db, values | {"now": 0, "id": ""})
    row = old | values | {key: row[key] for key in ("prompt_id", "revision_id")}
    _delete_texts(db, old)
    execute_script(db, "replace_event", row)
    _insert_texts(db, row)
    _count(db, row | {"n": 1})
    _count(db, old | {"n": -1})
    execute_script(db, "delete_unused", old)


def index_texts(db: Connection) -> None:
    """Have all events found by their words, those that were put of late too."""
    execute_script(db, "index_texts")


def put_feedback(db: Connection, values: Row) -> Row:
    """Store feedback; return what is known under its key now."""
    return execute_script(db, "put_feedback", values)[0]


def put_chain(db: Connection, values: Row) -> Row:
    """Store the result of a chain."""
    return execute_script(db, "put_chain", values)[0]


def delete_expired(
    db: Connection, cutoff: int, excess: int, delete_cases: bool, batch: int
) -> int:
    """Delete at most ``batch`` of the oldest rows of each table; return how many.

    Everything before ``cutoff`` goes, in unix milliseconds, and the oldest events while
    there are ``excess`` bytes too many; cases only with ``delete_cases``.
    """
    bounds = {"cutoff": cutoff, "excess": excess, "batch": batch}
    bounds |= {"delete_cases": delete_cases}
    before = db.total_changes
    rows = execute_script(db, "expired_events", bounds)
    for row in rows:
        _delete_texts(db, row)
        execute_script(db, "delete_event", row)
        _count(db, row | {"n": -1})
        execute_script(db, "delete_unused", row)
    # Words of what was deleted stay in the index until it is merged.
    if rows:
        db.execute("INSERT INTO search (search, rank) VALUES ('merge', -200)")
    # Beyond the size, what belongs to no event goes with the events of its time.
    if excess > 0:
        (oldest,) = db.execute("SELECT min(received_at) FROM events").fetchone()
        bounds["cutoff"] = 2**62 if oldest is None else max(cutoff, oldest)
    execute_script(db, "delete_orphans", bounds)
    return db.total_changes - before


def _prepare(db: Connection, values: Row) -> Row:
    """Return values with the ids of prompt and revision, which are created."""
    row = values | execute_script(db, "prepare_event", values)[0]
    if row["revision_id"] is None and row["stored_as"] is None:
        execute_script(db, "insert_revision", values)
        row |= execute_script(db, "prepare_event", values)[0]
    return row


def _count(db: Connection, row: Row) -> None:
    if row["replay"] is None:
        execute_script(db, "count_event", row)


def _read_event(db: Connection, seq: int) -> Row:
    sql = "SELECT * FROM events JOIN bodies USING (seq) WHERE seq = ?"
    return dict(db.execute(sql, (seq,)).fetchone())


def _insert_texts(db: Connection, row: Row) -> None:
    db.execute("INSERT INTO bodies VALUES (:seq, :ask, :answer, :body)", row)
    db.execute("INSERT INTO unindexed VALUES (:seq, :text)", row)
    pairs = [(*pair, row["seq"]) for pair in row["context"]]
    db.executemany("INSERT INTO context VALUES (?, ?, ?) ON CONFLICT DO NOTHING", pairs)


def _delete_texts(db: Connection, row: Row) -> None:
    """Delete what an event is found by, which follows from its body."""
    values = parse_event(json.loads(inflate(row["body"])))
    if not db.execute("DELETE FROM unindexed WHERE seq = ?", (row["seq"],)).rowcount:
        sql = "INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)"
        db.execute(sql, (row["seq"], values["text"]))
    pairs = [(*pair, row["seq"]) for pair in values["context"]]
    db.executemany("DELETE FROM context WHERE (key, value, seq) = (?, ?, ?)", pairs)


KINDS = {"event": put_event, "feedback": put_feedback, "chain": put_chain}
