"""The Responses API: a request read, its answer put whole or as a stream of events."""

from collections.abc import Iterator, Set
from typing import Any

from ._answers import (
    NAME,
    Ask,
    Reply,
    Stamp,
    Tool,
    answer,
    count,
    fragments,
    pieces,
    text_of,
)
from ._checks import check_functions, check_messages, check_objects, expect

try:
    from openai.types.responses import response_create_params as params
except ImportError:
    # Clients of before this API still have the others to ask for.
    PARAMETERS: Set[str] = frozenset()
else:
    _KNOWN = params.ResponseCreateParamsNonStreaming
    PARAMETERS = _KNOWN.__required_keys__ | _KNOWN.__optional_keys__ | {"stream"}

Body = dict[str, Any]


def check(body: Body) -> None:
    """Check a request.

    Raises:
        ApiError: Naming the parameter at fault.
    """
    expect(body, "input", str, list, required=True)
    expect(body, "instructions", str)
    expect(body, "tools", list)
    check_objects(body.get("tools") or [], "tools")
    for tool in body.get("tools") or ():
        if tool.get("type") == "function":
            check_functions([tool], "tools")
    expect(body, "text", dict)
    expect(body.get("text") or {}, "format", dict)
    expect(body, "previous_response_id", str)
    if isinstance(body["input"], list):
        messages = [item for item in body["input"] if _is_message(item)]
        if messages or not body["input"]:
            check_messages(messages, "input")


def whole(body: Body, stamp: Stamp) -> Body:
    """Return the answer as one response."""
    reply = answer(_read(body))
    output = [item for item, _ in _items(reply, stamp)]
    return _response(body, stamp) | {
        "status": "incomplete" if reply.cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut else None,
        "output": output,
        "usage": _usage(body, reply),
    }


def events(body: Body, stamp: Stamp) -> Iterator[Body]:
    """Yield the answer as the events of a response stream, numbered from 0."""
    for number, event in enumerate(_events(body, stamp)):
        yield {**event, "sequence_number": number}


def failed(body: Body, stamp: Stamp, number: int, message: str) -> Body:
    """Return the event that ends a stream whose response failed.

    Args:
        body: The request.
        stamp: The response's marks.
        number: The event's sequence number.
        message: What went wrong.
    """
    error = {"code": "server_error", "message": message}
    response = _response(body, stamp) | {"status": "failed", "error": error}
    return {"type": "response.failed", "response": response, "sequence_number": number}


def _events(body: Body, stamp: Stamp) -> Iterator[Body]:
    complete = whole(body, stamp)
    begun = _response(body, stamp)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, (item, opening) in enumerate(_items(answer(_read(body)), stamp)):
        here = {"output_index": index}
        yield {"type": "response.output_item.added", "item": opening, **here}
        inner = {"item_id": item["id"], **here}
        if item["type"] == "message":
            yield from _part_events(item["content"][0], inner)
        else:
            yield from _argument_events(item["arguments"], inner)
        yield {"type": "response.output_item.done", "item": item, **here}
    yield {"type": f"response.{complete['status']}", "response": complete}


def _part_events(part: Body, inner: Body) -> Iterator[Body]:
    field = "text" if part["type"] == "output_text" else "refusal"
    here = {**inner, "content_index": 0}
    extra: Body = {"logprobs": []} if field == "text" else {}
    name = f"response.{part['type']}"
    yield {"type": "response.content_part.added", "part": {**part, field: ""}, **here}
    for piece in pieces(part[field]):
        yield {"type": f"{name}.delta", "delta": piece, **extra, **here}
    yield {"type": f"{name}.done", field: part[field], **extra, **here}
    yield {"type": "response.content_part.done", "part": part, **here}


def _argument_events(arguments: str, inner: Body) -> Iterator[Body]:
    name = "response.function_call_arguments"
    for piece in fragments(arguments):
        yield {"type": f"{name}.delta", "delta": piece, **inner}
    yield {"type": f"{name}.done", "arguments": arguments, **inner}


def _items(reply: Reply, stamp: Stamp) -> Iterator[tuple[Body, Body]]:
    """Yield each item of the output, as it ends and as it begins."""
    if not reply.calls:
        part: Body = {"type": "output_text", "text": reply.text, "annotations": []}
        if reply.refusal:
            part = {"type": "refusal", "refusal": reply.refusal}
        message = {"id": stamp.id("msg_"), "type": "message", "role": "assistant"}
        status = "incomplete" if reply.cut else "completed"
        yield (
            {**message, "status": status, "content": [part]},
            {**message, "status": "in_progress", "content": []},
        )
    for at, call in enumerate(reply.calls):
        function = {
            "id": stamp.id("fc_", str(at)),
            "type": "function_call",
            "call_id": stamp.id("call_", str(at)),
            "name": call.name,
        }
        yield (
            {**function, "status": "completed", "arguments": call.arguments},
            {**function, "status": "in_progress", "arguments": ""},
        )


def _is_message(item: Any) -> bool:
    return not isinstance(item, dict) or item.get("type", "message") == "message"


def _read(body: Body) -> Ask:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages = [item for item in items if _is_message(item)]
    said = [text_of(m.get("content")) for m in messages if m.get("role") == "user"]
    choice = body.get("tool_choice")
    answered = items[-1].get("type") == "function_call_output"
    tools = () if answered or choice == "none" else _tools(body)
    return Ask(
        prompt=said[-1] if said else "",
        words=count(body.get("instructions") or "")
        + sum(count(text_of(message.get("content"))) for message in messages),
        tools=tools,
        must_call=choice.get("name") if isinstance(choice, dict) else None,
        schema=_schema((body.get("text") or {}).get("format") or {}),
        limit=body.get("max_output_tokens"),
    )


def _tools(body: Body) -> tuple[Tool, ...]:
    # A built-in tool, such as web search, is nothing that an offline model can use.
    return tuple(
        Tool(tool["name"], tool.get("parameters") or {})
        for tool in body.get("tools") or ()
        if tool.get("type") == "function"
    )


def _schema(wanted: Body) -> Body | None:
    if wanted.get("type") == "json_schema":
        schema = wanted.get("schema")
        return schema if isinstance(schema, dict) else {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return None


def _response(body: Body, stamp: Stamp) -> Body:
    """Return a response that has only begun."""
    return {
        "id": stamp.id("resp_"),
        "object": "response",
        "created_at": stamp.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": NAME,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
    }


def _usage(body: Body, reply: Reply) -> Body:
    asked = _read(body).words
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": reply.words,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + reply.words,
    }
