"""Copies of the caller's arguments that later changes cannot reach.

Containers are copied, leaves are shared: strings are immutable, so a copy of a
megabyte of text costs as much as one of a word. Nothing is iterated that could be used
up by it, nothing is deep-copied, nothing is called that belongs to the caller but the
conversions named below.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from .._json import decode, photograph_given
from .._templates import TemplateText

#: Deeper nesting than JSON encoders accept is cut off, with a mark in its place.
_DEPTH = 100
_TOO_DEEP = "<nested too deeply>"

#: More containers than this in one argument come from a cycle, or from parts that are
#: shared over and over: neither could be sent, and copying them would not end.
_CONTAINERS = 50_000
_TOO_MANY = "<too many parts>"

#: How much of an unknown object's repr is kept, in characters.
_REPR = 500

_LEAVES = frozenset(
    (str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal)
)
_SENTINELS = frozenset(("NotGiven", "Omit"))


#: Arguments that say how to reach the model, not what to ask it; headers hold keys.
_TRANSPORT = frozenset(("extra_headers", "extra_query", "timeout"))


def copy_of_arguments(
    arguments: Mapping[str, Any], *, but: str | None = None
) -> dict[str, Any]:
    """Return a snapshot of a call's arguments: of those that were given.

    Args:
        arguments: By their names.
        but: One that is not to be kept.
    """
    kept = {}
    for name, value in arguments.items():
        if name in _TRANSPORT:
            continue
        if type(value) in _LEAVES:
            kept[name] = value
        elif name != but and not is_omitted(value):
            kept[name] = _copy(value, _DEPTH, [_CONTAINERS])
    return kept


def is_omitted(value: object) -> bool:
    """Say whether ``value`` is openai's mark for an argument that was not given."""
    return type(value).__name__ in _SENTINELS


def snapshot(value: Any) -> Any:
    """Return a copy of ``value`` made of dicts, lists and immutable leaves."""
    return _item(value, _DEPTH, [_CONTAINERS])


def _copy(value: Any, depth: int, left: list[int]) -> Any:
    """Copy a value that is not a leaf, or mark what is too deep or too much.

    Args:
        value: The value.
        depth: How many levels may follow.
        left: How many containers may follow, over all levels.
    """
    kind = type(value)
    if depth == 0:
        return _TOO_DEEP
    if left[0] == 0:
        return _TOO_MANY
    left[0] -= 1
    depth -= 1
    if kind is dict:
        for key, item in value.items():
            if type(item) not in _LEAVES or type(key) is not str:
                return _copy_entries(value, depth, left)
        return value.copy()
    if kind is list or kind is tuple:
        return [
            item if type(item) in _LEAVES else _copy(item, depth, left)
            for item in value
        ]
    return _copy_other(value, depth, left)


def _copy_entries(value: dict[Any, Any], depth: int, left: list[int]) -> dict[str, Any]:
    return {
        key if type(key) is str else str(key): _item(item, depth, left)
        for key, item in value.items()
        if type(item) in _LEAVES or not is_omitted(item)
    }


def _item(value: Any, depth: int, left: list[int]) -> Any:
    return value if type(value) in _LEAVES else _copy(value, depth, left)


def _copy_other(value: Any, depth: int, left: list[int]) -> Any:
    if isinstance(value, TemplateText):
        # Its template and parameters are read when the event is made.
        kept = str.__new__(TemplateText, value)
        kept.template = value.template
        kept.params = _copy(value.params, depth, left)
        return kept
    if isinstance(value, Enum):
        return _item(value.value, depth, left)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, type):
        return value
    if hasattr(value, "model_dump") and hasattr(value, "model_fields_set"):
        # openai sends a model's set fields, and so does the event.
        return decode(photograph_given(value))
    if isinstance(value, Mapping):
        return _copy(dict(value), depth, left)
    if isinstance(value, Set):
        return [_item(item, depth, left) for item in value]
    if isinstance(value, Sequence):
        return [_item(item, depth, left) for item in value]
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return f"<{type(value).__name__}: an iterator, left unread>"
    return _short_repr(value)


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= _REPR else text[:_REPR] + "…"
