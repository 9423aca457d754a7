"""The Responses API of the offline model."""

from collections.abc import Iterator, Set

from ._chat import check_messages
from ._replies import (
    ApiError,
    Exchange,
    Json,
    ModelReply,
    ModelRequest,
    split_json,
    tokenize,
)

try:
    from openai.types.responses import response_create_params as params
except ImportError:  # This openai has no Responses API.
    PARAMETERS: Set[str] = frozenset()
else:
    PARAMETERS = params.ResponseCreateParamsNonStreaming.__annotations__.keys()

#: The settings that a response repeats.
_SETTINGS: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}


def read(body: Json) -> list[ModelRequest]:
    """Read the request."""
    items = body.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if not isinstance(items, list) or not items:
        text = "Invalid 'input': expected a string or an array with minimum length 1."
        raise ApiError(text, param="input")
    messages = [
        item
        for item in items
        if not isinstance(item, dict) or item.get("type", "message") == "message"
    ]
    if messages:
        check_messages(messages, "input")
    tools, choice = body.get("tools") or (), body.get("tool_choice")
    if choice == "none" or items[-1].get("type") == "function_call_output":
        tools = ()
    functions = [tool for tool in tools if tool.get("type") == "function"]
    request = ModelRequest.of_chat(
        messages,
        functions,
        instructions=body.get("instructions") or "",
        response_format=(body.get("text") or {}).get("format"),
        tool_choice=choice.get("name") if isinstance(choice, dict) else None,
        max_words=body.get("max_output_tokens"),
    )
    return [request]


def complete(exchange: Exchange) -> Json:
    """Return the response."""
    (reply,) = exchange.replies
    is_cut = reply.is_truncated
    return _started(exchange) | {
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": list(_items(reply, exchange)),
        "usage": {
            "input_tokens": exchange.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": exchange.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": exchange.prompt_tokens + exchange.completion_tokens,
        },
    }


def stream(exchange: Exchange) -> Iterator[Json]:
    """Yield the events of the response's stream."""
    for number, event in enumerate(_events(complete(exchange), _started(exchange))):
        yield event | {"sequence_number": number}


def failed(exchange: Exchange, number: int, message: str) -> Json:
    """Return the event, with its sequence number, that ends a failed stream."""
    error = {"code": "server_error", "message": message}
    response = _started(exchange) | {"status": "failed", "error": error}
    return {"type": "response.failed", "response": response, "sequence_number": number}


def _events(response: Json, started: Json) -> Iterator[Json]:
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(response["output"]):
        here = {"output_index": index}
        is_message = item["type"] == "message"
        empty: Json = {"content": []} if is_message else {"arguments": ""}
        opening = item | {"status": "in_progress"} | empty
        yield {"type": "response.output_item.added", "item": opening} | here
        ids = {"item_id": item["id"]} | here
        if is_message:
            yield from _part_events(item["content"][0], ids | {"content_index": 0})
        else:
            name = "response.function_call_arguments"
            for text in split_json(item["arguments"]):
                yield {"type": f"{name}.delta", "delta": text} | ids
            yield {"type": f"{name}.done", "arguments": item["arguments"]} | ids
        yield {"type": "response.output_item.done", "item": item} | here
    yield {"type": f"response.{response['status']}", "response": response}


def _part_events(part: Json, ids: Json) -> Iterator[Json]:
    field = "text" if part["type"] == "output_text" else "refusal"
    logprobs: Json = {"logprobs": []} if field == "text" else {}
    name = f"response.{part['type']}"
    yield {"type": "response.content_part.added", "part": part | {field: ""}} | ids
    for token in tokenize(part[field]):
        yield {"type": f"{name}.delta", "delta": token} | logprobs | ids
    yield {"type": f"{name}.done", field: part[field]} | logprobs | ids
    yield {"type": "response.content_part.done", "part": part} | ids


def _items(reply: ModelReply, exchange: Exchange) -> Iterator[Json]:
    for number, call in enumerate(reply.calls):
        yield {
            "id": exchange.make_id("fc_", number),
            "type": "function_call",
            "call_id": exchange.make_id("call_", number),
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
    if not reply.calls:
        part: Json = {"type": "output_text", "text": reply.text, "annotations": []}
        if reply.refusal:
            part = {"type": "refusal", "refusal": reply.refusal}
        status = "incomplete" if reply.is_truncated else "completed"
        head = {"id": exchange.make_id("msg_"), "type": "message", "role": "assistant"}
        yield head | {"status": status, "content": [part]}


def _started(exchange: Exchange) -> Json:
    """Return a response that has only begun."""
    body = exchange.body
    settings = {name: body[name] for name in _SETTINGS if body.get(name) is not None}
    return {
        "id": exchange.make_id("resp_"),
        "object": "response",
        "created_at": exchange.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": "offline-model",
        "output": [],
        "usage": None,
        **_SETTINGS,
        **settings,
    }
