"""Payment card numbers."""

import re
from collections.abc import Iterator

from stdnum import luhn

from .._entities import Entity
from .digits import DigitGroups, is_adjacent_to_word
from .words import WORDS

_CARD_LENGTHS = range(12, 20)
_CARD_GROUPS = 6
#: What stands between the groups of a card number: usually, and hardly ever elsewhere.
_CARD_GAPS = frozenset(("", "-", ".", "\t"))
_ODD_GAPS = frozenset(("_", "/", ":"))
#: A number this long that fits a network's prefix and checksum is hardly anything else.
_UNAMBIGUOUS_LENGTH = 14
#: Prefixes and lengths of the networks that issue cards.
_ISSUER_PREFIX = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11}(?:\d{2,5})?"  # Diners Club
    r"|35\d{14,17}|(?:2131|1800)\d{11}"  # JCB
    r"|(?:50|5[6-8]|6\d)\d{10,17}|0604\d{8,15}"  # Discover, Maestro, UnionPay
    r"|220[0-4]\d{12,15}|8[12]\d{14}"  # Mir, RuPay
)
_CARD_WORDS = WORDS.pattern("CARD_WORDS")
_CARD_CONTEXT = re.compile(
    rf"\b{_CARD_WORDS}(?![a-z])|[a-z]_?card|信用卡", re.IGNORECASE
)
_OTHER_WORDS = WORDS.pattern("NOT_CARD_WORDS")
_NON_CARD_CONTEXT = re.compile(
    rf"\b{_OTHER_WORDS}\b[^\d\n]{{0,12}}$|[#$€£]$", re.IGNORECASE
)


def cards(numbers: DigitGroups) -> Iterator[Entity]:
    """Yield payment card numbers: a network's prefix and length, and the Luhn checksum.

    The checksum is waived where the number is grouped as on a card, or is called one:
    a mistyped card number is still not for others to read.
    """
    groups = numbers.groups
    index = 0
    while index < len(groups):
        last = _card_end(numbers, index)
        if last is None:
            index += 1
        else:
            yield Entity(groups[index].start, groups[last].end, "CREDIT_CARD")
            index = last + 1


def _card_end(numbers: DigitGroups, index: int) -> int | None:
    """Return the index of the group that ends the card which starts at ``index``."""
    groups = numbers.groups
    is_short = len(groups[index].digits) < 4
    if is_short:
        # Many short groups are common, and no word stands between two of them.
        is_linked = index > 0 and numbers.separators[index - 1] is not None
        if is_linked or not numbers.is_preceded_by(index, _CARD_CONTEXT):
            return None
    limit = _CARD_LENGTHS[-1] if is_short else _CARD_GROUPS
    digits = ""
    end = None
    for last in range(index, min(index + limit, len(groups))):
        digits += groups[last].digits
        if len(digits) > _CARD_LENGTHS[-1]:
            break
        if len(digits) in _CARD_LENGTHS and _is_card(numbers, index, last, digits):
            end = last
            if not is_short:
                break
        if numbers.gap(last) is None:
            break
    return end


def _is_card(numbers: DigitGroups, index: int, last: int, digits: str) -> bool:
    if not _ISSUER_PREFIX.fullmatch(digits):
        return False
    group = numbers.groups[index]
    named = numbers.is_preceded_by(index, _CARD_CONTEXT)
    is_single = index == last
    if is_single and is_adjacent_to_word(numbers.text, group.start, group.end):
        return named and luhn.is_valid(digits)
    gaps = {(numbers.gap(i) or "").strip(" ") for i in range(index, last)}
    is_grouped = numbers.shape(index, last) == [4, 4, 4, 4]
    if not gaps <= _CARD_GAPS:
        # Also how rows of numbers are written.
        is_marked = is_grouped and gaps <= _ODD_GAPS
        return (named or is_marked) and luhn.is_valid(digits)
    if named and len(digits) >= 13:
        return True
    is_close = all(len(numbers.separators[i] or "") <= 1 for i in range(index, last))
    if is_close and is_grouped:
        return True
    if not luhn.is_valid(digits):
        return False
    sure = named or len(digits) >= _UNAMBIGUOUS_LENGTH
    return sure or not numbers.is_preceded_by(index, _NON_CARD_CONTEXT)
