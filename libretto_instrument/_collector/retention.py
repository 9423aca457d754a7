"""Retention: deletes what is too old or too much."""

import time
from functools import partial
from sqlite3 import Connection
from typing import Any

from .database import execute_script
from .store import Store
from .writes import delete_expired as delete_batch

#: Rows that one transaction deletes; between two, others may write.
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

    Events are kept for ``seconds``, and the file and its log below ``max_bytes``; None
    sets no bound. Calls that are cases go only with ``delete_cases``.
    """
    bounds: dict[str, Any] = {"delete_cases": delete_cases, "batch": BATCH}
    bounds["cutoff"] = 0 if seconds is None else int(time.time() - seconds) * 1000
    has_deleted = False
    while True:
        excess = await _excess(store, max_bytes)
        job = partial(delete_batch, excess=excess, **bounds)
        if not await store.submit(job):
            break
        has_deleted = True
    if has_deleted:
        await store.submit(_vacuum)


async def _excess(store: Store, max_bytes: int | None) -> int:
    if max_bytes is None:
        return 0
    log_bytes = store.log_bytes()
    # Most of the log is old states of pages. A reader may be in the way.
    if await store.submit(_used_bytes) + log_bytes > max_bytes:
        log_bytes = store.log_bytes() if store.empty_log() else 0
    used: int = await store.submit(_used_bytes)
    return used + log_bytes - max_bytes


def _used_bytes(db: Connection) -> int:
    return int(execute_script(db, "used")[0]["bytes"])


def _vacuum(db: Connection) -> None:
    db.execute("INSERT INTO search (search, rank) VALUES ('merge', 500)")
    for _ in range(MAX_FREED_PAGES):
        # Python's module takes one step of it, which frees one page.
        db.execute("PRAGMA incremental_vacuum")
