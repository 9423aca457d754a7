"""Makes the calls of a replay, and returns what this package recorded of them."""

import threading
from collections.abc import Iterator
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
_was_patched = False


@contextmanager
def recording() -> Iterator[None]:
    """Have openai's calls recorded for the length of a block; blocks may overlap.

    What was set for the process, redaction among it, holds for the replay's events.
    """
    global _active, _was_patched
    with _lock:
        _active += 1
        if _active == 1:
            _was_patched = _capture.is_patched()
            runtime.settings_here(None)  # Has the environment read.
            enable()
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if _active == 0 and not (_was_patched or in_use()):
                _capture.unpatch()


def call(client: Any, request: Request, *, name: str | None, context: Any) -> Outcome:
    """Make a call inside `recording()`, with a client of openai that is not async.

    Its record comes here, never to Libretto's service: not even where the call ends
    after the block, as one does that outlives an interrupt.
    """
    import openai

    event_id = new_id()
    records: list[Any] = []
    runtime.diverted[event_id] = records.append
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
        if records:  # One that is still to come is not to be delivered either.
            del runtime.diverted[event_id]
    if not records and error is None:
        error = RuntimeError("the call was not recorded, and its answer not either")
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
