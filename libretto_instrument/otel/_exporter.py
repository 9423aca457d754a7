"""The exporter to OpenTelemetry."""

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
from ..exporters import ExportError, Report
from ._figures import Figures
from ._memory import Memory
from ._telling import Teller
from ._transport import Session, Signal

#: How many reports of half-sent batches are remembered.
_MOST_TAKEN = 4_096
#: How many seconds the last figures may hold up the end of the process.
_AT_EXIT = 2.0


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
            timeout: How many seconds one attempt may take; 10 unless set.
            content: Whether to send what was asked and answered: messages, tool
                definitions, template parameters, what errors say, better responses and
                results of chains. All of it has been redacted if ``redact_pii`` is on.
            metrics: Whether to send the histograms.
            feedback: Whether to send feedback, as log records: not every receiver of
                traces takes these.
            name: Tells it from other exporters in `stats()`.

        Raises:
            ValueError: ``endpoint`` is no address that paths can be added to, or
                ``timeout`` is not above 0.
        """
        if endpoint is not None and not _is_base(endpoint):
            raise ValueError(
                f"endpoint must be an http(s) address such as http://collector:4318, "
                f"without /v1/traces, not {endpoint!r}."
            )
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds, not {timeout}.")
        self.name = name
        self._settings = _Settings(
            endpoint, dict(headers or {}), timeout, content, metrics, feedback
        )
        self._memory = Memory()
        # Not when the first call is sent: that may be at the end of the process, and
        # to find out takes threads.
        self._resource = Resource.create()
        self._pid = os.getpid()
        self._start_afresh()
        on_fork(self)

    def _start_afresh(self) -> None:
        self._open: _Open | None = None
        self._opening = threading.Lock()

    # Connections and figures are the parent's.
    reset_after_fork = _start_afresh

    def __repr__(self) -> str:
        return f"OTLPExporter(name={self.name!r})"

    def export(self, reports: Sequence[Report]) -> None:
        """Send reports.

        Raises:
            ExportError: The receiver did not take them.
        """
        with self._opening:
            if self._open is None:
                teller = Teller(
                    self._whose_calls(), self._settings.content, self._memory
                )
                self._open = _Open(self._settings, teller)
                on_exit(self._open)
            sending = self._open
        sending.export(reports)

    def _whose_calls(self) -> Resource:
        """Return the resource of this process: a forked child has one of its own."""
        if self._pid != os.getpid():
            with suppress(RuntimeError):  # The child ends, and has no more threads.
                self._resource, self._pid = Resource.create(), os.getpid()
        return self._resource

    def close(self) -> None:
        """Send the last figures, and close the connections."""
        with self._opening:
            closing, self._open = self._open, None
        if closing is not None:
            closing.close()


@frozen(repr=False)
class _Settings:
    """What an exporter was told."""

    endpoint: str | None
    headers: dict[str, str]
    timeout: float | None
    content: bool
    metrics: bool
    feedback: bool

    def wire(self, signal: str) -> dict[str, Any]:
        """Return what one of OpenTelemetry's exporters is told."""
        base = self.endpoint
        return {
            "endpoint": None if base is None else f"{base.rstrip('/')}/v1/{signal}",
            "headers": self.headers or None,
            "timeout": self.timeout,
        }


class _Open:
    """An exporter with its connections."""

    def __init__(self, settings: _Settings, teller: Teller) -> None:
        self._settings = settings
        self._teller = teller
        session = Session()
        traces = OTLPSpanExporter(**settings.wire("traces"), session=session)
        self._traces = Signal(traces, session, ExportTraceServiceResponse)
        session = Session()
        logs = OTLPLogExporter(**settings.wire("logs"), session=session)
        self._logs = Signal(logs, session, ExportLogsServiceResponse)
        self._figures = (
            Figures(settings.wire("metrics"), teller.resource)
            if settings.metrics
            else None
        )
        # Of batches that are to be given again: what need not be sent again.
        self._taken: set[tuple[str, str, float]] = set()

    def export(self, reports: Sequence[Report]) -> None:
        """Send reports; those of a batch that failed half-way are not sent twice."""
        fresh = [one for one in reports if _identity(one) not in self._taken]
        try:
            spans, evaluations = self._tell(fresh)
        except Exception as exc:
            # Trying again would not help; one by one, the others get through.
            raise ExportError(type(exc).__name__, retry=False) from None
        if spans:
            self._traces.send(spans)
            # Feedback goes elsewhere, and may still fail.
            taken = [one for one in fresh if one.kind != "feedback"]
            if len(self._taken) > _MOST_TAKEN:
                self._taken.clear()  # They never came again.
            self._taken |= {_identity(one) for one in taken}
            self._count([one for one in taken if one.kind == "event"])
        if evaluations:
            self._logs.send(evaluations)
        self._taken -= {_identity(one) for one in reports}

    def _tell(
        self, reports: Sequence[Report]
    ) -> tuple[list[ReadableSpan], list[ReadableLogRecord]]:
        spans: list[ReadableSpan] = []
        evaluations: list[ReadableLogRecord] = []
        for report in reports:
            if report.kind == "event":
                spans.append(self._teller.span_of_call(report))
            elif report.kind == "chain":
                spans.append(self._teller.span_of_chain(report))
            elif report.kind == "feedback" and self._settings.feedback:
                evaluations.append(self._teller.evaluation(report))
        return spans, evaluations

    def _count(self, events: Sequence[Report]) -> None:
        if self._figures is not None:
            for event in events:
                self._figures.count(event.body)
            self._figures.send_soon()

    def drain_at_exit(self) -> None:
        """Send the last figures as the process ends."""
        if self._figures is not None:
            self._figures.hurry(_AT_EXIT)

    def close(self) -> None:
        """Send the last figures, and close the connections."""
        if self._figures is not None:
            self._figures.close()
        self._traces.close()
        self._logs.close()


def _identity(report: Report) -> tuple[str, str, float]:
    """Return what tells a report from the others, also from later feedback."""
    return report.kind, report.id, report.at


def _is_base(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return False
    path = parts.path.rstrip("/")
    named = path.endswith(("/v1/traces", "/v1/metrics", "/v1/logs"))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not named
