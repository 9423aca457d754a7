"""Telephone numbers, with libphonenumber (``phonenumberslite``) as the validator."""

import re
from collections.abc import Iterator

import phonenumbers
from attrs import define, frozen

from .._entities import Entity
from .digits import CONTEXT_WINDOW, DigitGroups, is_adjacent_to_word
from .words import WORDS

_MAX_DIGITS = 15
_MAX_GROUPS = 7
_MIN_DIGITS = 7
#: With the 00 or 011 that is dialled before a country code.
_MAX_DIALLED = _MAX_DIGITS + 3
#: How often libphonenumber is asked about one text. Later candidates are taken for
#: telephone numbers: a text of nothing but digits must not cost seconds.
_MAX_LOOKUPS = 400
#: Where a number that starts with 0 or with a bracket may come from.
_REGIONS = (
    "GB", "FR", "DE", "IT", "AU", "NL", "BE", "CH", "SE", "FI", "ZA", "HU", "BR",
)  # fmt: skip

_PHONE_WORDS = WORDS.pattern("PHONE_WORDS")
_PHONE_CONTEXT = re.compile(
    rf"(?:\b{_PHONE_WORDS}\b|[a-z]_phone|(?:phone|mobile|cell|fax|tel|contact|home|work|office)_number|电话|電話|手机|携帯|전화)"
    r"[^\d\n]{0,32}(?:\n[^\d\n]{0,4})?$",
    re.IGNORECASE,
)
_PHONE_CONTEXT_AFTER = re.compile(
    r" is (?:my|his|her|the|our) (?:new |old )?(?:phone |cell |mobile )?number\b"
    r"|[ \t]?[-(\[]?[ \t]?(?:office|fax|mobile|cell|home|work|phone|tel|desk|direct)\b",
    re.IGNORECASE,
)
_OTHER_LABELS = WORDS.pattern("OTHER_NUMBERS")
_NON_PHONE_CONTEXT = re.compile(
    rf"(?:\b{_OTHER_LABELS}\b[ \t]*"
    r"(?:(?:numbers?|no|num|nr|ids?|code|is|was|of)\b|[\"':.#=№_-]|[ \t]){0,6}"
    r"|[#№$€£¥₹])$",
    re.IGNORECASE,
)
_EXTENSION = re.compile(
    r"[ ,]{0,2}(?:x|ext\.?|extension)[ :]?\d{1,6}(?!\d)", re.IGNORECASE
)
_MONEY_AFTER = re.compile(
    r" ?(?:%|[€£¥₹$]|(?:usd|eur|gbp|dollars|euros)\b)", re.IGNORECASE
)
#: What separates two numbers.
_TERMINATORS = (None, " / ")
#: How numbers are grouped where they start with no 0, by the countries that do so.
_NATIONAL_SHAPES = {
    (3, 3, 4): ("GR", "IT"), (5, 5): ("IN",), (3, 4, 4): ("CN", "AR", "IN"),
    (3, 2, 2, 2): ("ES",), (2, 3, 2, 2): ("ES", "PL"), (2, 3, 4): ("PT",),
    (2, 4, 4): ("MX", "AR"), (2, 5, 4): ("BR",), (3, 2, 3): ("NO",), (4, 3, 3): ("AU",),
    (1, 3, 3, 2, 2): ("RU",), (3, 3, 2, 2): ("RU", "TR"),
}  # fmt: skip
#: Mobile numbers that are often written in one go, and the countries they are from.
_MOBILE = re.compile(r"(?!0123456789)0\d{9,11}|89\d{9}|1[3-9]\d{9}")
_MOBILE_REGIONS = ("GB", "FR", "DE", "AU", "EG", "NG", "ID", "VN", "CN", "RU")
_ZIP_CODE = (5, 4)
_DOTTED_QUAD = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")


def phone_numbers(numbers: DigitGroups) -> Iterator[Entity]:
    """Yield telephone numbers.

    International numbers and those grouped as in North America are found anywhere;
    others must be valid in a region, or stand behind a word such as "call".
    """
    validator = _PhoneValidator()
    index = 0
    has_context = False
    while index < len(numbers.groups):
        found = _phone_at(numbers, index, has_context, validator)
        if found is None:
            index += 1
            has_context = False
            continue
        candidate, last = found
        extension = _EXTENSION.match(numbers.text, candidate.end)
        end = extension.end() if extension else candidate.end
        yield Entity(candidate.prefix.start, end, "PHONE_NUMBER")
        # The word before "467 3395 / 467 3396" speaks for both.
        has_context = numbers.separators[last] is not None
        index = last + 1


