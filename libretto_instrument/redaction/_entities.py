"""Entities, which a redactor finds in a text, and the protocol of redactors."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import frozen

#: A stretch of text, ``(start, end)``, as indices of its characters.
Span: TypeAlias = tuple[int, int]


@frozen
class Entity:
    """A piece of personal data in a text.

    Attributes:
        start: Index of its first character.
        end: Index behind its last character.
        type: What it is, such as ``"PERSON"``.
    """

    start: int
    end: int
    type: str


@runtime_checkable
class Redactor(Protocol):
    """Anything that finds personal data in a text and takes it out.

    A redactor is called from one background thread. It may raise: the text is then
    withheld whole. One that can be interrupted also has ``redact_until(text,
    deadline)``, which raises `TimeoutError` once `time.monotonic` passes ``deadline``.
    """

    def redact(self, text: str) -> str:
        """Return ``text`` with each entity replaced by ``<ENTITY>``."""
        ...

    def analyze(self, text: str) -> Sequence[Entity]:
        """Return what was found in ``text``, first to last, none overlapping."""
        ...


#: Of two entities that overlap, the entity named earlier here names the whole.
PRECEDENCE = (
    "SECRET",
    "EMAIL_ADDRESS",
    "URL",
    "IBAN_CODE",
    "CRYPTO",
    "CREDIT_CARD",
    "US_SSN",
    "PHONE_NUMBER",
    "IP_ADDRESS",
    "STREET_ADDRESS",
    "PERSON",
)


_RANKS = {entity: rank for rank, entity in enumerate(PRECEDENCE)}


def merge_overlapping(entities: Iterable[Entity]) -> list[Entity]:
    """Return entities in the order of the text, those that overlap joined.

    The joined entity covers both, so no end of the weaker one is left in clear.
    """
    result: list[Entity] = []
    for entity in sorted(entities, key=lambda f: (f.start, -f.end)):
        if not result or entity.start >= result[-1].end:
            result.append(entity)
            continue
        last = result[-1]
        kind = min(last.type, entity.type, key=_rank)
        result[-1] = Entity(last.start, max(last.end, entity.end), kind)
    return result


def _rank(entity: str) -> int:
    # A redactor of the user's may find what is not in the table.
    return _RANKS.get(entity, len(PRECEDENCE))


def replace_entities(text: str, entities: Iterable[Entity]) -> str:
    """Return a text with ``<ENTITY>`` in the place of each of its sorted entities."""
    parts: list[str] = []
    position = 0
    for entity in entities:
        parts += (text[position : entity.start], f"<{entity.type}>")
        position = entity.end
    return "".join([*parts, text[position:]])


def find_matches(
    pattern: re.Pattern[str], text: str, entity: str, group: int = 0
) -> Iterator[Entity]:
    """Yield an entity for each match of ``pattern``, or of one group of it."""
    for match in pattern.finditer(text):
        yield Entity(match.start(group), match.end(group), entity)
