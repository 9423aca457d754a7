"""Looking at a spool without making, mending or moving anything."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from attrs import frozen

from ._spool import stats_of
from ._spool_file import APPLICATION, FILE, scalar
from ._spool_values import SpoolStats

#: How long to wait for those who use the file, in seconds.
_PATIENCE = 1.0


@frozen
class SpoolLook:
    """What there is where a spool should be.

    Attributes:
        path: The file.
        state: ``"absent"``; ``"ours"``; ``"foreign"``, somebody else's database;
            ``"damaged"``, or no database at all; ``"unreadable"`` for now.
        stats: What is in it, if it is ours.
        reason: What SQLite says of one that is none of ours.
    """

    path: Path
    state: str
    stats: SpoolStats | None = None
    reason: str = ""


def look(directory: str | os.PathLike[str]) -> SpoolLook:
    """Look at the spool in a directory."""
    path = Path(directory).absolute() / FILE
    if not path.exists():
        return SpoolLook(path, "absent")
    try:
        with closing(_connect(path)) as connection:
            application = scalar(connection, "PRAGMA application_id")
            if application == 0 and not scalar(
                connection, "SELECT count(*) FROM sqlite_master"
            ):
                return SpoolLook(path, "absent")  # Made, and not yet filled.
            if application != APPLICATION:
                return SpoolLook(path, "foreign", reason="another program's database")
            return SpoolLook(path, "ours", stats_of(connection))
    except sqlite3.DatabaseError as exc:
        # As in writing: busy, not readable and the like are not the file's fault.
        damaged = type(exc) is sqlite3.DatabaseError or "no such table" in str(exc)
        return SpoolLook(path, "damaged" if damaged else "unreadable", reason=str(exc))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE, isolation_level=None
    )
