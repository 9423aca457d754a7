"""One call of a model, from before its request to the end of its answer.

The caller's thread only records; the worker builds the event.
"""

import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from .._config.checks import CALLER
from .._config.config import CLIENT_CONFIG_ATTR, LibrettoConfig
from .._config.fields import Overrides
from .._templates import TemplateChat, TemplateText
from .._util import errors
from .._util.ids import new_id
from .._util.json import model_to_json
from .._util.otel_context import OPENTELEMETRY, add_trace_context
from . import feedback_keys
from .background import BackgroundRecorder, is_background
from .caller import name_caller
from .credentials import CredentialMask
from .detours import detours, may_detour
from .endpoints.table import RESPONSES, Endpoint
from .error_response import response_from_exception
from .exchange import current_exchange
from .record import CallRecord, Recorder
from .snapshot import CopyBudget, snapshot, snapshot_kwargs

_TEMPLATE_TYPES = (TemplateChat, TemplateText)


class Call:
    """One recorded call. A context manager around its request.

    Attributes:
        record: What is known of it.
        exchange: What is known of its request.
        recorder: Takes the record when it is complete.
        is_submitted: The record is complete, and changes no more.
    """

    __slots__ = (
        "_arguments",
        "_is_over_foreign",
        "exchange",
        "is_submitted",
        "record",
        "recorder",
    )

    def __init__(
        self,
        record: CallRecord,
        recorder: Recorder,
        arguments: Mapping[str, Any],
        is_over_foreign: bool = False,
    ) -> None:
        """Make a call.

        Args:
            record: Its record.
            recorder: Takes the record when it is complete.
            arguments: The arguments of the request, by name.
            is_over_foreign: Whether another library's wrapper lies between, which may
                send the request from another thread.
        """
        self.record = record
        self.exchange = record.exchange
        self.is_submitted = False
        self.recorder = recorder
        self._arguments = arguments
        self._is_over_foreign = is_over_foreign

    def __enter__(self) -> None:
        """Take a snapshot of the request and start the clock. Never raises."""
        record, exchange = self.record, self.exchange
        client = exchange.client
        kind: type = type(client)
        arguments, self._arguments = self._arguments, {}
        try:
            exchange.base_url = getattr(client, "_base_url", None)
            budget = CopyBudget()
            settings, endpoint = record.settings, record.endpoint
            prompt = arguments.get(endpoint.input)
            if isinstance(prompt, _TEMPLATE_TYPES):
                record.request = snapshot_kwargs(
                    arguments, budget, exclude=endpoint.input
                )
                _capture_template(record, prompt, budget)
            else:
                record.request = snapshot_kwargs(arguments, budget)
            if settings.has_template_data:
                _apply_settings(record, budget)
            record.copied_bytes = budget.size_bytes
            if endpoint is RESPONSES and is_background(record.request):
                self.recorder = BackgroundRecorder(self.recorder)
            if OPENTELEMETRY in sys.modules and settings.trace_context:
                record.context = add_trace_context(record.context)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.start")
        exchange.enter(sys._getframe(1))
        if self._is_over_foreign or may_detour(kind):
            detours[id(exchange)] = record
        record.started = perf_counter()

    def __exit__(self, kind: Any, exc: BaseException | None, traceback: Any) -> None:
        """Record an error that is on its way to the caller. Never raises."""
        try:
            if exc is not None:
                self.on_error(exc)
        finally:
            self.exchange.leave()
            if detours:
                detours.pop(id(self.exchange), None)

    def on_response(self, model: Any) -> None:
        """Record an answer that is a pydantic model. Never raises."""
        record = self.record
        try:
            record.ended = perf_counter()
            record.response = model_to_json(model)
            if record.settings.annotate_responses:
                feedback_keys.annotate(model, record.feedback_key)
            else:
                feedback_keys.remember(model, record.feedback_key)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.on_response")
        finally:
            self.submit()

    def on_json_response(self, answer: bytes) -> None:
        """Record an answer that was asked for as plain JSON. Never raises."""
        self.record.ended = perf_counter()
        self.record.response = answer
        self.submit()

    def on_text_response(self, answer: Any) -> None:
        """Record an answer that is not a model, such as plain text. Never raises."""
        self.record.ended = perf_counter()
        if isinstance(answer, bytes):
            self.record.response = answer
        elif isinstance(answer, str):
            self.record.text = answer
        self.submit()

    def on_error(self, exc: BaseException) -> None:
        """Record that the request, or reading its answer, failed. Never raises."""
        record = self.record
        try:
            record.ended = perf_counter()
            message = CredentialMask().mask_sent(format_error(exc), exc)
            record.errors = (*record.errors, message)
            self._capture_error_response(getattr(exc, "response", None))
            answer = response_from_exception(exc)
            if answer is not None and record.body_kind is None:
                record.response = model_to_json(answer)
                feedback_keys.remember(answer, record.feedback_key)
        except Exception as fault:
            errors.log_internal_error(fault, "capture.on_error")
        finally:
            self.submit()

    def _capture_error_response(self, response: Any) -> None:
        """Keep what the headers of a refusal say."""
        headers = getattr(response, "headers", None)
        if headers is not None and self.exchange.headers is None:
            self.exchange.headers = headers
            sent = response.request.headers.get("x-stainless-retry-count")
            self.exchange.retries = int(sent) if str(sent).isdecimal() else None

    def submit(self) -> None:
        """Hand the record to the recorder, once. Never raises."""
        if self.is_submitted:
            return
        self.is_submitted = True
        try:
            self.recorder.submit(self.record)
        except Exception as exc:
            errors.log_internal_error(exc, "capture.submit")


