"""JSON, by the encoder that is installed with openai.

`pydantic_core` encodes several times faster than the standard library and knows
pydantic's models. What it refuses (half of a surrogate pair, say) goes through the
standard library, which escapes it; all else keeps the form that `pydantic_core` gives.
"""

import json
import math
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import from_json, to_json
else:
    try:
        from pydantic_core import from_json, to_json
    except ImportError:  # openai also runs on pydantic 1, which has no such thing.
        from .json_pydantic_v1 import from_json, to_json

__all__ = ["decode", "encode", "model_to_json"]

#: How deep the values go that `pydantic_core` refuses; a mark stands for the rest.
_MAX_DEPTH = 300
_TOO_DEEP = "<nested too deeply>"


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON; what JSON has no form for becomes its repr."""
    try:
        return to_json(value, inf_nan_mode="null", fallback=repr)
    except (ValueError, UnicodeError):
        text = json.dumps(_to_jsonable(value), allow_nan=False, separators=(",", ":"))
        return text.encode()


def _to_jsonable(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Return ``value`` as the standard library can encode it."""
    if depth == 0:
        return _TOO_DEEP
    depth -= 1
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            _to_json_key(key): _to_jsonable(item, depth) for key, item in value.items()
        }
    if isinstance(value, list | tuple | Set):
        return [_to_jsonable(item, depth) for item in value]
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    if hasattr(type(value), "model_dump"):
        return _to_jsonable(value.model_dump(warnings=False), depth)
    try:
        return json.loads(to_json(value, inf_nan_mode="null", fallback=repr))
    except (ValueError, UnicodeError):
        return repr(value)


def _to_json_key(key: Any) -> str:
    if isinstance(key, str):
        return key
    try:
        (name,) = json.loads(to_json({key: None}, fallback=repr))
    except (ValueError, UnicodeError):
        return repr(key)
    return str(name)


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


def model_to_json(model: Any) -> bytes:
    """Return a pydantic model as JSON, as the API has it.

    It has the fields that were given, not those left at a default, by the API's names.
    """
    try:
        # What model_dump_json() calls, without what it does around it.
        serializer = type(model).__pydantic_serializer__
        encoded: bytes = serializer.to_json(
            model, by_alias=True, exclude_unset=True, warnings=False
        )
    except AttributeError:  # pydantic 1
        return encode(model.dict(by_alias=True, exclude_unset=True))
    except (ValueError, UnicodeError):
        return encode(
            model.model_dump(by_alias=True, exclude_unset=True, warnings=False)
        )
    return encoded
