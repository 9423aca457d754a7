"""Queries of the store: filters, listings page by page, totals."""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from attrs import frozen

from .._util.units import parse_duration
from .database import execute_script, load_sql
from .forms import parse_number
from .schema import MAX_CONTEXT, RequestError, Row

#: Values for the placeholders of the conditions that were asked for; and ``limit``.
Filters = dict[str, Any]

#: The rows of one answer, unless said otherwise, and at most.
LIMIT, MAX_LIMIT = 50, 500
#: Words of a search. The beginning of a word will do if it has as many characters.
MAX_WORDS, MIN_PREFIX = 10, 3
#: Characters of a search.
MAX_QUERY = 1_000
#: Events of a chat or chain that are counted.
MAX_COUNTED = 10_000

_RATINGS = ("rated", "unrated", "low", "high", "judged", "corrected", "case")
_FIRST_SINCE = """WHERE received_at =
    (SELECT min(received_at) FROM events WHERE received_at >= :since)"""
_LAST_UNTIL = """WHERE received_at =
    (SELECT max(received_at) FROM events WHERE received_at <= :until)"""
_OF_FEEDBACK = "feedback_key IN (SELECT feedback_key FROM feedback"
# Times never step back along seq, so that a time is a place in the order of seq.
_CONDITIONS = {
    "q": "search MATCH :q",
    "prompt": "prompt_id = (SELECT id FROM prompts WHERE name = :prompt)",
    "revision": "revision_id = :revision",
    "chat": "chat_id = :chat",
    "chain": "chain_id = :chain",
    "model": "model = :model",
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
    "replay": "replay = :replay",
    "production": "replay IS NULL",
    "since": f"seq >= (SELECT min(seq) FROM events {_FIRST_SINCE})",
    "until": f"seq <= (SELECT max(seq) FROM events {_LAST_UNTIL})",
    "id": "id = :id",
    "before": "seq < :before",
}
_NAMES = {
    *("q", "prompt", "revision", "chat", "chain", "model", "context", "error"),
    *("rating", "replay", "since", "until", "id", "before", "limit"),
}
#: Bytes of one answer, roughly; what is left is on the next page.
MAX_RESPONSE_BYTES = 16 * 2**20
#: Hours that a sparkline covers.
HOURS = 24

_SEARCH = "search CROSS JOIN events ON events.seq = search.rowid"
_WORD = re.compile(r"[^\W_]+")


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
        if key not in _NAMES:
            raise RequestError("There is no such filter.", key[:50])
        filters |= _parse_value(key, text) if text else {}
    if not any(query.get(key) for key in ("replay", "context", "id")):
        filters["production"] = True
    elif filters.get("replay") == "any":
        del filters["replay"]
    return filters


def fetch_page(
    db: Connection, name: str, filters: Filters, bodies: bool = False
) -> Page:
    """Return a page of a listing, with the bodies of its events if asked for."""
    if name == "prompts":
        return Page(fetch_prompts(db, filters.get("prompt")))
    limit = filters.get("limit", LIMIT)
    if name == "events":
        script, parts = "event_row", {"body": "b.body" if bodies else "NULL"}
        keys = _find_events(db, filters, limit)
    elif name == "feedback":
        script, parts, keys = "feedback_row", {}, _find_feedback(db, filters, limit)
    else:
        script, parts = "thread_row", {"column": f"{name.removesuffix('s')}_id"}
        keys = _find_threads(db, parts["column"], filters, limit)
        if not keys and name == "chains" and "id" in filters:
            return Page(execute_script(db, "result_row", filters))
    (sql,) = load_sql(script)
    sql = sql.format(**parts)
    rows: list[Row] = []
    size = 0
    for key in keys[:limit]:
        row = dict(db.execute(sql, {"seq": key, "limit": MAX_COUNTED}).fetchone())
        if size > MAX_RESPONSE_BYTES:
            break
        rows.append(row)
        texts = [row.get("better_response"), row.get("result")]
        size += sum(map(len, filter(None, texts)))
        size += row["size"] if row.get("body") else 0
    return Page(rows, rows[-1]["seq"] if len(keys) > len(rows) else None)


def _find_events(db: Connection, filters: Filters, limit: int) -> list[int]:
    source, order = (_SEARCH, "search.rowid") if "q" in filters else ("events", "seq")
    terms = [_CONDITIONS[name] for name in filters if name in _CONDITIONS]
    where = f"{' AND '.join(terms) or '1'} ORDER BY {order} DESC LIMIT {limit + 1:d}"
    sql = f"SELECT seq FROM {source} WHERE {where}"
    return [key for (key,) in db.execute(sql, filters)]


