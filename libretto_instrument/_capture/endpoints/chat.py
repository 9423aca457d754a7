"""Chat completions and text completions: reading responses and merging streams.

All values here are plain JSON that some gateway has sent: any field may be absent, null
or of another type.
"""

import json
from typing import Any

from .deltas import (
    TextBuffer,
    append_delta,
    finalize,
    is_blank,
    overlay,
    replace_value,
)
from .summary import (
    ResponseSummary,
    extract_errors,
    extract_usage,
    first_mapping,
    iter_mappings,
    text_or_none,
)
from .tool_calls import ToolCalls, iter_calls, read_tool_calls, to_index

__all__ = [
    "has_content",
    "merge_chunks",
    "merge_text_chunks",
    "messages_to_template",
    "parse_response",
    "prompt_to_template",
]


def messages_to_template(messages: Any, request: dict[str, Any]) -> list[Any]:
    """Return the messages of a chat."""
    return messages if isinstance(messages, list) else [messages]


def prompt_to_template(prompt: Any, request: dict[str, Any]) -> str:
    """Return a prompt as text; the API takes lists of texts and of tokens, too."""
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
        return prompt[0]
    return "" if prompt is None else json.dumps(prompt, ensure_ascii=False)


def parse_response(raw: dict[str, Any]) -> ResponseSummary:
    """Return what the first choice says.

    Some gateways answer a request for text with a message.
    """
    choice = first_mapping(raw.get("choices"))
    message = choice.get("message")
    calls: list[dict[str, Any]] = []
    if isinstance(message, dict):
        calls = read_tool_calls(message)
        text = _message_text(message, bool(calls))
    else:
        text = text_or_none(choice.get("text"))
    return ResponseSummary(
        text=text,
        tool_calls=calls,
        metrics=extract_usage(raw, choice),
        errors=extract_errors(raw),
    )


def _message_text(message: dict[str, Any], has_calls: bool) -> str | None:
    content = text_or_none(message.get("content"))
    if content:
        return content
    if has_calls:
        return ""
    audio = message.get("audio")
    transcript = audio.get("transcript") if isinstance(audio, dict) else None
    return text_or_none(message.get("refusal")) or text_or_none(transcript) or content


def has_content(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk has the first of an answer: text, a call, a refusal."""
    for choice in iter_mappings(chunk.get("choices")):
        delta = choice.get("delta")
        if choice.get("text"):
            return True
        if isinstance(delta, dict) and any(
            not is_blank(value) for name, value in delta.items() if name != "role"
        ):
            return True
    return False


def merge_chunks(
    chunks: list[Any], request: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the completion that a stream's chunks amount to.

    Args:
        chunks: The chunks, in order.
        request: The arguments of the call. Where they ask for one choice, all chunks
            are taken to be of it: some gateways number the chunks.
    """
    return _merge(chunks, has_one_choice=_has_one_choice(request), is_text=False)


def merge_text_chunks(
    chunks: list[Any], request: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the text completion that a stream's chunks amount to."""
    return _merge(chunks, has_one_choice=False, is_text=True)


def _has_one_choice(request: dict[str, Any] | None) -> bool:
    if request is None:
        return False
    extra = request.get("extra_body")
    counts = [request.get("n"), extra.get("n") if isinstance(extra, dict) else None]
    return all(count is None or count == 1 for count in counts)


def _merge(chunks: list[Any], *, has_one_choice: bool, is_text: bool) -> dict[str, Any]:
    completion: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in iter_mappings(chunks):
        if "choices" not in chunk and "error" not in chunk and extract_errors(chunk):
            completion["error"] = chunk
            continue
        for name, value in chunk.items():
            if name != "choices" and value is not None:
                replace_value(completion, name, value)
        for part in iter_mappings(chunk.get("choices")):
            index = to_index(part.get("index"))
            at = index if isinstance(index, int) and not has_one_choice else 0
            choices.setdefault(at, _Choice(at, is_text)).add(part)
    if completion.get("object") == "chat.completion.chunk":
        completion["object"] = "chat.completion"
    completion["choices"] = [choices[index].build() for index in sorted(choices)]
    return completion


class _Choice:
    """One choice of a streamed completion."""

    def __init__(self, index: int, is_text: bool) -> None:
        self._fields: dict[str, Any] = {"index": index}
        self._message: dict[str, Any] = {"role": "assistant", "content": None}
        self._text = TextBuffer() if is_text else None
        self._logprobs: Any = None
        self._tool_calls = ToolCalls()

    def add(self, choice: dict[str, Any]) -> None:
        """Append a chunk's choice."""
        for name, value in choice.items():
            if name == "index" or value is None:
                continue
            if name == "delta":
                self._text = None
                self._add_delta(value)
            elif name == "text" and self._text is not None:
                self._text.add(text_or_none(value) or "")
            elif name == "logprobs":
                self._logprobs = append_delta(self._logprobs, value)
            else:
                replace_value(self._fields, name, value)

    def _add_delta(self, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        for name, value in delta.items():
            if name == "tool_calls":
                self._tool_calls.add_chunk(iter_calls(value))
            elif value is not None:
                known = self._message.get(name)
                self._message[name] = append_delta(known, value, name)

    def build(self) -> dict[str, Any]:
        """Return the choice as a complete response has it."""
        fields = self._fields
        if self._text is not None and "message" not in fields:
            fields = {**fields, "text": str(self._text)}
        else:
            message = finalize(self._message)
            calls = self._tool_calls.build()
            if calls:
                message["tool_calls"] = calls
            last = fields.get("message")
            if isinstance(last, dict):  # Some gateways end with the whole message.
                message = overlay(message, last)
            fields = {**fields, "message": message}
            fields.setdefault("finish_reason", None)
        if self._logprobs is not None:
            fields = {**fields, "logprobs": finalize(self._logprobs)}
        return fields
