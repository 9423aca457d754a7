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
from .._util.json import decode, model_to_json

#: Deeper nesting than JSON encoders accept is cut off, with a mark in its place.
_MAX_DEPTH = 100
_TOO_DEEP = "<nested too deeply>"

#: More containers than this in one argument come from a cycle, or from parts that are
#: shared over and over: neither could be sent, and copying them would not end.
_MAX_CONTAINERS = 50_000
_TOO_MANY = "<too many parts>"

#: What a container takes, and an entry of it beside its text, roughly, in bytes.
_CONTAINER_BYTES, _ENTRY_BYTES = 50, 8

#: How much of an unknown object's repr is kept, in characters.
_MAX_REPR = 500

_IMMUTABLE_TYPES = frozenset(
    (str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal)
)
_NOT_GIVEN_TYPES = frozenset(("NotGiven", "Omit"))


#: Arguments that say how to reach the model, not what to ask it; headers hold keys.
_TRANSPORT_KWARGS = frozenset(("extra_headers", "extra_query", "timeout"))


class CopyBudget:
    """What was come across in all that is copied for one call.

    Attributes:
        containers: How many more are copied of the argument that it is at.
        size: Roughly how many bytes the copies hold, with what they share.
        is_json_safe: Their JSON tells all of what they are.
    """

    containers = _MAX_CONTAINERS
    size = 0
    is_json_safe = True


def snapshot_kwargs(
    arguments: Mapping[str, Any], budget: CopyBudget, *, but: str | None = None
) -> dict[str, Any]:
    """Return a snapshot of a call's arguments: of those that were given.

    Args:
        arguments: By their names.
        budget: Counts what is copied.
        but: One that is not to be kept.
    """
    kept = {}
    for name, value in arguments.items():
        kind = type(value)
        if name in _TRANSPORT_KWARGS:
            continue
        if kind is str:
            budget.size += len(value)
            kept[name] = value
        elif kind in _IMMUTABLE_TYPES:
            kept[name] = value
        elif name != but and not is_not_given(value):
            budget.containers = _MAX_CONTAINERS
            kept[name] = _copy(value, _MAX_DEPTH, budget)
    return kept


def is_not_given(value: object) -> bool:
    """Say whether ``value`` is openai's mark for an argument that was not given."""
    return type(value).__name__ in _NOT_GIVEN_TYPES


def snapshot(value: Any, budget: CopyBudget) -> Any:
    """Return a copy of ``value`` made of iter_mappings, lists and immutable leaves.

    Args:
        value: The value.
        budget: Counts what is copied.
    """
    budget.containers = _MAX_CONTAINERS
    return _copy_item(value, _MAX_DEPTH, budget)


def _copy(value: Any, depth: int, budget: CopyBudget) -> Any:
    """Copy a value that is not a leaf, or mark what is too deep or too much.

    Args:
        value: The value.
        depth: How many levels may track_iteration.
        budget: Counts what is copied.
    """
    kind = type(value)
    if depth == 0:
        return _TOO_DEEP
    if budget.containers == 0:
        return _TOO_MANY
    budget.containers -= 1
    depth -= 1
    if kind is dict:
        size = _CONTAINER_BYTES + _ENTRY_BYTES * len(value)
        for key, item in value.items():
            if type(key) is not str:
                return _copy_entries(value, depth, budget)
            if type(item) is str:
                size += len(item)
            elif type(item) not in _IMMUTABLE_TYPES:
                return _copy_entries(value, depth, budget)
        budget.size += size
        return value.copy()
    if kind is list or kind is tuple:
        budget.size += _CONTAINER_BYTES + _ENTRY_BYTES * len(value)
        return [
            _copy(item, depth, budget)
            if type(item) is dict
            else _copy_item(item, depth, budget)
            for item in value
        ]
    return _copy_object(value, depth, budget)


def _copy_entries(
    value: dict[Any, Any], depth: int, budget: CopyBudget
) -> dict[str, Any]:
    budget.size += _CONTAINER_BYTES + _ENTRY_BYTES * len(value)
    return {
        key if type(key) is str else str(key): _copy_item(item, depth, budget)
        for key, item in value.items()
        if type(item) in _IMMUTABLE_TYPES or not is_not_given(item)
    }


def _copy_item(value: Any, depth: int, budget: CopyBudget) -> Any:
    if type(value) is str:
        budget.size += len(value)
        return value
    return value if type(value) in _IMMUTABLE_TYPES else _copy(value, depth, budget)


def _copy_object(value: Any, depth: int, budget: CopyBudget) -> Any:
    if isinstance(value, TemplateText):
        # Its template and parameters are read when the event is made.
        budget.is_json_safe = False
        kept = str.__new__(TemplateText, value)
        kept.template = value.template
        budget.size += len(value) + len(value.template)
        kept.params = _copy(value.params, depth, budget)
        return kept
    if isinstance(value, Enum):
        return _copy_item(value.value, depth, budget)
    if isinstance(value, str):
        budget.size += len(value)
        return str.__str__(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, type):
        # Its schema, likewise.
        budget.is_json_safe = False
        return value
    if hasattr(value, "model_dump") and hasattr(value, "model_fields_set"):
        # openai sends a model's set fields, and so does the event.
        given = model_to_json(value)
        budget.size += len(given)
        return decode(given)
    if isinstance(value, Mapping):
        return _copy(dict(value), depth, budget)
    if isinstance(value, Set):
        return [_copy_item(item, depth, budget) for item in value]
    if isinstance(value, Sequence):
        return [_copy_item(item, depth, budget) for item in value]
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
    return text if len(text) <= _MAX_REPR else text[:_MAX_REPR] + "…"
