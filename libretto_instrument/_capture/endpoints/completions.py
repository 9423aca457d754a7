"""Text completions: how their answers are read and their streams put together.

Some gateways answer with chat messages here; those are read as such.
"""

from typing import Any

from . import chat
from .deltas import Text, grow, settle
from .summary import Answer, as_text, dicts, errors_of, first_dict, metrics_of

__all__ = ["assemble", "has_content", "read"]


def read(raw: dict[str, Any]) -> Answer:
    """Return what the first choice says."""
    choice = first_dict(raw.get("choices"))
    if "message" in choice:
        return chat.read(raw)
    return Answer(
        text=as_text(choice.get("text")),
        metrics=metrics_of(raw, choice),
        errors=errors_of(raw),
    )


def has_content(chunk: dict[str, Any]) -> bool:
    """Say whether a chunk brings text."""
    choices = dicts(chunk.get("choices"))
    return any(choice.get("text") for choice in choices) or chat.has_content(chunk)


def assemble(chunks: list[Any]) -> dict[str, Any]:
    """Return the completion that a stream's chunks amount to."""
    if any("delta" in first_dict(chunk.get("choices")) for chunk in dicts(chunks)):
        return chat.assemble(chunks)
    whole: dict[str, Any] = {}
    choices: dict[int, _Choice] = {}
    for chunk in dicts(chunks):
        for name, value in chunk.items():
            if name != "choices" and value is not None:
                whole[name] = value
        for piece in dicts(chunk.get("choices")):
            index = piece.get("index")
            at = index if isinstance(index, int) else 0
            choices.setdefault(at, _Choice(at)).add(piece)
    whole["choices"] = [choices[index].whole() for index in sorted(choices)]
    return whole


class _Choice:
    """One choice, growing."""

    def __init__(self, index: int) -> None:
        self._fields: dict[str, Any] = {"index": index, "text": ""}
        self._text = Text()
        self._logprobs: Any = None

    def add(self, piece: dict[str, Any]) -> None:
        for name, value in piece.items():
            if name == "index" or value is None:
                continue
            if name == "text":
                self._text.add(as_text(value) or "")
            elif name == "logprobs":
                # Parallel lists by name, each growing at its end.
                self._logprobs = grow(self._logprobs, value)
            else:
                self._fields[name] = value

    def whole(self) -> dict[str, Any]:
        fields = {**self._fields, "text": str(self._text)}
        if self._logprobs is not None:
            fields["logprobs"] = settle(self._logprobs)
        return fields
