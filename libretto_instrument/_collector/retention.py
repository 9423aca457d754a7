"""What is kept, and for how long."""

import json
import time
from functools import partial
from sqlite3 import Connection

from .store import Store, execute_script

#: Events that one transaction deletes; between two, others may write.
BATCH = 100
#: Pages that one run gives back to the file system.
MAX_FREED_PAGES = 5_000


async def delete_expired(
    store: Store,
    seconds: int | None,
    max_bytes: int | None,
    delete_cases: bool = False,
) -> None:
    """Bring the store within its bounds, and its file down to what it needs.

    Args:
        seconds: How long an event is kept; ``None`` for good.
        max_bytes: How many bytes the file may have; the oldest events go first.
        delete_cases: Delete calls with a correction or a good rating, too.
    """
    deleted = False
    while await store.submit(partial(_delete, seconds, max_bytes, delete_cases)):
        deleted = True
    if deleted:
        await store.submit(_vacuum)


def _delete(
    seconds: int | None, max_bytes: int | None, delete_cases: bool, db: Connection
) -> bool:
    cutoff = 0 if seconds is None else int(time.time() - seconds) * 1000
    excess = (
        0 if max_bytes is None else execute_script(db, "used")[0]["bytes"] - max_bytes
    )
    bounds = {"cutoff": cutoff, "excess": excess, "batch": BATCH}
    expired = execute_script(db, "expired", bounds | {"delete_cases": delete_cases})
    if expired:
        seqs = json.dumps([row["seq"] for row in expired])
        execute_script(db, "delete", {"seqs": seqs})
    return bool(expired)


def _vacuum(db: Connection) -> None:
    execute_script(db, "vacuum")
    for _ in range(MAX_FREED_PAGES):
        # Python's module takes one step of it, which frees one page.
        db.execute("PRAGMA incremental_vacuum")
