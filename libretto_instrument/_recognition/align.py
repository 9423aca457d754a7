"""Derives a template from what several texts have in common."""

import operator
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from attrs import frozen

from .._templates import PLACEHOLDER
from .pattern import MAX_SCANNED_CHARS, Attempt, TextPattern

#: Texts that are compared; more add little.
_MAX_TEXTS = 12
_MAX_ATTEMPTS = 8
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_LABEL = re.compile(r"(\w+)\W{0,3}[:=]\W{0,4}\Z")
_EDGE = re.compile(r"\W*")
#: A literal between two placeholders must have this many letters, or a label.
_MIN_LITERAL_LETTERS = 8


@frozen
class Alignment:
    """A template of several texts, how much of it is literal, and its placeholders."""

    template: str
    literal_chars: int
    names: tuple[str, ...]


def align(texts: Sequence[str], default: str, taken: set[str]) -> Alignment:
    """Return the template that texts were probably made from.

    Args:
        texts: At least one.
        default: A name for a placeholder that nothing before it names.
        taken: Names that are in use; those of this template are added.
    """
    distinct = list(dict.fromkeys(texts))
    distinct = distinct[:: -(-len(distinct) // _MAX_TEXTS)]
    literals = [distinct[0]] if len(distinct) == 1 else _common(distinct)
    for _ in range(_MAX_ATTEMPTS):
        values = [_values(literals, text) for text in distinct]
        if None not in values:
            break
        # A literal that a value holds, too: what it parts cannot be told apart.
        inner = range(1, len(literals) - 1)
        if not inner:
            break
        del literals[min(inner, key=lambda index: len(literals[index]))]
    literals = _tighten(literals, distinct)
    names = _name_gaps(literals, default, taken)
    parts = [escape(literals[0])]
    for name, literal in zip(names, literals[1:], strict=True):
        parts += ("{", name, "}", escape(literal))
    return Alignment("".join(parts), sum(map(len, literals)), tuple(names))


def _common(texts: Sequence[str]) -> list[str]:
    """Return the literals that texts share, in order; the gaps are between them.

    Beside the common beginning and end, a literal grows around a token that each text
    has exactly once: other tokens that all texts have are chance.
    """
    rows = [TOKEN.findall(text) for text in texts]
    start = _count_same(rows)
    rest = [row[start:] for row in rows]
    end = _count_same([row[::-1] for row in rest])
    first = "".join(rows[0][:start])
    last = "".join(rest[0][len(rest[0]) - end :])
    rows = [row[: len(row) - end] for row in rest]
    inner: list[str] = []
    limits = [0] * len(rows)
    for positions in _anchors(rows):
        if any(map(operator.lt, positions, limits)):
            continue  # It is in the literal before.
        left, right = _grow(rows, positions, limits)
        literal = "".join(rows[0][positions[0] - left : positions[0] + right])
        if _is_distinctive(literal):
            inner.append(literal)
            limits = [position + right for position in positions]
    return [first, *inner, last]


def _anchors(rows: list[list[str]]) -> list[tuple[int, ...]]:
    """Return where the words stand that each row has once, in the order of all rows."""
    positions = [_positions_of_unique(row) for row in rows]
    shared = set(positions[0]).intersection(*positions[1:])
    found = sorted(tuple(row[token] for row in positions) for token in shared)
    for column in range(1, len(rows)):
        found = _longest_rising(found, column)
    return found


def _positions_of_unique(row: list[str]) -> dict[str, int]:
    counts = Counter(row)
    return {
        token: position
        for position, token in enumerate(row)
        if counts[token] == 1 and not token.isspace()
    }


def _longest_rising(
    positions: list[tuple[int, ...]], column: int
) -> list[tuple[int, ...]]:
    """Return the most positions that keep their order in one more row."""
    ends: list[int] = []
    chains: list[list[int]] = []  # By length: the index of the last, of the one before.
    previous: list[int | None] = []
    for index, position in enumerate(positions):
        length = bisect_left(ends, position[column])
        previous.append(chains[length - 1][-1] if length else None)
        if length == len(ends):
            ends.append(position[column])
            chains.append([index])
        else:
            ends[length] = position[column]
            chains[length].append(index)
    kept: list[tuple[int, ...]] = []
    at = chains[-1][-1] if chains else None
    while at is not None:
        kept.append(positions[at])
        at = previous[at]
    return kept[::-1]


def _grow(
    rows: list[list[str]], positions: tuple[int, ...], limits: list[int]
) -> tuple[int, int]:
    """Return how many tokens around an anchor all rows share, before and after it."""
    before = [
        row[limit:position][::-1]
        for row, position, limit in zip(rows, positions, limits, strict=True)
    ]
    after = [row[position:] for row, position in zip(rows, positions, strict=True)]
    return _count_same(before), _count_same(after)


def _count_same(rows: "Sequence[Sequence[str]]") -> int:
    """Return how many items sequences have in common at their beginning."""
    columns = zip(*rows, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _is_distinctive(literal: str) -> bool:
    """Return whether a literal between two gaps is more than a word they share."""
    has_label = ":" in literal or "\n" in literal.strip(" ")
    letters = sum(map(str.isalnum, literal))
    return has_label or (letters >= _MIN_LITERAL_LETTERS and " " in literal.strip())


def _values(literals: Sequence[str], text: str) -> list[str] | None:
    """Return what stands in the gaps of a text; None if that is not certain."""
    names = tuple(map(str, range(len(literals) - 1)))
    attempt = Attempt([MAX_SCANNED_CHARS])
    is_match = TextPattern("", tuple(literals), names).match(text, attempt)
    if not is_match or attempt.is_ambiguous:
        return None
    return [attempt.params[name] for name in names]


def _tighten(literals: list[str], texts: Sequence[str]) -> list[str]:
    """Return the literals with the punctuation that all values begin or end with."""
    rows = [values for text in texts if (values := _values(literals, text))]
    tight = list(literals)
    for gap, column in enumerate(zip(*rows, strict=True)):
        start = _edge(column[0][: _count_same(column)])
        rest = [value[len(start) :][::-1] for value in column]
        end = _edge(rest[0][: _count_same(rest)])[::-1]
        tight[gap] += start
        tight[gap + 1] = end + tight[gap + 1]
    return tight


def _edge(text: str) -> str:
    match = _EDGE.match(text)
    return match[0] if match else ""


def _name_gaps(literals: Sequence[str], default: str, taken: set[str]) -> list[str]:
    """Return a name for each gap: of the label before it, such as ``Question:``."""
    names = []
    for before in literals[:-1]:
        label = _LABEL.search(before[-60:])
        wanted = label[1].lower() if label else default
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(name)
        names.append(name)
    return names


def escape(value: Any) -> Any:
    r"""Return a value in whose texts nothing is a placeholder: ``{x}`` as ``\{x\}``."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(
            lambda match: f"\\{{{match['name']}\\}}" if match["name"] else match[0],
            value,
        )
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    return [escape(item) for item in value] if isinstance(value, list) else value
