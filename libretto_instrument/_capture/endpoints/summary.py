"""What an answer comes to, whichever endpoint gave it."""

from typing import Any

from attrs import field, frozen


@frozen
class ResponseSummary:
    """What the event says of a response.

    Attributes:
        text: The first choice's text; ``""`` when the model only called tools; None
            when there is no text at all.
        tool_calls: The calls of tools, as the API gave them.
        metrics: Usage, finish reason and log probabilities, where known.
        errors: What the answer itself says went wrong.
    """

    text: str | None = None
    tool_calls: list[Any] = field(factory=list)
    metrics: dict[str, Any] = field(factory=dict)
    errors: list[str] = field(factory=list)


def iter_mappings(value: Any) -> list[dict[str, Any]]:
    """Return the iter_mappings of a list; an empty list for anything else."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def first_mapping(value: Any) -> dict[str, Any]:
    """Return the first dict of a list; an empty one where there is none."""
    found = iter_mappings(value)
    return found[0] if found else {}


def text_or_none(value: Any) -> str | None:
    """Return text given as a string or as a list of content parts."""
    if isinstance(value, str):
        return value
    parts = [
        part["text"]
        for part in iter_mappings(value)
        if isinstance(part.get("text"), str)
    ]
    return "".join(parts) if parts else None


def extract_usage(raw: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """Return usage, finish reason and log probabilities, where they are known."""
    metrics = {
        "usage": raw.get("usage"),
        "finish_reason": choice.get("finish_reason"),
        "logprobs": choice.get("logprobs"),
    }
    return {name: value for name, value in metrics.items() if value is not None}


def extract_errors(raw: dict[str, Any]) -> list[str]:
    """Return the error that stands in an answer, as its code and its message."""
    error = raw.get("error")
    if not error:
        return []
    if isinstance(error, dict):
        said = [str(error[key]) for key in ("code", "message") if error.get(key)]
        return [": ".join(said) or str(error)]
    return [str(error)]
