"""The last steps before a report is posted: redaction, the user's hook, JSON.

Runs on the worker. What fails here is not sent: with redaction on, nothing leaves in
clear because something went wrong.
"""

import threading
from typing import TYPE_CHECKING, Any

from attrs import frozen

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


def body_of(item: Any) -> "tuple[Report, dict[str, Any] | None]":
    """Return the report that an item amounts to, and its body as it may be sent.

    The body is None if the user's ``before_send`` withheld it.
    """
    report: Report = item.report()
    settings: Settings = item.settings
    body: dict[str, Any] | None = report.to_wire()
    if settings.redact_pii and body is not None:
        with _redacting:
            body = body_redactor(settings.redactor).redact(body)
    if settings.before_send is not None and body is not None and report.kind == "event":
        body = settings.before_send(body)
    return report, body


def prepare(item: Any) -> "Message | None":
    """Turn a finished call or a statement into the message to post. On the worker."""
    from .delivery import Message

    report, body = body_of(item)
    if body is None:
        return None
    return Message(report.kind, report.id, encode(body), report.order_key)
