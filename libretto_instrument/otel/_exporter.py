"""The OTLP exporter."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from .._delivery import on_exit, on_fork
from .._delivery.endpoint import strip_credentials
from .._util.clock import monotonic
from ..exporters import ExportError, ExportRecord
from ._correlation import CorrelationCache
from ._metrics import CallMetrics
from ._spans import SpanBuilder
from ._transport import HttpSession, SignalExporter

#: Maximum number of remembered records of partly sent batches.
_MAX_SEEN = 4_096
#: Maximum delay of the process's exit by the last metrics of all exporters, in seconds,
#: and what each has of it even if those before it took all.
_EXIT_TIMEOUT = 2.0
_MIN_EXIT_TIMEOUT = 0.1


class OTLPExporter:
    """Sends each recorded call as a span, by OTLP over HTTP.

    A chain with a result becomes a span, too, feedback an event on the call's span, and
    the calls' tokens and durations become histograms. It has exporters of its own: the
    program's tracer, meter and logger providers are neither used nor changed, and only
    what the library recorded is sent.

    What is not said here the standard variables say: ``OTEL_EXPORTER_OTLP_ENDPOINT``,
    ``_HEADERS``, ``_TIMEOUT``, ``_COMPRESSION``, ``_CERTIFICATE`` and those of each
    signal; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` say whose calls they
    are.
    """

    max_batch = 64

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        content: bool = False,
        metrics: bool = True,
        feedback: bool = True,
        name: str = "otlp",
    ) -> None:
        """Make an exporter that connects when there is something to send.

        Args:
            endpoint: The receiver, such as ``http://collector:4318``; ``/v1/traces``
                and so on are added to it.
            headers: Headers to send along, such as a key of the receiver's.
            timeout: Maximum duration of one attempt in seconds; 10 by default.
            content: Whether to send what was asked and answered: messages, tool
                definitions, template parameters, what errors say, better responses and
                results of chains. All of it has been redacted if ``redact_pii`` is on.
            metrics: Whether to send the histograms.
            feedback: Whether to send feedback, as log records: not every receiver of
                traces takes these.
            name: Identifies the exporter in `stats()`.

        Raises:
            ValueError: ``endpoint`` is not an address that paths can be added to, or
                ``timeout`` is not above 0.
        """
        if endpoint is not None and not _is_base_url(endpoint):
            raise ValueError(
                f"endpoint must be an http(s) address such as http://collector:4318, "
                f"without /v1/traces, not {strip_credentials(endpoint)!r}."
            )
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds, not {timeout}.")
        self.name = name
        self._settings = _Settings(
            endpoint, dict(headers or {}), timeout, content, metrics, feedback
        )
        self._correlation = CorrelationCache()
        # Not when the first call is sent: that may be at the end of the process, and
        # to find out takes threads.
        self._resource = Resource.create()
        self._pid = os.getpid()
        self._reset()
        on_fork(self)

    def _reset(self) -> None:
        self._pipeline: _Pipeline | None = None
        self._lock = threading.Lock()

    # Connections and metrics belong to the parent.
    reset_after_fork = _reset

    def __repr__(self) -> str:
        return f"OTLPExporter(name={self.name!r})"

    def export(self, reports: Sequence[ExportRecord]) -> None:
        """Send reports.

        Raises:
            ExportError: The receiver did not take them.
        """
        with self._lock:
            if self._pipeline is None:
                span_builder = SpanBuilder(
                    self._process_resource(), self._settings.content, self._correlation
                )
                self._pipeline = _Pipeline(self._settings, span_builder)
                on_exit(self._pipeline)
            sending = self._pipeline
        sending.export(reports)

    def _process_resource(self) -> Resource:
        """Return the resource of this process: a forked child has one of its own."""
        if self._pid != os.getpid():
            with suppress(RuntimeError):  # The child ends, and has no more threads.
                self._resource, self._pid = Resource.create(), os.getpid()
        return self._resource

    def close(self) -> None:
        """Export the last metrics, and close the connections."""
        with self._lock:
            closing, self._pipeline = self._pipeline, None
        if closing is not None:
            closing.close()


@frozen(repr=False)
class _Settings:
    """The arguments of an exporter."""

    endpoint: str | None
    headers: dict[str, str]
    timeout: float | None
    content: bool
    metrics: bool
    feedback: bool

    def exporter_kwargs(self, signal: str) -> dict[str, Any]:
        """Return the arguments of one of OpenTelemetry's exporters."""
        base = self.endpoint
        return {
            "endpoint": None if base is None else f"{base.rstrip('/')}/v1/{signal}",
            "headers": self.headers or None,
            "timeout": self.timeout,
        }


class _Pipeline:
    """An exporter with its connections."""

    def __init__(self, settings: _Settings, span_builder: SpanBuilder) -> None:
        self._settings = settings
        self._span_builder = span_builder
        session = HttpSession()
        traces = OTLPSpanExporter(**settings.exporter_kwargs("traces"), session=session)
        self._traces = SignalExporter(traces, session, ExportTraceServiceResponse)
        session = HttpSession()
        logs = OTLPLogExporter(**settings.exporter_kwargs("logs"), session=session)
        self._logs = SignalExporter(logs, session, ExportLogsServiceResponse)
        self._metrics = (
            CallMetrics(settings.exporter_kwargs("metrics"), span_builder.resource)
            if settings.metrics
            else None
        )
        # Records of failed batches that were sent, and are skipped in the retry.
        self._already_sent: set[tuple[str, str, float]] = set()
        self._exit_deadline: float | None = None

    def export(self, reports: Sequence[ExportRecord]) -> None:
        """Send records; those of a partly failed batch are not sent twice."""
        fresh = [one for one in reports if _record_key(one) not in self._already_sent]
        try:
            spans, evaluations = self._build(fresh)
        except Exception as exc:
            # Trying again would not help; one by one, the others get through.
            raise ExportError(type(exc).__name__, retry=False) from None
        if spans:
            self._traces.send(spans)
            # Feedback goes elsewhere, and may still fail.
            taken = [one for one in fresh if one.kind != "feedback"]
            if len(self._already_sent) > _MAX_SEEN:
                self._already_sent.clear()  # Their batches were dropped.
            self._already_sent |= {_record_key(one) for one in taken}
            self._record_metrics([one for one in taken if one.kind == "event"])
        if evaluations:
            self._logs.send(evaluations)
        self._already_sent -= {_record_key(one) for one in reports}

    def _build(
        self, reports: Sequence[ExportRecord]
    ) -> tuple[list[ReadableSpan], list[ReadableLogRecord]]:
        spans: list[ReadableSpan] = []
        evaluations: list[ReadableLogRecord] = []
        for report in reports:
            if report.kind == "event":
                spans.append(self._span_builder.build_call_span(report))
            elif report.kind == "chain":
                spans.append(self._span_builder.build_chain_span(report))
            elif report.kind == "feedback" and self._settings.feedback:
                evaluations.append(self._span_builder.build_evaluation_event(report))
        return spans, evaluations

    def _record_metrics(self, events: Sequence[ExportRecord]) -> None:
        if self._metrics is not None:
            for event in events:
                self._metrics.record(event.body)
            self._metrics.schedule_export()

    def begin_exit(self) -> None:
        """Let the time run that all exporters have together."""
        self._exit_deadline = monotonic() + _EXIT_TIMEOUT

    def drain_at_exit(self) -> None:
        """Export the last metrics as the process ends."""
        if self._metrics is not None:
            left = (self._exit_deadline or 0.0) - monotonic()
            self._metrics.flush_now(max(_MIN_EXIT_TIMEOUT, left))

    def close(self) -> None:
        """Export the last metrics, and close the connections."""
        if self._metrics is not None:
            self._metrics.close()
        self._traces.close()
        self._logs.close()


def _record_key(report: ExportRecord) -> tuple[str, str, float]:
    """Return a key that is unique, also for several feedbacks with one id."""
    return report.kind, report.id, report.timestamp


def _is_base_url(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return False
    path = parts.path.rstrip("/")
    named = path.endswith(("/v1/traces", "/v1/metrics", "/v1/logs"))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not named
