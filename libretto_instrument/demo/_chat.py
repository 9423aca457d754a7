"""Chat completions and text completions of the offline model."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from openai.types import completion_create_params as text_params
from openai.types.chat import completion_create_params as chat_params

from ._replies import (
    ApiError,
    Exchange,
    Json,
    ModelReply,
    ModelRequest,
    split_json,
    tokenize,
)

#: What a request may contain.
CHAT_PARAMETERS = chat_params.CompletionCreateParamsNonStreaming.__annotations__.keys()
TEXT_PARAMETERS = text_params.CompletionCreateParamsNonStreaming.__annotations__.keys()
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def check_messages(messages: Any, param: str = "messages") -> list[Json]:
    """Return a conversation. Raises: ApiError, naming the message at fault."""
    if not isinstance(messages, list) or not messages:
        text = f"Invalid '{param}': expected an array with minimum length 1."
        raise ApiError(text, param=param)
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            text = f"Invalid value of '{param}[{index}]': the role is {role!r}."
            raise ApiError(text, param=f"{param}[{index}].role")
    return messages


def read_chat(body: Json) -> list[ModelRequest]:
    """Read the request of a chat completion."""
    messages = check_messages(body.get("messages"))
    choice = body.get("tool_choice") or "auto"
    functions = [t["function"] for t in body.get("tools") or () if t.get("function")]
    if choice == "none" or messages[-1]["role"] == "tool":
        functions = []
    request = ModelRequest.of_chat(
        messages,
        functions,
        response_format=body.get("response_format"),
        tool_choice=choice["function"]["name"] if isinstance(choice, dict) else None,
        max_words=body.get("max_completion_tokens") or body.get("max_tokens"),
    )
    return [request]


def read_text(body: Json) -> list[ModelRequest]:
    """Read the request of a text completion; a list of prompts is several requests."""
    prompt = body.get("prompt")
    prompts: list[Any] = prompt if isinstance(prompt, list) else [prompt]
    if not prompts or not all(isinstance(each, str) for each in prompts):
        text = "Invalid type for 'prompt': expected a string or an array of strings."
        raise ApiError(text, param="prompt")
    limit = body.get("max_tokens")
    return [ModelRequest(each, each, max_words=limit) for each in prompts]


def complete(exchange: Exchange) -> Json:
    """Return the response as one completion."""
    is_chat = "messages" in exchange.body
    choices = [
        {
            "index": index,
            "logprobs": None,
            "finish_reason": _finish_reason(reply),
            **(
                {"message": _message(reply, exchange, index)}
                if is_chat
                else {"text": reply.refusal or reply.text}
            ),
        }
        for index, reply in enumerate(exchange.replies)
    ]
    head = _head(exchange, "chat.completion" if is_chat else "text_completion")
    return head | {"choices": choices, "usage": _usage(exchange)}


def stream(exchange: Exchange) -> Iterator[Json]:
    """Yield the response in chunks, those of several choices interleaved."""
    is_chat = "messages" in exchange.body
    head = _head(exchange, "chat.completion.chunk" if is_chat else "text_completion")
    has_usage = bool((exchange.body.get("stream_options") or {}).get("include_usage"))
    if has_usage:
        head["usage"] = None

    def chunk(index: int, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": index, "logprobs": None, "finish_reason": finish_reason}
        content = {"delta": delta} if is_chat else {"text": delta.get("content", "")}
        return head | {"choices": [choice | content]}

    deltas = [
        _chat_deltas(_message(reply, exchange, index))
        if is_chat
        else ({"content": token} for token in tokenize(reply.refusal or reply.text))
        for index, reply in enumerate(exchange.replies)
    ]
    for together in zip_longest(*deltas):
        for index, delta in enumerate(together):
            if delta is not None:
                yield chunk(index, delta)
    for index, reply in enumerate(exchange.replies):
        yield chunk(index, {}, _finish_reason(reply))
    if has_usage:
        yield head | {"choices": [], "usage": _usage(exchange)}


def _head(exchange: Exchange, object_: str) -> Json:
    return {
        "id": exchange.make_id("chatcmpl-" if "chat" in object_ else "cmpl-"),
        "object": object_,
        "created": exchange.created,
        "model": "offline-model",
        "system_fingerprint": "fp_offline",
    }


def _message(reply: ModelReply, exchange: Exchange, index: int) -> Json:
    message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.refusal or reply.calls:
        message |= {"content": None, "refusal": reply.refusal}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": exchange.make_id("call_", f"{index}.{number}"),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for number, call in enumerate(reply.calls)
        ]
    return message


def _chat_deltas(message: Json) -> Iterator[Json]:
    yield {"role": "assistant", "content": message["content"] and "", "refusal": None}
    for key in ("content", "refusal"):
        for token in tokenize(message[key] or ""):
            yield {key: token}
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        first = call | {"index": index, "function": function | {"arguments": ""}}
        yield {"tool_calls": [first]}
        for part in split_json(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _finish_reason(reply: ModelReply) -> str:
    if reply.calls:
        return "tool_calls"
    return "length" if reply.is_truncated else "stop"


def _usage(exchange: Exchange) -> Json:
    prompt, completion = exchange.prompt_tokens, exchange.completion_tokens
    total = {"total_tokens": prompt + completion}
    return {"prompt_tokens": prompt, "completion_tokens": completion} | total
