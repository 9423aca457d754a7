"""What is kept, and for how long."""

import time
from functools import partial
from sqlite3 import Connection

from .store import Store, run

#: Events that one transaction deletes; between two, others may write.
BATCH = 100
#: Pages that one sweep gives back to the file system.
MAX_FREED = 5_000


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
