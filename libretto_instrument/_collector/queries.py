"""What is read from the store: filters, listings page by page, figures."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from attrs import frozen

from .._util.units import age
from .schema import RequestError
from .store import Row, execute_script

#: Values for the placeholders of the conditions that were asked for; and ``limit``.
Filters = dict[str, Any]

#: Characters of a context entry that it is found by.
MAX_CONTEXT = 500
#: The rows of one answer, unless said otherwise, and at most.
LIMIT, MAX_LIMIT = 50, 500

_RATINGS = ("rated", "unrated", "low", "high", "judged", "corrected", "case")
_FIRST_SINCE = """WHERE received_at =
    (SELECT min(received_at) FROM events WHERE received_at >= :since)"""
_LAST_UNTIL = """WHERE received_at =
    (SELECT max(received_at) FROM events WHERE received_at <= :until)"""
_OF_FEEDBACK = "feedback_key IN (SELECT feedback_key FROM feedback"
# Times never step back along seq, so that a time is a place in the order of seq.
_CONDITIONS = {
    "q": "seq IN (SELECT rowid FROM search WHERE search MATCH :q)",
    "prompt": "prompt_id = (SELECT id FROM prompts WHERE name = :prompt)",
    "revision": "revision_id = :revision",
    "chat": "chat_id = :chat",
    "chain": "chain_id = :chain",
    "key": "seq IN (SELECT seq FROM context WHERE key = :key)",
    "value": "seq IN (SELECT seq FROM context WHERE key = :in AND value = :value)",
    "error": "failed",
    "rated": "rating IS NOT NULL",
    "unrated": "rating IS NULL",
    "low": "rating <= 0.5",
    "high": "rating > 0.5",
    "judged": f"{_OF_FEEDBACK})",
    "corrected": f"{_OF_FEEDBACK} WHERE better_response IS NOT NULL)",
    "case": f"{_OF_FEEDBACK} WHERE better_response IS NOT NULL OR rating >= 0.75)",
    "model": "model = :model",
    "replay": "replay = :replay",
    "production": "replay IS NULL",
    "since": f"seq >= (SELECT min(seq) FROM events {_FIRST_SINCE})",
    "until": f"seq <= (SELECT max(seq) FROM events {_LAST_UNTIL})",
    "id": "id = :id",
    "before": "seq < :before",
}
_NAMES = (
    "q prompt revision model chat chain context error rating replay since until id "
    "before limit"
)
#: Characters of event bodies in one answer; what is left is on the next page.
MAX_RESPONSE_BYTES = 16 * 2**20
#: Hours that a sparkline covers.
HOURS = 24

_SQL = {"chats": ("threads", "chat_id"), "chains": ("threads", "chain_id")}
_SQL["feedback"] = ("feedback", "feedback_key")


@frozen
class Page:
    """A part of a listing, newest first.

    Attributes:
        next_cursor: What to ask for as ``before`` to go on; ``None`` at the end.
    """

    rows: list[Row]
    next_cursor: int | None = None


def parse_filters(query: Mapping[str, str]) -> Filters:
    """Read a query string.

    ``q`` are words that must all be there, ``context`` is ``key`` or ``key=value``,
    ``rating`` is rated, unrated, low (to 0.5), high, corrected, judged (rated
    or corrected) or case (corrected or rated 0.75 or more), ``replay`` the id of a
    replay or ``any``, ``since`` and ``until`` are an age such as ``24h`` or a time in
    ISO 8601, ``before`` is a ``seq``. Calls that a replay made are left out, unless
    they are asked for by ``replay``, ``context`` or ``id``.

    Raises:
        RequestError: A filter is none, or its value is none; the error names it.
    """
    filters: Filters = {"limit": LIMIT}
    for key, text in query.items():
        if key not in _NAMES.split():
            raise RequestError("There is no such filter.", key[:50])
        filters |= _parse_value(key, text) if text else {}
    if not any(query.get(key) for key in ("replay", "context", "id")):
        filters["production"] = True
    elif filters.get("replay") == "any":
        del filters["replay"]
    return filters


def build_where(filters: Filters) -> str:
    """Return a condition on ``events``, with a placeholder for each filter's value."""
    terms = [_CONDITIONS[name] for name in filters if name in _CONDITIONS]
    return " AND ".join(terms) or "1"


