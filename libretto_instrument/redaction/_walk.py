"""Redacts a finished body, leaf by leaf, and withholds what it could not redact."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from .._util import errors
from . import _hints, _policy
from ._cache import LruCache
from ._entities import Redactor
from ._json_text import UniqueNames, is_json, redact_json
from ._media import split_media

#: What stands in the place of a leaf that could not be redacted.
REDACTION_FAILED = "<REDACTION_FAILED>"
#: What stands in the place of log probabilities.
LOGPROBS = "<LOGPROBS>"

_MAX_DEPTH = 64
_MAX_TEXT = 2_000_000
#: How many values are still looked at once the time is over; ids and counts are kept.
_MAX_LATE = 1_000
#: The time is looked at once in this many values, whatever they are.
_CHECK_EVERY = 4_096
#: A number shorter than this is a count; no card and no telephone number is.
_MIN_NUMBER = 10**9
#: Numbers under a telling key may be as short as this.
_MIN_LABELLED_NUMBER = 10**6
_NUMBER_ENTITIES = ("CREDIT_CARD", "PHONE_NUMBER")
#: Longer texts show by themselves what they are.
_MAX_LABELLED = 200
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*)>")


@define
class BodyRedactor:
    """Takes personal data out of what is about to be sent or stored.

    It belongs to one thread, the delivery worker's.

    Attributes:
        redactor: Finds and replaces personal data in a text.
        time_limit: Seconds that one body may take. What is left after them is withheld.
        cache_limit: How many characters to hold of texts that were redacted before.
    """

    redactor: Redactor
    time_limit: float = 2.0
    cache_limit: int = 2_000_000
    _cache: LruCache = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cache = LruCache(self.cache_limit)

    def redact(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of ``body`` with personal data replaced by ``<ENTITY>``.

        Ids that we or OpenAI made, the API key, the names of templates and models,
        roles and other enums, times and counts keep their value and type. A leaf that
        cannot be redacted (the redactor raised, the time was over, the type is unknown)
        becomes ``<REDACTION_FAILED>``.

        Args:
            body: An event, a feedback or a chain result as it goes over the wire. It
                and what it holds are left as they are.

        Returns:
            A new dict that shares no list and no dict with ``body``.
        """
        deadline = time.monotonic() + self.time_limit
        return _BodyWalker(self.redactor, self._cache, deadline).body(body)


class _WithheldError(Exception):
    """A leaf cannot be redacted. The message says why and holds nothing of the leaf."""


