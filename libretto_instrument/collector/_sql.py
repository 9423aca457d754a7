"""The database: its file, its migrations, and SQL, which lives in files of its own."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

#: Marks a file as ours ("LbCo"), so that no other program's database is written to.
APPLICATION_ID = 0x4C62436F

Row = dict[str, Any]


def run(
    db: sqlite3.Connection,
    name: str,
    values: Mapping[str, Any] | None = None,
    **parts: str,
) -> list[Row]:
    """Run the statements of ``sql/{name}.sql``; return the rows of the last.

    Args:
        values: For the placeholders; what comes from outside goes here.
        parts: Text put in place of ``{part}``; only ever text of our own.
    """
    rows: list[Any] = []
    for statement in _statements(name):
        rows = db.execute(statement.format(**parts), values or {}).fetchall()
    return [dict(row) for row in rows]


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection to a database that is up to date."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    # NORMAL: what is committed survives the death of the process, if not that of
    # the machine. That is what a 2xx promises, at a tenth of the cost.
    for setting in ("synchronous=NORMAL", "busy_timeout=5000", "cache_size=-32768"):
        db.execute(f"PRAGMA {setting}")
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
        message = f"{path} cannot be used as a database ({exc}); choose another file."
        raise ValueError(message) from exc


def create_events(db: sqlite3.Connection) -> None:
    """Prompts, the revisions of their templates, events."""
    run(db, "create_events")


def create_feedback_and_chains(db: sqlite3.Connection) -> None:
    """Feedback by its key, results by their chain."""
    run(db, "create_feedback_and_chains")


def create_search(db: sqlite3.Connection) -> None:
    """The full-text index."""
    run(db, "create_search")


#: In order; a database remembers how many of them it has seen.
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [
    create_events,
    create_feedback_and_chains,
    create_search,
]


def _migrate(db: sqlite3.Connection) -> None:
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS) or (tables and owner != APPLICATION_ID):
        message = "it is another program's, or a newer libretto-instrument's"
        raise sqlite3.DatabaseError(message)
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    for migrate in MIGRATIONS[version:]:
        migrate(db)
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
    db.execute("COMMIT")


@cache
def _statements(name: str) -> list[str]:
    script = (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
    statements = [""]
    for line in script.splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return statements[:-1]
