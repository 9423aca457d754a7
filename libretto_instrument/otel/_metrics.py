"""Histograms of recorded calls, as the conventions define them."""

import os
import threading
from contextlib import suppress
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from .._util import errors
from .._util.version import __version__
from ..exporters import ExportError
from . import _attributes
from ._messages import Body
from ._transport import HttpSession, SignalExporter

#: Default export interval in seconds; OTEL_METRIC_EXPORT_INTERVAL overrides it.
_INTERVAL = 10.0

#: The bucket bounds that the conventions advise.
_TOKEN_BUCKETS = [4**power for power in range(14)]
_DURATION_BUCKETS = [0.01 * 2**power for power in range(14)]


class CallMetrics:
    """Records calls, and exports the histograms at an interval and at exit."""

    def __init__(self, exporter_kwargs: dict[str, Any], resource: Resource) -> None:
        """Create empty histograms of a process, for OpenTelemetry's exporter."""
        self._session = HttpSession()
        exporter = OTLPMetricExporter(**exporter_kwargs, session=self._session)
        self._signal = SignalExporter(
            exporter, self._session, ExportMetricsServiceResponse
        )
        # The SDK's own periodic reader hands the preferences on in this way.
        self._reader = InMemoryMetricReader(
            exporter._preferred_temporality, exporter._preferred_aggregation
        )
        self._export_lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._flush_requested = _interval() <= 0
        self._provider = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("libretto_instrument", __version__)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )

    def record(self, body: Body) -> None:
        """Record a call."""
        attributes = _attributes.identity_attributes(body)
        used = _attributes.usage(body)
        for kind in ("input", "output"):
            tokens = used.get(f"{kind}_tokens")
            if tokens is not None:
                of_kind = {**attributes, "gen_ai.token.type": kind}
                self._tokens.record(tokens, of_kind)
        error = _attributes.error_type(body)
        failed = {} if error is None else {"error.type": error}
        self._duration.record(
            _attributes.duration_seconds(body), {**attributes, **failed}
        )

    def schedule_export(self) -> None:
        """Export within the interval."""
        if self._flush_requested:
            self._send()
        if self._flush_requested or self._timer is not None:
            return
        self._timer = timer = threading.Timer(_interval(), self._send)
        timer.name, timer.daemon = "libretto-otlp-metrics", True
        with suppress(RuntimeError):  # At the end of the process no thread starts.
            timer.start()

    def _send(self) -> None:
        """Export the sums; those that fail are part of the next ones."""
        with self._export_lock:
            self._timer = None
            data: MetricsData | None = self._reader.get_metrics_data()
            if data is None:
                return
            try:
                self._signal.send(data)
            except ExportError as exc:
                errors.warn(
                    "otlp.metrics",
                    "Histograms of calls were not taken by the OTLP receiver (%s); "
                    "OTLPExporter(metrics=False) sends none.",
                    exc,
                )

    def flush_now(self, timeout: float | None = None) -> None:
        """Export now, and from now on after each batch: the process is ending.

        Args:
            timeout: Maximum duration in seconds, if less than usual.
        """
        self._flush_requested = True
        self._session.timeout = timeout
        timer = self._timer
        if timer is not None:
            timer.cancel()
            self._send()
        with self._export_lock:  # Not in the middle of it, if the timer was first.
            pass

    def close(self) -> None:
        """Export, and close the connections."""
        self.flush_now()
        self._signal.close()
        self._provider.shutdown()


def _interval() -> float:
    """Return the export interval in seconds."""
    try:
        return float(os.environ["OTEL_METRIC_EXPORT_INTERVAL"]) / 1000
    except (KeyError, ValueError):
        return _INTERVAL