def _apply_settings(record: CallRecord, budget: CopyBudget) -> None:
    """Record what the call's settings add to its arguments."""
    settings = record.settings
    if record.template is None and settings.has_template:
        found = (getattr(settings, name) for name in record.endpoint.template_fields)
        template = next((each for each in found if each is not None), None)
        _capture_template(record, template, budget)
        record.is_from_scope = not settings.has_own_template
    if settings.template_params:
        params = snapshot(settings.template_params, budget)
        record.params = {**params, **(record.params or {})}
    if settings.context:
        record.context = snapshot(settings.context, budget)


def _capture_template(record: CallRecord, source: Any, budget: CopyBudget) -> None:
    template = source
    if isinstance(source, TemplateChat):
        template = source.recorded
    elif isinstance(source, TemplateText):
        template = source.template
    if template is not source:
        record.params = snapshot(source.params, budget)
    record.template = snapshot(template, budget)


def start_call(
    endpoint: Endpoint,
    recorder: Recorder,
    client: Any,
    overrides: Overrides | None,
    arguments: Mapping[str, Any],
    is_over_foreign: bool = False,
) -> Call | None:
    """Return a call about to be made, or None if it is not recorded. Never raises.

    The settings are those of this moment: the scope may be another when an awaited call
    is sent, or when a stream ends.

    Args:
        endpoint: The endpoint that is called.
        recorder: Says what is recorded.
        client: The client that sends the request.
        overrides: What the call's ``libretto=`` sets.
        arguments: The arguments of the request, by name; read when it is sent.
        is_over_foreign: As for `Call`.
    """
    try:
        around = current_exchange.get()
        if (
            around is not None
            and around.client is client is not None
            and around.is_around_here()
        ):
            return None
        config = getattr(client, CLIENT_CONFIG_ATTR, None)
        if not isinstance(config, LibrettoConfig):
            config = None
        settings = recorder.settings(config, overrides)
        if settings is None:
            return None
        key = settings.feedback_key or new_id()
        record = CallRecord(endpoint, settings, key, client)
        if settings.allow_unnamed_prompts == CALLER and settings.template_name is None:
            record.caller = name_caller()
        return Call(record, recorder, arguments, is_over_foreign)
    except Exception as exc:
        errors.log_internal_error(exc, "capture.start_call")
        return None


def format_error(exc: BaseException) -> str:
    """Return an error's type and message."""
    message = str(exc)
    name = type(exc).__name__
    return f"{name}: {message}" if message else name
