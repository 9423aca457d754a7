"""Reports as messages: the JSON to post, or what others can make it of.

Imported with the first report, as the delivery room is. What finishes messages comes
with it, not when it is needed: a process that forks while another thread of it imports
leaves its child an import that never ends.
"""

import os
from hashlib import blake2b
from time import perf_counter, time
from typing import Any

from attrs import evolve

from .._capture.packing import unpack
from .._config.settings import CallSettings
from .._events import Report
from .._recognition import apply as _  # noqa: F401  # Loaded before it is needed.
from .._util import errors
from .._util.json import encode
from ..delivery import Finishers, Message
from .media import may_need_truncation, truncate
from .process import is_passthrough, process

#: In which form the makings of an event are written, by number. Another form, or one
#: more endpoint, needs another, and this one is to be read for ever.
_MAKINGS = 1
#: From so many bytes on, makings may hold a picture that the event only tells of.
_LONG = 16 * 2**10
#: Without it, ids that were written down could be found out by trying.
_VEIL = os.urandom(32)


def prepare(item: Any) -> Message | None:
    """Turn a finished call or a statement into the message to post. On the worker."""
    report = item.report()
    settings = item.settings
    if report is None:
        errors.warn_once(
            "no template",
            "A call without a prompt template name that fits none of the templates is "
            "not recorded. Give it a name, or allow_unnamed_prompts.",
        )
        return None
    encoded = _quickly_encoded(report, settings)
    if encoded is None:
        body = process(report, settings)
        if body is None:
            return None
        encoded = encode(body)
    name, key = report.id, report.order_key
    if settings.redact_pii:
        name = _veiled(name, encoded)
        key = None if key is None else _veiled(key, encoded)
    return Message(report.kind, name, encoded, key, _at(item))


def prepare_to_keep(item: Any) -> Message | None:
    """Turn a finished call or a statement into what is written to disk.

    As `prepare` does, but where the event would not be much shorter, it is left to
    others to make it: this is the caller's thread.
    """
    limit = item.settings.max_field_bytes
    makings = item.makings() if item.weight <= limit else None
    if makings is None:
        return prepare(item)
    name, key, data = makings
    if len(data) > _LONG and may_need_truncation(data, limit):
        return prepare(item)
    return Message("event", name, data, key, _at(item), _MAKINGS)


def _finish(message: Message) -> Message:
    """Make what `prepare` would have made. In any process."""
    event, settings = unpack(message.body, message.id)
    encoded = _quickly_encoded(event, settings)
    if encoded is None:
        encoded = encode(truncate(event.to_wire(), settings.max_field_bytes))
    return evolve(message, body=encoded, form=0)


#: What finishes messages that `prepare_to_keep` wrote.
FINISHERS: Finishers = {_MAKINGS: _finish}


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


def _quickly_encoded(report: Report, settings: CallSettings) -> bytes | None:
    """Return a report's JSON, if nothing has to be done to its body in between."""
    if not is_passthrough(settings):
        return None
    encoded = encode(report.to_wire())
    return None if may_need_truncation(encoded, settings.max_field_bytes) else encoded
