"""The built-in redactor: rules and word lists, no model, no network."""

import math
import time
from collections.abc import Iterator, Sequence

from attrs import frozen

from ._entities import Entity, merge_overlapping, replace_entities
from ._normalize import encoded_texts, shadows
from .detectors.cards import cards
from .detectors.digits import DigitGroups
from .detectors.iban import ibans
from .detectors.labelled import labelled_values
from .detectors.network import emails, ip_addresses, spelled_emails, urls
from .detectors.phones import phone_numbers
from .detectors.secrets import crypto, secrets
from .detectors.ssn import social_security_numbers
from .detectors.street_address import street_addresses
from .names.detector import person_names

#: Long texts are looked through in windows of this many characters, so that the time is
#: looked at in between. The characters before and after a window are its context.
_WINDOW = 16_384
_CONTEXT_BEFORE = 128
_CONTEXT_AFTER = 512


@frozen
class Engine:
    """Finds personal data in a text, in time that grows no faster than the text."""

    def redact(self, text: str) -> str:
        """Return ``text`` with each entity replaced by ``<ENTITY>``."""
        return self.redact_until(text, math.inf)

    def analyze(self, text: str) -> Sequence[Entity]:
        """Return the entities of ``text``, first to last, none overlapping."""
        return merge_overlapping(_analyze(text, math.inf))

    def redact_until(self, text: str, deadline: float) -> str:
        """Redact as `redact` does, in limited time.

        Args:
            text: The text.
            deadline: When to give up, by `time.monotonic`.

        Raises:
            TimeoutError: It was not done by then.
        """
        return replace_entities(text, merge_overlapping(_analyze(text, deadline)))


def _analyze(text: str, deadline: float) -> Iterator[Entity]:
    for shadow in shadows(text):
        for entity in _detect(shadow.text, deadline):
            yield Entity(*shadow.span(entity.start, entity.end), entity.type)
    for start, end, decoded in encoded_texts(text):
        _check_time(deadline)
        for shadow in shadows(decoded):
            for entity in _detect(shadow.text, deadline):
                yield Entity(start, end, entity.type)
                break


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError


def _detect(text: str, deadline: float) -> Iterator[Entity]:
    """Run the detectors; those of entities of limited length, window by window."""
    for detector in (secrets, labelled_values, emails, spelled_emails, urls):
        _check_time(deadline)
        yield from detector(text)
    start = 0
    while start < len(text):
        _check_time(deadline)
        end = _window_end(text, start)
        offset = max(0, start - _CONTEXT_BEFORE)
        for entity in _detect_short(text[offset : end + _CONTEXT_AFTER]):
            position = offset + entity.start
            if start <= position < end:
                yield Entity(position, offset + entity.end, entity.type)
        start = end


def _window_end(text: str, start: int) -> int:
    """Return where the window that starts at ``start`` ends: at a space, if it can."""
    end = start + _WINDOW
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", end - _CONTEXT_AFTER, end)
    return space + 1 if space > 0 else end


def _detect_short(text: str) -> Iterator[Entity]:
    """Run each detector that the characters of ``text`` give something to do."""
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
