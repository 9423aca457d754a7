"""Bank account numbers (IBAN)."""

import re
from collections.abc import Iterator

from stdnum import iban

from .._entities import Entity
from .digits import CONTEXT_WINDOW
from .words import WORDS

#: How many characters the IBANs of each country have.
_LENGTHS = {word[:2]: int(word[2:]) for word in WORDS.sections["IBAN_LENGTHS"]}
_MIN_LENGTH, _MAX_LENGTH = 15, 34
#: Country, check digits and the first letters or digits of the account.
_START = re.compile(
    r"(?<![A-Za-z0-9])(?:iban[:_ ]{0,2})?([A-Za-z]{2}[ ._-]?\d{2})"
    r"(?=\s?[ ._-]{0,2}[A-Za-z0-9])",
    re.IGNORECASE,
)
_REST = re.compile(r"(?:\r?\n|[ ._-]{1,2})?[A-Za-z0-9]")
_IBAN_CONTEXT = re.compile(r"\biban\b", re.IGNORECASE)
#: What is called an IBAN but has a mistake in it.
_NAMED = re.compile(
    r"[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,4})?"
    r"(?![A-Za-z0-9])"
)


def ibans(text: str) -> Iterator[Entity]:
    """Yield bank account numbers whose checksum holds, or that are called IBAN."""
    for match in _START.finditer(text):
        start = match.start(1)
        end = _end(text, match)
        if end is None and _IBAN_CONTEXT.search(
            text, max(0, start - CONTEXT_WINDOW), start
        ):
            named = _NAMED.match(text, start)
            end = named.end() if named else None
        if end is not None:
            yield Entity(start, end, "IBAN_CODE")


def _end(text: str, start: re.Match[str]) -> int | None:
    """Return where the number ends that is as long as its country's, if it is one."""
    letters = re.sub("[^A-Za-z0-9]", "", start[1])
    length = _LENGTHS.get(letters[:2].upper(), 0)
    position = start.end()
    while len(letters) < length and (match := _REST.match(text, position)):
        letters += match.group()[-1]
        position = match.end()
    is_apart = not text[position : position + 1].isalnum()
    if len(letters) != length or not is_apart or not length:
        return None
    return position if iban.is_valid(letters, check_country=False) else None
