"""Redacts a finished body, leaf by leaf, and withholds what it could not redact."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import define, field

from .._util import errors
from . import _policy
from ._cache import LruCache
from ._entities import Redactor
from ._json_text import dump_like, parse_json
from ._media import split_media

#: What stands in the place of a leaf that could not be redacted.
REDACTION_FAILED = "<REDACTION_FAILED>"
#: What stands in the place of log probabilities.
LOGPROBS = "<LOGPROBS>"

_MAX_DEPTH = 64
_MAX_TEXT = 2_000_000
#: A number shorter than this is a count; no card and no telephone number is.
_MIN_NUMBER = 10**9
_NUMBER_ENTITIES = ("CREDIT_CARD", "PHONE_NUMBER")


@define
class BodyRedactor:
    """Takes personal data out of what is about to be sent or stored.

    It belongs to one thread, the delivery worker's.

    Attributes:
        redactor: Finds and replaces personal data in a text.
        time_limit: Seconds that one body may take. What is left when they are over is
            withheld.
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

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Redact the sections of a body, each by what it holds."""
        result: dict[str, Any] = {}
        for key, value in body.items():
            if _policy.is_exempt_field(key, value):
                result[key] = value
            elif _policy.is_wire_key(key):
                result[key] = self.value(value, key, _policy.is_structural(key), 1)
            else:
                self._set_key(result, key, self.value(value, str(key), False, 1))
        return result

    def value(self, value: Any, key: str | None, structural: bool, depth: int) -> Any:
        """Redact a leaf, a dict or a list, and withhold it if that fails.

        Args:
            value: What JSON can say; anything else is withheld.
            key: The key it stands under, or None for the item of a list.
            structural: Whether keys such as ``"role"`` have OpenAI's meaning here.
            depth: How many dicts and lists it stands in.
        """
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
            return self._text(str(value), key, depth)
        if isinstance(value, int | float):
            return self._number(value, key)
        if depth > _MAX_DEPTH:
            raise _WithheldError("nested too deeply")
        if structural and _policy.is_logprobs(key, value):
            # They spell the answer token by token, with the likeliest alternatives.
            return LOGPROBS
        inner = partial(self.value, key=None, structural=structural, depth=depth + 1)
        if isinstance(value, Mapping):
            result: dict[str, Any] = {}
            for name, item in value.items():
                redacted = inner(item, key=str(name))
                if structural and _policy.is_api_key(name):
                    result[name] = redacted
                else:
                    self._set_key(result, name, redacted)
            return result
        if isinstance(value, list | tuple):
            return [inner(item) for item in value]
        raise _WithheldError("of a type that JSON does not have")

    def _set_key(self, result: dict[str, Any], key: Any, value: Any) -> None:
        """Add an item under its redacted key, numbered where two keys become one."""
        is_odd = isinstance(key, tuple)
        name = REDACTION_FAILED if is_odd else self.value(key, None, False, 0)
        unique, number = name, 2
        while unique in result:
            unique = f"{str(name).removesuffix('>')}_{number}>"
            number += 1
        result[unique] = value

    def _text(self, text: str, key: str | None, depth: int) -> str:
        data = parse_json(text) if depth < _MAX_DEPTH else None
        if data is not None:
            redacted = self.value(data, None, False, depth + 1)
            return text if redacted == data else dump_like(redacted, like=text)
        cleaned = self._redact_text(text)
        entity = _policy.entity_from_key(key, text) if cleaned == text else None
        return f"<{entity}>" if entity else cleaned

    def _redact_text(self, text: str) -> str:
        """Redact a text, from the cache where it can be."""
        known = self.cache.get(text)
        if known is not None:
            return known
        if len(text) > _MAX_TEXT:
            raise _WithheldError("too long")
        parts = []
        for piece, media in split_media(text):
            if time.monotonic() > self.deadline:
                raise _WithheldError("out of time")
            cleaned = piece if media or not piece else self.redactor.redact(piece)
            if not isinstance(cleaned, str):
                raise _WithheldError("the redactor returned no text")
            parts.append(cleaned)
        redacted = "".join(parts)
        self.cache.put(text, redacted)
        return redacted

    def _number(self, number: int | float, key: str | None) -> Any:
        """Replace a number that reads as a card or a telephone number."""
        if isinstance(number, float) and not number.is_integer():
            return number
        digits = str(int(number))
        entity = _policy.entity_from_key(key, digits)
        if entity is None and number >= _MIN_NUMBER:
            entity = self._classify_number(digits) or self._classify_number(
                f"+{digits}"
            )
        return f"<{entity}>" if entity else number

    def _classify_number(self, digits: str) -> str | None:
        if time.monotonic() > self.deadline:
            raise _WithheldError("out of time")
        for entity in self.redactor.analyze(digits):
            whole = entity.end - entity.start >= len(digits.lstrip("+"))
            if whole and entity.type in _NUMBER_ENTITIES:
                return entity.type
        return None
