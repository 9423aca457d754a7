"""US social security numbers."""

import re
from collections.abc import Iterator

from stdnum.us import ssn as us_ssn

from .._entities import Entity
from .digits import DigitGroups

_SSN_CONTEXT = re.compile(
    r"\b(?:ssn?|social[ -]?security|soc\.? ?sec|itin|tin|tax(?:payer)?[ _-]?id)",
    re.IGNORECASE,
)


def social_security_numbers(numbers: DigitGroups) -> Iterator[Entity]:
    """Yield US social security numbers, written 3-2-4 or said to be one."""
    for index, first in enumerate(numbers.groups):
        length = len(first.digits)
        if length == 9:
            if numbers.is_preceded_by(index, _SSN_CONTEXT):
                yield Entity(first.start, first.end, "US_SSN")
        elif length == 3 and _is_ssn(numbers, index):
            yield Entity(first.start, numbers.groups[index + 2].end, "US_SSN")


def _is_ssn(numbers: DigitGroups, index: int) -> bool:
    if numbers.shape(index, index + 2) != [3, 2, 4]:
        return False
    link = numbers.gap(index)
    if link is None or link != numbers.gap(index + 1):
        return False
    if numbers.is_preceded_by(index, _SSN_CONTEXT):
        return True
    separators = numbers.separators
    mark = link.strip() or " "
    longer = (index > 0 and separators[index - 1] == mark) or (
        separators[index + 2] == mark
    )
    parts = [group.digits for group in numbers.groups[index : index + 3]]
    if mark not in " -." or longer or parts[0] == "000" or parts[2] == "0000":
        return False
    # Dashes are how an SSN is written; spaces and dots are also how anything else is.
    return mark == "-" or bool(us_ssn.is_valid("-".join(parts)))
