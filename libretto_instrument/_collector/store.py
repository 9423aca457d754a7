"""The store: one SQLite file, one connection that writes, any number that read.

SQL lives in files of its own, ``sql/*.sql``.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from attrs import define, field

#: Marks a file as ours ("LbCo"), so that no other program's database is written to.
APPLICATION_ID = 0x4C62436F

Row = dict[str, Any]
WriteJob = Callable[[Connection], Any]

_EMPTY: Row = {}


@define
class Store:
    """Owns the database file.

    Writes are done on the event loop: all that one turn of it brings goes into one
    transaction. A thread of their own would spend more on waiting for its turn than
    SQLite does on the writing.

    Attributes:
        path: The file.
        version: Changes with every write; each process begins with another.
    """

    path: Path
    version: int = field(factory=time.time_ns, init=False)
    _db: Connection = field(init=False)
    _queue: "list[tuple[WriteJob, asyncio.Future[Any]]]" = field(
        factory=list, init=False
    )

    def __attrs_post_init__(self) -> None:
        open_database(self.path)
        self._db = connect(self.path)
        # What is committed survives the death of the process, if not that of the
        # machine. That is what a 2xx promises, at a tenth of the cost.
        self._db.execute("PRAGMA synchronous=NORMAL")
        # Events touch the same pages of many indexes: moved from the log to their
        # place less often, a page is moved once for more of them.
        self._db.execute("PRAGMA wal_autocheckpoint=4000")

    def put(self, kind: str, values: Row) -> "asyncio.Future[Row]":
        """Store an event, feedback or a chain's result; resolve with the answer.

        What has been answered survives a SIGKILL.
        """
        values = {"now": time.time_ns() // 1_000_000} | values
        return self.submit(lambda db: execute_script(db, f"put_{kind}", values)[0])

    def submit(self, job: WriteJob) -> "asyncio.Future[Any]":
        """Run ``job`` with the writing connection, inside a transaction.

        Who waits in the same transaction shares its fate. What can fail has nothing
        to do with the job: a disk that is full, a lock that is held too long.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._queue.append((job, future))
        if len(self._queue) == 1:
            # A turn later than it could be: by then, what has come in meanwhile has
            # been decoded, and shares the transaction.
            loop.call_soon(loop.call_soon, self._write)
        return future

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """Lend a connection that only reads."""
        with closing(connect(self.path)) as db:
            db.execute("PRAGMA query_only=1")
            yield db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write(self) -> None:
        tasks, self._queue = self._queue, []
        try:
            self._db.execute("BEGIN IMMEDIATE")
            answers = [(future, job(self._db)) for job, future in tasks]
            self._db.execute("COMMIT")
        except Exception as exc:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for _, future in tasks:
                if not future.done():
                    future.set_exception(exc)
        else:
            for future, answer in answers:
                # Done already: the client has hung up. Its event stays.
                if not future.done():
                    future.set_result(answer)
        self.version += 1


def execute_script(
    db: Connection, name: str, values: Row = _EMPTY, **parts: str
) -> list[Row]:
    """Run the statements of ``sql/{name}.sql``; return the rows of the last.

    Args:
        values: For the placeholders; what comes from outside goes here.
        parts: Text put in place of ``{part}``; only ever text of our own.
    """
    rows: list[Any] = []
    for statement in _load_sql(name):
        text = statement.format(**parts) if parts else statement
        rows = db.execute(text, values).fetchall()
    return [dict(row) for row in rows]


def connect(path: Path) -> Connection:
    """Open a connection to a database that is up to date."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def open_database(path: Path) -> None:
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
    execute_script(db, "create_events")


def create_feedback_and_chains(db: Connection) -> None:
    """Feedback by its key, results by their chain."""
    execute_script(db, "create_feedback_and_chains")


def create_search(db: Connection) -> None:
    """The full-text index."""
    execute_script(db, "create_search")


def create_replays(db: Connection) -> None:
    """What replays recorded, by their replay and case."""
    execute_script(db, "create_replays")


#: In order; a database remembers how many of them it has seen.
MIGRATIONS = [
    create_events,
    create_feedback_and_chains,
    create_search,
    create_replays,
]


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
def _load_sql(name: str) -> list[str]:
    script = (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
    statements = [""]
    for line in script.splitlines(keepends=True):
        statements[-1] += line
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return statements[:-1]
