"""Bank account numbers (IBAN)."""

import re
from collections.abc import Iterator

from stdnum import iban

from .._entities import Entity
from .digits import CONTEXT_WINDOW

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?"
    r"|[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,4})?)"
    r"(?![A-Za-z0-9])"
)
_IBAN_CONTEXT = re.compile(r"\biban\b", re.IGNORECASE)


def ibans(text: str) -> Iterator[Entity]:
    """Yield bank account numbers whose checksum holds, or that are called IBAN."""
    for match in _IBAN.finditer(text):
        start, end = match.span()
        if iban.is_valid(match.group(), check_country=False) or _IBAN_CONTEXT.search(
            text, max(0, start - CONTEXT_WINDOW), start
        ):
            yield Entity(start, end, "IBAN_CODE")
