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

#: How much of an unknown object's repr is kept, in characters.
_REPR = 500

_LEAVES = frozenset(
    (str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal)
)
_SENTINELS = frozenset(("NotGiven", "Omit"))


def is_omitted(value: object) -> bool:
    """Say whether ``value`` is openai's mark for an argument that was not given."""
    return type(value).__name__ in _SENTINELS


def snapshot(value: Any, depth: int = _DEPTH) -> Any:
    """Return a copy of ``value`` made of dicts, lists and immutable leaves."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if depth == 0:
        return _TOO_DEEP
    depth -= 1
    if kind is dict:
        return {
            key if type(key) is str else str(key): (
                item if type(item) in _LEAVES else snapshot(item, depth)
            )
            for key, item in value.items()
            if type(item) in _LEAVES or not is_omitted(item)
        }
    if kind is list or kind is tuple:
        return [
            item if type(item) in _LEAVES else snapshot(item, depth) for item in value
        ]
    return _snapshot_other(value, depth)


def _snapshot_other(value: Any, depth: int) -> Any:
    if isinstance(value, TemplateText):
        # Its template and parameters are read when the event is made.
        kept = str.__new__(TemplateText, value)
        kept.template = value.template
        kept.params = snapshot(value.params, depth)
        return kept
    if isinstance(value, Enum):
        return snapshot(value.value, depth)
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
        return snapshot(dict(value), depth)
    if isinstance(value, Set):
        return [snapshot(item, depth) for item in value]
    if isinstance(value, Sequence):
        return [snapshot(item, depth) for item in value]
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return f"<{type(value).__name__}: an iterator, left unread>"
    return _short_repr(value)


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= _REPR else text[:_REPR] + "…"
