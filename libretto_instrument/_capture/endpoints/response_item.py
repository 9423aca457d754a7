"""One output item of a streamed response, put together from events."""

from typing import Any

from .deltas import finalize, overlay
from .summary import iter_mappings

__all__ = ["Annotations", "Item"]

#: Types of items that are not calls of tools.
_CONTENT_TYPES = frozenset(("message", "reasoning"))


class Annotations(list[Any]):
    """Annotations that came one by one: a list that is not an event's own."""


class Item:
    """One output item: what an event says of it, and what came since.

    Attributes:
        fields: All fields but those that are lists of parts.
        index: Its index in the output.
        ids: The ids that events gave it.
        is_added: An event brought the item itself.
        is_done: That was the last of its events.
        done: The places, and indexes of parts, whose text is complete.
    """

    def __init__(self, kind: str | None, index: int) -> None:
        self.fields: dict[str, Any] = {}
        self.index = index
        self.ids: set[str] = set()
        self.is_added = self.is_done = False
        self.done: set[tuple[Any, int | None]] = set()
        if kind is not None:
            self.fields["type"] = kind
        if kind == "message":
            self.fields["role"] = "assistant"
        # By the part's index and type.
        self._parts: dict[str, dict[tuple[int, Any], dict[str, Any]]] = {}

    def is_followed_by(
        self, event: dict[str, Any], kind: str | None, identity: Any
    ) -> bool:
        """Return whether an event at this item's index is about another item."""
        if identity in self.ids:
            return False
        known, item = self.fields.get("type"), event.get("item")
        if (
            kind != known
            and None not in (kind, known)
            and {kind, known} & _CONTENT_TYPES
        ):
            return True
        if not isinstance(item, dict) or not self.is_added:
            return False
        calls = [self.fields.get("call_id"), item.get("call_id")]
        if all(calls):
            return calls[0] != calls[1]
        is_new = event.get("type") == "response.output_item.added"
        return is_new and bool(identity and self.ids)

    def update(self, item: dict[str, Any]) -> None:
        """Take over the item as an event gives it, but for fields that are blank."""
        self.fields = overlay(finalize(self.fields), item)
        for name in ("content", "summary", "output"):
            if isinstance(item.get(name), list) and item[name]:
                self._parts[name] = {
                    (at, part.get("type")): dict(part)
                    for at, part in enumerate(iter_mappings(item[name]))
                }

    def part(self, name: str, index: int | None, kind: Any) -> dict[str, Any]:
        """Return the part of a type at an index; without an index, the last one."""
        parts = self._parts.setdefault(name, {})
        if index is None:
            last = next(reversed(parts), (-1, None))
            index = last[0] if last[1] == kind else last[0] + 1
        for key in ((index, kind), (index, None)):
            if key in parts:
                return parts[key]
        part = parts[index, kind] = {} if kind is None else {"type": kind}
        return part

    def build(self) -> dict[str, Any]:
        """Return the item as a complete response has it."""
        item: dict[str, Any] = finalize(self.fields)
        for name, parts in self._parts.items():
            ordered = sorted(parts.items(), key=lambda part: part[0][0])
            built = [finalize(part) for _, part in ordered]
            if name == "commands":
                action = item.get("action")
                commands = [part.get("command", "") for part in built]
                item["action"] = {
                    **(action if isinstance(action, dict) else {}),
                    "commands": commands,
                }
            else:
                item[name] = built
        return item
