"""An OTLP receiver on loopback, which reads what it is sent by the official protobuf.

with Receiver() as receiver:
    ...point an exporter at receiver.url...
    assert receiver.spans[0].name == "chat gpt-4o"
"""

import gzip
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .backend import Backend, Received


class Receiver(Backend):
    """A `Backend` that speaks OTLP; what it refused it does not have."""

    def __init__(self) -> None:
        super().__init__(prefix="")

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order of arrival."""
        return [
            span
            for request in self._taken("traces", ExportTraceServiceRequest)
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    @property
    def logs(self) -> list[LogRecord]:
        """All log records, likewise."""
        return [
            record
            for request in self._taken("logs", ExportLogsServiceRequest)
            for of_resource in request.resource_logs
            for of_scope in of_resource.scope_logs
            for record in of_scope.log_records
        ]

    @property
    def metrics(self) -> dict[str, Metric]:
        """Each metric by its name, as it was last told."""
        return {
            metric.name: metric
            for request in self._taken("metrics", ExportMetricsServiceRequest)
            for of_resource in request.resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        }

    @property
    def resources(self) -> list[Resource]:
        """Whose spans came, for each request."""
        return [
            of_resource.resource
            for request in self._taken("traces", ExportTraceServiceRequest)
            for of_resource in request.resource_spans
        ]

    def _taken(self, signal: str, kind: Any) -> list[Any]:
        path = f"/v1/{signal}"
        return [
            kind.FromString(_plain(request))
            for request in self.received.copy()
            if request.stored and request.path == path
        ]


def _plain(request: Received) -> bytes:
    assert request.headers["content-type"] == "application/x-protobuf"
    if request.headers.get("content-encoding") == "gzip":
        return gzip.decompress(request.body)
    return request.body


def attributes(told: Any) -> dict[str, Any]:
    """Return the attributes of a span, a log record, a data point or a resource."""
    return {pair.key: _value(pair.value) for pair in told.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, str(kind))
