"""What is read from the store: listings page by page, figures, neighbours."""

import json
import time
from collections.abc import Iterator
from sqlite3 import Connection

from attrs import frozen

from ._filters import LIMIT, Filters, where
from ._sql import Row, run

#: Characters of event bodies in one answer; what is left is on the next page.
MAX_ANSWER = 16 * 2**20
#: Hours that a sparkline covers.
HOURS = 24

_SCRIPTS = {"chats": ("threads", "chat_id"), "chains": ("threads", "chain_id")}
_SCRIPTS["feedback"] = ("feedback", "feedback_key")


@frozen
class Page:
    """A part of a listing, newest first.

    Attributes:
        older: What to ask for as ``before`` to go on; ``None`` at the end.
    """

    rows: list[Row]
    older: int | None = None


def listing(db: Connection, name: str, filters: Filters, bodies: bool = False) -> Page:
    """Return a page of ``events``, ``prompts``, ``chats``, ``chains`` or ``feedback``.

    Args:
        bodies: Return events with the whole of what was received.
    """
    if name == "prompts":
        return Page(prompts(db, filters.get("prompt")))
    values: Row = {"limit": LIMIT, "room": MAX_ANSWER if bodies else 0} | filters
    if name == "events":
        found = run(db, "events", values, condition=where(filters))
        rows = [row for row in found[: values["limit"]] if row["body"] or not bodies]
    else:
        script, column = _SCRIPTS[name]
        values = {"before": 2**62, "id": None} | values
        found = run(db, script, values, column=column)
        rows = found[: values["limit"]]
    return Page(rows, rows[-1]["seq"] if len(found) > len(rows) else None)


def every(db: Connection, name: str, filters: Filters, bodies: bool) -> Iterator[Row]:
    """Yield all rows of a listing, a page at a time."""
    page = listing(db, name, filters, bodies)
    yield from page.rows
    while page.older is not None:
        page = listing(db, name, filters | {"before": page.older}, bodies)
        yield from page.rows


def event(db: Connection, seq: int) -> Row | None:
    """Return one event with its body, feedback and chain's result."""
    return next(iter(run(db, "event", {"seq": seq})), None)


def neighbours(db: Connection, column: str, row: Row) -> Row:
    """Return the ``seq`` before and after an event in its chat or chain."""
    values = {"seq": row["seq"], "value": row[column]}
    return run(db, "neighbours", values, column=column)[0]


def prompts(db: Connection, name: str | None = None) -> list[Row]:
    """Return the figures of each prompt, or of the one called ``name``."""
    values: Filters = {"prompt": name} if name else {}
    condition, start = where(values), (int(time.time() / 3600) - HOURS + 1) * 3_600_000
    rows = run(
        db, "prompts", values | {"hours": HOURS, "start": start}, condition=condition
    )
    for row in rows:
        row |= run(db, "percentiles", row)[0] | {"hours": json.loads(row["hours"])}
    return rows


def revisions(db: Connection, prompt: str) -> list[Row]:
    """Return the latest revisions of a prompt's template, newest first."""
    rows = run(db, "revisions", {"prompt": prompt})
    return [row | {"template": json.loads(row["template"])} for row in rows]
