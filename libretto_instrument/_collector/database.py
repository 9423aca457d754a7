"""The database: the file, its connections, and SQL, which is in ``sql/*.sql``."""

import sqlite3
import time
import zlib
from contextlib import closing
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from .._util.private_files import create_private
from .schema import Row

#: Marks a file as ours ("LbCo"), so that no other program's database is written to.
APPLICATION_ID = 0x4C62436F
#: Of the tables; a file of another version is refused.
SCHEMA_VERSION = 5
#: Seconds of the processor that the statements of one reader may take.
MAX_QUERY_CPU = 0.7
#: Seconds to wait for a lock that another program holds on the file.
LOCK_TIMEOUT = 1.0

#: Virtual machine steps between two looks at the clock.
_STEPS = 20_000
_EMPTY: Row = {}


def start_deadline(db: Connection) -> None:
    """Interrupt the connection's statements from ``MAX_QUERY_CPU`` seconds from now."""
    # A statement runs in the thread that began it. Waiting for a disk does not count.
    end = time.thread_time() + MAX_QUERY_CPU
    db.set_progress_handler(lambda: time.thread_time() > end, _STEPS)


def execute_script(
    db: Connection, name: str, values: Row = _EMPTY, **parts: str
) -> list[Row]:
    """Run the statements of ``sql/{name}.sql``; return the rows of the last.

    ``values`` fill placeholders; what comes from outside goes there. ``parts`` are text
    of our own, put in place of ``{part}``.
    """
    rows: list[Any] = []
    for statement in load_sql(name):
        text = statement.format(**parts) if parts else statement
        rows = db.execute(text, values).fetchall()
    return [dict(row) for row in rows]


def connect(path: Path) -> Connection:
    """Open a connection to a database that is up to date."""
    db = sqlite3.connect(
        path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    db.create_function("inflate", 1, _inflate_or_null, deterministic=True)
    return db


def inflate(body: bytes) -> str:
    """Return a stored body as JSON."""
    return zlib.decompress(body).decode()


def _inflate_or_null(body: bytes | None) -> str | None:
    return None if body is None else inflate(body)


def open_database(path: Path) -> None:
    """Create the file, or check that it can be used.

    Raises:
        ValueError: It cannot be used; the message says why and what to do.
    """
    try:
        for suffix in ("-wal", "-shm", "-journal"):
            if (beside := path.with_name(path.name + suffix)).is_symlink():
                raise ValueError(f"{beside} is a symbolic link; remove it.")
            if beside.exists():
                create_private(beside)
        # Created by us and not by SQLite: other users must not read prompts.
        create_private(path)
        with closing(connect(path)) as db:
            _create_tables(db)
    except OSError as exc:
        reason = exc.strerror or exc
        raise ValueError(f"Cannot open the database {path}: {reason}.") from exc
    except sqlite3.DatabaseError as exc:
        raise ValueError(f"{path} cannot be used ({exc}); choose another.") from exc


def _create_tables(db: Connection) -> None:
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    is_empty = db.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if owner != APPLICATION_ID and not is_empty:
        raise sqlite3.DatabaseError("it is another program's")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        raise sqlite3.DatabaseError("another version of libretto-instrument wrote it")
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("BEGIN IMMEDIATE")
    if db.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        execute_script(db, "schema")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    db.execute("COMMIT")


@cache
def load_sql(name: str) -> list[str]:
    """Return the statements of ``sql/{name}.sql``."""
    script = (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
    statements = [""]
    for line in script.splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return statements[:-1]