def fetch_page(
    db: Connection, name: str, filters: Filters, bodies: bool = False
) -> Page:
    """Return a page of ``events``, ``prompts``, ``chats``, ``chains`` or ``feedback``.

    Args:
        bodies: Return events with the whole of what was received.
    """
    if name == "prompts":
        return Page(prompts(db, filters.get("prompt")))
    values: Row = {
        "limit": LIMIT,
        "max_bytes": MAX_RESPONSE_BYTES if bodies else 0,
    } | filters
    if name == "events":
        found = execute_script(db, "events", values, condition=build_where(filters))
        rows = [row for row in found[: values["limit"]] if row["body"] or not bodies]
    else:
        script, column = _SQL[name]
        values = {"before": 2**62, "id": None} | values
        found = execute_script(db, script, values, column=column)
        rows = found[: values["limit"]]
    return Page(rows, rows[-1]["seq"] if len(found) > len(rows) else None)


def iter_rows(
    db: Connection, name: str, filters: Filters, bodies: bool
) -> Iterator[Row]:
    """Yield all rows of a listing, a page at a time."""
    page = fetch_page(db, name, filters, bodies)
    yield from page.rows
    while page.next_cursor is not None:
        page = fetch_page(db, name, filters | {"before": page.next_cursor}, bodies)
        yield from page.rows


def event(db: Connection, seq: int) -> Row | None:
    """Return one event with its body, feedback and chain's result."""
    return next(iter(execute_script(db, "event", {"seq": seq})), None)


def adjacent_events(db: Connection, column: str, row: Row) -> Row:
    """Return the ``seq`` before and after an event in its chat or chain."""
    values = {"seq": row["seq"], "value": row[column]}
    return execute_script(db, "adjacent_events", values, column=column)[0]


def prompts(db: Connection, name: str | None = None) -> list[Row]:
    """Return the figures of each prompt, or of the one called ``name``."""
    values: Filters = {"prompt": name} if name else {}
    condition, start = (
        build_where(values),
        (int(time.time() / 3600) - HOURS + 1) * 3_600_000,
    )
    rows = execute_script(
        db, "prompts", values | {"hours": HOURS, "start": start}, condition=condition
    )
    for row in rows:
        row |= execute_script(db, "percentiles", row)[0] | {
            "hours": json.loads(row["hours"])
        }
    return rows


def revisions(db: Connection, prompt: str) -> list[Row]:
    """Return the latest revisions of a prompt's template, newest first."""
    rows = execute_script(db, "revisions", {"prompt": prompt})
    return [row | {"template": json.loads(row["template"])} for row in rows]


def _parse_value(key: str, text: str) -> Filters:
    if key == "q":
        words = text.replace("\0", " ").replace('"', '""').split()
        return {"q": " ".join(f'"{word}"*' for word in words)} if words else {}
    if key == "context":
        name, exact, value = (
            part.strip()[:MAX_CONTEXT] for part in text.partition("=")
        )
        return {"in": name, "value": value} if exact else {"key": name}
    if key in ("since", "until"):
        return {key: _parse_time(key, text.strip())}
    if key in ("before", "limit"):
        if not re.fullmatch("[0-9]{1,15}", text):
            raise RequestError(f"{key} must be a whole number.", key)
        return {key: int(text) if key == "before" else min(int(text) or 1, MAX_LIMIT)}
    if key == "rating" and text not in _RATINGS:
        raise RequestError(f"rating must be one of {', '.join(_RATINGS)}.", key)
    return {text if key == "rating" else key: text}


def _parse_time(key: str, text: str) -> int:
    try:
        return int((time.time() - age(text)) * 1000)
    except ValueError:
        pass
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise RequestError(f"{key} must be like 24h or 2030-01-31.", key) from None
