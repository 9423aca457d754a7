"""Text completions: how their answers are read and their streams put together.

Some gateways answer with chat messages here; those are read as such.
"""

from typing import Any

from . import chat
from .deltas import TextBuffer, append_delta, finalize
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
    if "message" in choice:
        return chat.parse_response(raw)
    return ResponseSummary(
        text=text_or_none(choice.get("text")),
        metrics=extract_usage(raw, choice),
        errors=extract_errors(raw),
    )


def has_content(chunk: dict[str, Any]) -> bool:
    """Say whether a chunk brings text."""
    choices = iter_mappings(chunk.get("choices"))
    return any(choice.get("text") for choice in choices) or chat.has_content(chunk)


def merge_chunks(chunks: list[Any]) -> dict[str, Any]:
    """Return the completion that a stream's chunks amount to."""
    if any(
        "delta" in first_mapping(chunk.get("choices"))
        for chunk in iter_mappings(chunks)
    ):
        return chat.merge_chunks(chunks)
    whole: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in iter_mappings(chunks):
        for name, value in chunk.items():
            if name != "choices" and value is not None:
                whole[name] = value
        for piece in iter_mappings(chunk.get("choices")):
            index = piece.get("index")
            at = index if isinstance(index, int) else 0
            choices.setdefault(at, _Choice(at)).add(piece)
    whole["choices"] = [choices[index].whole() for index in sorted(choices)]
    return whole


class _Choice:
    """One choice, growing."""

    def __init__(self, index: int) -> None:
        self._fields: dict[str, Any] = {"index": index, "text": ""}
        self._text = TextBuffer()
        self._logprobs: Any = None

    def add(self, piece: dict[str, Any]) -> None:
        for name, value in piece.items():
            if name == "index" or value is None:
                continue
            if name == "text":
                self._text.add(text_or_none(value) or "")
            elif name == "logprobs":
                # Parallel lists by name, each growing at its end.
                self._logprobs = append_delta(self._logprobs, value)
            else:
                self._fields[name] = value

    def whole(self) -> dict[str, Any]:
        fields = {**self._fields, "text": str(self._text)}
        if self._logprobs is not None:
            fields["logprobs"] = finalize(self._logprobs)
        return fields
