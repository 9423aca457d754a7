"""Answers of a model, as the API writes them, for `ScriptedModel` to give."""

from typing import Any

MESSAGES: list[Any] = [{"role": "user", "content": "Which sport?"}]

_IDENTITY = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-test"}

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def completion(content: str | None = "tennis", **message: Any) -> dict[str, Any]:
    """Return a chat completion of one choice; more fields go into its message."""
    return {
        **_IDENTITY,
        "object": "chat.completion",
        "choices": [choice(content, **message)],
        "usage": USAGE,
    }


def choice(
    content: str | None, index: int = 0, finish: str = "stop", **message: Any
) -> dict[str, Any]:
    """Return one choice of a chat completion."""
    return {
        "index": index,
        "finish_reason": finish,
        "logprobs": None,
        "message": {"role": "assistant", "content": content, **message},
    }


def chunk(
    content: Any = None, index: int = 0, finish: str | None = None, **delta: Any
) -> dict[str, Any]:
    """Return a chunk of a chat stream; more fields go into its delta."""
    said = {**({} if content is None else {"content": content}), **delta}
    return {
        **_IDENTITY,
        "object": "chat.completion.chunk",
        "choices": [{"index": index, "delta": said, "finish_reason": finish}],
    }


def chunks(*texts: str) -> list[dict[str, Any]]:
    """Return a whole chat stream: the role, the texts, and the end."""
    return [
        chunk(role="assistant", content=""),
        *(chunk(text) for text in texts),
        chunk(finish="stop"),
    ]


def no_choices(**fields: Any) -> dict[str, Any]:
    """Return a chunk with no choices, such as the one that brings the usage."""
    return {**_IDENTITY, "object": "chat.completion.chunk", "choices": [], **fields}


def call_piece(
    at: int | None, arguments: str | None, identity: str | None = None, name: str = ""
) -> dict[str, Any]:
    """Return a piece of a call of a tool, for a delta's ``tool_calls``."""
    piece: dict[str, Any] = {"index": at, "function": {"arguments": arguments}}
    if identity is not None:
        piece |= {"id": identity, "type": "function"}
        piece["function"] |= {"name": name}
    return piece


def text_completion(*texts: str) -> dict[str, Any]:
    """Return a text completion with one choice for each text."""
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-test-instruct",
        "choices": [
            {"index": at, "text": text, "finish_reason": "stop", "logprobs": None}
            for at, text in enumerate(texts)
        ],
        "usage": USAGE,
    }


def text_chunk(text: str, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    """Return a chunk of a stream of text completions."""
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-test-instruct",
        "choices": [
            {"index": index, "text": text, "finish_reason": finish, "logprobs": None}
        ],
    }
