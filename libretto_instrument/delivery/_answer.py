"""What a server says about its refusal, less what it repeats of ours."""

import json
import re
from collections.abc import Iterator

#: Where servers put the reason, by custom.
_REASONS = ("message", "error", "detail", "title")
_LONGEST_REASON = 200
_WORD = re.compile(r"[\w@.+/-]*\w")
#: Shorter words than this give nothing away.
_TELLING = 4


def explain(answer: bytes, sent: bytes) -> str:
    """Quote the reason that an error answer gives, for a log.

    Servers like to repeat what they refuse. Each word of the reason that also occurs
    among the values we sent is left out, so that no key and no prompt gets into a log
    this way.

    Args:
        answer: The answer's body.
        sent: The body that was refused, JSON.

    Returns:
        ``": "`` and the reason; empty if there is none to be understood.
    """
    reason = _find_reason(answer)
    if reason is None:
        return ""
    ours = "\n".join(_texts(_parse(sent))).casefold()

    def veil(match: re.Match[str]) -> str:
        word = match.group()
        return "…" if len(word) >= _TELLING and word.casefold() in ours else word

    return ": " + _WORD.sub(veil, " ".join(reason[:_LONGEST_REASON].split()))


def _find_reason(answer: bytes) -> str | None:
    found = _parse(answer)
    while isinstance(found, dict):
        found = next((found[name] for name in _REASONS if name in found), None)
    return found if isinstance(found, str) and found.strip() else None


def _parse(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
