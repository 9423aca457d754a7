"""JSON that travels as a text, such as the arguments of a tool call."""

import json
from typing import Any


def parse_json(text: str) -> Any | None:
    """Parse a text that holds one JSON object, list or string.

    Returns:
        A dict, a list or a text; None where the text is anything else, also where
        parsing it would lose something (a key that is given twice) or go too deep.
    """
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] not in ("{}", "[]", '""'):
        return None
    try:
        return json.loads(stripped, object_pairs_hook=_reject_duplicate_keys)
    except (ValueError, RecursionError):
        return None


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        msg = "a key is given twice"
        raise ValueError(msg)
    return result


def dump_like(value: Any, like: str) -> str:
    """Write ``value`` as JSON, laid out much as in ``like``.

    Args:
        value: What was parse_json from ``like``, redacted.
        like: The JSON text that it came from.
    """
    lines = like.strip().splitlines()
    indent = len(lines[1]) - len(lines[1].lstrip()) if len(lines) > 1 else None
    colon = ": " if '": ' in like else ":"
    comma = "," if indent is not None or ", " not in like else ", "
    return json.dumps(
        value, ensure_ascii=like.isascii(), indent=indent, separators=(comma, colon)
    )
