"""Which events are asked for: read from a query string, turned into SQL."""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ._retention import age
from ._wire import RefusedError

#: Values for the placeholders of the conditions that were asked for; and ``limit``.
Filters = dict[str, Any]

#: Characters of a context entry that it is found by.
MAX_CONTEXT = 500
#: The rows of one answer, unless said otherwise, and at most.
LIMIT, MAX_LIMIT = 50, 500

_RATINGS = ("rated", "unrated", "low", "high")
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
    "value": "seq IN (SELECT seq FROM context WHERE key = :in AND value = :value)",
    "error": "failed",
    "rated": "rating IS NOT NULL",
    "unrated": "rating IS NULL",
    "low": "rating <= 0.5",
    "high": "rating > 0.5",
    "since": f"seq >= (SELECT min(seq) FROM events WHERE received_at = ({_AT_LEAST}))",
    "until": f"seq <= (SELECT max(seq) FROM events WHERE received_at = ({_AT_MOST}))",
    "id": "id = :id",
    "before": "seq < :before",
}
_NAMES = "q prompt revision chat chain context error rating since until id before limit"


def parse(query: Mapping[str, str]) -> Filters:
    """Read a query string.

    ``q`` are words that must all be there, ``context`` is ``key`` or ``key=value``,
    ``rating`` is rated, unrated, low (to 0.5) or high, ``since`` and ``until`` are an
    age such as ``24h`` or a time in ISO 8601, ``before`` is a ``seq``.

    Raises:
        RefusedError: A filter is none, or its value is none; the error names it.
    """
    filters = {"limit": LIMIT}
    for key, text in query.items():
        if key not in _NAMES.split():
            raise RefusedError("There is no such filter.", key[:50])
        filters |= _read(key, text) if text else {}
    return filters


def where(filters: Filters) -> str:
    """Return a condition on ``events``, with a placeholder for each filter's value."""
    terms = [_CONDITIONS[name] for name in filters if name in _CONDITIONS]
    return " AND ".join(terms) or "1"


def _read(key: str, text: str) -> Filters:
    if key == "q":
        words = text.replace("\0", " ").replace('"', '""').split()
        return {"q": " ".join(f'"{word}"*' for word in words)} if words else {}
    if key == "context":
        name, exact, value = (
            part.strip()[:MAX_CONTEXT] for part in text.partition("=")
        )
        return {"in": name, "value": value} if exact else {"key": name}
    if key in ("since", "until"):
        return {key: _moment(key, text.strip())}
    if key in ("before", "limit"):
        if not re.fullmatch("[0-9]{1,15}", text):
            raise RefusedError(f"{key} must be a whole number.", key)
        return {key: int(text) if key == "before" else min(int(text) or 1, MAX_LIMIT)}
    if key == "rating" and text not in _RATINGS:
        raise RefusedError(f"rating must be one of {', '.join(_RATINGS)}.", key)
    return {text if key == "rating" else key: text}


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
        raise RefusedError(f"{key} must be like 24h or 2030-01-31.", key) from None
