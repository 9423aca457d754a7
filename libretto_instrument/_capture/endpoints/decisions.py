"""The Decisions API: reading the answers to questions about an input.

`input` makes the template; the questions stay among the model parameters.
"""

from typing import Any

from .summary import ResponseSummary, extract_errors, iter_mappings


def parse_response(raw: dict[str, Any]) -> ResponseSummary:
    """Return what a decision says: a line for each answer, in the questions' order."""
    answers = iter_mappings(raw.get("answers"))
    lines = [_describe(at, answer) for at, answer in enumerate(answers, 1)]
    usage = raw.get("usage")
    return ResponseSummary(
        text="\n".join(lines) if lines else None,
        metrics={} if usage is None else {"usage": usage},
        errors=extract_errors(raw),
    )


def _describe(number: int, answer: dict[str, Any]) -> str:
    """Return an answer as text: its question's name, or number, and what was found."""
    kind = answer.get("type")
    if kind == "predicate":
        found = _number(answer.get("probability"))
    elif kind == "refusal":
        found = "refused"
    else:
        value = answer.get("choice" if kind == "choice" else "score")
        found = _number(value)
        if answer.get("confidence") is not None:
            found += f" (confidence {_number(answer['confidence'])})"
    return f"{answer.get('name') or number}: {found}"


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def merge_events(events: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """Return the last object of a stream, which the API does not have yet."""
    found = iter_mappings(events)
    return found[-1] if found else {}


def has_content(event: dict[str, Any]) -> bool:
    """Return whether an event has an answer."""
    return bool(event.get("answers"))
