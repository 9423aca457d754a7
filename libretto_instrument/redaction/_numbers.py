"""Payment cards, US social security numbers and bank accounts (IBAN)."""

import re
from collections.abc import Iterator

from stdnum import iban, luhn
from stdnum.us import ssn as us_ssn

from ._digits import REACH, Figures, touches_word
from ._findings import Finding
from ._patterns import any_of

_CARD_LENGTHS = range(12, 20)
_CARD_GROUPS = 6
#: A number this long that fits a network's prefix and checksum is hardly anything else.
_SURE_LENGTH = 14
#: Prefixes and lengths of the networks that issue cards.
_NETWORK = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11}(?:\d{2,5})?"  # Diners Club
    r"|35\d{14,17}|(?:2131|1800)\d{11}"  # JCB
    r"|(?:50|5[6-8]|6\d)\d{10,17}|0604\d{8,15}"  # Discover, Maestro, UnionPay
    r"|220[0-4]\d{12,15}|8[12]\d{14}"  # Mir, RuPay
)
_CARD_WORDS = any_of(
    "cards? credit debit visa master.?card amex american.express maestro discover"
    " diners jcb cc pan tarjeta carte karte kreditkarte"
)
_CARD_WORD = re.compile(rf"\b{_CARD_WORDS}\b|[a-z]_?card|信用卡", re.IGNORECASE)
_OTHER_WORDS = any_of(
    "order invoice ticket ref reference tracking sku ean upc isbn barcode gtin id"
    " account serial time timestamp epoch created size bytes"
)
_OTHER_WORD = re.compile(rf"\b{_OTHER_WORDS}\b[^\d\n]{{0,12}}$|[#$€£]$", re.IGNORECASE)
_SSN_WORD = re.compile(
    r"\b(?:ssn?|social[ -]?security|soc\.? ?sec|itin|tin|tax(?:payer)?[ -]?id)",
    re.IGNORECASE,
)

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?"
    r"(?![A-Za-z0-9])"
)
_IBAN_WORD = re.compile(r"\biban\b", re.IGNORECASE)


def cards(figures: Figures) -> Iterator[Finding]:
    """Yield payment card numbers: a network's prefix and length, and the Luhn checksum.

    The checksum is waived where the number is grouped as on a card, or is called one:
    a mistyped card number is still not for others to read.
    """
    groups = figures.groups
    index = 0
    while index < len(groups):
        last = _card_end(figures, index)
        if last is None:
            index += 1
        else:
            yield Finding(groups[index].start, groups[last].end, "CREDIT_CARD")
            index = last + 1


def _card_end(figures: Figures, index: int) -> int | None:
    """Return the index of the group that ends the card which starts at ``index``."""
    groups = figures.groups
    if len(groups[index].digits) < 4:
        return None
    digits = ""
    for last in range(index, min(index + _CARD_GROUPS, len(groups))):
        digits += groups[last].digits
        if len(digits) > _CARD_LENGTHS[-1]:
            return None
        if len(digits) in _CARD_LENGTHS and _is_card(figures, index, last, digits):
            return last
        link = figures.links[last]
        if link is None or len(link) > 1 or link in "()/":
            return None
    return None


def _is_card(figures: Figures, index: int, last: int, digits: str) -> bool:
    if not _NETWORK.fullmatch(digits):
        return False
    groups = figures.groups[index : last + 1]
    if len(groups) == 1 and touches_word(figures.text, groups[0].start, groups[0].end):
        return False
    named = figures.said_before(index, _CARD_WORD)
    if named and len(digits) >= 13:
        return True
    if [len(group.digits) for group in groups] == [4, 4, 4, 4]:
        return True
    if not luhn.is_valid(digits):
        return False
    sure = named or len(digits) >= _SURE_LENGTH
    return sure or not figures.said_before(index, _OTHER_WORD)


def social_security_numbers(figures: Figures) -> Iterator[Finding]:
    """Yield US social security numbers, written 3-2-4 or said to be one."""
    for index, first in enumerate(figures.groups):
        length = len(first.digits)
        if length == 9:
            if figures.said_before(index, _SSN_WORD):
                yield Finding(first.start, first.end, "US_SSN")
        elif length == 3 and _is_ssn(figures, index):
            yield Finding(first.start, figures.groups[index + 2].end, "US_SSN")


def _is_ssn(figures: Figures, index: int) -> bool:
    links = figures.links
    parts = [group.digits for group in figures.groups[index : index + 3]]
    if [len(part) for part in parts] != [3, 2, 4]:
        return False
    link = links[index]
    if link is None or link != links[index + 1] or len(link) > 1 or link in "()/":
        return False
    if figures.said_before(index, _SSN_WORD):
        return True
    longer = (index > 0 and links[index - 1] == link) or links[index + 2] == link
    if longer or parts[0] == "000" or parts[2] == "0000":
        return False
    # Dashes are how an SSN is written; spaces and dots are also how anything else is.
    return link not in " ." or bool(us_ssn.is_valid("-".join(parts)))


def ibans(text: str) -> Iterator[Finding]:
    """Yield bank account numbers whose checksum holds, or that are called IBAN."""
    for match in _IBAN.finditer(text):
        start, end = match.span()
        if iban.is_valid(match.group(), check_country=False) or _IBAN_WORD.search(
            text, max(0, start - REACH), start
        ):
            yield Finding(start, end, "IBAN_CODE")
