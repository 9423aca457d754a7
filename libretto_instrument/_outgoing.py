"""The last steps before a report is posted: redaction, the user's hook, JSON.

Runs on the worker. What fails here is not sent: with redaction on, nothing leaves in
clear because something went wrong.
"""

import threading
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ._blobs import capped, may_need_capping
from ._config import Settings
from ._json import encode

if TYPE_CHECKING:
    from ._events import Report
    from .delivery import Message
    from .redaction import BodyRedactor

#: What a statement is taken to weigh, in bytes.
_STATEMENT = 1_000


@frozen(eq=False)
class Statement:
    """A report in the caller's own words: feedback, or what a chain came to."""

    said: "Report"
    settings: Settings
    weight: int = _STATEMENT

    def report(self) -> "Report":
        """Return what is to be sent."""
        return self.said


_body_redactors: "dict[int, BodyRedactor]" = {}
_redacting = threading.Lock()


def body_redactor(redactor: Any) -> "BodyRedactor":
    """Return what redacts bodies with the user's redactor, or with the built-in one.

    Raises:
        ImportError: There is no redactor, and the extra ``pii`` is not installed.
    """
    from .redaction import BodyRedactor, default_redactor

    known = _body_redactors.get(id(redactor))
    if known is None:
        known = BodyRedactor(redactor or default_redactor())
        _body_redactors[id(redactor)] = known
    return known


def body_of(report: "Report", settings: Settings) -> dict[str, Any] | None:
    """Return a report's body as it may be sent; None if ``before_send`` withheld it."""
    body: dict[str, Any] | None = capped(report.to_wire(), settings.max_field_bytes)
    if settings.redact_pii and body is not None:
        with _redacting:
            body = body_redactor(settings.redactor).redact(body)
    if settings.before_send is not None and body is not None and report.kind == "event":
        body = settings.before_send(body)
    return body


def prepare(item: Any) -> "Message | None":
    """Turn a finished call or a statement into the message to post. On the worker."""
    from .delivery import Message

    report: Report = item.report()
    settings: Settings = item.settings
    encoded = _quickly_encoded(report, settings)
    if encoded is None:
        body = body_of(report, settings)
        if body is None:
            return None
        encoded = encode(body)
    return Message(report.kind, report.id, encoded, report.order_key)


def is_untouched(settings: Settings) -> bool:
    """Say whether reports go out as they are, with no redactor or hook in between."""
    return not settings.redact_pii and settings.before_send is None


def _quickly_encoded(report: "Report", settings: Settings) -> bytes | None:
    """Return a report's JSON, if nothing has to be done to its body in between."""
    if not is_untouched(settings):
        return None
    encoded = encode(report.to_wire())
    return None if may_need_capping(encoded, settings.max_field_bytes) else encoded
