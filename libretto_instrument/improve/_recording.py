"""Makes the calls of a replay, and returns what this package recorded of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from .. import _capture
from .._capture.build_event import build_event
from .._config.scope import scope
from .._processing.process import process
from .._runtime.install import enable, in_use
from .._runtime.state import runtime
from .._util.ids import new_id
from .._util.json import decode, encode
from ._request import RESOURCES, Request

#: What came of a call: its event (None if ``before_send`` withheld it), and what openai
#: raised, or None.
Outcome = tuple[dict[str, Any] | None, Exception | None]

_lock = threading.Lock()
_active = 0
_outer: tuple[Callable[[Any], None] | None, bool] = (None, False)
#: Records of the calls under way, by the ids of their events.
_records: dict[str, list[Any]] = {}


@contextmanager
def recording() -> Iterator[None]:
    """Take the records of `call` for the length of a block; blocks may overlap.

    Calls of others are delivered as ever. What was set for the process, redaction
    among it, holds for the replay's events; none of them goes to Libretto's service.
    """
    global _active, _outer
    with _lock:
        _active += 1
        if _active == 1:
            was_patched = _capture.is_patched()
            runtime.settings_here(None)  # Has the environment read.
            enable()
            _outer = (runtime.sink, was_patched)
            runtime.sink = _take
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0:
                runtime.sink, was_patched = _outer
                if not (was_patched or in_use()):
                    _capture.unpatch()


def _take(item: Any) -> None:
    records = _records.get(item.settings.event_id)
    if records is not None:
        records.append(item)
    else:
        (_outer[0] or runtime.deliveries.submit)(item)


def call(client: Any, request: Request, *, name: str | None, context: Any) -> Outcome:
    """Make a call inside `recording()`, with a client of openai that is not async."""
    import openai

    event_id = new_id()
    records = _records.setdefault(event_id, [])
    libretto = {"event_id": event_id, "context": context, **request.template}
    if name is not None:
        libretto["prompt_template_name"] = name
    error: Exception | None = None
    create = attrgetter(f"{RESOURCES[request.endpoint][0]}.create")(client)
    try:
        with scope(
            api_key="replay", enabled=True, sample_rate=1.0, allow_unnamed_prompts=True
        ):
            answer = create(**request.arguments, libretto=libretto)
            if isinstance(answer, openai.Stream):
                for _ in answer:
                    pass
    except Exception as exc:
        # Not openai's errors alone: it may refuse an argument, or an answer be no JSON.
        error = exc
    finally:
        del _records[event_id]
    return _event(records), error


def _event(records: list[Any]) -> dict[str, Any] | None:
    for record in records:
        report = build_event(record)
        body = None if report is None else process(report, record.settings)
        if body is not None:
            kept = {k: v for k, v in body.items() if k not in ("apiKey", "projectKey")}
            # Values that JSON has no form for are what JSON makes of them.
            event: dict[str, Any] = decode(encode(kept))
            return event
    return None
