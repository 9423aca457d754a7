"""The last steps before a report is posted: redaction, the user's hook, JSON.

Runs on the worker. What fails here is not sent: with redaction on, nothing leaves in
clear because something went wrong.
"""

import os
import threading
from hashlib import blake2b
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from ._blobs import capped, may_need_capping
from ._json import encode
from ._scope import UNRECORDED
from ._settings import Settings

if TYPE_CHECKING:
    from ._events import Report
    from .delivery import Finishers, Message
    from .redaction import BodyRedactor

#: What a statement weighs beyond the words of the caller: the objects that carry it.
_STATEMENT_OVERHEAD = 1_000
#: So many redactors are kept with what they redacted before, the oldest let go first.
_MOST_REDACTORS = 4
#: In which form the makings of an event are written, by number. Another form, or one
#: more endpoint, needs another, and this one is to be read for ever.
_MAKINGS = 1
#: From so many bytes on, makings may hold a picture that the event only tells of.
_LONG = 16 * 2**10
#: Without it, ids that were written down could be found out by trying.
_VEIL = os.urandom(32)


@frozen(eq=False)
class Statement:
    """A report in the caller's own words: feedback, or what a chain came to.

    Attributes:
        said: The report.
        settings: What holds for it.
        size: How long the caller's words are, in bytes.
        ended: `time.perf_counter` when it was said, in seconds.
    """

    said: "Report"
    settings: Settings
    size: int
    ended: float = field(factory=perf_counter)

    @property
    def weight(self) -> int:
        """Roughly how many bytes it holds."""
        return self.size + _STATEMENT_OVERHEAD

    def report(self) -> "Report":
        """Return what is to be sent."""
        return self.said

    def makings(self) -> None:
        """Return None: there is nothing to be made of it but the report."""


# By the id of the user's redactor, which its entry keeps alive.
_body_redactors: "dict[int, BodyRedactor]" = {}
_redacting = threading.Lock()


def _start_afresh() -> None:
    """Forget a lock that another thread held, and what it left half done, at a fork."""
    global _redacting
    _redacting = threading.Lock()
    _body_redactors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)


def body_redactor(redactor: Any) -> "BodyRedactor":
    """Return what redacts bodies with the user's redactor, or with the built-in one.

    Raises:
        ImportError: There is no redactor, and the extra ``pii`` is not installed.
    """
    from .redaction import BodyRedactor, default_redactor

    known = _body_redactors.get(id(redactor))
    if known is None:
        known = BodyRedactor(default_redactor() if redactor is None else redactor)
        while len(_body_redactors) >= _MOST_REDACTORS:
            # In one step, as install() may come here on another thread.
            oldest, *_ = _body_redactors
            _body_redactors.pop(oldest, None)
        _body_redactors[id(redactor)] = known
    return known


def body_of(report: "Report", settings: Settings) -> dict[str, Any] | None:
    """Return a report's body as it may be sent; None if ``before_send`` withheld it."""
    body: dict[str, Any] | None = capped(report.to_wire(), settings.max_field_bytes)
    if body is None or is_untouched(settings):
        return body
    with UNRECORDED:
        if settings.redact_pii:
            with _redacting:
                body = body_redactor(settings.redactor).redact(body)
        if settings.before_send is not None and report.kind == "event":
            return settings.before_send(body)
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
    name, key = report.id, report.order_key
    if settings.redact_pii:
        name = _veiled(name, encoded)
        key = None if key is None else _veiled(key, encoded)
    return Message(report.kind, name, encoded, key, _at(item))


def prepare_to_keep(item: Any) -> "Message | None":
    """Turn a finished call or a statement into what is written to disk.

    As `prepare` does, but where the event would not be much shorter, it is left to
    others to make it: this is the caller's thread.
    """
    from .delivery import Message

    limit = item.settings.max_field_bytes
    makings = item.makings() if item.weight <= limit else None
    if makings is None:
        return prepare(item)
    name, key, data = makings
    if len(data) > _LONG and may_need_capping(data, limit):
        return prepare(item)
    return Message("event", name, data, key, _at(item), _MAKINGS)


def finishers() -> "Finishers":
    """Return what finishes messages that `prepare_to_keep` wrote, in any process."""
    # Here and not below: a process that forks while another thread of it imports
    # leaves its child an import that never ends.
    from .capture.packing import unpack

    def finish(message: "Message") -> "Message":
        event, settings = unpack(message.body, message.id)
        encoded = _quickly_encoded(event, settings)
        if encoded is None:
            encoded = encode(capped(event.to_wire(), settings.max_field_bytes))
        return evolve(message, body=encoded, form=0)

    return {_MAKINGS: finish}


def _at(item: Any) -> float | None:
    """Return when a call ended, in seconds since the epoch; None if it did not."""
    # A clock that nobody sets back timed it; the one on the wall is read here.
    return time() - (perf_counter() - item.ended) if item.ended else None


def _veiled(name: str, redacted: bytes) -> str:
    """Return an id that may be written down beside a redacted body.

    One that the body has lost to redaction becomes a stand-in, which is the same for
    the same id as long as this process lives, and tells nobody which id it was.
    """
    data = name.encode(errors="surrogatepass")
    if data in redacted:
        return name
    return blake2b(data, key=_VEIL, digest_size=16).hexdigest()


def is_for_libretto(item: Any) -> bool:
    """Say whether Libretto would know whose report this is; exporters get it anyway."""
    if isinstance(item, Statement):
        return item.settings.api_key is not None
    settings: Settings = item.settings
    return settings.has_key


def is_untouched(settings: Settings) -> bool:
    """Say whether reports go out as they are, with no redactor or hook in between."""
    return not settings.redact_pii and settings.before_send is None


def _quickly_encoded(report: "Report", settings: Settings) -> bytes | None:
    """Return a report's JSON, if nothing has to be done to its body in between."""
    if not is_untouched(settings):
        return None
    encoded = encode(report.to_wire())
    return None if may_need_capping(encoded, settings.max_field_bytes) else encoded
