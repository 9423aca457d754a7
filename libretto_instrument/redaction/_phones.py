"""Telephone numbers, with libphonenumber (``phonenumberslite``) as the judge."""

import re
from collections.abc import Iterator

import phonenumbers
from attrs import define, frozen

from ._digits import REACH, Figures, touches_word
from ._findings import Finding
from ._patterns import any_of

_MOST_DIGITS = 15
_MOST_GROUPS = 7
_FEWEST_DIGITS = 7
#: With the 00 or 011 that is dialled before a country code.
_LONGEST_DIALLED = _MOST_DIGITS + 3
#: How many numbers of one text libphonenumber is asked about. Beyond it each is taken
#: for a telephone number: a text of nothing but digits must not cost seconds.
_MOST_QUESTIONS = 400
#: Where a number that starts with 0 or with a bracket may come from.
_REGIONS = ("GB", "FR", "DE", "IT", "AU", "NL", "BE", "CH", "SE", "FI", "ZA", "HU")

_CALLING = any_of(
    "my.(?:new.)?number (?:tele)?phones? tel mobile mob cell(?:phone)? fax"
    " call(?:ed|ing|s)? dial(?:l?ing)? ring reach(?:ed|able)? text(?:ed|ing)? sms"
    " whats.?app voice.?mail hot.?line help.?line answer(?:ed|ing)? contact messages?"
    " desk land.?line pager viber handy t[ée]l[ée]phone tel[ée]fono? telefon m[óo]vil"
    " celular portable"
)
_CALLED = re.compile(
    rf"(?:\b{_CALLING}\b|[a-z]_(?:phone|number)\b|电话|電話|手机)"
    r"[^\d\n]{0,32}(?:\n[^\d\n]{0,4})?$",
    re.IGNORECASE,
)
_CALLED_AFTER = re.compile(
    r" is (?:my|his|her|the|our) (?:new |old )?(?:phone |cell |mobile )?number\b"
    r"|[ \t]?[-(\[]?[ \t]?(?:office|fax|mobile|cell|home|work|phone|tel|desk|direct)\b",
    re.IGNORECASE,
)
#: Words that say that the number behind them is something else.
_NAMING = any_of(
    "order invoice ticket case ref reference track(?:ing)? account acct sku isbn issn"
    " serial part model item product ids? zip policy claim confirmation batch version"
    " build commit port pid line page row timestamp time epoch seed size bytes? tokens?"
    " amount total price balance card booking receipt transaction customer member"
    " employee patient iban vat doi po rfc cve created updated hash score population"
    " lot bug issue pr sum count"
)
_OTHER_NUMBER = re.compile(
    rf"(?:\b{_NAMING}\b[ \t]*"
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
#: What no number goes on behind.
_ENDS = (None, " / ")
_ZIP_CODE = (5, 4)
_DOTTED_QUAD = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")


def phone_numbers(figures: Figures) -> Iterator[Finding]:
    """Yield telephone numbers.

    International numbers and those that are grouped as in North America are found
    anywhere; others must be valid in a region, or stand behind a word such as "call".
    """
    judge = _Judge()
    index = 0
    called = False
    while index < len(figures.groups):
        found = _phone_at(figures, index, called, judge)
        if found is None:
            index += 1
            called = False
            continue
        number, last = found
        extension = _EXTENSION.match(figures.text, number.end)
        end = extension.end() if extension else number.end
        yield Finding(number.start, end, "PHONE_NUMBER")
        # The word before "467 3395 / 467 3396" speaks for both.
        called = figures.links[last] is not None
        index = last + 1


def _phone_at(
    figures: Figures, index: int, called: bool, judge: "_Judge"
) -> tuple["_Number", int] | None:
    """Return the longest number that starts at a group, and its last group."""
    last = index
    limit = min(index + _MOST_GROUPS, len(figures.groups)) - 1
    total = len(figures.groups[index].digits)
    while last < limit and figures.links[last] not in _ENDS and total < _MOST_DIGITS:
        last += 1
        total += len(figures.groups[last].digits)
    if total < _FEWEST_DIGITS:
        return None
    origin = _Origin.at(figures, index, called)
    while total >= _FEWEST_DIGITS:
        if total <= _LONGEST_DIALLED:
            number = _Number.at(figures, index, last, origin)
            if _is_phone(number, judge):
                return number, last
        total -= len(figures.groups[last].digits)
        last -= 1
    return None


@define
class _Judge:
    """libphonenumber, asked a bounded number of times."""

    asked: int = 0

    def valid(self, number: str, *regions: str) -> bool:
        """Say whether ``number`` is assigned in one of the regions."""
        for region in regions:
            self.asked += 1
            if self.asked > _MOST_QUESTIONS:
                return True
            try:
                parsed = phonenumbers.parse(number, region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(parsed):
                return True
        return False

    def possible(self, number: str) -> bool:
        """Say whether an international ``number`` has the length of its country."""
        self.asked += 1
        if self.asked > _MOST_QUESTIONS:
            return True
        try:
            return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
        except phonenumbers.NumberParseException:
            return False


@frozen
class _Origin:
    """Where a candidate starts, and what the characters before it say.

    Attributes:
        start: Index of its first character, a plus or a bracket included.
        plus: Whether it starts with the plus of a country code.
        bracket: Whether its first group stands in brackets.
        called: Whether a word before it says that it is a telephone number.
        called_otherwise: Whether a word before it says that it is something else.
        continues: Whether it goes on from digits before it, as in ``12-345``.
    """

    start: int
    plus: bool
    bracket: bool
    called: bool
    called_otherwise: bool
    continues: bool

    @classmethod
    def at(cls, figures: Figures, index: int, called: bool) -> "_Origin":
        """Look at what stands before the group at ``index``."""
        text = figures.text
        start = figures.groups[index].start
        bracket = text[start - 1 : start] == "("
        start -= bracket
        before = text[max(0, start - 2) : start]
        plus = before.endswith("+") and not before[:-1].isdigit()
        start -= plus
        # Behind another number no word can stand; not looking keeps long lists cheap.
        linked = index > 0 and figures.links[index - 1] is not None
        window = "" if linked else text[max(0, start - REACH) : start]
        return cls(
            start=start,
            plus=plus,
            bracket=bracket,
            called=called or _CALLED.search(window) is not None,
            called_otherwise=_OTHER_NUMBER.search(window) is not None,
            continues=before[-1:] in ("-", "/", ".") and before[:-1].isdigit(),
        )


@frozen
class _Number:
    """A candidate: some groups of digits, from an origin on."""

    origin: _Origin
    text: str
    end: int
    digits: str
    shape: tuple[int, ...]
    marks: str
    continues: bool

    @classmethod
    def at(cls, figures: Figures, index: int, last: int, origin: _Origin) -> "_Number":
        """Take the groups from ``index`` to ``last``."""
        groups = figures.groups[index : last + 1]
        return cls(
            origin=origin,
            text=figures.text,
            end=groups[-1].end,
            digits="".join([group.digits for group in groups]),
            shape=tuple([len(group.digits) for group in groups]),
            marks="".join([link or "" for link in figures.links[index:last]]),
            continues=origin.continues or figures.links[last] in ("-", "/", "."),
        )

    @property
    def start(self) -> int:
        """Index of the first character."""
        return self.origin.start

    @property
    def raw(self) -> str:
        """The candidate as it is written."""
        return self.text[self.start : self.end]

    def called(self) -> bool:
        """Say whether the words around it make it a telephone number."""
        return (
            self.origin.called or _CALLED_AFTER.match(self.text, self.end) is not None
        )

    def called_otherwise(self) -> bool:
        """Say whether the words around it make it something else."""
        return (
            self.origin.called_otherwise
            or _MONEY_AFTER.match(self.text, self.end) is not None
        )


def _is_phone(number: _Number, judge: _Judge) -> bool:
    """Decide on a candidate, the clearest signs first."""
    if number.continues and not number.origin.plus:
        return False
    if _is_north_american(number, judge):
        return True
    if number.origin.plus or number.digits.startswith(("00", "011")):
        return _is_international(number, judge)
    if len(number.digits) > _MOST_DIGITS:
        return False
    if number.called_otherwise() or _DOTTED_QUAD.search(number.raw):
        return False
    if len(number.shape) == 1:
        return _is_bare(number, judge)
    if number.called() or (number.shape == (3, 4) and number.raw.startswith("555-")):
        return True
    if re.fullmatch(r"0[1-9]\d{7,9}", number.digits) and number.shape != _ZIP_CODE:
        return True
    national = number.digits[0] == "0" or number.origin.bracket
    return national and len(number.digits) >= 8 and judge.valid(number.raw, *_REGIONS)


def _is_bare(number: _Number, judge: _Judge) -> bool:
    """Decide on digits with nothing between them."""
    if touches_word(number.text, number.start, number.end):
        return False
    american = re.fullmatch(r"1?[2-9]\d{9}", number.digits) is not None
    return number.called() or (american and judge.valid(number.digits, "US"))


def _is_international(number: _Number, judge: _Judge) -> bool:
    if len(number.digits) < 8:
        return False
    if number.origin.plus:
        return judge.valid(number.raw, "US") or judge.possible(number.raw)
    prefix = "011" if number.digits.startswith("011") else "00"
    dialled = "+" + number.digits[len(prefix) :]
    return len(dialled) > 8 and (judge.valid(dialled, "US") or number.called())


def _is_north_american(number: _Number, judge: _Judge) -> bool:
    """Recognise 3-3-4 digits, with or without the country code before them."""
    shape = number.shape
    if shape[0] in (1, 3, 4) and re.match(r"(?:00|011)?1(?=\d{10}$)", number.digits):
        shape = shape[1:]
    if shape == (3, 7):
        return number.origin.bracket or judge.valid(number.digits, "US")
    if shape != (3, 3, 4):
        return False
    # Spaces alone are also how columns of figures are written.
    return (
        number.marks.strip() != ""
        or number.origin.bracket
        or judge.valid(number.digits, "US")
        or number.called()
    )
