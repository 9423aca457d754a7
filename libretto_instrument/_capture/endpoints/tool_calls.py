"""The tool calls of a streamed choice, put together from their fragments."""

import json
import re
from typing import Any

from .deltas import finalize, is_blank, merge_delta
from .summary import iter_mappings

_JSON_TOKEN = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class ToolCalls:
    """The tool calls of one choice.

    A fragment belongs to the call with its id, else to the one at its index, else to
    the last one. Gateways number calls in many ways: the same index for all, an index
    or an id for each fragment, or none. So a call of another name, or one more call
    once the arguments are complete, begins a new call wherever its fragment points.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[Any, _Call] = {}
        self._by_id: dict[Any, _Call] = {}

    def add_chunk(self, fragments: list[dict[str, Any]]) -> None:
        """Append the fragments of one chunk to their calls."""
        named: list[_Call] = []
        for fragment in fragments:
            self._add(fragment, named)

    def _add(self, fragment: dict[str, Any], named: "list[_Call]") -> None:
        """Append a fragment; ``named`` are the calls that its chunk named before."""
        index, identity = to_index(fragment.get("index")), fragment.get("id")
        if not isinstance(identity, str | int) or not identity:
            identity = None
        name, arguments = _read_function(fragment)
        call = self._by_index.get(index)
        if call is None or call.fields["id"] != identity:
            call = self._by_id.get(identity) or call
        if call is None and self._calls and (index is None or name is None):
            call = self._calls[-1]
        if call is not None and call.is_sent_again(identity, name, arguments):
            return
        # One chunk names a call once.
        is_beside = name is not None and identity is None and bool(named)
        if (
            call is None
            or (is_beside and call in named)
            or call.is_followed_by(identity, name, arguments)
        ):
            if identity is None and name is None and not arguments:
                return  # Some gateways send an empty call with each chunk.
            call = _Call(is_beside, _guess_type(fragment))
            self._calls.append(call)
        call.add(fragment, arguments)
        if name is not None:
            named.append(call)
        if index is not None:
            self._by_index[index] = call
        if identity is not None:
            self._by_id[identity] = call

    def build(self) -> list[dict[str, Any]]:
        """Return the calls as a complete response has them."""
        built: list[dict[str, Any]] = []
        for call in self._calls:
            if not (built and call.is_repeated_name(built[-1])):
                built.append(finalize(call.fields))
        return built


class _Call:
    def __init__(self, is_beside: bool, kind: str) -> None:
        self.fields: dict[str, Any] = {"id": None, "type": kind}
        self._is_beside = is_beside
        self._arguments = _JsonNesting()
        self._names = 0

    def add(self, fragment: dict[str, Any], arguments: str) -> None:
        known = self.fields["id"]
        merge_delta(self.fields, {n: v for n, v in fragment.items() if n != "index"})
        if known:
            self.fields["id"] = known  # Some gateways give each fragment an id.
        self._arguments.feed(arguments)
        self._names += _read_function(fragment)[0] is not None

    def is_repeated_name(self, before: dict[str, Any]) -> bool:
        """Return whether this only repeats the name of the call before it."""
        is_same = self.fields["id"] in (None, "", before["id"])
        name = _read_function(self.fields)[0]
        is_named_alike = str(name) == str(_read_function(before)[0])
        is_bare = self._arguments.is_empty and not self._is_beside
        return is_same and is_named_alike and is_bare

    def is_sent_again(self, identity: Any, name: str | None, arguments: str) -> bool:
        """Return whether a fragment is this very call, complete, a second time."""
        if identity is None or name is None or identity != self.fields["id"]:
            return False
        if not self._arguments.is_complete or len(arguments) != self._arguments.length:
            return False
        return (name, arguments) == _read_function(finalize(self.fields))

    def is_followed_by(self, identity: Any, name: str | None, arguments: str) -> bool:
        """Return whether a fragment that points to this call begins another one."""
        known = self.fields["id"]
        has_other_id = bool(identity and known and identity != known)
        is_complete = self._arguments.is_complete
        if name is None:
            return has_other_id and is_complete
        called = str(_read_function(self.fields)[0] or "")
        if not called:
            return False
        if name != called:
            # Without arguments yet, it may be the rest of the name.
            return has_other_id or not self._arguments.is_empty
        if not self._arguments.is_empty:
            # Some gateways repeat the name with each fragment, up to an empty one.
            return is_complete and bool(arguments or has_other_id or self._names == 1)
        following = _JsonNesting()
        following.feed(arguments)
        return has_other_id and (following.is_empty or following.is_complete)


class _JsonNesting:
    """Follows how deep the end of a JSON document is, as the document comes in."""

    def __init__(self) -> None:
        self.is_empty = True
        self.length = 0
        self._depth = 0
        self._is_in_string = False
        self._carry = ""

    @property
    def is_complete(self) -> bool:
        return not (self.is_empty or self._depth or self._is_in_string)

    def feed(self, text: str) -> None:
        self.is_empty = self.is_empty and not text.strip()
        self.length += len(text)
        text, self._carry = self._carry + text, ""
        if (len(text) - len(text.rstrip("\\"))) % 2:
            text, self._carry = text[:-1], "\\"  # Cut inside an escape sequence.
        for token in _JSON_TOKEN.findall(text):
            if token == '"':
                self._is_in_string = not self._is_in_string
            elif not self._is_in_string and len(token) == 1:
                self._depth += 1 if token in "{[" else -1


def iter_calls(value: Any) -> list[dict[str, Any]]:
    """Return the calls of a message or a delta; some gateways send one by itself."""
    return iter_mappings([value] if isinstance(value, dict) else value)


def to_index(value: Any) -> int | str | None:
    """Return an index as a number, where it is one or is written as a text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value) if len(value) < 10 else value
    return value if isinstance(value, int | str) else None


def _read_function(call: dict[str, Any]) -> tuple[Any, str]:
    """Return the name that a call or a fragment gives, if any, and its arguments."""
    for kind, field in (("function", "arguments"), ("custom", "input")):
        called = call.get(kind)
        if isinstance(called, dict):
            value, name = called.get(field), called.get("name") or None
            if isinstance(value, dict) and value:
                # Some gateways send the arguments as an object, in one fragment.
                return name, json.dumps(finalize(value))
            return name, value if isinstance(value, str) else ""
    return None, ""


def read_tool_calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls of a complete message, or its legacy function call."""
    calls = [
        call if call.get("type") else {**call, "type": _guess_type(call)}
        for call in iter_calls(message.get("tool_calls"))
        if not is_blank({**call, "type": None})
    ]
    legacy = message.get("function_call")
    if not calls and isinstance(legacy, dict) and not is_blank(legacy):
        calls = [{"type": "function", "function": legacy}]
    return calls


def _guess_type(call: dict[str, Any]) -> str:
    return "custom" if "custom" in call else "function"
