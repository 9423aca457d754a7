"""JSON, by the encoder that is installed with openai.

`pydantic_core` encodes several times faster than the standard library and knows
pydantic's models. What it refuses (half of a surrogate pair, say) goes through the
standard library, which escapes it.
"""

import json
from typing import Any

from pydantic_core import from_json, to_json

__all__ = ["decode", "encode", "photograph", "photograph_given"]


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON; what JSON has no form for becomes its repr."""
    try:
        return to_json(value, inf_nan_mode="null", fallback=repr)
    except (ValueError, UnicodeError):
        compact = (",", ":")
        text = json.dumps(value, default=repr, skipkeys=True, separators=compact)
        return text.encode()


def decode(data: bytes | str) -> Any:
    """Return the value of a JSON document.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        # The standard library accepts halves of surrogate pairs, escaped.
        return json.loads(data)


def photograph(model: Any) -> bytes:
    """Return a pydantic model as it is now, as JSON, whatever its fields hold."""
    try:
        return to_json(model, inf_nan_mode="null", fallback=repr)
    except (ValueError, UnicodeError):
        return encode(model.model_dump(warnings=False))


def photograph_given(model: Any) -> bytes:
    """Return the fields of a pydantic model that were given, not left at a default."""
    try:
        # What model_dump_json() calls, at half of its cost.
        serializer = type(model).__pydantic_serializer__
        given: bytes = serializer.to_json(model, exclude_unset=True, warnings=False)
    except (ValueError, UnicodeError):
        return encode(model.model_dump(exclude_unset=True, warnings=False))
    return given
