"""JSON that travels in a text: arguments of a tool call, or an object in an answer."""

import json
import re
from collections.abc import Callable
from typing import Any

from attrs import define, field

from . import _hints

_LITERAL = r"(?:[Tt]rue|[Ff]alse|null|None|NaN|-?Infinity)\b"
#: Where JSON may start in prose; also the way in which Python shows a dict or a list.
_START = re.compile(
    r"\{\s{0,64}[\"']"
    rf"|\[\s{{0,64}}(?:[\"'{{\[]|(?:{_LITERAL}|-?\d[\d.eE+-]{{0,64}})\s{{0,64}},)"
)
_WHOLE_START = re.compile(r"\s*[{\[\"]")
_TOKEN = re.compile(
    r"\s*(?P<token>\"[^\"\\]*(?:\\.[^\"\\]*)*\"?|'[^'\\]*(?:\\.[^'\\]*)*'?"
    rf"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[{{}}\[\],:]|{_LITERAL})",
    re.DOTALL,
)
#: What is nested deeper is judged by the key of what it stands in at this depth.
_MAX_NESTING = 500
#: How many characters an escape that was cut off may have, from its backslash on.
_MAX_ESCAPE = 6

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
    """An object or a list that is being read, which stands under the key ``parent``.

    Attributes:
        key: The key to judge by: of an object, its item's; of a list, the parent.
        name: The key of the item as it is written.
        label: What an object says that its ``value`` is; of a list, its first item.
        items: How many commas were read.
    """

    is_object: bool
    parent: str | None
    key: str | None = field(init=False)
    expects_key: bool = field(init=False)
    name: str = ""
    label: str | None = None
    items: int = 0
    names: UniqueNames = field(factory=UniqueNames)

    def __attrs_post_init__(self) -> None:
        self.key = self.parent
        self.expects_key = self.is_object

    def start_item(self) -> None:
        """Go on behind a comma."""
        self.expects_key = self.is_object
        self.items += 1

    def read_key(self, name: str) -> None:
        """Note the key of an object's next item."""
        self.expects_key = False
        self.name = name
        self.key = _hints.item_key(self.parent, name, self.label)

    def key_of_leaf(self, value: Any) -> str | None:
        """Return the key by which to judge a leaf, and note what it says of others."""
        if self.is_object:
            if _hints.is_label(self.name, value):
                self.label = value
        elif isinstance(value, str) and self.items == 0:
            self.label = value
        elif self.label and self.items == 1:
            return _hints.paired_key(self.label) or self.key
        return self.key


def is_json(text: str) -> bool:
    """Say whether a text is one JSON object, list or string."""
    try:
        return _WHOLE_START.match(text) is not None and json.loads(text) is not None
    except (ValueError, RecursionError):
        return False


def redact_json(text: str, leaf: LeafRedactor, *, is_whole: bool) -> str:
    """Redact strings, numbers and keys of all JSON in a text; its layout stays.

    The JSON may be cut off, and stand in prose. It is read once, from left to right.

    Args:
        text: Any text.
        leaf: Redacts a string or a number; also a key, which stands under no key.
        is_whole: The text is JSON and nothing else; see `is_json`.

    Returns:
        The text; what is not JSON is left as it is.

    Raises:
        ValueError: The whole text should be JSON, and is not.
    """
    parts: list[str] = []
    copied = 0
    position = len(text) - len(text.lstrip()) if is_whole else _find_start(text, 0)
    if is_whole and text[position] == '"':
        return text[:position] + json.dumps(leaf(json.loads(text), None))
    while position >= 0:
        stack: list[_Container] = []
        deeper = 0
        while match := _TOKEN.match(text, position):
            token, position = match["token"], match.end()
            if token in "{[":
                parent = stack[-1].key if stack else None
                if len(stack) == _MAX_NESTING:
                    deeper += 1
                else:
                    stack.append(_Container(token == "{", parent))
            elif token in "}]" and deeper:
                deeper -= 1
            elif token in "}]":
                stack.pop()
                if not stack:
                    break
            elif token == ",":
                stack[-1].start_item()
            elif token != ":" and not token[0].isalpha():
                new = _redact_token(token, stack[-1], leaf)
                if new is not None:
                    parts += (text[copied : match.start("token")], new)
                    copied = position
        if is_whole and text[position:].strip():
            raise ValueError("JSON that is not read to its end")
        position = _find_start(text, position)
    parts.append(text[copied:])
    return "".join(parts)


def _find_start(text: str, position: int) -> int:
    """Return where JSON may start next in prose; -1 if nowhere."""
    match = _START.search(text, position)
    return match.start() if match else -1


def _redact_token(token: str, container: _Container, leaf: LeafRedactor) -> str | None:
    """Return what to write in the place of a token; None to leave it."""
    try:
        value = _parse(token)
    except ValueError:
        return None
    if container.expects_key and isinstance(value, str):
        container.read_key(value)
        redacted = leaf(value, None)
        if redacted != value:
            redacted = container.names.add(redacted)
    else:
        redacted = leaf(value, container.key_of_leaf(value))
    if redacted == value:
        return None
    if token[0] == "'":
        escaped: str = redacted.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    written = json.dumps(redacted, ensure_ascii=token.isascii())
    is_cut = token[0] == '"' and (len(token) == 1 or token[-1] != '"')
    return written[:-1] if is_cut else written


def _parse(token: str) -> Any:
    """Return the string or number that a token stands for, also one that is cut off."""
    if token[0] == "'":
        body = token[1:].removesuffix("'")
        return body.replace("\\'", "'").replace("\\\\", "\\")
    try:
        return json.loads(token, strict=False)
    except ValueError:
        for length in range(len(token), len(token) - _MAX_ESCAPE - 1, -1):
            try:
                return json.loads(token[:length] + '"', strict=False)
            except ValueError:
                continue
        raise
