"""What is kept, and for how long."""

import re
import time
from functools import partial
from sqlite3 import Connection

from ._store import Store, run

#: Events that one transaction deletes; between two, others may write.
BATCH = 100
#: Pages that one sweep gives back to the file system.
MAX_FREED = 5_000

_AGE = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,6})([KMGT])B?", re.IGNORECASE)


def age(text: str) -> int:
    """Return ``90s``, ``15m``, ``24h``, ``30d`` or ``2w`` in seconds.

    Raises:
        ValueError: It is none of these.
    """
    if match := _AGE.fullmatch(text.strip()):
        return int(match[1]) * _SECONDS[match[2]]
    raise ValueError(f"{text[:50]!r} is no age; write it like 24h or 30d.")


def size(text: str) -> int:
    """Return ``500MB`` or ``2GB`` in bytes. Raises: ValueError, if it is neither."""
    if match := _SIZE.fullmatch(text.strip()):
        return int(match[1]) << 10 * ("KMGT".index(match[2].upper()) + 1)
    raise ValueError(f"{text[:50]!r} is no size; write it like 500MB or 2GB.")


async def sweep(store: Store, seconds: int | None, room: int | None) -> None:
    """Bring the store within its bounds, and its file down to what it needs.

    Args:
        seconds: How long an event is kept; ``None`` for good.
        room: How many bytes the file may have; the oldest events make room.
    """
    deleted = False
    while await store.submit(partial(_delete, seconds, room)):
        deleted = True
    if deleted:
        await store.submit(_tidy)


def _delete(seconds: int | None, room: int | None, db: Connection) -> bool:
    horizon = 0 if seconds is None else int(time.time() - seconds) * 1000
    excess = 0 if room is None else run(db, "used")[0]["bytes"] - room
    doomed = run(db, "doomed", {"horizon": horizon, "excess": excess, "batch": BATCH})
    if doomed:
        run(db, "delete", doomed[-1])
    return bool(doomed)


def _tidy(db: Connection) -> None:
    run(db, "tidy")
    for _ in range(MAX_FREED):
        # Python's module takes one step of it, which frees one page.
        db.execute("PRAGMA incremental_vacuum")
