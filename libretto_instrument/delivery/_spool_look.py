"""Looking at a spool without making, mending or moving anything."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from attrs import evolve, frozen

from ._message import HOME
from ._spool_figures import stats_of
from ._spool_file import APPLICATION, FILE, FORMER_FILE, scalar
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
        is_former: There is one of the version before beside it or instead of it, from
            which relays, and commands that use the spool, take over what it holds.
    """

    path: Path
    state: str
    stats: SpoolStats | None = None
    reason: str = ""
    is_former: bool = False


def look(
    directory: str | os.PathLike[str], *, otherwise: tuple[str, ...] = (HOME,)
) -> SpoolLook:
    """Look at the spool in a directory.

    Args:
        directory: Where it is, or would be.
        otherwise: To whom goes what names no destination.
    """
    directory = Path(directory).absolute()
    found = _look(directory / FILE, otherwise)
    return evolve(found, is_former=_state(directory / FORMER_FILE)[0] == "ours")


def _look(path: Path, otherwise: tuple[str, ...]) -> SpoolLook:
    state, reason = _state(path)
    if state != "ours":
        return SpoolLook(path, state, reason=reason)
    try:
        with closing(_connect(path)) as connection:
            return SpoolLook(path, state, stats_of(connection, path.parent, otherwise))
    except sqlite3.DatabaseError as exc:
        return SpoolLook(path, _state_after(exc), reason=str(exc))


def _state(path: Path) -> tuple[str, str]:
    """Return the state of a file, and why it is no other."""
    if not path.exists():
        return "absent", ""
    try:
        with closing(_connect(path)) as connection:
            application = scalar(connection, "PRAGMA application_id")
            if application == 0 and not scalar(
                connection, "SELECT count(*) FROM sqlite_master"
            ):
                return "absent", ""  # Made, and not yet filled.
            if application != APPLICATION:
                return "foreign", "another program's database"
            return "ours", ""
    except sqlite3.DatabaseError as exc:
        return _state_after(exc), str(exc)


def _state_after(exc: sqlite3.DatabaseError) -> str:
    # As in writing: busy, not readable and the like are not the file's fault.
    damaged = type(exc) is sqlite3.DatabaseError or "no such table" in str(exc)
    return "damaged" if damaged else "unreadable"


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE, isolation_level=None
    )
