"""The store: one SQLite file, one connection that writes, any number that read."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from attrs import define, field

from . import writes
from .database import LOCK_TIMEOUT, connect, open_database, start_deadline
from .schema import RequestError, Row

#: Characters of texts that are put before the search index takes them.
MAX_UNINDEXED = 200_000
#: The size that the write-ahead log is cut to, in bytes.
MAX_LOG_BYTES = 16 * 2**20

WriteJob = Callable[[Connection], Any]
_Task = tuple[WriteJob, "asyncio.Future[Any]"]


@define
class Store:
    """Owns the database file.

    Writes are done on the event loop: all that one turn of it brings goes into one
    transaction. A thread of their own would spend more on waiting for its turn than
    SQLite does on the writing.

    Attributes:
        path: The file.
        version: Changes with every write; each process begins with another.
        written: Bytes that were put so far.
    """

    path: Path
    version: int = field(factory=time.time_ns, init=False)
    written: int = field(default=0, init=False)
    _db: Connection = field(init=False)
    _queue: list[_Task] = field(factory=list, init=False)
    # Where writes are done; None before the first.
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    # Characters of texts that were put since texts were indexed last.
    _unindexed: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        open_database(self.path)
        self._db = connect(self.path)
        # What is committed survives the death of the process, if not that of the
        # machine. That is what a 2xx promises, at a tenth of the cost.
        self._db.execute("PRAGMA synchronous=NORMAL")
        # Events touch the same pages of many indexes: moved from the log to their
        # place less often, a page is moved once for more of them.
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.execute(f"PRAGMA journal_size_limit={MAX_LOG_BYTES}")

    def put(self, kind: str, values: Row) -> "asyncio.Future[Row]":
        """Store an event, feedback or a chain's result; resolve with the answer.

        ``values`` are what ``parse_…`` returned. What was answered survives a SIGKILL.
        """
        write = writes.KINDS[kind]
        row = values | {"now": time.time_ns() // 1_000_000}
        sizes = [len(v) for v in values.values() if isinstance(v, str | bytes)]
        self.written += 1_000 + sum(sizes)
        self._unindexed += len(values.get("text", ""))
        return self.submit(lambda db: write(db, row))

    def submit(self, job: WriteJob) -> "asyncio.Future[Any]":
        """Run ``job`` with the writing connection, inside a transaction."""
        self._loop = loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._queue.append((job, future))
        if len(self._queue) == 1:
            # A turn later than it could be: by then, what has come in meanwhile has
            # been decoded, and shares the transaction.
            loop.call_soon(loop.call_soon, self._write)
        return future

    async def index(self) -> None:
        """Have all events found by their words, those of the last moment too."""
        self._unindexed = 0
        with suppress(sqlite3.Error):  # They are found later, then.
            await self.submit(writes.index_texts)

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        """Lend a connection that only reads, whose statements have a deadline.

        For threads other than the event loop's.

        Raises:
            RequestError: A statement took more than ``MAX_QUERY_CPU``.
        """
        with closing(connect(self.path)) as db:
            db.execute("PRAGMA query_only=1")
            # All rows are taken, or the connection would go on to see that state.
            is_behind = db.execute("SELECT 1 FROM unindexed LIMIT 1").fetchall()
            if is_behind and self._loop is not None:
                indexed = asyncio.run_coroutine_threadsafe(self.index(), self._loop)
                wait([indexed], LOCK_TIMEOUT)
            start_deadline(db)
            try:
                yield db
            except sqlite3.OperationalError as exc:
                if str(exc) != "interrupted":
                    raise
                message = "This takes too long: ask for less, such as since=24h."
                raise RequestError(message) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def log_bytes(self) -> int:
        """Return the size of the write-ahead log."""
        log = Path(f"{self.path}-wal")
        return log.stat().st_size if log.exists() else 0

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file, unless a reader uses it."""
        (is_busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def _write(self) -> None:
        tasks, self._queue = self._queue, []
        error = self._commit(tasks)
        if isinstance(error, sqlite3.OperationalError) and _is_everybodys(error):
            for _, future in tasks:
                _resolve(future, error=error)
        elif error is not None:
            # One of them is at fault, and must not cost the others.
            for task in tasks:
                if own_error := self._commit([task]):
                    _resolve(task[1], error=own_error)
        self.version += 1

    def _commit(self, tasks: list[_Task]) -> Exception | None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            results = [(future, job(self._db)) for job, future in tasks]
            if self._unindexed > MAX_UNINDEXED:
                self._unindexed = 0
                writes.index_texts(self._db)
            self._db.execute("COMMIT")
        except Exception as exc:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return exc
        for future, result in results:
            _resolve(future, result)
        return None


def _resolve(
    future: "asyncio.Future[Any]", result: Any = None, error: Exception | None = None
) -> None:
    # Done already: the client has hung up. Its event stays.
    if not future.done():
        future.set_exception(error) if error else future.set_result(result)


def _is_everybodys(error: Exception) -> bool:
    """Return whether a failure has nothing to do with what was written."""
    text = str(error)
    return "locked" in text or "full" in text or "readonly" in text or "disk" in text
