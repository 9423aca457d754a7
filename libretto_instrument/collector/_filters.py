"""Which events are asked for: read from a query string, turned into SQL."""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ._retention import age
from ._wire import RefusedError

#: What was asked for, by name: only the filters that were given, and ``limit``.
Filters = dict[str, Any]

#: Characters of a context entry that it is found by.
MAX_CONTEXT = 500
#: The rows of one answer, unless said otherwise, and at most.
LIMIT, MAX_LIMIT = 50, 500

_RATINGS = {
    "rated": "rating IS NOT NULL",
    "unrated": "rating IS NULL",
    "low": "rating <= 0.5",
    "high": "rating > 0.5",
}
_AT_LEAST = "SELECT min(received_at) FROM events WHERE received_at >= :since"
_AT_MOST = "SELECT max(received_at) FROM events WHERE received_at <= :until"
# Times never step back along seq, so that a time is a place in the order of seq.
_CONDITIONS = {
    "q": "seq IN (SELECT rowid FROM search WHERE search MATCH :q)",
    "prompt": "prompt_id = (SELECT id FROM prompts WHERE name = :prompt)",
    "revision": "revision_id = :revision",
    "chat": "chat_id = :chat",
    "chain": "chain_id = :chain",
    "key": "seq IN (SELECT seq FROM context WHERE key = :key)",
    "context": "seq IN (SELECT seq FROM context WHERE key = :key AND value = :value)",
    "error": "failed",
    "since": f"seq >= (SELECT min(seq) FROM events WHERE received_at = ({_AT_LEAST}))",
    "until": f"seq <= (SELECT max(seq) FROM events WHERE received_at = ({_AT_MOST}))",
    "id": "id = :id",
    "before": "seq < :before",
    "after": "seq > :after",
}
_NUMBERS = ("before", "after", "limit")


def parse(query: Mapping[str, str]) -> Filters:
    """Read a query string.

    ``q`` are words that must all be there, ``context`` is ``key`` or ``key=value``,
    ``rating`` is rated, unrated, low (to 0.5) or high, ``since`` and ``until`` are an
    age such as ``24h`` or a time in ISO 8601, ``before`` and ``after`` a ``seq``.

    Raises:
        RefusedError: A filter is none, or its value is none; the error names it.
    """
    filters: Filters = {}
    for key, text in query.items():
        if key not in (*_CONDITIONS, *_NUMBERS, "rating") or key == "key":
            raise RefusedError("There is no such filter.", key[:50])
        if not text.strip():
            continue
        filters[key] = text.strip()
        if key in _NUMBERS:
            if not re.fullmatch("[0-9]{1,15}", filters[key]):
                raise RefusedError(f"{key} must be a whole number.", key)
            filters[key] = int(text)
        elif key == "rating" and filters[key] not in _RATINGS:
            raise RefusedError(f"rating must be one of {', '.join(_RATINGS)}.", key)
        elif key in ("since", "until"):
            _moment(key, filters[key])
    return filters | {"limit": max(1, min(filters.get("limit", LIMIT), MAX_LIMIT))}


def where(filters: Filters) -> tuple[str, dict[str, Any]]:
    """Return a condition on ``events``, and the values of its placeholders."""
    values = dict(filters)
    key, exact, value = values.get("context", "").partition("=")
    values |= {"value": value.strip()[:MAX_CONTEXT]}
    if key:
        values["key"] = key.strip()[:MAX_CONTEXT]
    if not exact:
        values.pop("context", None)
    terms = [_CONDITIONS[name] for name in values if name in _CONDITIONS]
    terms += [_RATINGS[values["rating"]]] if "rating" in values else []
    if "q" in values:
        words = values["q"].replace("\0", " ").replace('"', '""').split()
        values["q"] = " ".join(f'"{word}"*' for word in words)
    for name in {"since", "until"} & values.keys():
        values[name] = _moment(name, values[name])
    return " AND ".join(terms) or "1", values


def _moment(key: str, text: str) -> int:
    try:
        return int((time.time() - age(text)) * 1000)
    except ValueError:
        pass
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        message = f"{key} must be an age (24h) or a time (2030-01-31T12:00)."
        raise RefusedError(message, key) from None
