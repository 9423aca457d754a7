"""The database: its file, its migrations, and SQL, which lives in files of its own."""

import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import Any

#: Marks a file as ours ("LbCo"), so that no other program's database is written to.
APPLICATION_ID = 0x4C62436F

Row = dict[str, Any]

_NONE: Row = {}


def run(db: Connection, name: str, values: Row = _NONE, **parts: str) -> list[Row]:
    """Run the statements of ``sql/{name}.sql``; return the rows of the last.

    Args:
        values: For the placeholders; what comes from outside goes here.
        parts: Text put in place of ``{part}``; only ever text of our own.
    """
    rows: list[Any] = []
    for statement in _statements(name):
        text = statement.format(**parts) if parts else statement
        rows = db.execute(text, values).fetchall()
    return [dict(row) for row in rows]


def connect(path: Path) -> Connection:
    """Open a connection to a database that is up to date."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def prepare(path: Path) -> None:
    """Create the file, or bring it up to date.

    Raises:
        ValueError: It cannot be used; the message says why and what to do.
    """
    try:
        # Created by us and not by SQLite: prompts are nobody else's to read.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(connect(path)) as db:
            _migrate(db)
    except OSError as exc:
        raise ValueError(f"Cannot open the database {path}: {exc.strerror}.") from exc
    except sqlite3.DatabaseError as exc:
        raise ValueError(f"{path} cannot be used ({exc}); choose another.") from exc


def create_events(db: Connection) -> None:
    """Prompts, the revisions of their templates, events."""
    run(db, "create_events")


def create_feedback_and_chains(db: Connection) -> None:
    """Feedback by its key, results by their chain."""
    run(db, "create_feedback_and_chains")


def create_search(db: Connection) -> None:
    """The full-text index."""
    run(db, "create_search")


#: In order; a database remembers how many of them it has seen.
MIGRATIONS = [create_events, create_feedback_and_chains, create_search]


def _migrate(db: Connection) -> None:
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    if owner != APPLICATION_ID and db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("it is another program's")
    if _version(db) > len(MIGRATIONS):
        raise sqlite3.DatabaseError("it was written by a newer libretto-instrument")
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    for migrate in MIGRATIONS[_version(db) :]:
        migrate(db)
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
    db.execute("COMMIT")


def _version(db: Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@cache
def _statements(name: str) -> list[str]:
    script = (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
    statements = [""]
    for line in script.splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return statements[:-1]
