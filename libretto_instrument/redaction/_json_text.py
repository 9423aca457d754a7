"""JSON that travels as a text, such as the arguments of a tool call."""

import json
import re
from collections.abc import Callable
from typing import Any

from attrs import define, field

_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[{}\[\],]', re.DOTALL
)
#: How JSON starts, as distinguished from prose in brackets.
_START = re.compile(r"\s*(?:[{\[]\s*[\"{\[]|\")")

_MAX_NESTING = 500

#: Redacts a leaf, given the key that it stands under.
LeafRedactor = Callable[[Any, "str | None"], Any]


@define
class UniqueNames:
    """Numbers the keys of one object that become equal by redaction."""

    _used: set[str] = field(factory=set)
    _last: dict[str, int] = field(factory=dict)

    def add(self, name: str) -> str:
        """Return ``name``, with a number if it is there already."""
        unique = name
        while unique in self._used:
            number = self._last[name] = self._last.get(name, 1) + 1
            unique = f"{name.removesuffix('>')}_{number}>"
        self._used.add(unique)
        return unique


@define
class _Container:
    """An object or a list that the reading is inside of.

    Attributes:
        is_object: Whether it is an object.
        key: The key of the item that is read; of a list, the key it stands under.
        expects_key: Whether the next string is a key.
        names: The keys so far.
    """

    is_object: bool
    key: str | None
    expects_key: bool
    names: UniqueNames = field(factory=UniqueNames)


def is_json(text: str) -> bool:
    """Say whether a text is one JSON object, list or string."""
    try:
        return _START.match(text) is not None and json.loads(text) is not None
    except (ValueError, RecursionError):
        return False


def is_like_json(text: str) -> bool:
    """Say whether a text starts as JSON does; it may be cut off."""
    return _START.match(text) is not None


def redact_json(
    text: str, leaf: LeafRedactor, inherit: Callable[..., str]
) -> str | None:
    """Redact the strings, numbers and keys of JSON; its layout stays.

    Args:
        text: JSON, which may be cut off anywhere.
        leaf: Redacts a string or a number; also a key, which stands under no key.
        inherit: Returns the key to redact an item by, given the key of the object that
            it is in and its own.

    Returns:
        The redacted text, where what is no whole token is left as it is; None if it is
        nested too deeply.
    """
    parts: list[str] = []
    position = 0
    stack = [_Container(False, None, False)]
    for match in _TOKEN.finditer(text):
        token, container = match.group(), stack[-1]
        if token in "{[":
            is_object = token == "{"
            stack.append(_Container(is_object, container.key, is_object))
            if len(stack) > _MAX_NESTING:
                return None
        elif token in "}]":
            if len(stack) > 1:
                stack.pop()
        elif token == ",":
            container.expects_key = container.is_object
        else:
            new = _redact_token(token, stack, leaf, inherit)
            if new is not None:
                parts += (text[position : match.start()], new)
                position = match.end()
    parts.append(text[position:])
    return "".join(parts)


def _redact_token(
    token: str, stack: list[_Container], leaf: LeafRedactor, inherit: Callable[..., str]
) -> str | None:
    """Return what to write in the place of a token; None to leave it."""
    container = stack[-1]
    try:
        value = json.loads(token, strict=False)
    except ValueError:
        return None
    if container.expects_key and isinstance(value, str):
        container.expects_key = False
        parent = stack[-2].key if len(stack) > 1 else None
        container.key = inherit(parent, value)
        redacted = leaf(value, None)
        if redacted != value:
            redacted = container.names.add(redacted)
    else:
        redacted = leaf(value, container.key)
    if redacted == value:
        return None
    return json.dumps(redacted, ensure_ascii=token.isascii())
