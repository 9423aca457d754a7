"""Processes a report before it is sent: truncation, redaction, ``before_send``.

Runs on the worker. A report whose processing fails is not sent: with redaction on, no
fault lets it leave in the clear.
"""

import inspect
import os
import threading
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from .._config.settings import CallSettings
from .._util import errors
from .media import drop_cut_ends, truncate
from .suppression import suppress_recording

if TYPE_CHECKING:
    from .._events import Payload
    from ..redaction import BodyRedactor

#: Fixed memory overhead of a submission.
_SUBMISSION_OVERHEAD_BYTES = 1_000
#: Redactors kept with their caches; the oldest is dropped first.
_MAX_CACHED_REDACTORS = 4


@frozen(eq=False, repr=False)
class Submission:
    """What the user reports: feedback, or the result of a chain.

    Attributes:
        payload: The report.
        settings: The settings in force when it was made.
        size: Size of the user's texts, in bytes.
        ended: `time.perf_counter` when it was submitted, in seconds.
    """

    payload: "Payload"
    settings: CallSettings
    size: int
    ended: float = field(factory=perf_counter)

    @property
    def size_bytes(self) -> int:
        """Approximate memory that it holds, in bytes."""
        return self.size + _SUBMISSION_OVERHEAD_BYTES

    @property
    def ordering_key(self) -> str | None:
        """Submissions of one key arrive in the order in which they were made."""
        return self.payload.ordering_key


# By the id of the user's redactor, which its entry keeps alive.
_body_redactors: "dict[int, BodyRedactor]" = {}
_redaction_lock = threading.Lock()


def _reset() -> None:
    """In a forked child, drop a lock that another thread held, and half-made state."""
    global _redaction_lock
    _redaction_lock = threading.Lock()
    _body_redactors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)


def body_redactor(redactor: Any) -> "BodyRedactor":
    """Return the `BodyRedactor` for the user's redactor, or for the built-in one.

    Raises:
        ImportError: There is no redactor, and the extra ``pii`` is not installed.
    """
    from ..redaction import BodyRedactor, default_redactor

    known = _body_redactors.get(id(redactor))
    if known is None:
        known = BodyRedactor(default_redactor() if redactor is None else redactor)
        while len(_body_redactors) >= _MAX_CACHED_REDACTORS:
            # In one step, as install() may come here on another thread.
            oldest, *_ = _body_redactors
            _body_redactors.pop(oldest, None)
        _body_redactors[id(redactor)] = known
    return known


def process(report: "Payload", settings: CallSettings) -> dict[str, Any] | None:
    """Return a report's body as it may be sent; None if ``before_send`` withheld it."""
    body: dict[str, Any] | None = truncate(report.to_json(), settings.max_field_bytes)
    if body is None or is_passthrough(settings):
        return body
    with suppress_recording():
        if settings.redact_pii:
            with _redaction_lock:
                redacted = body_redactor(settings.redactor).redact(body)
            body = drop_cut_ends(redacted)
        if settings.before_send is not None and report.kind == "event":
            return _checked(settings.before_send(body))
    return body


def _checked(result: Any) -> dict[str, Any] | None:
    """Return what ``before_send`` returned.

    Raises:
        TypeError: It is something else than a body or None: a coroutine, perhaps.
    """
    if result is None or isinstance(result, dict):
        return result
    if isinstance(result, Mapping):
        return dict(result)
    if inspect.iscoroutine(result):
        result.close()
    errors.warn_once(
        "before_send",
        "before_send must return the event's body, a dict, or None, and not %s: events "
        "are not sent. It can't be a coroutine function.",
        type(result).__name__,
    )
    raise TypeError(f"before_send returned {type(result).__name__}")


def has_libretto_destination(item: Any) -> bool:
    """Return whether the item has an API key; without, only exporters receive it."""
    if isinstance(item, Submission):
        return item.settings.api_key is not None
    settings: CallSettings = item.settings
    return settings.has_api_key


def needs_worker(settings: CallSettings) -> bool:
    """Return whether an event can only be made by this process, on a worker."""
    return not is_passthrough(settings) or bool(settings.templates)


def is_passthrough(settings: CallSettings) -> bool:
    """Return whether reports are sent as they are, without redaction or hook."""
    return not settings.redact_pii and settings.before_send is None
