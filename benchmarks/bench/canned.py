"""OpenAI in memory: clients whose answers are made up on the spot.

Only the transport is replaced, so all of openai's own work is done: building the
request, reading the response, making the models. openai 3 brings its own edition of
httpx; before that it is httpx itself.
"""

import importlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import openai

_http: Any = importlib.import_module(
    "httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx"
)

_WORDS = ("Rockets ", "fly ", "by ", "throwing ", "gas ", "backwards. ")
_USAGE = {"prompt_tokens": 42, "completion_tokens": 64, "total_tokens": 106}
_HEAD = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-5.4-mini"}


@dataclass(frozen=True)
class Answer:
    """What the model says, as it goes over the wire.

    Attributes:
        kind: The content type.
        pieces: The body, as it arrives.
    """

    kind: str
    pieces: tuple[bytes, ...]


def said(text: str) -> Answer:
    """Return an answer that is a text."""
    return _whole({"role": "assistant", "content": text}, "stop")


def called(tools: dict[str, dict[str, Any]]) -> Answer:
    """Return an answer that calls tools, with their arguments by their names."""
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(tools.items())
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return _whole(message, "tool_calls")


def streamed(words: int) -> Answer:
    """Return an answer in chunks of a word each, and one that ends it."""
    deltas = [{"content": _WORDS[number % len(_WORDS)]} for number in range(words)]
    chunks = [_chunk(delta) for delta in deltas]
    chunks[0]["choices"][0]["delta"]["role"] = "assistant"
    chunks.append(_chunk({}, "stop"))
    lines = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return Answer("text/event-stream", (*lines, b"data: [DONE]\n\n"))


def _whole(message: dict[str, Any], reason: str) -> Answer:
    completion = {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        ],
        "usage": _USAGE,
        "system_fingerprint": "fp_1",
    }
    return Answer("application/json", (json.dumps(completion).encode(),))


def _chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    return {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}


def client(answer: Answer, kind: type = openai.OpenAI) -> Any:
    """Return a client, sync by default, that always gets the same answer."""
    outer = _http.AsyncClient if _is_async(kind) else _http.Client
    return kind(
        api_key="sk-bench",
        base_url="http://openai.invalid/v1",
        max_retries=0,
        http_client=outer(transport=_transport(answer)),
    )


def make_ahead(answer: Answer, request: dict[str, Any]) -> None:
    """Leave all of openai's own work out: `create` returns an answer made ahead."""
    # Not above: openai loads this when a client is first used, which `start` is to see.
    from openai.resources.chat.completions import AsyncCompletions, Completions

    ready = client(answer).chat.completions.create(**request)

    def create(self: Any, **kwargs: Any) -> Any:
        return ready

    async def create_async(self: Any, **kwargs: Any) -> Any:
        return ready

    Completions.create = create  # type: ignore[method-assign]
    AsyncCompletions.create = create_async  # type: ignore[method-assign]


def _is_async(kind: type) -> bool:
    return issubclass(kind, openai.AsyncOpenAI)


def _transport(answer: Answer) -> Any:
    headers = {"content-type": answer.kind}

    class Pieces(_http.SyncByteStream, _http.AsyncByteStream):  # type: ignore[misc]  # a base of type Any
        """The body of one response."""

        def __iter__(self) -> Iterator[bytes]:
            return iter(answer.pieces)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in answer.pieces:
                yield piece

    def respond(request: Any) -> Any:
        return _http.Response(200, headers=headers, stream=Pieces())

    return _http.MockTransport(respond)
