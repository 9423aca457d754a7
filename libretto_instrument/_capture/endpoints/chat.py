"""Chat completions: how their answers are read and their streams put together.

Everything here works on plain JSON values that some gateway has sent, so nothing is
taken for granted: any field may be absent, null or of another type.
"""

from typing import Any

from .deltas import ATOMIC_FIELDS, append_delta, finalize
from .summary import (
    ResponseSummary,
    extract_errors,
    extract_usage,
    first_mapping,
    iter_mappings,
    text_or_none,
)

__all__ = ["has_content", "merge_chunks", "parse_response"]


def parse_response(raw: dict[str, Any]) -> ResponseSummary:
    """Return what the first choice says."""
    choice = first_mapping(raw.get("choices"))
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {}
    calls = _tool_calls(message)
    return ResponseSummary(
        text=_text(message, bool(calls)),
        tool_calls=calls,
        metrics=extract_usage(raw, choice),
        errors=extract_errors(raw),
    )


def _tool_calls(message: dict[str, Any]) -> list[Any]:
    calls: list[Any] = iter_mappings(message.get("tool_calls"))
    legacy = message.get("function_call")
    if not calls and isinstance(legacy, dict):
        calls = [{"type": "function", "function": legacy}]
    return calls


def _text(message: dict[str, Any], called: bool) -> str | None:
    content = text_or_none(message.get("content"))
    if content is not None:
        return content
    if called:
        return ""
    audio = message.get("audio")
    spoken = audio.get("transcript") if isinstance(audio, dict) else None
    return text_or_none(message.get("refusal")) or text_or_none(spoken)


def has_content(chunk: dict[str, Any]) -> bool:
    """Say whether a chunk brings the first of an answer: text, a call, a refusal."""
    for choice in iter_mappings(chunk.get("choices")):
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(
            value for name, value in delta.items() if name != "role"
        ):
            return True
    return False


def merge_chunks(chunks: list[Any]) -> dict[str, Any]:
    """Return the completion that a stream's chunks amount to."""
    whole: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in iter_mappings(chunks):
        for name, value in chunk.items():
            if name != "choices" and value is not None:
                whole[name] = value
        for delta in iter_mappings(chunk.get("choices")):
            index = delta.get("index")
            at = index if isinstance(index, int) else 0
            choices.setdefault(at, _Choice(at)).add(delta)
    if whole.get("object") == "chat.completion.chunk":
        whole["object"] = "chat.completion"
    whole["choices"] = [choices[index].whole() for index in sorted(choices)]
    return whole


class _Choice:
    """One choice, growing."""

    def __init__(self, index: int) -> None:
        self._fields: dict[str, Any] = {"index": index, "finish_reason": None}
        self._message: dict[str, Any] = {"role": "assistant", "content": None}
        self._logprobs: Any = None
        self._tool_calls = _ToolCalls()

    def add(self, choice: dict[str, Any]) -> None:
        for name, value in choice.items():
            if name == "index" or value is None:
                continue
            if name == "delta":
                self._say(value)
            elif name == "logprobs":
                self._logprobs = append_delta(self._logprobs, value)
            else:
                self._fields[name] = value

    def _say(self, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        for name, value in delta.items():
            if value is None:
                continue
            if name == "tool_calls":
                for call in iter_mappings(value):
                    self._tool_calls.add(call)
            elif name in ATOMIC_FIELDS:
                self._message[name] = value
            else:
                self._message[name] = append_delta(self._message.get(name), value)

    def whole(self) -> dict[str, Any]:
        message = finalize(self._message)
        if self._tool_calls.made:
            message["tool_calls"] = [finalize(call) for call in self._tool_calls.made]
        fields = {**self._fields, "message": message}
        if self._logprobs is not None:
            fields["logprobs"] = finalize(self._logprobs)
        return fields


class _ToolCalls:
    """The calls of one choice, each put together from its pieces.

    A piece belongs to the call at its index; a new id at an occupied index begins
    another call, as some gateways send index 0 for each of several.
    """

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self._at: dict[Any, dict[str, Any]] = {}

    def add(self, piece: dict[str, Any]) -> None:
        call = self._find(piece)
        for name, value in piece.items():
            if name == "index" or value is None:
                continue
            if name in ATOMIC_FIELDS:
                call[name] = value
            else:
                call[name] = append_delta(call.get(name), value)

    def _find(self, piece: dict[str, Any]) -> dict[str, Any]:
        index, identity = piece.get("index"), piece.get("id")
        if not isinstance(index, int | str):
            index = None
        if index is not None:
            call = self._at.get(index)
        elif identity:
            call = next((c for c in self.made if c.get("id") == identity), None)
        else:
            call = self.made[-1] if self.made else None
        known = call.get("id") if call is not None else None
        if call is None or (identity and known and identity != known):
            call = {"id": None, "type": "function"}
            self.made.append(call)
        if index is not None:
            self._at[index] = call
        return call
