"""The Responses API: requests as templates, and reading responses.

`instructions` and `input` make the chat template; function calls become tool calls; the
status goes with the usage.
"""

from typing import Any

from .summary import ResponseSummary, extract_errors, iter_mappings, text_or_none

__all__ = ["has_content", "input_to_template", "parse_response"]


def input_to_template(value: Any, request: dict[str, Any]) -> list[Any]:
    """Return the input, or a template for it, as messages behind the instructions."""
    instructions = request.get("instructions")
    messages: list[Any] = []
    if instructions is not None:
        messages.append({"role": "system", "content": instructions})
    if isinstance(value, list):
        messages += value
    elif value is not None:
        messages.append({"role": "user", "content": value})
    return messages


def parse_response(raw: dict[str, Any]) -> ResponseSummary:
    """Return what a response says."""
    output = iter_mappings(raw.get("output"))
    parts = [
        part
        for item in output
        if item.get("type") == "message"
        for part in _parts(item.get("content"))
    ]
    calls = [call for item in output if (call := _tool_call(item)) is not None]
    text = _join_texts(parts, "text")
    if not text and calls:
        text = ""
    elif not text:
        text = _join_texts(parts, "refusal") or text or _plain_text(raw)
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


def _parts(content: Any) -> list[dict[str, Any]]:
    """Return the parts of a message; some gateways give its text as it is."""
    return [{"text": content}] if isinstance(content, str) else iter_mappings(content)


def _plain_text(raw: dict[str, Any]) -> str | None:
    """Return the text that some gateways give in place of items."""
    given = (raw.get("output"), raw.get("output_text"))
    return next((text for text in given if isinstance(text, str) and text), None)


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
