"""The groups of digits in a text, on which cards, SSNs and phones are all built.

Working on groups instead of characters is what keeps these detectors linear: each looks
at a handful of neighbours, whatever the text.
"""

import re
from itertools import pairwise

from attrs import frozen

#: How far before a number a word may stand and still say what it is, characters.
CONTEXT_WINDOW = 48

#: Digits of no interest: dates with their time of day, and UUIDs.
_DATE = re.compile(
    r"(?<![\d.,/-])(?:"
    r"(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"(?:[T ]{1,2}\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\2(?:19|20)\d\d"
    r")(?![\d/-]|\.\d)"
)
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
)
_DIGITS = re.compile(r"\d+")
_SEPARATORS = frozenset(" \t-./()")
_GAP = frozenset(" \t\r\n-./_:|,")


@frozen
class DigitGroup:
    """A run of digits, and where it stands; in ASCII whatever script it is in."""

    start: int
    end: int
    digits: str


@frozen
class DigitGroups:
    """A text with its groups of digits, shared by the detectors.

    Attributes:
        text: The whole text.
        groups: Its runs of digits that belong to no date and no UUID, in order.
        separators: For each group what stands between it and the next one, up to
            three characters such as ``") "``; None where they are further apart.
    """

    text: str
    groups: list[DigitGroup]
    separators: list[str | None]

    @classmethod
    def parse(cls, text: str) -> "DigitGroups":
        """Find the groups of digits in ``text``."""
        groups = _groups(text)
        return cls(text, groups, _find_separators(text, groups))

    def shape(self, first: int, last: int) -> list[int]:
        """Return how many digits each of the groups from ``first`` to ``last`` has."""
        return [len(group.digits) for group in self.groups[first : last + 1]]

    def gap(self, index: int) -> str | None:
        """Return what stands behind the group at ``index``, if it may join two groups.

        It may be more than a separator: a comma, a bar or a line end.
        """
        if index + 1 >= len(self.groups):
            return None
        gap = self.text[self.groups[index].end : self.groups[index + 1].start]
        return gap if len(gap) <= 4 and _GAP.issuperset(gap) and gap else None

    def is_preceded_by(self, index: int, word: re.Pattern[str]) -> bool:
        """Say whether ``word`` stands shortly before the group at ``index``."""
        start = self.groups[index].start
        return word.search(self.text, max(0, start - CONTEXT_WINDOW), start) is not None


def _groups(text: str) -> list[DigitGroup]:
    # The spans of dates and UUIDs, the last one first.
    spans = [m.span() for pattern in (_DATE, _UUID) for m in pattern.finditer(text)]
    excluded = sorted(spans, reverse=True)
    groups = []
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        while excluded and excluded[-1][1] <= start:
            excluded.pop()
        if excluded and excluded[-1][0] < end:
            continue
        digits = match.group()
        if not digits.isascii():
            digits = "".join(str(int(c)) for c in digits)
        groups.append(DigitGroup(start, end, digits))
    return groups


def _find_separators(text: str, groups: list[DigitGroup]) -> list[str | None]:
    result: list[str | None] = []
    for left, right in pairwise(groups):
        gap = right.start - left.end
        between = text[left.end : right.start] if gap <= 3 else ""
        result.append(between if between and _SEPARATORS.issuperset(between) else None)
    result.append(None)
    return result


def is_adjacent_to_word(text: str, start: int, end: int) -> bool:
    """Say whether a number adjoins a Latin letter or an underscore: an identifier."""
    before = text[start - 1 : start] if start else ""
    after = text[end : end + 1]
    return any(c == "_" or (c.isascii() and c.isalpha()) for c in before + after)
