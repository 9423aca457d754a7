"""What a redactor finds in a text, and what every redactor can be asked."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from attrs import frozen

#: A stretch of text, ``(start, end)``, as indices of its characters.
Span: TypeAlias = tuple[int, int]


@frozen
class Finding:
    """A piece of personal data in a text.

    Attributes:
        start: Index of its first character.
        end: Index behind its last character.
        entity: What it is, such as ``"PERSON"``.
    """

    start: int
    end: int
    entity: str


@runtime_checkable
class Redactor(Protocol):
    """Anything that finds personal data in a text and takes it out.

    A redactor is called from one background thread. It may raise: the text is then
    withheld whole.
    """

    def redact(self, text: str) -> str:
        """Return ``text`` with each finding replaced by ``<ENTITY>``."""
        ...

    def analyze(self, text: str) -> Sequence[Finding]:
        """Return what was found in ``text``, first to last, none overlapping."""
        ...


#: Of two findings that overlap, the entity named earlier here names the whole.
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

_RANK = {entity: rank for rank, entity in enumerate(PRECEDENCE)}


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings and join those that overlap.

    The joined finding covers both, so no end of the weaker one is left in clear.

    Args:
        findings: In any order.

    Returns:
        Findings in the order of the text, none overlapping another.
    """
    result: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if not result or finding.start >= result[-1].end:
            result.append(finding)
            continue
        last = result[-1]
        entity = min(last.entity, finding.entity, key=_rank)
        result[-1] = Finding(last.start, max(last.end, finding.end), entity)
    return result


def _rank(entity: str) -> int:
    return _RANK.get(entity, len(PRECEDENCE))


def replaced(text: str, findings: Iterable[Finding]) -> str:
    """Put ``<ENTITY>`` in the place of each finding.

    Args:
        text: The text that was analyzed.
        findings: Sorted, none overlapping another.

    Returns:
        The text without what was found; ``text`` itself if nothing was.
    """
    parts: list[str] = []
    position = 0
    for finding in findings:
        parts.append(text[position : finding.start])
        parts.append(f"<{finding.entity}>")
        position = finding.end
    if not parts:
        return text
    parts.append(text[position:])
    return "".join(parts)
