"""Copies of the caller's arguments that later changes cannot reach.

Containers are copied, leaves are shared: strings are immutable, so a copy of a megabyte
of text costs as much as one of a word. No iterator is consumed, nothing is deep-copied,
and nothing of the caller's is called but what says how to convert it.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import GeneratorType
from typing import Any
from uuid import UUID

from .._templates import TemplateText
from .._util import errors
from .._util.json import decode, model_to_json

#: Deeper nesting than JSON encoders accept is replaced.
_MAX_DEPTH = 100
_TOO_DEEP = "<nested too deeply>"

#: More containers than this in one argument come from a cycle, or from parts that are
#: shared over and over: neither could be sent, and copying them would not end.
_MAX_CONTAINERS = 50_000
_TOO_MANY = "<too many parts>"

#: Rough memory of a container, and of an entry besides its text.
_CONTAINER_BYTES, _ENTRY_BYTES = 50, 8

#: Maximum length of an unknown object's repr, in characters.
_MAX_REPR = 500

_IMMUTABLE_TYPES = frozenset(
    (str, int, float, bool, type(None), UUID, datetime, date, time, timedelta, Decimal)
)
_NOT_GIVEN_TYPES = frozenset(("NotGiven", "Omit"))

#: Arguments that say how to reach the model, not what to ask it; headers hold keys.
_TRANSPORT_KWARGS = frozenset(("extra_headers", "extra_query", "timeout"))


class CopyBudget:
    """Limits and results of copying one call's arguments.

    Attributes:
        containers_left: Containers left to copy of the current argument.
        size_bytes: Rough size of the copies, with what they share.
    """

    # Class attributes, as each call makes one.
    containers_left = _MAX_CONTAINERS
    size_bytes = 0


def snapshot_kwargs(
    arguments: Mapping[str, Any], budget: CopyBudget, *, exclude: str | None = None
) -> dict[str, Any]:
    """Return a snapshot of those arguments that were given, but for ``exclude``."""
    copies = {}
    for name, value in arguments.items():
        kind = type(value)
        if name in _TRANSPORT_KWARGS:
            continue
        if kind is str:
            budget.size_bytes += len(value)
            copies[name] = value
        elif kind in _IMMUTABLE_TYPES:
            copies[name] = value
        elif name == exclude:
            continue
        elif kind is list or kind is dict or not is_not_given(value):
            budget.containers_left = _MAX_CONTAINERS
            copies[name] = _copy(value, _MAX_DEPTH, budget)
    return copies


def is_not_given(value: object) -> bool:
    """Return whether ``value`` is openai's mark for an argument that was not given."""
    return type(value).__name__ in _NOT_GIVEN_TYPES


def snapshot(value: Any, budget: CopyBudget) -> Any:
    """Return a copy of ``value`` made of dicts, lists and immutable leaves."""
    budget.containers_left = _MAX_CONTAINERS
    return _copy_item(value, _MAX_DEPTH, budget)


def _copy(value: Any, depth: int, budget: CopyBudget) -> Any:
    """Copy a value that is not a leaf; at most ``depth`` levels may follow."""
    kind = type(value)
    if depth == 0:
        return _TOO_DEEP
    if budget.containers_left == 0:
        return _TOO_MANY
    budget.containers_left -= 1
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
        budget.size_bytes += size
        return value.copy()
    if kind is list or kind is tuple:
        budget.size_bytes += _CONTAINER_BYTES + _ENTRY_BYTES * len(value)
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
    budget.size_bytes += _CONTAINER_BYTES + _ENTRY_BYTES * len(value)
    return {
        key if type(key) is str else _key_text(key): _copy_item(item, depth, budget)
        for key, item in value.items()
        if type(item) in _IMMUTABLE_TYPES or not is_not_given(item)
    }


def _copy_item(value: Any, depth: int, budget: CopyBudget) -> Any:
    if type(value) is str:
        budget.size_bytes += len(value)
        return value
    return value if type(value) in _IMMUTABLE_TYPES else _copy(value, depth, budget)


def _key_text(key: Any) -> str:
    """Return a dict's key as JSON has it."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, Enum):
        return _key_text(key.value)
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _copy_object(value: Any, depth: int, budget: CopyBudget) -> Any:
    if isinstance(value, TemplateText):
        # Its template and parameters are read when the event is built.
        text = str.__new__(TemplateText, value)
        text.template = value.template
        budget.size_bytes += len(value) + len(value.template)
        text.params = _copy(value.params, depth, budget)
        return text
    if isinstance(value, Enum):
        return _copy_item(value.value, depth, budget)
    if isinstance(value, str):
        budget.size_bytes += len(value)
        return str.__str__(value)
    if isinstance(value, int | float | type):
        return value  # Of a class, the worker works out the schema.
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if hasattr(value, "model_dump") and hasattr(value, "model_fields_set"):
        # openai sends a model's set fields, and so does the event.
        encoded = model_to_json(value)
        budget.size_bytes += len(encoded)
        return decode(encoded)
    if isinstance(value, Mapping):
        return _copy(dict(value), depth, budget)
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return f"<{type(value).__name__}: an iterator, left unread>"
    items = _iterate(value) if hasattr(type(value), "__iter__") else None
    if items is None:
        return _short_repr(value)
    budget.size_bytes += _CONTAINER_BYTES + _ENTRY_BYTES * len(items)
    return [_copy_item(item, depth, budget) for item in items]


def _iterate(value: Any) -> list[Any] | None:
    """Return the items of an object; None if iterating could use them up.

    Not iterated is what returns the same iterator again, or holds an iterator. What a
    new iterator is made of cannot be seen, unless it is a generator or one of Python's
    own for containers, which know how much they have left.
    """
    for held in getattr(value, "__dict__", {}).values():
        if isinstance(held, Iterator):
            return None
    try:
        if not isinstance(value, Collection):
            first, second = iter(value), iter(value)
            is_new = first is not value and first is not second
            if not is_new or not (
                isinstance(first, GeneratorType) or hasattr(first, "__length_hint__")
            ):
                return None
        return [*islice(value, _MAX_CONTAINERS)]
    except Exception as exc:
        if errors.is_from_signal_handler(exc):
            raise
        return None  # It is the caller's own fault, which openai will tell.


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception as exc:
        if errors.is_from_signal_handler(exc):
            raise
        return f"<{type(value).__name__}>"
    return text if len(text) <= _MAX_REPR else text[:_MAX_REPR] + "…"
