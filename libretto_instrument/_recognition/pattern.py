"""Matching of one text, or one message, against one template.

A template fits in one way or in several. The leftmost split gives every literal its
first possible position; where no literal has a later position, there is no other split.
Both are found by `str.find` over disjoint parts of the text, so the work is linear.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import define, field, frozen

from .._templates import PLACEHOLDER

#: Nesting of a template's message beyond this is refused.
MAX_DEPTH = 30
#: Work for one prompt, in characters looked at.
MAX_SCANNED_CHARS = 4 * 2**20
#: What a look at a message costs beside its text, in the same unit.
_MESSAGE_COST = 200
_VALUE_COST = 20

#: The types of content parts that hold plain text.
_TEXT_PARTS = frozenset(("text", "input_text", "output_text"))


class BudgetExceededError(Exception):
    """To go on would take more than `MAX_SCANNED_CHARS`."""


@define(eq=False)
class Attempt:
    """What matching one template has found so far.

    Attributes:
        budget: How many more characters may be looked at, in a list of one that the
            attempts of all templates share.
        params: The parameters that are certain, by name.
        is_ambiguous: The template fits in more than one way.
    """

    budget: list[int]
    params: dict[str, Any] = field(factory=dict)
    is_ambiguous: bool = False

    def charge(self, cost: int) -> None:
        """Count work.

        Raises:
            BudgetExceededError: It was too much.
        """
        self.budget[0] -= cost
        if self.budget[0] < 0:
            raise BudgetExceededError

    def keep(self, name: str, value: Any) -> bool:
        """Keep a parameter; return whether it agrees with an earlier one."""
        known = self.params.setdefault(name, value)
        return known is value or bool(known == value)


@frozen(eq=False)
class TextPattern:
    """A template's text, cut at its placeholders.

    Attributes:
        source: The text, with its placeholders.
        literals: What stands before, between and after the placeholders.
        names: The placeholders.
    """

    source: str
    literals: tuple[str, ...]
    names: tuple[str, ...]

    def match(self, text: str, attempt: Attempt) -> bool:
        """Return whether a text can be a rendering; keep its parameters."""
        literals, names = self.literals, self.names
        if not names:
            return text == literals[0]
        first, last = literals[0], literals[-1]
        start, end = len(first), len(text) - len(last)
        if start > end or not text.startswith(first) or not text.endswith(last):
            return False
        if len(names) == 1:
            return attempt.keep(names[0], text[start:end])
        attempt.charge(len(text) + len(names))
        positions, at = [start], start
        for literal in literals[1:-1]:
            found = text.find(literal, at, end)
            if found < 0:
                return False
            at = found + len(literal)
            positions += (found, at)
        positions.append(end)
        for index, literal in enumerate(literals[1:-1]):
            _, left, _, limit = positions[2 * index : 2 * index + 4]
            if text.find(literal, left + 1, limit) >= 0:
                attempt.is_ambiguous = True
                return True
        bounds = zip(positions[::2], positions[1::2], strict=True)
        values = (text[start:end] for start, end in bounds)
        return all(map(attempt.keep, names, values))


#: A part of a template's message, compiled: a text, a mapping by key, a list, or any
#: other value, in a tuple of one.
Node: TypeAlias = "TextPattern | dict[str, Any] | list[Any] | tuple[Any]"


@frozen(eq=False)
class MessagePattern:
    """A template's message.

    Attributes:
        source: The message, with its placeholders.
        node: The same, compiled.
    """

    source: Mapping[str, Any]
    node: dict[str, Any]

    def match(self, message: Any, attempt: Attempt) -> Any:
        """Return the template of a message that can be a rendering, else None.

        It is the template's own message, but for the form in which frameworks send one
        without changing what it says: ``developer`` for ``system``, a text as a list of
        one part, and a ``type`` that says that it is a message.
        """
        attempt.charge(_MESSAGE_COST)
        if type(message) is not dict:
            return None
        node, changes = self.node, {}
        for key, value in message.items():
            expected = node.get(key)
            if expected is None:
                if key != "type" or value != "message":
                    return None
                changes[key] = value
            elif not _match(expected, value, attempt):
                adapted = self._adapt(key, expected, value, attempt)
                if adapted is None:
                    return None
                changes[key] = adapted
        if len(message) - ("type" in changes) != len(node):
            return None
        return {**self.source, **changes} if changes else self.source

    def _adapt(self, key: str, expected: Node, value: Any, attempt: Attempt) -> Any:
        if not isinstance(expected, TextPattern):
            return None
        if key == "role":
            is_same = (expected.source, value) == ("system", "developer")
            return value if is_same else None
        if key != "content" or type(value) is not list or len(value) != 1:
            return None
        (part,) = value
        if (
            type(part) is dict
            and part.keys() == {"type", "text"}
            and part["type"] in _TEXT_PARTS
            and _match(expected, part["text"], attempt)
        ):
            return [{**part, "text": expected.source}]
        return None


def compile_text(template: str) -> TextPattern:
    """Return a template's text as a pattern."""
    literals: list[list[str]] = [[]]
    names: list[str] = []
    at = 0
    for match in PLACEHOLDER.finditer(template):
        literals[-1].append(template[at : match.start()])
        at = match.end()
        if match["escaped"] is not None:
            literals[-1].append("{" + match["escaped"] + "}")
        else:
            names.append(match["name"])
            literals.append([])
    literals[-1].append(template[at:])
    return TextPattern(template, tuple(map("".join, literals)), tuple(names))


def compile_message(message: Mapping[str, Any]) -> MessagePattern:
    """Return a template's message as a pattern.

    Raises:
        ValueError: It is nested too deeply.
    """
    if message.get("role") == "ai":
        message = {**message, "role": "assistant"}
    node = {str(key): _compile(value, MAX_DEPTH) for key, value in message.items()}
    return MessagePattern(message, node)


def _compile(value: Any, depth: int) -> Node:
    if depth == 0:
        raise ValueError(f"A template is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        return compile_text(value)
    if isinstance(value, Mapping):
        return {str(key): _compile(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_compile(item, depth - 1) for item in value]
    return (value,)


def _match(node: Node, value: Any, attempt: Attempt) -> bool:
    """Return whether a part of a message can be a rendering of a template's."""
    if isinstance(node, TextPattern):
        return isinstance(value, str) and node.match(value, attempt)
    attempt.charge(_VALUE_COST)
    if isinstance(node, dict):
        return (
            type(value) is dict
            and node.keys() == value.keys()
            and all(_match(item, value[key], attempt) for key, item in node.items())
        )
    if isinstance(node, list):
        return (
            type(value) is list
            and len(node) == len(value)
            and all(map(_match, node, value, [attempt] * len(node)))
        )
    (expected,) = node
    return type(expected) is type(value) and bool(expected == value)
