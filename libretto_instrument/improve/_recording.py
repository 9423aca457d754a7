"""Makes the calls of a replay, recorded by ourselves, and stores what was recorded."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen

from .. import _capture
from .._config.environment import API_PREFIX_ENV_VAR
from .._config.scope import scope
from .._processing.process import process
from .._runtime.install import enable, in_use
from .._runtime.state import runtime
from .._util.ids import new_id
from .._util.json import decode, encode
from ..exporters import ExportRecord, JsonLinesExporter
from ._request import Request
from ._sources import Recorded, fetch, is_loopback, is_url, post, replayed_calls

#: Where a local Libretto listens unless told otherwise.
LOCAL = "http://127.0.0.1:4620"


def local_address() -> str:
    """Return the local Libretto that programs are pointed at, or the usual one."""
    prefix = os.environ.get(API_PREFIX_ENV_VAR, "").rstrip("/").removesuffix("/api")
    return (
        prefix if is_url(prefix) and is_loopback(urlsplit(prefix).hostname) else LOCAL
    )


#: How often a result is offered to the local Libretto, and seconds between two times.
_TRIES, _PAUSE = 4, 0.5


class Store(Protocol):
    """Where a replay's calls are kept."""

    @property
    def name(self) -> str:
        """Its address or path."""

    def put(self, event: dict[str, Any]) -> None:
        """Store the event of a call. Raises: OSError, if it can't."""

    def calls(self, replay: str) -> Iterator[Recorded]:
        """Yield the calls of a replay."""


@frozen
class AddressStore:
    """A local Libretto that answers at an address."""

    name: str

    def put(self, event: dict[str, Any]) -> None:
        """Post an event; a local Libretto that is busy is asked again."""
        body = {**event, "apiKey": os.environ.get("LIBRETTO_API_KEY") or "replay"}
        for left in reversed(range(_TRIES)):
            try:
                post(self.name, "/api/event", body)
                return
            except OSError:
                if not left:
                    raise
                time.sleep(_PAUSE)

    def calls(self, replay: str) -> Iterator[Recorded]:
        """Yield the calls of a replay."""
        return replayed_calls(self.name, replay)


@define
class LogStore:
    """A file of the form that `JsonLinesExporter` writes."""

    name: str
    _exporter: JsonLinesExporter = field(init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @_exporter.default
    def _make_exporter(self) -> JsonLinesExporter:
        return JsonLinesExporter(self.name)

    def put(self, event: dict[str, Any]) -> None:
        """Append an event."""
        with self._lock:
            name = event["promptEventId"]
            self._exporter.export([ExportRecord("event", name, event, time.time())])

    def calls(self, replay: str) -> Iterator[Recorded]:
        """Yield the calls of a replay."""
        return replayed_calls(self.name, replay)


def open_store(to: str | None) -> Store | None:
    """Return where replays are kept.

    Args:
        to: The address of a local Libretto, or a file; None for the local Libretto of
            this machine, if one answers.

    Returns:
        The store; None where none was named and none answers.

    Raises:
        OSError: The one that was named does not answer.
        ValueError: It is something else.
    """
    if to is None:
        try:
            fetch(local_address(), "/api/events?limit=1", timeout=2.0)
        except (OSError, ValueError):
            return None
        return AddressStore(local_address())
    if is_url(to):
        fetch(to, "/api/events?limit=1")
        return AddressStore(to)
    if not Path(to).absolute().parent.is_dir():
        raise ValueError(f"There is no directory {Path(to).absolute().parent}.")
    return LogStore(to)


@frozen
class Call:
    """What came of a call.

    Attributes:
        event: What was recorded; None if ``before_send`` withheld it.
        error: What openai raised, or None.
    """

    event: dict[str, Any] | None
    error: Exception | None


_lock = threading.Lock()
_active = 0
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


_outer: tuple[Callable[[Any], None] | None, bool] = (None, False)


def _take(item: Any) -> None:
    records = _records.get(item.settings.event_id)
    if records is not None:
        records.append(item)
    else:
        (_outer[0] or runtime.deliveries.submit)(item)


def call(client: Any, request: Request, *, name: str | None, context: Any) -> Call:
    """Make a call inside `recording()`, and return what was recorded of it.

    Args:
        client: A client of openai, not an async one.
        request: What to call.
        name: The name of the prompt template.
        context: What the event's context says.

    Raises:
        Exception: It failed otherwise than by openai's errors.
    """
    import openai

    event_id = new_id()
    records = _records.setdefault(event_id, [])
    libretto = {"event_id": event_id, "context": context, **request.template}
    if name is not None:
        libretto["prompt_template_name"] = name
    error: Exception | None = None
    try:
        with scope(
            api_key="replay", enabled=True, sample_rate=1.0, allow_unnamed_prompts=True
        ):
            answer = _create(client, request)(**request.arguments, libretto=libretto)
            if isinstance(answer, openai.Stream):
                for _ in answer:
                    pass
    except openai.OpenAIError as exc:
        error = exc
    finally:
        del _records[event_id]
    return Call(_event(records), error)


def _create(client: Any, request: Request) -> Any:
    if request.endpoint == "chat":
        return client.chat.completions.create
    if request.endpoint == "completion":
        return client.completions.create
    return client.responses.create


def _event(records: list[Any]) -> dict[str, Any] | None:
    for record in records:
        body = process(record.report(), record.settings)
        if body is not None:
            kept = {k: v for k, v in body.items() if k not in ("apiKey", "projectKey")}
            # Values that JSON has no form for are what JSON makes of them.
            event: dict[str, Any] = decode(encode(kept))
            return event
    return None
