"""What a response says, whichever endpoint gave it."""

import json
from typing import Any

from attrs import field, frozen

from .deltas import is_blank

#: Where gateways put the message of an error that is not under ``error``.
_MESSAGE_FIELDS = ("message", "msg", "error_msg", "error_message", "status_msg")
_DETAIL_FIELDS = ("errors", "detail")


@frozen(eq=False, repr=False)
class ResponseSummary:
    """What the event says of a response.

    Attributes:
        text: The first choice's text; ``""`` if the model only called tools; None if
            there is no text at all.
        tool_calls: The calls of tools, as the API gave them.
        metrics: Usage, finish reason and log probabilities, where known.
        errors: The errors that the response itself reports.
    """

    text: str | None = None
    tool_calls: list[Any] = field(factory=list)
    metrics: dict[str, Any] = field(factory=dict)
    errors: list[str] = field(factory=list)


def iter_mappings(value: Any) -> list[dict[str, Any]]:
    """Return the dicts of a list; an empty list for anything else."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict)]


def first_mapping(value: Any) -> dict[str, Any]:
    """Return the first dict of a list; an empty one where there is none."""
    found = iter_mappings(value)
    return found[0] if found else {}


def text_or_none(value: Any) -> str | None:
    """Return content as text: a string, the text of its parts, or else its JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [_part_text(part) for part in value]
        found = [text for text in texts if text is not None]
        return "".join(found) if found else None
    text = _part_text(value)
    return json.dumps(value, ensure_ascii=False) if text is None else text


def _part_text(part: Any) -> str | None:
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else None


def extract_usage(raw: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """Return usage, finish reason and log probabilities, where they are known."""
    metrics = {
        "usage": raw.get("usage"),
        "finish_reason": choice.get("finish_reason"),
        "logprobs": choice.get("logprobs"),
    }
    return {name: value for name, value in metrics.items() if value is not None}


def extract_errors(raw: dict[str, Any]) -> list[str]:
    """Return the error that a response reports, as its code and its message.

    A body without an answer may be an error object itself.
    """
    error = raw.get("error")
    if is_blank(error) and not raw.get("choices") and not raw.get("output"):
        is_error = (
            any(isinstance(raw.get(name), str) for name in _MESSAGE_FIELDS)
            or any(raw.get(name) for name in _DETAIL_FIELDS)
            or bool(_status_of(raw).get("status_code"))
        )
        error = raw if is_error else None
    if is_blank(error):
        return []
    if isinstance(error, list):
        error = first_mapping(error) or error
    if isinstance(error, dict):
        if status := _status_of(error):
            error = {"code": status.get("status_code"), **status, **error}
        found = (error.get(n) for n in ("code", *_MESSAGE_FIELDS, *_DETAIL_FIELDS))
        texts = [
            text if isinstance(text, str) else json.dumps(text)
            for text in found
            if text
        ]
        return [": ".join(texts) or json.dumps(error)]
    return [str(error)] if error else []


def _status_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the status that some gateways put into each answer, 0 if all is well."""
    status = body.get("base_resp")
    return status if isinstance(status, dict) else {}
