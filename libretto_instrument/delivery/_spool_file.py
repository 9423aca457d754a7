"""The file behind the spool: opened late, guarded, and replaced when it is spoilt."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

from .._util import errors
from . import _life

#: Tells our files from other people's: "Libr".
APPLICATION = 0x4C696272
#: The file's name says which form of the tables it has, so that versions of this
#: library that differ in it can share a directory.
FILE = "spool-2.db"
#: The file of the version before, in which nothing is written any more.
FORMER_FILE = "spool-1.db"
#: Nobody waits for a busy file for longer, in seconds: SQLite counts in few bits.
_LONGEST_WAIT = 24 * 3600.0
#: For how long a fork waits for whoever uses the connection, in seconds.
_FORK_PATIENCE = 1.0
#: Connections of a parent's threads that were in use at the fork. A child must neither
#: use nor close them: SQLite's own locks were held, and nobody here releases them.
_parents: list[sqlite3.Connection] = []

_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    order_key TEXT,
    writer TEXT NOT NULL,
    stored_at REAL NOT NULL,
    at REAL,
    -- One a line. None leaves it to whoever delivers the message.
    destinations TEXT,
    body BLOB NOT NULL
);
-- To store a message touches the table of messages alone. Those who deliver make it
-- into as many deeds as it has destinations, which they do each by itself.
CREATE TABLE todo (
    destination TEXT NOT NULL,
    message INTEGER NOT NULL,
    owner TEXT,
    leased_until REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, message)
) WITHOUT ROWID;
CREATE INDEX leases ON todo (leased_until) WHERE leased_until > 0;
-- All that there is or was anything to do for. An index on the messages would have to
-- be written with each deed; these are few, and looked up one by one.
CREATE TABLE destinations (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER nothing_to_do AFTER DELETE ON messages BEGIN
    DELETE FROM todo
    WHERE destination IN (SELECT name FROM destinations) AND message = old.id;
END;
CREATE TRIGGER all_done AFTER DELETE ON todo BEGIN
    DELETE FROM messages WHERE id = old.message AND NOT EXISTS (
        SELECT 1 FROM todo
        WHERE destination IN (SELECT name FROM destinations) AND message = old.message
    );
END;
-- Up to which message that has been done, and to whom went what named no destination.
-- To move it on does it, in one statement: a thread that has to wait for the
-- interpreter in between two would keep the writers waiting for as long.
CREATE TABLE spread (upto INTEGER NOT NULL, otherwise TEXT NOT NULL);
INSERT INTO spread VALUES (0, '');
CREATE TRIGGER spread_further AFTER UPDATE ON spread BEGIN
    INSERT OR IGNORE INTO destinations SELECT name FROM (
        WITH RECURSIVE split (name, rest) AS (
            SELECT DISTINCT NULL, coalesce(destinations, new.otherwise) || char(10)
            FROM messages WHERE id > old.upto AND id <= new.upto
            UNION ALL
            SELECT
                substr(rest, 1, instr(rest, char(10)) - 1),
                substr(rest, instr(rest, char(10)) + 1)
            FROM split WHERE rest != ''
        )
        SELECT name FROM split WHERE name IS NOT NULL
    );
    INSERT OR IGNORE INTO todo (destination, message)
    SELECT name, id FROM messages CROSS JOIN destinations ON instr(
        char(10) || coalesce(destinations, new.otherwise) || char(10),
        char(10) || name || char(10)
    )
    WHERE id > old.upto AND id <= new.upto;
END;
CREATE TABLE aside (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    order_key TEXT,
    writer TEXT NOT NULL,
    stored_at REAL NOT NULL,
    refused_at REAL NOT NULL,
    reason TEXT NOT NULL,
    at REAL,
    destination TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE losses (reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
#: How far each journal was moved here, in bytes. Files that were made before there were
#: journals are given it when they are opened.
_JOURNALS = """
CREATE TABLE IF NOT EXISTS journals (
    name TEXT PRIMARY KEY, offset INTEGER NOT NULL
) WITHOUT ROWID
"""


class SpoolFile:
    """One connection to the spool's file, for one thread at a time.

    Everything that can happen to a file happens: it is deleted or replaced while it is
    open, it is damaged, it belongs to somebody else, its directory can't be written.
    The connection is closed before a fork, for SQLite's must not cross one.
    """

    def __init__(
        self, directory: Path, *, busy: float, checkpoint: int, name: str = FILE
    ) -> None:
        """Make a connection that is not open yet.

        Args:
            directory: Where the file is, or will be.
            busy: For how many seconds to wait for the lock, or for other processes.
            checkpoint: Move the log into the file when it has so many pages.
            name: The file's.
        """
        self.path = directory / name
        self._busy = min(busy, _LONGEST_WAIT)
        self._checkpoint = checkpoint
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._user: int | None = None
        self._locked_for_fork = False
        _life.reset_after_fork(self)
        _life.close_before_fork(self)

    @contextmanager
    def use(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """Have the connection to oneself, opened if need be.

        Args:
            patience: For how many seconds to wait for others, this once.

        Raises:
            sqlite3.Error: The file can't be used now. One that never can be again has
                been moved out of the way, so that another attempt may succeed.
            OSError: Likewise.
        """
        me = threading.get_ident()
        # A finaliser or a signal handler may run inside this very block.
        wait = self._busy if patience is None else min(patience, self._busy)
        if self._user == me or not self._lock.acquire(timeout=wait):
            raise sqlite3.OperationalError("busy in this process")
        self._user = me
        try:
            connection = self._open()
            if patience is None:
                yield connection
            else:
                _wait_for_others(connection, wait)
                try:
                    yield connection
                finally:
                    _wait_for_others(connection, self._busy)
        except sqlite3.DatabaseError as exc:
            self._after_failure(exc)
            raise
        finally:
            self._user = None
            self._lock.release()

    def close(self) -> None:
        """Close the connection; another use opens it again."""
        # Not from inside a use, as in a signal handler: that would wait for itself.
        if self._user != threading.get_ident() and self._lock.acquire(
            timeout=self._busy
        ):
            try:
                self._close()
            finally:
                self._lock.release()

    def before_fork(self) -> None:
        """Close the connection, and keep it closed until after the fork.

        If it is in use for too long, it stays with its user, open.
        """
        self._locked_for_fork = self._lock.acquire(timeout=_FORK_PATIENCE)
        if self._locked_for_fork:
            self._close()

    def after_fork_in_parent(self) -> None:
        """Let it be used again."""
        if self._locked_for_fork:
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Start afresh."""
        if self._connection is not None:
            _parents.append(self._connection)
            self._connection = None
        self._lock = threading.Lock()
        self._user = None

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            # Whoever deletes the file must not make us write into the void.
            with suppress(FileNotFoundError):
                if self._identity == _identity(self.path):
                    return self._connection
            self._close()
            errors.warn_once(
                "spool.vanished",
                "The spool %s was deleted or replaced while in use; what was in it and "
                "not yet sent is lost. A new one is made.",
                self.path,
            )
        make_directory(self.path.parent)
        with _sole_opener(self.path.parent):
            with suppress(FileExistsError):
                # Before SQLite makes it, with the permissions of its own choice.
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._connection = self._connect()
            self._identity = _identity(self.path)
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self._busy,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _prepare(connection, self._checkpoint)
        except BaseException:
            connection.close()
            raise
        return connection

    def _after_failure(self, exc: sqlite3.DatabaseError) -> None:
        if type(exc) is not sqlite3.DatabaseError:
            # Busy, full, not writable: that may pass, and the file is not to blame.
            if "locked" not in str(exc):
                self._close()
            return
        spoilt = self._identity
        self._close()
        with suppress(OSError), _sole_opener(self.path.parent):
            # Somebody else may have replaced it by now.
            if spoilt is None or spoilt == _identity(self.path):
                _move_away(self.path)
        self._identity = None


