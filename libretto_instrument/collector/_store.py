"""The store: one SQLite file, one connection that writes, any number that read."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field

from . import _sql

Job = Callable[[sqlite3.Connection], Any]


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
    _db: sqlite3.Connection = field(init=False)
    _waiting: "list[tuple[Job, asyncio.Future[Any]]]" = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        _sql.prepare(self.path)
        self._db = _sql.connect(self.path)
        # What is committed survives the death of the process, if not that of the
        # machine. That is what a 2xx promises, at a tenth of the cost.
        self._db.execute("PRAGMA synchronous=NORMAL")
        # Events touch the same pages of many indexes: moved from the log to their
        # place less often, a page is moved once for more of them.
        self._db.execute("PRAGMA wal_autocheckpoint=4000")

    def put(self, kind: str, values: _sql.Row) -> "asyncio.Future[_sql.Row]":
        """Store an event, feedback or a chain's result; resolve with the answer.

        What has been answered survives a SIGKILL.
        """
        values = {"now": time.time_ns() // 1_000_000} | values
        return self.submit(lambda db: _sql.run(db, f"put_{kind}", values)[0])

    def submit(self, job: Job) -> "asyncio.Future[Any]":
        """Run ``job`` with the writing connection, inside a transaction.

        Who waits in the same transaction shares its fate. What can fail has nothing
        to do with the job: a disk that is full, a lock that is held too long.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((job, future))
        if len(self._waiting) == 1:
            # A turn later than it could be: by then, what has come in meanwhile has
            # been decoded, and shares the transaction.
            loop.call_soon(loop.call_soon, self._write)
        return future

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that only reads."""
        with closing(_sql.connect(self.path)) as db:
            db.execute("PRAGMA query_only=1")
            yield db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write(self) -> None:
        tasks, self._waiting = self._waiting, []
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
