"""The Responses API: requests as templates, and reading responses.

`instructions` and `input` make the chat template; function calls become tool calls; the
status goes with the usage.
"""

from typing import Any

from ..._config.settings import CallSettings
from .summary import ResponseSummary, extract_errors, iter_mappings, text_or_none

__all__ = [
    "has_content",
    "input_as_template",
    "parse_response",
    "template_from_settings",
    "wrap_template",
]


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
    calls = [call for item in output if (call := _tool_call(item)) is not None]
    text = _join_texts(parts, "text")
    if not text and calls:
        text = ""
    elif not text:
        text = _join_texts(parts, "refusal") or text
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


def _join_texts(parts: list[dict[str, Any]], name: str) -> str | None:
    texts = [
        text for part in parts if (text := text_or_none(part.get(name))) is not None
    ]
    return "".join(texts) if texts else None


def _tool_call(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return an item as a tool call of a chat completion, if it is one."""
    identity = item.get("call_id") or item.get("id")
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return {"id": identity, "type": "function", "function": function}
    if item.get("type") == "custom_tool_call":
        custom = {"name": item.get("name"), "input": item.get("input")}
        return {"id": identity, "type": "custom", "custom": custom}
    return None


def has_content(event: dict[str, Any]) -> bool:
    """Return whether an event has text or part of a call."""
    return str(event.get("type")).endswith(".delta")
