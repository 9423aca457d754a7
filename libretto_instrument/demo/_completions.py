"""Text completions: a request read, its answer put whole or in chunks."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from attrs import frozen
from openai.types import completion_create_params as params

from ._answers import FINGERPRINT, NAME, Ask, Reply, Stamp, answer, count, pieces
from ._checks import expect
from ._errors import ApiError

_KNOWN = params.CompletionCreateParamsNonStreaming
PARAMETERS = _KNOWN.__required_keys__ | _KNOWN.__optional_keys__ | {"stream"}

Body = dict[str, Any]


@frozen
class _Choice:
    """One answer, and the prompt's own text where it is to be echoed before it."""

    echoed: str
    reply: Reply

    @property
    def text(self) -> str:
        return self.echoed + (self.reply.refusal or self.reply.text)

    @property
    def finish(self) -> str:
        return "length" if self.reply.cut else "stop"


def check(body: Body) -> None:
    """Check a request.

    Raises:
        ApiError: Naming the parameter at fault.
    """
    expect(body, "prompt", str, list, required=True)
    expect(body, "echo", bool)
    expect(body, "logprobs", int, least=0, most=5)
    expect(body, "stream_options", dict)
    _prompts(body)


def whole(body: Body, stamp: Stamp) -> Body:
    """Return the answer as one completion."""
    choices = _choices(body)
    return _head(stamp) | {
        "choices": [
            {
                "text": choice.text,
                "index": index,
                "logprobs": _logprobs(body, choice.text),
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": _usage(body, choices),
    }


def chunks(body: Body, stamp: Stamp) -> Iterator[Body]:
    """Yield the answer word by word, several choices interleaved."""
    choices = _choices(body)
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    head = _head(stamp) | ({"usage": None} if wants_usage else {})
    streams = [pieces(choice.text) for choice in choices]
    for together in zip_longest(*streams):
        for index, piece in enumerate(together):
            if piece is not None:
                yield head | {"choices": [_part(index, piece, _logprobs(body, piece))]}
    for index, choice in enumerate(choices):
        yield head | {"choices": [_part(index, "", None, choice.finish)]}
    if wants_usage:
        yield head | {"choices": [], "usage": _usage(body, choices)}


def _head(stamp: Stamp) -> Body:
    return {
        "id": stamp.id("cmpl-"),
        "object": "text_completion",
        "created": stamp.created,
        "model": NAME,
        "system_fingerprint": FINGERPRINT,
    }


def _prompts(body: Body) -> list[str]:
    prompt = body["prompt"]
    if isinstance(prompt, str):
        return [prompt]
    if prompt and all(isinstance(one, int) for one in prompt):
        return [_tokens(prompt)]
    if prompt and all(isinstance(one, str | list) for one in prompt):
        return [one if isinstance(one, str) else _tokens(one) for one in prompt]
    raise ApiError(
        "Invalid type for 'prompt': expected a string, an array of strings, "
        "an array of tokens or an array of token arrays.",
        code="invalid_type",
        param="prompt",
    )


def _tokens(numbers: list[int]) -> str:
    # Without a tokenizer, token ids can only be named.
    return " ".join(f"token-{number}" for number in numbers)


def _choices(body: Body) -> list[_Choice]:
    return [
        _Choice(
            echoed=f"{prompt}\n\n" if body.get("echo") else "",
            reply=answer(Ask(prompt, count(prompt), limit=body.get("max_tokens")), nth),
        )
        for prompt in _prompts(body)
        for nth in range(body.get("n") or 1)
    ]


def _part(
    index: int, text: str, logprobs: Body | None, finish: str | None = None
) -> Body:
    return {
        "text": text,
        "index": index,
        "logprobs": logprobs,
        "finish_reason": finish,
    }


def _logprobs(body: Body, text: str) -> Body | None:
    if body.get("logprobs") is None:
        return None
    said = pieces(text)
    offsets = [len("".join(said[:at])) for at in range(len(said))]
    return {
        "tokens": said,
        "token_logprobs": [-0.125] * len(said),
        "top_logprobs": [{piece: -0.125} for piece in said],
        "text_offset": offsets,
    }


def _usage(body: Body, choices: list[_Choice]) -> Body:
    asked = sum(count(prompt) for prompt in _prompts(body))
    said = sum(choice.reply.words for choice in choices)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
    }
