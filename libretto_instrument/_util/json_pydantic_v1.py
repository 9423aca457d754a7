"""What `json` takes from `pydantic_core`, for programs that are still on pydantic 1.

Slower, and found by importing it only where the other is absent.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

__all__ = ["from_json", "to_json"]


def from_json(data: bytes | str) -> Any:
    """Return the value of a JSON document.

    Raises:
        ValueError: It is not JSON.
    """
    return json.loads(data)


def to_json(
    value: Any,
    *,
    inf_nan_mode: str = "null",
    fallback: Callable[[Any], Any] = repr,
) -> bytes:
    """Return ``value`` as JSON; ``fallback`` gives the form of what has none.

    Raises:
        ValueError: It holds NaN or an infinity, or half of a surrogate pair.
    """

    def form(held: Any) -> Any:
        if hasattr(held, "__fields__") and hasattr(held, "dict"):
            return held.dict()
        if isinstance(held, date | datetime | time):
            return held.isoformat()
        if isinstance(held, UUID):
            return str(held)
        if isinstance(held, set | frozenset):
            return list(held)
        return fallback(held)

    text = json.dumps(
        value,
        default=form,
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return text.encode()
