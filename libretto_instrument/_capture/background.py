"""Background responses: calls whose answer is fetched by later requests.

``responses.create(background=True)`` answers ``queued``. Its record is kept open by the
response's id; the ``retrieve()`` or ``cancel()`` that brings the answer completes it.
Where none does, it is recorded as it stood: when too many others are open, when it is
too old, and at the latest at the end of the process.
"""

import os
import re
import sys
import weakref
from typing import Any

from attrs import define, frozen

from .._util import errors
from .._util.clock import monotonic
from .record import CallRecord, Recorder

#: Maximum number of records that are kept open.
MAX_OPEN = 1_000

#: How long a record is kept open, in seconds.
MAX_AGE = 3_600.0

_PENDING = frozenset(("queued", "in_progress"))
_STREAMED = frozenset(("events", "chunks"))
_PATH = re.compile(r"/?(?:.*/)?responses/([^/?#]+)(/cancel)?/?(?:[?#].*)?", re.DOTALL)

#: What the request that brings the answer says of it.
_ANSWER_FIELDS = (
    *("response", "text", "body_kind", "chunks", "chunk_times", "chunks_consumed"),
    *("errors", "stream_status"),
)


@frozen(eq=False, repr=False)
class _Open:
    """A record that waits for its answer."""

    record: CallRecord
    recorder: Recorder
    since: float

    def submit(self) -> None:
        try:
            self.recorder.submit(self.record)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.background")


#: By the id of the response, oldest first.
_open: dict[str, _Open] = {}
#: Those whose first request is not over yet.
_starting: "weakref.WeakSet[BackgroundRecorder]" = weakref.WeakSet()


def is_background(request: dict[str, Any]) -> bool:
    """Return whether a request asks for a response in the background."""
    more = request.get("extra_body")
    return request.get("background") is True or (
        isinstance(more, dict) and more.get("background") is True
    )


class BackgroundRecorder:
    """Takes the record of a background call, and keeps it open while it is queued."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.settings = recorder.settings
        _starting.add(self)

    def submit(self, record: CallRecord) -> None:
        """Keep a record that has no answer yet; hand on any other."""
        _starting.discard(self)
        answer = _read_answer(record)
        identity = answer.get("id")
        if answer.get("status") not in _PENDING or not isinstance(identity, str):
            self._recorder.submit(record)
            return
        replaced = _open.pop(identity, None)
        _open[identity] = _Open(record, self._recorder, monotonic())
        if replaced is not None:
            replaced.submit()
        expire()


@define(eq=False, repr=False)
class _Follower:
    """Takes the record of a request for the answer of an open record.

    Attributes:
        identity: The response's id.
        is_deletion: The request deletes the response.
    """

    identity: str
    is_deletion: bool

    def settings(self, config: Any, overrides: Any) -> None:
        """Refuse calls: a request is followed, and is none."""

    def submit(self, record: CallRecord) -> None:
        """Complete the open record, if the answer has come."""
        waiting = _open.get(self.identity)
        if waiting is None or (record.errors and record.response is None):
            return
        if not self.is_deletion:
            answer = _read_answer(record)
            if answer.get("id") is None and record.body_kind in _STREAMED:
                # A stream that was taken up in its middle does not say whose it is.
                _prepend_events(record, waiting.record)
                answer = _read_answer(record)
            if answer.get("id") != self.identity:
                return
            _adopt_answer(waiting.record, record, answer)
            if answer.get("status") in _PENDING:
                return
        if _open.pop(self.identity, None) is waiting:
            waiting.submit()


def _adopt_answer(
    record: CallRecord, brought: CallRecord, answer: dict[str, Any]
) -> None:
    """Give a record the answer that another request brought."""
    started, first = record.started, record.ended
    for name in _ANSWER_FIELDS:
        if hasattr(brought, name):
            setattr(record, name, getattr(brought, name))
    record.ended = brought.ended
    created, completed = answer.get("created_at"), answer.get("completed_at")
    if (
        brought.body_kind not in _STREAMED
        and isinstance(created, int | float)
        and isinstance(completed, int | float)
        and 0 <= completed - created <= MAX_AGE
    ):
        # When it was asked for says nothing of how long the model took.
        record.ended = min(record.ended, max(first, started + completed - created))


def _prepend_events(brought: CallRecord, earlier: CallRecord) -> None:
    """Put before a stream's events those that an earlier request brought.

    What comes again counts once: it may have been asked for from an earlier event on.
    """
    from .build_event import read_events

    events = read_events(brought)
    if not events:
        return
    numbers = (event.get("sequence_number") for event, _ in events)
    first = next((each for each in numbers if isinstance(each, int)), None)
    if earlier.body_kind in _STREAMED:
        known = read_events(earlier)
    else:
        known = [({"response": _read_answer(earlier)}, earlier.ended)]
    kept = []
    for event, time in known:
        number = event.get("sequence_number")
        if first is None or not isinstance(number, int) or number < first:
            kept.append((event, time))
    brought.body_kind = "chunks"
    brought.chunks = [event for event, _ in (*kept, *events)]
    brought.chunk_times = [time for _, time in (*kept, *events)]
    brought.chunks_consumed = None


def _read_answer(record: CallRecord) -> dict[str, Any]:
    # It comes with what builds events, which no process needs before it has one.
    from .build_event import read_response

    return read_response(record).raw or {}


def is_waiting() -> bool:
    """Return whether any record waits, or may soon."""
    return bool(_open) or bool(_starting)


def follow(client: Any, options: Any) -> tuple[CallRecord, Recorder] | None:
    """Return the record and the recorder of a request that may bring an answer."""
    method = options.method.lower()
    found = _PATH.fullmatch(str(options.url))
    if found is None or method != ("post" if found[2] else method):
        return None
    if not found[2] and method not in ("get", "delete"):
        return None
    expire()
    identity = found[1]
    if identity not in _open:
        _finish_first_request(identity)
    waiting = _open.get(identity)
    if waiting is None:
        return None
    first = waiting.record
    record = CallRecord(first.endpoint, first.settings, first.feedback_key, client)
    return record, _Follower(identity, method == "delete")


def _finish_first_request(identity: str) -> None:
    """End the stream of a response's creation, if it is not being read.

    A later request asks for the response, and completes the record.
    """
    streams = sys.modules.get(f"{__package__}.stream_state")
    if streams is None or not _starting:
        return
    for state in streams.active_streams():
        recorder = state.call.recorder
        if (
            isinstance(recorder, BackgroundRecorder)
            and not state.is_reading
            and _read_answer(state.call.record).get("id") == identity
        ):
            state.finish("closed_early")


def expire() -> None:
    """Record what waits for too long, and the oldest of too many, as it stands."""
    oldest = monotonic() - MAX_AGE
    excess = len(_open) - MAX_OPEN
    for at, (identity, waiting) in enumerate(list(_open.items())):
        if at >= excess and waiting.since > oldest:
            break
        _finish(identity)


def finish_all() -> None:
    """Record everything that waits as it stands."""
    for identity in list(_open):
        _finish(identity)


def _finish(identity: str) -> None:
    waiting = _open.pop(identity, None)
    if waiting is not None:
        waiting.submit()


def _forget_in_child() -> None:
    """Leave what waits to the parent, in a forked child."""
    _open.clear()
    _starting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
