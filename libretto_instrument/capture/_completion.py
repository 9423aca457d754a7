"""Text completions: how their answers are read and their streams put together.

Some gateways answer with chat messages here; those are read as such.
"""

from typing import Any

from . import _chat
from ._answer import Answer, as_text, dicts, errors_of, first_dict, metrics_of

__all__ = ["assemble", "has_content", "read"]


def read(raw: dict[str, Any]) -> Answer:
    """Return what the first choice says."""
    choice = first_dict(raw.get("choices"))
    if "message" in choice:
        return _chat.read(raw)
    return Answer(
        text=as_text(choice.get("text")),
        metrics=metrics_of(raw, choice),
        errors=errors_of(raw),
    )


def has_content(chunk: dict[str, Any]) -> bool:
    """Say whether a chunk brings text."""
    choices = dicts(chunk.get("choices"))
    return any(choice.get("text") for choice in choices) or _chat.has_content(chunk)


def assemble(chunks: list[Any]) -> dict[str, Any]:
    """Return the completion that a stream's chunks amount to."""
    if any("delta" in first_dict(chunk.get("choices")) for chunk in dicts(chunks)):
        return _chat.assemble(chunks)
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in dicts(chunks):
        for name, value in chunk.items():
            if name != "choices" and value is not None:
                whole[name] = value
        for piece in dicts(chunk.get("choices")):
            index = piece.get("index")
            at = index if isinstance(index, int) else 0
            _grow(choices.setdefault(at, {"index": at, "text": ""}), piece)
    whole["choices"] = [choices[index] for index in sorted(choices)]
    return whole


def _grow(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        if name == "index" or value is None:
            continue
        if name == "text":
            choice["text"] += as_text(value) or ""
        elif name == "logprobs" and isinstance(value, dict):
            choice[name] = _longer(choice.get(name), value)
        else:
            choice[name] = value


def _longer(lists: Any, further: dict[str, Any]) -> dict[str, Any]:
    """Return log probabilities, parallel lists by name, with more at their ends."""
    merged = dict(lists) if isinstance(lists, dict) else {}
    for name, value in further.items():
        if isinstance(value, list) and isinstance(merged.get(name), list):
            merged[name] = merged[name] + value
        elif value is not None:
            merged[name] = value
    return merged
