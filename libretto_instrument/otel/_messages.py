"""Input and output messages in the form of the GenAI conventions.

Redaction and the user's hook may have put anything anywhere, so no field's type is
taken for granted.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from .._templates import TemplateChat, TemplateError, TemplateText

Json = dict[str, Any]
Body = Mapping[str, Any]

#: The types of text parts in OpenAI's APIs.
_TEXTS = ("text", "input_text", "output_text", "summary_text", "reasoning_text")


def input_messages(body: Body) -> list[Json]:
    """Return the input messages, with the template rendered."""
    params = mapping_or_empty(body.get("params"))
    text = body.get("promptTemplateText")
    if isinstance(text, str):
        return [{"role": "user", "parts": [_text(_render(text, params))]}]
    template = body.get("promptTemplateChat")
    if not isinstance(template, list):
        return [] if template is None else [_message(template)]
    return [
        _message(message)
        for entry in template
        for message in _messages_of(entry, params)
    ]


def output_messages(body: Body, reasons: list[str]) -> list[Json]:
    """Return the output messages; ``reasons`` say why each choice ended."""
    raw = mapping_or_empty(body.get("rawResponse"))
    choices = mappings_in(raw.get("choices"))
    output = mappings_in(raw.get("output"))
    if choices:
        messages = [_choice(choice) for choice in choices]
    elif output:
        parts = [part for item in output for part in _item(item)["parts"]]
        messages = [{"role": "assistant", "parts": parts}]
    else:
        calls = mappings_in(body.get("toolCalls"))
        parts = [*_content(body.get("response")), *map(_call, calls)]
        messages = [{"role": "assistant", "parts": parts}] if parts else []
    for at, message in enumerate(messages):
        message["finish_reason"] = reasons[at] if at < len(reasons) else "error"
    return messages


def tool_definitions(body: Body) -> list[Json]:
    """Return the tools that the model was offered."""
    return [
        # Of chats a function's definition is nested; the conventions have it flat.
        {"type": "function", **tool["function"]}
        if isinstance(tool.get("function"), Mapping)
        else dict(tool)
        for tool in mappings_in(body.get("tools"))
    ]


def result_message(result: Any) -> Json:
    """Return a chain's result as a message."""
    return {"role": "assistant", "parts": [_text(_as_text(result))]}


def mapping_or_empty(value: Any) -> Body:
    """Return a value if it is a mapping, and an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def mappings_in(value: Any) -> list[Body]:
    """Return the mappings among the items of a list; none if it is not a list."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, Mapping)]


def _messages_of(entry: Any, params: Body) -> Iterator[Any]:
    """Yield the messages that an entry of a template stands for."""
    if mapping_or_empty(entry).get("role") == "chat_history":
        # What redaction withheld is not a list any more.
        with suppress(TemplateError):
            yield from TemplateChat([entry], params)
            return
    yield _render(entry, params)


def _render(value: Any, params: Body) -> Any:
    """Return part of a template with the known parameters filled in."""
    if isinstance(value, str) and params:
        try:
            return str(TemplateText(value, params))
        except TemplateError:
            return value
    if isinstance(value, Mapping):
        return {name: _render(item, params) for name, item in value.items()}
    if isinstance(value, list):
        return [_render(item, params) for item in value]
    return value


def _message(source: Any) -> Json:
    """Return a message, or an item of the Responses API, as the conventions have it."""
    if not isinstance(source, Mapping):
        return {"role": "user", "parts": _content(source)}
    if "role" not in source:
        return _item(source)
    role = "assistant" if source["role"] == "ai" else _as_text(source["role"])
    content = source.get("content")
    parts = _content(content)
    if role == "tool":
        call_id = source.get("tool_call_id")
        parts = [{"type": "tool_call_response", "id": call_id, "response": content}]
    message = {"role": role, "parts": [*parts, *_parts_beside_content(source)]}
    if isinstance(source.get("name"), str):
        message["name"] = source["name"]
    return message


def _parts_beside_content(message: Body) -> list[Json]:
    """Return the parts of a message that are not in its content."""
    parts = [_call(call) for call in mappings_in(message.get("tool_calls"))]
    for name in ("reasoning", "reasoning_content"):
        if message.get(name):
            thought = _as_text(message[name])
            parts.insert(0, {"type": "reasoning", "content": thought})
    if message.get("refusal"):
        parts.append({"type": "refusal", "content": _as_text(message["refusal"])})
    return parts


def _item(item: Body) -> Json:
    """Return an item of the Responses API as a message."""
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        return {"role": "assistant", "parts": [_call(item)]}
    if kind in ("function_call_output", "custom_tool_call_output"):
        part = {
            "type": "tool_call_response",
            "id": item.get("call_id"),
            "response": item.get("output"),
        }
        return {"role": "tool", "parts": [part]}
    if kind == "reasoning":
        thoughts = _content(item.get("summary")) + _content(item.get("content"))
        parts = [{**part, "type": "reasoning"} for part in thoughts]
        return {"role": "assistant", "parts": parts}
    if "content" in item:
        role = _as_text(item.get("role", "assistant"))
        return {"role": role, "parts": _content(item["content"])}
    return {"role": "assistant", "parts": [_part(item)]}


def _choice(choice: Body) -> Json:
    message = choice.get("message")
    if isinstance(message, Mapping):
        return _message({"role": "assistant", **message})
    return {"role": "assistant", "parts": _content(choice.get("text"))}


def _content(content: Any) -> list[Json]:
    if content is None:
        return []
    if isinstance(content, list):
        return [_part(part) for part in content]
    return [_text(_as_text(content))]


def _part(part: Any) -> Json:
    if not isinstance(part, Mapping):
        return _text(_as_text(part))
    if part.get("type") in _TEXTS:
        return _text(_as_text(part.get("text", "")))
    if part.get("type") == "refusal":
        return {"type": "refusal", "content": _as_text(part.get("refusal", ""))}
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, Mapping) else image
    if isinstance(address, str):
        return {"type": "uri", "modality": "image", "uri": address}
    return {"type": "unknown", **part}


def _call(call: Body) -> Json:
    """Return a call of a tool: of a chat, of the Responses API, or a custom one."""
    inner = mapping_or_empty(call.get("function") or call.get("custom") or call)
    arguments = inner.get("arguments", inner.get("input"))
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):  # A model need not write JSON.
            arguments = json.loads(arguments)
    return {
        "type": "tool_call",
        "id": call.get("call_id") or call.get("id"),
        "name": _as_text(inner.get("name") or "tool"),
        "arguments": arguments,
    }


def _text(content: str) -> Json:
    return {"type": "text", "content": content}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
