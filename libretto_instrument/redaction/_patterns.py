"""Small helpers around regular expressions.

Every pattern of this room is linear: no repetition stands inside another without a mark
between the two that only one of them can match, and repetitions are bounded.
"""

import re
from collections.abc import Iterator

from ._findings import Finding


def any_of(words: str) -> str:
    """Return a pattern for any of some words, or patterns, with white space between."""
    return f"(?:{'|'.join(words.split())})"


def matches(
    pattern: re.Pattern[str], text: str, entity: str, group: int = 0
) -> Iterator[Finding]:
    """Yield a finding for each match of ``pattern``, or of one group of it."""
    for match in pattern.finditer(text):
        yield Finding(match.start(group), match.end(group), entity)