@define
class _BodyWalker:
    """One pass over one body."""

    redactor: Redactor
    cache: LruCache
    deadline: float
    late: int = 0
    seen: int = 0

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Redact the sections of a body, each by what it holds."""
        result: dict[str, Any] = {}
        names = UniqueNames()
        for key, value in body.items():
            if _policy.is_exempt_field(key, value):
                result[names.add(key)] = value
                continue
            structural = key in _policy.STRUCTURAL_KEYS
            name = key if key in _policy.WIRE_KEYS else self._key(key)
            result[names.add(name)] = self.value(value, str(key), structural, 1)
        return result

    def value(self, value: Any, key: str | None, structural: bool, depth: int) -> Any:
        """Redact a leaf, a dict or a list, and withhold it if that fails.

        Args:
            value: What JSON can say; anything else is withheld.
            key: The key that says what it is, if any does.
            structural: Whether keys such as ``"role"`` have OpenAI's meaning here.
            depth: How many dicts and lists it stands in.
        """
        self.seen += 1
        if self.seen % _CHECK_EVERY == 0 and time.monotonic() > self.deadline:
            self.late = _MAX_LATE + 1
        if self.late > _MAX_LATE:
            return REDACTION_FAILED
        try:
            return self._redacted(value, key, structural, depth)
        except _WithheldError as exc:
            reason = str(exc)
        except Exception as exc:
            reason = type(exc).__name__
        # Neither the value nor the exception's message, which may quote it, is logged.
        errors.warn(
            f"redaction.{reason}",
            "Libretto withheld a value that could not be redacted (%s).",
            reason,
        )
        return REDACTION_FAILED

    def _redacted(
        self, value: Any, key: str | None, structural: bool, depth: int
    ) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if structural and key is not None and _policy.is_exempt_leaf(key, value):
            return value
        if isinstance(value, str):
            return self._text(str(value), key, structural, depth)
        if isinstance(value, int | float):
            return self._number(value, None if structural else key)
        if depth > _MAX_DEPTH:
            raise _WithheldError("nested too deeply")
        if time.monotonic() > self.deadline:
            self.late += 1
        if isinstance(value, Mapping):
            return self._mapping(value, key, structural, depth)
        if isinstance(value, list | tuple):
            return self._list(value, key, structural, depth)
        raise _WithheldError("of a type that JSON does not have")

    def _list(
        self, value: Sequence[Any], key: str | None, structural: bool, depth: int
    ) -> list[Any]:
        items = [self.value(item, key, structural, depth + 1) for item in value]
        is_pair = len(items) == 2 and isinstance(value[0], str) and not structural
        if is_pair and (second := _hints.paired_key(value[0])):
            items[1] = self.value(value[1], second, False, depth + 1)
        return items

    def _mapping(
        self, value: Mapping[Any, Any], key: str | None, structural: bool, depth: int
    ) -> dict[str, Any]:
        result: dict[str, Any] = {}
        names = UniqueNames()
        label = next((v for k, v in value.items() if _hints.is_label(k, v)), None)
        for name, item in value.items():
            is_container = isinstance(item, Mapping | list | tuple)
            inner = structural and (not is_container or name in _policy.STRUCTURAL_KEYS)
            if name == "name" and structural and "role" in value:
                item_key = _hints.PARTICIPANT
            else:
                item_key = _hints.item_key(key, str(name), label)
            if structural and _policy.is_logprobs(name, item):
                # They spell the answer token by token, with the likeliest alternatives.
                redacted: Any = LOGPROBS
            else:
                redacted = self.value(item, item_key, inner, depth + 1)
            is_known = structural and name in _policy.API_KEYS
            result[names.add(name if is_known else self._key(name))] = redacted
        return result

    def _key(self, key: Any) -> str:
        name: Any = self.value(key, None, False, 0)
        return name if isinstance(name, str) else str(name)

    def _text(self, text: str, key: str | None, structural: bool, depth: int) -> str:
        if depth < _MAX_DEPTH:
            is_whole = is_json(text)
            leaf = self._json_leaf if is_whole else self._json_leaf_in_prose
            text = redact_json(
                text, lambda value, key: leaf(value, key, depth), is_whole=is_whole
            )
            if is_whole:
                return text
        cleaned = self._redact_text(text)
        return self._by_key(text, cleaned, key, structural)

    def _by_key(
        self, text: str, cleaned: str, key: str | None, structural: bool
    ) -> str:
        """Redact what the key of a text says that it is, or makes of it.

        ``cleaned`` is the text, redacted as far as it shows by itself what it is.
        """
        if key is None or not text or len(text) > _MAX_LABELLED:
            return cleaned
        if not (structural and key in _policy.API_KEYS):
            cleaned = self._redact_labelled(cleaned, key)
        if cleaned != text:
            return cleaned
        entity = _hints.entity_from_key(key, text)
        if entity is None and _hints.is_identifier_key(key):
            entity = self._classify_identifier(text, key)
        return f"<{entity}>" if entity else text

    def _json_leaf(self, value: Any, key: str | None, depth: int) -> Any:
        self._check_time()
        return self.value(value, key, False, depth + 1)

    def _json_leaf_in_prose(self, value: Any, key: str | None, depth: int) -> Any:
        """Redact by its key alone: the text around it is redacted afterwards."""
        is_plain = isinstance(value, str) and "{" not in value and "[" not in value
        if not is_plain:
            return self._json_leaf(value, key, depth)
        self._check_time()
        return self._by_key(value, value, key, structural=False)

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            self.late += 1
            raise _WithheldError("out of time")

    def _redact_labelled(self, text: str, key: str) -> str:
        """Redact a text as it would be redacted behind its key."""
        label = _hints.label_from_key(key)
        redacted = self._redact_text(label + text)
        return redacted.removeprefix(label) if redacted.startswith(label) else text

    def _classify_identifier(self, text: str, key: str) -> str | None:
        """Return the entity that is spelled in an identifier: ``user_jane-doe``."""
        found = _PLACEHOLDER.search(self._redact_text(_hints.spell_out(text, key)))
        return found[1] if found else None

    def _redact_text(self, text: str) -> str:
        """Redact a text, from the cache where it can be."""
        known = self.cache.get(text)
        if known is not None:
            return known
        if len(text) > _MAX_TEXT:
            raise _WithheldError("too long")
        redacted = "".join(
            piece if is_media else self._redact_piece(piece)
            for piece, is_media in split_media(text)
        )
        self.cache.put(text, redacted)
        return redacted

    def _redact_piece(self, text: str) -> str:
        if not text:
            return text
        self._check_time()
        redact_until = getattr(self.redactor, "redact_until", None)
        try:
            if redact_until is not None:
                redacted = redact_until(text, self.deadline)
            else:
                redacted = self.redactor.redact(text)
        except TimeoutError:
            raise _WithheldError("out of time") from None
        if not isinstance(redacted, str):
            raise _WithheldError("the redactor returned no text")
        return redacted

    def _number(self, number: int | float, key: str | None) -> Any:
        """Replace a number that reads as a card or a telephone number."""
        if isinstance(number, float) and not number.is_integer():
            return number
        digits = str(int(number))
        entity = _hints.entity_from_key(key, digits)
        if entity is None and number >= _MIN_NUMBER:
            entity = self._classify_number(digits)
            entity = entity or self._classify_number(f"+{digits}")
        if entity is None and key is not None and number >= _MIN_LABELLED_NUMBER:
            found = _PLACEHOLDER.fullmatch(self._redact_labelled(digits, key))
            entity = found[1] if found else None
        return f"<{entity}>" if entity else number

    def _classify_number(self, digits: str) -> str | None:
        self._check_time()
        for entity in self.redactor.analyze(digits):
            is_whole = entity.end - entity.start >= len(digits.lstrip("+"))
            if is_whole and entity.type in _NUMBER_ENTITIES:
                return entity.type
        return None
