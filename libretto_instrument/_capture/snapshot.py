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

from .._templates import TemplateText
from .._util import errors
from .._util.json import decode, photograph_given

#: Deeper nesting than JSON encoders accept is cut off, with a mark in its place.
_DEPTH = 100
_TOO_DEEP = "<nested too deeply>"

#: More containers than this in one argument come from a cycle, or from parts that are
#: shared over and over: neither could be sent, and copying them would not end.
_CONTAINERS = 50_000
_TOO_MANY = "<too many parts>"

#: What a container takes, and an entry of it beside its text, roughly, in bytes.
_CONTAINER, _ENTRY = 50, 8

#: How much of an unknown object's repr is kept, in characters.
_REPR = 500

_LEAVES = frozenset(
    (str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal)
)
_SENTINELS = frozenset(("NotGiven", "Omit"))


#: Arguments that say how to reach the model, not what to ask it; headers hold keys.
_TRANSPORT = frozenset(("extra_headers", "extra_query", "timeout"))


class Tally:
    """What was come across in all that is copied for one call.

    Attributes:
        containers: How many more are copied of the argument that it is at.
        size: Roughly how many bytes the copies hold, with what they share.
        is_plain: Their JSON tells all of what they are.
    """

    containers = _CONTAINERS
    size = 0
    is_plain = True


def copy_of_arguments(
    arguments: Mapping[str, Any], tally: Tally, *, but: str | None = None
) -> dict[str, Any]:
    """Return a snapshot of a call's arguments: of those that were given.

    Args:
        arguments: By their names.
        tally: Counts what is copied.
        but: One that is not to be kept.
    """
    kept = {}
    for name, value in arguments.items():
        kind = type(value)
        if name in _TRANSPORT:
            continue
        if kind is str:
            tally.size += len(value)
            kept[name] = value
        elif kind in _LEAVES:
            kept[name] = value
        elif name != but and not is_omitted(value):
            tally.containers = _CONTAINERS
            kept[name] = _copy(value, _DEPTH, tally)
    return kept


def is_omitted(value: object) -> bool:
    """Say whether ``value`` is openai's mark for an argument that was not given."""
    return type(value).__name__ in _SENTINELS


def snapshot(value: Any, tally: Tally) -> Any:
    """Return a copy of ``value`` made of dicts, lists and immutable leaves.

    Args:
        value: The value.
        tally: Counts what is copied.
    """
    tally.containers = _CONTAINERS
    return _item(value, _DEPTH, tally)


def _copy(value: Any, depth: int, tally: Tally) -> Any:
    """Copy a value that is not a leaf, or mark what is too deep or too much.

    Args:
        value: The value.
        depth: How many levels may follow.
        tally: Counts what is copied.
    """
    kind = type(value)
    if depth == 0:
        return _TOO_DEEP
    if tally.containers == 0:
        return _TOO_MANY
    tally.containers -= 1
    depth -= 1
    if kind is dict:
        size = _CONTAINER + _ENTRY * len(value)
        for key, item in value.items():
            if type(key) is not str:
                return _copy_entries(value, depth, tally)
            if type(item) is str:
                size += len(item)
            elif type(item) not in _LEAVES:
                return _copy_entries(value, depth, tally)
        tally.size += size
        return value.copy()
    if kind is list or kind is tuple:
        tally.size += _CONTAINER + _ENTRY * len(value)
        return [
            _copy(item, depth, tally)
            if type(item) is dict
            else _item(item, depth, tally)
            for item in value
        ]
    return _copy_other(value, depth, tally)


def _copy_entries(value: dict[Any, Any], depth: int, tally: Tally) -> dict[str, Any]:
    tally.size += _CONTAINER + _ENTRY * len(value)
    return {
        key if type(key) is str else str(key): _item(item, depth, tally)
        for key, item in value.items()
        if type(item) in _LEAVES or not is_omitted(item)
    }


def _item(value: Any, depth: int, tally: Tally) -> Any:
    if type(value) is str:
        tally.size += len(value)
        return value
    return value if type(value) in _LEAVES else _copy(value, depth, tally)


def _copy_other(value: Any, depth: int, tally: Tally) -> Any:
    if isinstance(value, TemplateText):
        # Its template and parameters are read when the event is made.
        tally.is_plain = False
        kept = str.__new__(TemplateText, value)
        kept.template = value.template
        tally.size += len(value) + len(value.template)
        kept.params = _copy(value.params, depth, tally)
        return kept
    if isinstance(value, Enum):
        return _item(value.value, depth, tally)
    if isinstance(value, str):
        tally.size += len(value)
        return str.__str__(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, type):
        # Its schema, likewise.
        tally.is_plain = False
        return value
    if hasattr(value, "model_dump") and hasattr(value, "model_fields_set"):
        # openai sends a model's set fields, and so does the event.
        given = photograph_given(value)
        tally.size += len(given)
        return decode(given)
    if isinstance(value, Mapping):
        return _copy(dict(value), depth, tally)
    if isinstance(value, Set):
        return [_item(item, depth, tally) for item in value]
    if isinstance(value, Sequence):
        return [_item(item, depth, tally) for item in value]
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return f"<{type(value).__name__}: an iterator, left unread>"
    return _short_repr(value)


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception as exc:
        if errors.is_from_signal_handler(exc):
            raise
        return f"<{type(value).__name__}>"
    return text if len(text) <= _REPR else text[:_REPR] + "…"
