"""What is read from the store: listings page by page, figures, neighbours."""

import json
import sqlite3
import time
from collections.abc import Iterator

from attrs import frozen

from ._filters import Filters, where
from ._sql import Row, run

#: Characters of event bodies in one answer; what is left is on the next page.
MAX_ANSWER = 16 * 2**20
#: Prompts in one listing, the latest used first; a filter finds the others.
MAX_PROMPTS = 500
#: Hours that a sparkline covers.
HOURS = 24


@frozen
class Page:
    """A part of a listing, newest first.

    Attributes:
        older: What to ask for as ``before`` to go on; ``None`` at the end.
        newer: What to ask for as ``after`` to go back; ``None`` at the start.
    """

    rows: list[Row]
    older: int | None = None
    newer: int | None = None


def listing(
    db: sqlite3.Connection, name: str, filters: Filters, bodies: bool = False
) -> Page:
    """Return a page of ``events``, ``prompts``, ``chats``, ``chains`` or ``feedback``.

    Args:
        bodies: Return events with the whole of what was received.
    """
    if name == "events":
        return _events(db, filters, bodies)
    if name == "prompts":
        return Page(prompts(db, filters.get("prompt")))
    column = {"chats": "chat_id", "chains": "chain_id"}.get(name, "feedback_key")
    condition = f"{column} = :id" if "id" in filters else "1"
    script = "feedback" if name == "feedback" else "threads"
    values = {"before": 2**62, "id": None} | filters
    rows = run(db, script, values, column=column, condition=condition)
    limit = filters["limit"]
    return Page(rows[:limit], rows[limit - 1]["seq"] if len(rows) > limit else None)


def every(
    db: sqlite3.Connection, name: str, filters: Filters, bodies: bool
) -> Iterator[Row]:
    """Yield all rows of a listing, a page at a time."""
    while True:
        page = listing(db, name, filters, bodies)
        yield from page.rows
        if page.older is None:
            return
        filters = filters | {"before": page.older}


def event(db: sqlite3.Connection, seq: int) -> Row | None:
    """Return one event with its body, feedback and chain's result."""
    rows = run(db, "event", {"seq": seq})
    return rows[0] if rows else None


def neighbours(db: sqlite3.Connection, column: str, row: Row) -> Row:
    """Return the ``seq`` before and after an event in its chat or chain."""
    values = {"seq": row["seq"], "value": row[column]}
    return run(db, "neighbours", values, column=column)[0]


def prompts(db: sqlite3.Connection, name: str | None = None) -> list[Row]:
    """Return the figures of each prompt, or of the one called ``name``."""
    condition, values = where({"prompt": name} if name else {})
    rows = run(db, "prompts", values | {"limit": MAX_PROMPTS}, condition=condition)
    start = (int(time.time() / 3600) - HOURS + 1) * 3_600_000
    hours = {row["prompt_id"]: [0] * HOURS for row in rows}
    for part in run(db, "hours", {"start": start, "hours": HOURS}):
        if part["prompt_id"] in hours:
            hours[part["prompt_id"]][part["hour"]] = part["calls"]
    for row in rows:
        row |= run(db, "percentiles", row)[0] | {"hours": hours[row["prompt_id"]]}
    return rows


def revisions(db: sqlite3.Connection, prompt: str, limit: int) -> list[Row]:
    """Return the latest revisions of a prompt's template, newest first."""
    rows = run(db, "revisions", {"prompt": prompt, "limit": limit})
    return [row | {"template": json.loads(row["template"])} for row in rows]


def _events(db: sqlite3.Connection, filters: Filters, bodies: bool) -> Page:
    back = "after" in filters and "before" not in filters
    condition, values = where(filters)
    values["room"] = MAX_ANSWER if bodies else 0
    order = "ASC" if back else "DESC"
    found = run(db, "events", values, condition=condition, order=order)
    rows = [row for row in found[: filters["limit"]] if row["body"] or not bodies]
    end = rows[-1]["seq"] if len(found) > len(rows) else None
    if back:
        return Page(rows[::-1], filters["after"] + 1, end)
    return Page(rows, end, rows[0]["seq"] if "before" in filters and rows else None)
