"""The Responses API: how its requests become a template, and how answers are read.

`instructions` and `input` stand for the chat template; function calls become tool
calls; the status goes with the usage. As in `_chat`, nothing in an answer is taken for
granted.
"""

from typing import Any

from ..._config.settings import CallSettings
from .deltas import TextBuffer
from .summary import ResponseSummary, extract_errors, iter_mappings, text_or_none

__all__ = [
    "has_content",
    "input_as_template",
    "merge_chunks",
    "parse_response",
    "template_from_settings",
    "wrap_template",
]

_OVER = frozenset(
    (
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    )
)

#: What is known of a message when the first that comes of it is a piece of its text.
_MESSAGE = {"type": "message", "role": "assistant"}


def input_as_template(request: dict[str, Any]) -> list[Any]:
    """Return ``instructions`` and ``input`` as chat messages."""
    return [*_instructions(request), *_messages(request.get("input"))]


def wrap_template(template: list[Any] | str, request: dict[str, Any]) -> list[Any]:
    """Return the messages of a template given as ``input``, behind the instructions."""
    return [*_instructions(request), *_messages(template)]


def template_from_settings(settings: CallSettings) -> list[Any] | str | None:
    """Return the template given beside the call."""
    if settings.template_chat is not None:
        return settings.template_chat
    return settings.template_text


def _instructions(request: dict[str, Any]) -> list[Any]:
    instructions = request.get("instructions")
    if instructions is None:
        return []
    return [{"role": "system", "content": instructions}]


def _messages(given: Any) -> list[Any]:
    if given is None:
        return []
    return given if isinstance(given, list) else [{"role": "user", "content": given}]


def parse_response(raw: dict[str, Any]) -> ResponseSummary:
    """Return what a response says."""
    output = iter_mappings(raw.get("output"))
    parts = [
        part
        for item in output
        if item.get("type") == "message"
        for part in iter_mappings(item.get("content"))
    ]
    calls = [call for item in output if (call := _call(item)) is not None]
    text = _joined(parts, "text")
    if text is None:
        text = "" if calls else _joined(parts, "refusal")
    details = raw.get("incomplete_details")
    metrics = {
        "usage": raw.get("usage"),
        "status": raw.get("status"),
        "finish_reason": details.get("reason") if isinstance(details, dict) else None,
    }
    return ResponseSummary(
        text=text,
        tool_calls=calls,
        metrics={name: value for name, value in metrics.items() if value is not None},
        errors=extract_errors(raw),
    )


def _joined(parts: list[dict[str, Any]], name: str) -> str | None:
    texts = [
        text for part in parts if (text := text_or_none(part.get(name))) is not None
    ]
    return "".join(texts) if texts else None


def _call(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return a call of a tool in the form that chat completions have."""
    identity = item.get("call_id") or item.get("id")
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return {"id": identity, "type": "function", "function": function}
    if item.get("type") == "custom_tool_call":
        custom = {"name": item.get("name"), "input": item.get("input")}
        return {"id": identity, "type": "custom", "custom": custom}
    return None


def has_content(event: dict[str, Any]) -> bool:
    """Say whether an event brings text or part of a call."""
    return str(event.get("type")).endswith(".delta")


def merge_chunks(events: list[Any]) -> dict[str, Any]:
    """Return the response that a stream's events amount to.

    The closing event holds it whole. A stream that was cut is put together from what
    came: the items that were done, and the pieces of those that were not.
    """
    response: dict[str, Any] = {}
    items: dict[int, _Item] = {}
    for event in iter_mappings(events):
        kind, held = event.get("type"), event.get("response")
        if isinstance(held, dict):
            response = held
        if kind in _OVER and isinstance(held, dict):
            return held
        if kind == "error":
            response = {**response, "error": event}
        _grow(items, event)
    if items:
        response = {**response, "output": [items[at].whole() for at in sorted(items)]}
    return response


def _grow(items: dict[int, "_Item"], event: dict[str, Any]) -> None:
    at, kind, delta = event.get("output_index"), event.get("type"), event.get("delta")
    if not isinstance(at, int):
        return
    given = event.get("item")
    if isinstance(given, dict):
        items[at] = _Item(given)
    elif kind == "response.function_call_arguments.delta" and isinstance(delta, str):
        items.setdefault(at, _Item({"type": "function_call"})).argue(delta)
    elif kind == "response.output_text.delta" and isinstance(delta, str):
        items.setdefault(at, _Item(_MESSAGE)).say("output_text", "text", delta)
    elif kind == "response.refusal.delta" and isinstance(delta, str):
        items.setdefault(at, _Item(_MESSAGE)).say("refusal", "refusal", delta)


class _Item:
    """One item of the output, growing: what was given of it, and what came since."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._arguments: TextBuffer | None = None
        self._content: list[dict[str, Any]] | None = None

    def argue(self, piece: str) -> None:
        """Add a piece of a call's arguments."""
        if self._arguments is None:
            self._arguments = TextBuffer(
                text_or_none(self._given.get("arguments")) or ""
            )
        self._arguments.add(piece)

    def say(self, kind: str, name: str, piece: str) -> None:
        """Add a piece to the last part of the content, or to one of its own kind."""
        if self._content is None:
            parts = iter_mappings(self._given.get("content"))
            self._content = [dict(part) for part in parts]
        if not self._content or self._content[-1].get("type") != kind:
            self._content.append({"type": kind})
        part = self._content[-1]
        if not isinstance(part.get(name), TextBuffer):
            part[name] = TextBuffer(text_or_none(part.get(name)) or "")
        part[name].add(piece)

    def whole(self) -> dict[str, Any]:
        item = dict(self._given)
        if self._arguments is not None:
            item["arguments"] = str(self._arguments)
        if self._content is not None:
            item["content"] = [_settled(part) for part in self._content]
        return item


def _settled(part: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, TextBuffer) else value
        for name, value in part.items()
    }
