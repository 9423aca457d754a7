"""One call of a model, from before its request to the end of its answer.

On the caller's thread a call only keeps what it is handed; what the event says is
worked out by `build_event`, on the worker's.
"""

import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Protocol

from .._config.checks import CALLER
from .._config.config import LibrettoConfig, get_client_config
from .._config.fields import Overrides
from .._config.settings import CallSettings
from .._events import Event
from .._templates import TemplateChat, TemplateText
from .._util import errors
from .._util.ids import new_id
from .._util.json import model_to_json
from .._util.otel_context import OPENTELEMETRY, with_trace
from . import feedback_keys
from .build_event import build_event
from .caller import name_caller
from .detours import in_flight, may_detour
from .endpoints.table import Endpoint
from .error_response import response_from_exception
from .exchange import Exchange, current_exchange
from .record import CallRecord
from .snapshot import snapshot, snapshot_kwargs

_TEMPLATE_TYPES = (TemplateChat, TemplateText)


class Recorder(Protocol):
    """What capture needs of the rest: who is recorded, and where records go."""

    def settings(
        self, config: LibrettoConfig | None, given: Overrides | None
    ) -> CallSettings | None:
        """Return the settings for a call, or None if it is not to be recorded."""

    def submit(self, call: "Call") -> None:
        """Take a finished call. Never blocks, never raises."""


class Call(CallRecord):
    """One recorded call: its record, and how it is written.

    Attributes:
        recorder: Takes the record when it is complete.
        is_submitted: The record is complete, and changes no more.
    """

    is_submitted: bool = False

    def __init__(
        self,
        endpoint: Endpoint,
        settings: CallSettings,
        feedback_key: str,
        recorder: Recorder,
        client: Any = None,
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.feedback_key = feedback_key
        self.recorder = recorder
        self.exchange = Exchange(client)
        self.request = {}

    def start(self, arguments: Mapping[str, Any]) -> None:
        """Take a snapshot of the request and start the clock. Never raises."""
        try:
            settings = self.settings
            given = arguments.get(self.endpoint.input)
            if isinstance(given, _TEMPLATE_TYPES):
                self.request = snapshot_kwargs(arguments, self, but=self.endpoint.input)
                self._capture_template(given)
            else:
                self.request = snapshot_kwargs(arguments, self)
            if settings.has_template_data:
                self._apply_settings(settings)
            if OPENTELEMETRY in sys.modules and settings.trace_context:
                self.context = with_trace(self.context)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.start")
        exchange = self.exchange
        exchange.outer = current_exchange.get()
        current_exchange.set(exchange)
        kind: type = type(exchange.client)
        if may_detour(kind):
            in_flight[id(self)] = self
        self.started = perf_counter()

    def _apply_settings(self, settings: CallSettings) -> None:
        """Keep what the call's settings add to its arguments."""
        if self.template is None and settings.has_template:
            self._capture_template(self.endpoint.template_from_settings(settings))
            self.is_from_scope = not settings.has_own_template
        if settings.template_params:
            params = snapshot(settings.template_params, self)
            self.params = {**params, **(self.params or {})}
        if settings.context:
            self.context = snapshot(settings.context, self)

    def _capture_template(self, given: Any) -> None:
        if isinstance(given, TemplateChat):
            self.template = snapshot(given.recorded, self)
            self.params = snapshot(given.params, self)
        elif isinstance(given, TemplateText):
            self.template = snapshot(given.template, self)
            self.params = snapshot(given.params, self)
        else:
            self.template = snapshot(given, self)

    def on_response(self, model: Any) -> None:
        """CallRecord a whole answer: a pydantic model. Never raises."""
        try:
            self.ended = perf_counter()
            self._capture_response(model)
            if self.settings.annotate_responses:
                feedback_keys.annotate(model, self.feedback_key)
            else:
                feedback_keys.remember(model, self.feedback_key)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.on_response")
        finally:
            self.submit()

    def _capture_response(self, model: Any) -> None:
        self.response = model_to_json(model)

    def on_json_response(self, answer: bytes) -> None:
        """Record an answer that was asked for as plain JSON. Never raises."""
        self.ended = perf_counter()
        self.response = answer
        self.submit()

    def on_text_response(self, answer: Any) -> None:
        """CallRecord an answer that is no model, such as plain text. Never raises."""
        self.ended = perf_counter()
        if isinstance(answer, str):
            self.text = answer
        self.submit()

    def on_error(self, exc: BaseException) -> None:
        """CallRecord that the request or its answer on_error. Never raises."""
        try:
            self.ended = perf_counter()
            self.errors = (*self.errors, format_error(exc))
            answer = response_from_exception(exc)
            if answer is not None and self.body_kind is None:
                self._capture_response(answer)
                feedback_keys.remember(answer, self.feedback_key)
        except Exception as fault:
            errors.log_internal_error(fault, "capture.on_error")
        finally:
            self.submit()

    def submit(self) -> None:
        """Hand the call on, once. Never raises."""
        if self.is_submitted:
            return
        self.is_submitted = True
        try:
            self.recorder.submit(self)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.submit")

    def report(self) -> Event | None:
        """Return the event that tells of this call, if it is to be recorded."""
        return build_event(self)


def start_call(
    endpoint: Endpoint, recorder: Recorder, client: Any, given: Overrides | None
) -> Call | None:
    """Return the record of a call about to be made, or None if it is not recorded.

    Never raises. The settings are those of this moment: the scope may be another when
    an awaited call is sent, or when a stream ends.
    """
    try:
        around = current_exchange.get()
        if client is not None and around is not None and around.client is client:
            return None
        settings = recorder.settings(get_client_config(client), given)
        if settings is None:
            return None
        key = settings.feedback_key or new_id()
        call = Call(endpoint, settings, key, recorder, client)
        if settings.allow_unnamed_prompts == CALLER and settings.template_name is None:
            call.caller = name_caller()
        return call
    except Exception as exc:
        errors.log_internal_error(exc, "capture.start_call")
        return None


def start_unrecorded(client: Any) -> Exchange | None:
    """Return the exchange of a call that is not recorded. Never raises.

    While it is under way, its requests are not recorded either.
    """
    try:
        exchange = Exchange(client)
        exchange.outer = current_exchange.get()
        current_exchange.set(exchange)
        return exchange
    except Exception as exc:
        errors.log_internal_error(exc, "capture.start_unrecorded")
        return None


def format_error(exc: BaseException) -> str:
    """Return an error as the event tells it: its type and its message."""
    message = str(exc)
    name = type(exc).__name__
    return f"{name}: {message}" if message else name