def _phone_at(
    numbers: DigitGroups, index: int, has_context: bool, validator: "_PhoneValidator"
) -> tuple["_Candidate", int] | None:
    """Return the longest number that starts at a group, and its last group."""
    groups, separators = numbers.groups, numbers.separators
    last = index
    limit = min(index + _MAX_GROUPS, len(groups)) - 1
    total = len(groups[index].digits)
    is_area_code = groups[index].digits[0] == "0" and 3 <= total <= 6
    while last < limit and total < _MAX_DIGITS:
        is_slash = separators[last] == " / " and last == index and is_area_code
        if separators[last] in _TERMINATORS and not is_slash:
            break
        last += 1
        total += len(groups[last].digits)
    if total < _MIN_DIGITS:
        return None
    prefix = _Prefix.at(numbers, index, has_context)
    while total >= _MIN_DIGITS:
        if total <= _MAX_DIALLED:
            candidate = _Candidate.at(numbers, index, last, prefix)
            if _is_phone(candidate, validator):
                return candidate, last
        total -= len(groups[last].digits)
        last -= 1
    return None


@define
class _PhoneValidator:
    """libphonenumber, asked a bounded number of times."""

    lookups: int = 0

    def is_valid(self, number: str, *regions: str) -> bool:
        """Say whether ``number`` is assigned in one of the regions."""
        for region in regions:
            self.lookups += 1
            if self.lookups > _MAX_LOOKUPS:
                return True
            try:
                parsed = phonenumbers.parse(number, region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(parsed):
                return True
        return False

    def is_possible(self, number: str) -> bool:
        """Say whether an international ``number`` has a length used in its country."""
        self.lookups += 1
        if self.lookups > _MAX_LOOKUPS:
            return True
        try:
            return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
        except phonenumbers.NumberParseException:
            return False


@frozen
class _Prefix:
    """Where a candidate starts, and what the text before it says.

    It starts at its plus or bracket, if it has one. It is continued if it goes on from
    digits before it, as in ``12-345``, and linked if it stands in a row with some.
    """

    start: int
    has_plus: bool
    has_bracket: bool
    has_phone_context: bool
    has_other_context: bool
    is_continued: bool
    is_linked: bool

    @classmethod
    def at(cls, numbers: DigitGroups, index: int, has_context: bool) -> "_Prefix":
        """Look at the text before the group at ``index``."""
        text = numbers.text
        start = numbers.groups[index].start
        has_bracket = text[start - 1 : start] == "("
        start -= has_bracket
        before = text[max(0, start - 2) : start]
        has_plus = before.endswith("+") and not before[:-1].isdigit()
        start -= has_plus
        # No word can stand behind another number; not looking keeps long lists cheap.
        is_linked = index > 0 and numbers.separators[index - 1] is not None
        window = "" if is_linked else text[max(0, start - CONTEXT_WINDOW) : start]
        return cls(
            start=start,
            has_plus=has_plus,
            has_bracket=has_bracket,
            has_phone_context=has_context or _PHONE_CONTEXT.search(window) is not None,
            has_other_context=_NON_PHONE_CONTEXT.search(window) is not None,
            is_continued=before[-1:] in ("-", "/", ".") and before[:-1].isdigit(),
            is_linked=is_linked,
        )


@frozen
class _Candidate:
    """Some groups of digits in a text that may be a telephone number.

    ``shape`` is how many digits each group has; ``separators`` is what stands between
    them, joined. Digits before or behind it count for the last two, as in `_Prefix`.
    """

    prefix: _Prefix
    text: str
    end: int
    digits: str
    shape: tuple[int, ...]
    separators: str
    is_continued: bool
    is_linked: bool

    @classmethod
    def at(
        cls, numbers: DigitGroups, index: int, last: int, prefix: _Prefix
    ) -> "_Candidate":
        """Take the groups from ``index`` to ``last``."""
        groups = numbers.groups[index : last + 1]
        following = numbers.separators[last]
        return cls(
            prefix=prefix,
            text=numbers.text,
            end=groups[-1].end,
            digits="".join([group.digits for group in groups]),
            shape=tuple([len(group.digits) for group in groups]),
            separators="".join([s or "" for s in numbers.separators[index:last]]),
            is_continued=prefix.is_continued or following in ("-", "/", "."),
            is_linked=prefix.is_linked or following not in _TERMINATORS,
        )

    @property
    def raw(self) -> str:
        """The candidate as it is written."""
        return self.text[self.prefix.start : self.end]

    def has_phone_context(self) -> bool:
        """Say whether the words around it make it a telephone number."""
        return (
            self.prefix.has_phone_context
            or _PHONE_CONTEXT_AFTER.match(self.text, self.end) is not None
        )

    def has_other_context(self) -> bool:
        """Say whether the words around it make it something else."""
        return (
            self.prefix.has_other_context
            or _MONEY_AFTER.match(self.text, self.end) is not None
        )


def _is_phone(number: _Candidate, validator: _PhoneValidator) -> bool:
    """Decide on a candidate, the clearest signs first."""
    if number.is_continued and not number.prefix.has_plus:
        return False
    if _is_north_american(number, validator):
        return True
    if number.prefix.has_plus or number.digits.startswith(("00", "011")):
        if _is_international(number, validator):
            return True
        if not number.digits.startswith("011"):
            return False
    if len(number.digits) > _MAX_DIGITS:
        return False
    if number.has_other_context() or _DOTTED_QUAD.search(number.raw):
        return False
    if len(number.shape) == 1:
        return _is_unformatted(number, validator)
    if number.has_phone_context():
        return True
    if number.shape == (3, 4) and number.raw.startswith("555-"):
        return True
    if number.is_linked:
        return False
    if re.fullmatch(r"0[1-9]\d{7,10}", number.digits) and number.shape != _ZIP_CODE:
        return True
    regions = _NATIONAL_SHAPES.get(number.shape, ())
    is_round = number.shape == (5, 5) and number.digits.endswith("00")
    if not is_round and validator.is_valid(number.raw, *regions):
        return True
    national = number.digits[0] == "0" or number.prefix.has_bracket
    return (
        national
        and len(number.digits) >= 8
        and validator.is_valid(number.raw, *_REGIONS)
    )


def _is_unformatted(number: _Candidate, validator: _PhoneValidator) -> bool:
    """Decide on digits with nothing between them."""
    if is_adjacent_to_word(number.text, number.prefix.start, number.end):
        return False
    if number.has_phone_context():
        return True
    if _MOBILE.fullmatch(number.digits):
        return validator.is_valid(number.digits, *_MOBILE_REGIONS)
    american = re.fullmatch(r"1?[2-9]\d{9}", number.digits) is not None
    return american and validator.is_valid(number.digits, "US")


def _is_international(number: _Candidate, validator: _PhoneValidator) -> bool:
    if len(number.digits) < 8:
        return False
    if number.prefix.has_plus:
        return (
            validator.is_valid(number.raw, "US")
            or validator.is_possible(number.raw)
            or number.digits.startswith("521")  # as Mexico's mobiles were dialled
        )
    exit_code = "011" if number.digits.startswith("011") else "00"
    dialled = "+" + number.digits[len(exit_code) :]
    return len(dialled) > 8 and (
        validator.is_valid(dialled, "US") or number.has_phone_context()
    )


def _is_north_american(number: _Candidate, validator: _PhoneValidator) -> bool:
    """Recognise 3-3-4 digits, with or without the country code before them."""
    shape = number.shape
    if shape[0] in (1, 3, 4) and re.match(r"(?:00|011)?1(?=\d{10}$)", number.digits):
        shape = shape[1:]
    if shape == (3, 7):
        return number.prefix.has_bracket or validator.is_valid(number.digits, "US")
    if shape != (3, 3, 4):
        return False
    # Spaces alone are also how columns of figures are written.
    return (
        number.separators.strip() != ""
        or number.prefix.has_bracket
        or validator.is_valid(number.digits, "US")
        or number.has_phone_context()
    )
