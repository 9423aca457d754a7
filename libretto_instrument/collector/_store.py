"""The store: one SQLite file, one thread that writes, any number that read."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from attrs import define, field

from . import _sql
from ._wire import Record

#: The most that is written in one transaction; the rest waits for the next.
MAX_BATCH = 200

Job = Callable[[sqlite3.Connection], Any]


@define
class Store:
    """Owns the database file.

    One thread writes: it puts all that is waiting into one transaction, and answers
    after the commit.

    Attributes:
        path: The file.
        version: Changes with every write; each process begins with another.
    """

    path: Path
    version: int = field(factory=time.time_ns, init=False)
    _jobs: "SimpleQueue[tuple[Job, Future[Any]] | None]" = field(init=False)
    _idle: list[sqlite3.Connection] = field(factory=list, init=False)
    _writer: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        _sql.prepare(self.path)
        self._jobs = SimpleQueue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def put(self, record: Record) -> "Future[dict[str, Any]]":
        """Store a record; the future resolves once it would survive a SIGKILL."""
        values = {"now": time.time_ns() // 1_000_000, **record.values}
        return self.submit(lambda db: _sql.run(db, f"put_{record.kind}", values)[0])

    def submit(self, job: Job) -> "Future[Any]":
        """Run ``job`` with the writing connection, inside a transaction.

        It is run again if another job of its transaction fails.
        """
        future: Future[Any] = Future()
        # Running from now on: a client that hangs up does not take its event back.
        future.set_running_or_notify_cancel()
        self._jobs.put((job, future))
        return future

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that only reads, to one thread at a time."""
        try:
            db = self._idle.pop()
        except IndexError:
            db = _sql.connect(self.path)
            db.execute("PRAGMA query_only=1")
        try:
            yield db
        finally:
            self._idle.append(db)

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self._jobs.put(None)
        self._writer.join()
        while self._idle:
            self._idle.pop().close()

    def _write(self) -> None:
        db = _sql.connect(self.path)
        while first := self._jobs.get():
            batch = [first]
            while len(batch) < MAX_BATCH and not self._jobs.empty():
                if (following := self._jobs.get()) is None:
                    self._jobs.put(None)
                    break
                batch.append(following)
            _commit(db, batch)
            self.version += 1
        db.close()


def _commit(db: sqlite3.Connection, batch: list[tuple[Job, "Future[Any]"]]) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
        answers = [job(db) for job, _ in batch]
        db.execute("COMMIT")
    except Exception as exc:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if len(batch) == 1:
            batch[0][1].set_exception(exc)
        else:
            # One that fails must not take the others with it.
            for one in batch:
                _commit(db, [one])
        return
    for (_, future), answer in zip(batch, answers, strict=True):
        future.set_result(answer)
