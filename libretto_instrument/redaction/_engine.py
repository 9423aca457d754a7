"""The built-in redactor: rules and word lists, no model, no network."""

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from ._entities import Entity, merge_overlapping, replace_entities
from .detectors.cards import cards
from .detectors.digits import DigitGroups
from .detectors.iban import ibans
from .detectors.network import emails, ip_addresses, urls
from .detectors.phones import phone_numbers
from .detectors.secrets import crypto, secrets
from .detectors.ssn import social_security_numbers
from .detectors.street_address import street_addresses
from .names.detector import person_names


@frozen
class Engine:
    """Finds personal data in a text, in time that grows no faster than the text."""

    def redact(self, text: str) -> str:
        """Return ``text`` with each entity replaced by ``<ENTITY>``."""
        return replace_entities(text, self.analyze(text))

    def analyze(self, text: str) -> Sequence[Entity]:
        """Return what was found in ``text``, first to last, none overlapping."""
        return merge_overlapping(_detect(_normalize(text)))


#: How JSON that was cut off, and much code, writes line ends, tabs and quotes.
_ESCAPES = re.compile(r"\\[nrt\"]")
#: Typographic marks, and the plain ones that the detectors know.
_TYPOGRAPHIC_CHARS = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u00a0": " ",
        "\u2007": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\uff0b": "+",
        "\uff1a": ":",
        "\uff20": "@",
    }
)


def _normalize(text: str) -> str:
    """Put plain marks for typographic ones, and white space for ``\\n``.

    The result is as long as ``text``, so what is found in it stands in ``text``, too.
    """
    if "\\" in text:
        # Left as it is, the escape would glue an n to the word behind it.
        text = _ESCAPES.sub(" \n", text)
    return text if text.isascii() else text.translate(_TYPOGRAPHIC_CHARS)


def _detect(text: str) -> Iterator[Entity]:
    """Run each detector that the characters of ``text`` give something to do."""
    yield from secrets(text)
    if "@" in text:
        yield from emails(text)
    yield from urls(text)
    yield from ip_addresses(text)
    numbers = DigitGroups.parse(text)
    if numbers.groups:
        yield from cards(numbers)
        yield from social_security_numbers(numbers)
        yield from phone_numbers(numbers)
        yield from ibans(text)
        yield from crypto(text)
        yield from street_addresses(text)
    yield from person_names(text)
