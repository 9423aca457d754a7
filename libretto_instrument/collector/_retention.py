"""What is kept, and for how long."""

import asyncio
import re
import sqlite3
import time

from attrs import frozen

from ._sql import run
from ._store import Store

#: Events that one transaction deletes; between two, others may write.
BATCH = 500
#: Pages that one transaction gives back to the file system.
MAX_FREED = 10_000

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


@frozen
class Retention:
    """Bounds of the store.

    Attributes:
        seconds: How long an event is kept; ``None`` for good.
        bytes: How large the file may grow; the oldest events make room.
    """

    seconds: int | None = None
    bytes: int | None = None

    def delete(self, db: sqlite3.Connection) -> bool:
        """Delete a batch of what is beyond the bounds; say if there was any."""
        horizon = 0 if self.seconds is None else int(time.time() - self.seconds) * 1000
        excess = 0 if self.bytes is None else run(db, "used")[0]["bytes"] - self.bytes
        bounds = {"horizon": horizon, "excess": excess, "batch": BATCH}
        doomed = run(db, "doomed", bounds)
        if doomed:
            run(db, "delete", doomed[-1])
        return bool(doomed)


async def sweep(store: Store, retention: Retention) -> None:
    """Bring the store within its bounds, and the file down to what it needs."""
    deleted = False
    while await asyncio.wrap_future(store.submit(retention.delete)):
        deleted = True
    if deleted:
        await asyncio.wrap_future(store.submit(_tidy))


def _tidy(db: sqlite3.Connection) -> None:
    run(db, "tidy")
    for _ in range(MAX_FREED):
        # Python's module takes one step of it, which frees one page.
        db.execute("PRAGMA incremental_vacuum")