def _find_feedback(db: Connection, filters: Filters, limit: int) -> list[int]:
    values = {"id": None, "before": 2**62} | filters
    sql = """SELECT rowid FROM feedback WHERE rowid < :before
        AND (:id IS NULL OR feedback_key = :id) ORDER BY rowid DESC LIMIT :limit"""
    return [key for (key,) in db.execute(sql, values | {"limit": limit + 1})]


def _find_threads(
    db: Connection, column: str, filters: Filters, limit: int
) -> list[int]:
    """Return the last events of the chats or chains that were used last."""
    last = f"SELECT max(seq) FROM events WHERE {column} = ?"
    if "id" in filters:
        (key,) = db.execute(last, (filters["id"],)).fetchone()
        return [key] if key else []
    keys = []
    sql = f"""SELECT seq, {column} FROM events WHERE {column} IS NOT NULL AND seq < ?
        ORDER BY seq DESC"""
    for seq, name in db.execute(sql, (filters.get("before", 2**62),)):
        if db.execute(last, (name,)).fetchone()[0] == seq:
            keys.append(seq)
            if len(keys) > limit:
                break
    return keys


def iter_pages(db: Connection, name: str, filters: Filters) -> Iterator[list[Row]]:
    """Yield all rows of a listing, bodies included, in lists of ``MAX_LIMIT``."""
    filters = filters | {"limit": MAX_LIMIT}
    while True:
        page = fetch_page(db, name, filters, bodies=True)
        yield page.rows
        if page.next_cursor is None:
            return
        filters["before"] = page.next_cursor


def event(db: Connection, seq: int) -> Row | None:
    """Return one event with its body, feedback and chain's result."""
    return next(iter(execute_script(db, "event", {"seq": seq})), None)


def adjacent_events(db: Connection, column: str, row: Row) -> Row:
    """Return the ``seq`` before and after an event in its chat or chain."""
    values = {"seq": row["seq"], "value": row[column], "limit": MAX_COUNTED}
    return execute_script(db, "adjacent_events", values, column=column)[0]


def fetch_prompts(db: Connection, name: str | None = None) -> list[Row]:
    """Return the totals of each prompt, or of the one called ``name``."""
    rows = execute_script(db, "prompts", {"prompt": name})
    now = int(time.time() / 3600)
    for row in rows:
        values = row | {"hour": now - HOURS}
        calls = {r["hour"]: r["calls"] for r in execute_script(db, "hours", values)}
        row["hours"] = [calls.get(now - ago, 0) for ago in range(HOURS - 1, -1, -1)]
        row |= execute_script(db, "percentiles", row)[0]
    return rows


def revisions(db: Connection, prompt: str) -> list[Row]:
    """Return the latest revisions of a prompt's template, newest first."""
    return execute_script(db, "revisions", {"prompt": prompt})


def template(db: Connection, revision: int) -> str:
    """Return the template of a revision, as JSON."""
    sql = "SELECT template FROM revisions WHERE id = ?"
    (text,) = db.execute(sql, (revision,)).fetchone()
    return str(text)


def _parse_value(key: str, text: str) -> Filters:
    if key == "q":
        if not text.strip():
            return {}
        words = _WORD.findall(text[:MAX_QUERY])
        if len(words) > MAX_WORDS or len(text) > MAX_QUERY:
            raise RequestError(f"q may have {MAX_WORDS} words.", "q")
        terms = [f'"{w}"' + "*" * (len(w) >= MIN_PREFIX) for w in words]
        return {"q": " ".join(terms) or '""'}
    if key == "context":
        name, exact, value = (
            part.strip()[:MAX_CONTEXT] for part in text.partition("=")
        )
        return {"in": name, "value": value} if exact else {"key": name}
    if key in ("since", "until"):
        return {key: _parse_time(key, text.strip())}
    if key in ("before", "limit"):
        number = parse_number(text)
        if number is None:
            raise RequestError(f"{key} must be a whole number.", key)
        return {key: number if key == "before" else min(number or 1, MAX_LIMIT)}
    if key == "rating" and text not in _RATINGS:
        raise RequestError(f"rating must be one of {', '.join(_RATINGS)}.", key)
    return {text if key == "rating" else key: text}


def _parse_time(key: str, text: str) -> int:
    try:
        return int((time.time() - parse_duration(text)) * 1000)
    except ValueError:
        pass
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise RequestError(f"{key} must be like 24h or 2030-01-31.", key) from None