def _wait_for_others(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _prepare(connection: sqlite3.Connection, checkpoint: int) -> None:
    """Make the file ours if it is empty; see that it is ours if not."""
    application = scalar(connection, "PRAGMA application_id")
    tables = scalar(connection, "SELECT count(*) FROM sqlite_master")
    if application == 0 and tables == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION}; COMMIT;"
        )
    elif application != APPLICATION:
        raise sqlite3.DatabaseError("not a spool")
    connection.execute(_JOURNALS)
    # Survives the death of the process; a loss of power may take the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoint}")
    connection.execute("PRAGMA cache_size = -1024")


def scalar(
    connection: sqlite3.Connection,
    query: str,
    terms: Sequence[object] | Mapping[str, object] = (),
) -> int:
    """Ask for a single number."""
    found: int = connection.execute(query, terms).fetchone()[0]
    return found


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing, with no other writer in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def make_directory(directory: Path) -> None:
    """Make the spool's directory, for this user alone, if it does not exist."""
    with suppress(FileExistsError):
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        return
    if os.name == "posix" and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        errors.warn_once(
            f"spool.mode:{directory}",
            "The spool's directory %s is open to other users of this machine. Its "
            "files are not, but you may want to run: chmod 700 %s",
            directory,
            directory,
        )


@contextmanager
def _sole_opener(directory: Path) -> Iterator[None]:
    """Keep other processes from making or replacing the file meanwhile."""
    try:
        import fcntl
    except ImportError:  # Windows, where an open file can't be moved away anyhow.
        yield
        return
    lock = os.open(directory / "spool.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _move_away(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged-{int(time())}-{os.getpid()}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    errors.warn_once(
        f"spool.damaged:{path}",
        "The spool %s is damaged or is no spool. It was moved to %s, and a new one is "
        "made; what could be read from the old one is not sent.",
        path,
        aside,
    )
