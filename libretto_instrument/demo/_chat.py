"""Chat completions: a request read, its answer put whole or in chunks."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from openai.types.chat import completion_create_params as params

from ._answers import (
    FINGERPRINT,
    NAME,
    Ask,
    Reply,
    Stamp,
    Tool,
    answer,
    count,
    encode,
    fragments,
    pieces,
    text_of,
)
from ._checks import check_functions, check_messages, check_objects, expect

_KNOWN = params.CompletionCreateParamsNonStreaming
PARAMETERS = _KNOWN.__required_keys__ | _KNOWN.__optional_keys__ | {"stream"}

Body = dict[str, Any]


def check(body: Body) -> None:
    """Check a request.

    Raises:
        ApiError: Naming the parameter at fault.
    """
    expect(body, "messages", list, required=True)
    check_messages(body["messages"])
    expect(body, "tools", list)
    check_objects(body.get("tools") or [], "tools")
    for tool in body.get("tools") or ():
        expect(tool, "function", dict, required=tool.get("type") == "function")
    expect(body, "functions", list)
    check_functions(_functions(body), "functions")
    expect(body, "response_format", dict)
    wanted = body.get("response_format") or {}
    expect(wanted, "json_schema", dict, required=wanted.get("type") == "json_schema")
    expect(body, "stream_options", dict)
    expect(body, "top_logprobs", int, least=0, most=20)


def whole(body: Body, stamp: Stamp) -> Body:
    """Return the answer as one chat completion."""
    replies = _replies(body)
    legacy = bool(body.get("functions"))
    return {
        "id": stamp.id("chatcmpl-"),
        "object": "chat.completion",
        "created": stamp.created,
        "model": NAME,
        "choices": [
            {
                "index": index,
                "message": _message(reply, stamp, index, legacy=legacy),
                "logprobs": _logprobs(body, pieces(reply.text)),
                "finish_reason": _finish(reply, legacy=legacy),
            }
            for index, reply in enumerate(replies)
        ],
        "usage": _usage(body, replies),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def chunks(body: Body, stamp: Stamp) -> Iterator[Body]:
    """Yield the answer as chat completion chunks, several choices interleaved."""
    replies = _replies(body)
    legacy = bool(body.get("functions"))
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    head: Body = {
        "id": stamp.id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": stamp.created,
        "model": NAME,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if wants_usage:
        head["usage"] = None
    streams = [
        _deltas(reply, stamp, index, legacy=legacy)
        for index, reply in enumerate(replies)
    ]
    for together in zip_longest(*streams):
        for index, delta in enumerate(together):
            if delta is not None:
                said = [delta["content"]] if delta.get("content") else []
                yield head | {"choices": [_choice(index, delta, _logprobs(body, said))]}
    for index, reply in enumerate(replies):
        finish = _finish(reply, legacy=legacy)
        yield head | {"choices": [_choice(index, {}, None, finish)]}
    if wants_usage:
        yield head | {"choices": [], "usage": _usage(body, replies)}


def _replies(body: Body) -> list[Reply]:
    ask = _read(body)
    return [answer(ask, choice) for choice in range(body.get("n") or 1)]


def _read(body: Body) -> Ask:
    messages = body["messages"]
    tools, must_call = _tools(body)
    if messages[-1]["role"] in ("tool", "function"):
        tools = ()
    said = [text_of(m.get("content")) for m in messages if m["role"] == "user"]
    return Ask(
        prompt=said[-1] if said else text_of(messages[-1].get("content")),
        words=sum(count(text_of(message.get("content"))) for message in messages),
        tools=tools,
        must_call=must_call,
        schema=_schema(body.get("response_format") or {}),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def _tools(body: Body) -> tuple[tuple[Tool, ...], str | None]:
    choice = body.get("function_call" if body.get("functions") else "tool_choice")
    if choice == "none":
        return (), None
    named = choice if isinstance(choice, dict) else {}
    if isinstance(named.get("function"), dict):
        named = named["function"]
    tools = (Tool(f["name"], f.get("parameters") or {}) for f in _functions(body))
    return tuple(tools), named.get("name")


def _functions(body: Body) -> list[Any]:
    if body.get("functions"):
        return list(body["functions"])
    # A custom tool has no function, and nothing that an offline model could fill in.
    tools = body.get("tools") or ()
    return [tool["function"] for tool in tools if tool.get("function")]


def _schema(wanted: Body) -> Body | None:
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"].get("schema")
        return schema if isinstance(schema, dict) else {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return None


def _message(reply: Reply, stamp: Stamp, index: int, *, legacy: bool) -> Body:
    message: Body = {
        "role": "assistant",
        "content": None if reply.calls or reply.refusal else reply.text,
        "refusal": reply.refusal,
        "annotations": [],
    }
    if reply.calls and legacy:
        call = reply.calls[0]
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
    elif reply.calls:
        message["tool_calls"] = [
            {
                "id": stamp.id("call_", f"{index}.{at}"),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for at, call in enumerate(reply.calls)
        ]
    return message


def _deltas(reply: Reply, stamp: Stamp, index: int, *, legacy: bool) -> Iterator[Body]:
    content = None if reply.calls or reply.refusal else ""
    yield {"role": "assistant", "content": content, "refusal": None}
    for piece in pieces(reply.text):
        yield {"content": piece}
    for piece in pieces(reply.refusal or ""):
        yield {"refusal": piece}
    for at, call in enumerate(reply.calls[:1] if legacy else reply.calls):
        opening: Body = {"name": call.name, "arguments": ""}
        if legacy:
            yield {"function_call": opening}
        else:
            name = stamp.id("call_", f"{index}.{at}")
            first = {"index": at, "id": name, "type": "function", "function": opening}
            yield {"tool_calls": [first]}
        for piece in fragments(call.arguments):
            more = {"arguments": piece}
            if legacy:
                yield {"function_call": more}
            else:
                yield {"tool_calls": [{"index": at, "function": more}]}


def _choice(
    index: int, delta: Body, logprobs: Body | None, finish: str | None = None
) -> Body:
    return {
        "index": index,
        "delta": delta,
        "logprobs": logprobs,
        "finish_reason": finish,
    }


def _finish(reply: Reply, *, legacy: bool) -> str:
    if reply.calls:
        return "function_call" if legacy else "tool_calls"
    return "length" if reply.cut else "stop"


def _logprobs(body: Body, said: list[str]) -> Body | None:
    if not body.get("logprobs") or not said:
        return None
    beside = range(body.get("top_logprobs") or 0)
    return {
        "content": [
            {
                **_token(piece, -0.125),
                "top_logprobs": [_token(piece, -0.125 - rank) for rank in beside],
            }
            for piece in said
        ],
        "refusal": None,
    }


def _token(piece: str, logprob: float) -> Body:
    return {"token": piece, "logprob": logprob, "bytes": list(encode(piece))}


def _usage(body: Body, replies: list[Reply]) -> Body:
    asked = _read(body).words
    said = sum(reply.words for reply in replies)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
