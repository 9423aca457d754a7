"""Builds spans and log records from export records."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from .._util.version import __version__
from ..exporters import ExportRecord
from . import _attributes, _span_context
from ._correlation import CallContext, ChainContext, CorrelationCache

#: The instrumentation scope of everything sent.
SCOPE = InstrumentationScope("libretto_instrument", __version__)

#: In nanoseconds.
_NS_PER_SECOND = 10**9


@define
class SpanBuilder:
    """Builds spans and log records; ``content`` adds prompts and responses."""

    resource: Resource
    content: bool
    correlation: CorrelationCache = field(factory=CorrelationCache)

    def build_call_span(self, report: ExportRecord) -> ReadableSpan:
        """Return the span of a call.

        It is a child of the span that the program made the call in; else of its chain's
        span; else it is alone in a trace of its own.
        """
        body = report.body
        end = round(report.timestamp * _NS_PER_SECOND)
        start = end - round(_attributes.duration_seconds(body) * _NS_PER_SECOND)
        program_span = _span_context.parent_span_context(body.get("context"))
        chain_id = _text(body.get("chainId"))
        chain = _span_context.chain_span_context(chain_id) if chain_id else None
        span_context = self._span_context(report, program_span or chain)
        if chain_id and chain:
            in_it = program_span is not None and program_span.trace_id == chain.trace_id
            self.correlation.remember_chain(
                chain_id, ChainContext(start, program_span if in_it else None)
            )
        attributes = _attributes.call_attributes(body, content=self.content)
        errors = _attributes.errors_of(body)
        return self._span(
            _name(attributes),
            span_context,
            program_span or chain,
            attributes,
            (start, end),
            kind=SpanKind.CLIENT,
            links=[Link(chain)] if program_span and chain else [],
            # What an error says may quote the prompt.
            status=_status(attributes, errors if self.content else []),
        )

    def build_chain_span(self, report: ExportRecord) -> ReadableSpan:
        """Return the span of a chain that came to a result.

        It lasts from its first call, as far as that is known, to its result.
        """
        chain_id = _text(report.body.get("id")) or report.id
        end = round(report.timestamp * _NS_PER_SECOND)
        known = self.correlation.chains.get(chain_id, ChainContext(end, None))
        return self._span(
            "invoke_workflow",
            _span_context.chain_span_context(chain_id),
            known.parent,
            _attributes.chain_attributes(report.body, content=self.content),
            (min(known.started, end), end),
        )

    def build_evaluation_event(self, report: ExportRecord) -> ReadableLogRecord:
        """Return feedback as the conventions have it: an event on the call's span."""
        key = _text(report.body.get("feedback_key")) or report.id
        call = self.correlation.calls.get(key)
        span_context = (
            call.span_context
            if call
            else _span_context.call_span_context(key, _standalone_trace_id(key))
        )
        at = round(report.timestamp * _NS_PER_SECOND)
        record = LogRecord(
            timestamp=at,
            observed_timestamp=at,
            context=set_span_in_context(NonRecordingSpan(span_context), Context()),
            severity_number=SeverityNumber.INFO,
            attributes=_attributes.feedback_attributes(
                report.body,
                call.response_id if call else None,
                content=self.content,
            ),
            event_name="gen_ai.evaluation.result",
        )
        return ReadableLogRecord(record, self.resource, SCOPE)

    def _span_context(
        self, report: ExportRecord, parent: SpanContext | None
    ) -> SpanContext:
        """Return a call's own place, and remember it for feedback."""
        key = _text(report.body.get("feedbackKey")) or report.id
        trace_id = parent.trace_id if parent else _standalone_trace_id(key)
        known = self.correlation.calls.get(key)
        if known is not None and known.event_id != report.id:
            # One key for several calls: each has a span of its own all the same.
            return _span_context.call_span_context(f"{key}:{report.id}", trace_id)
        span_context = _span_context.call_span_context(key, trace_id)
        raw = report.body.get("rawResponse")
        response_id = raw.get("id") if isinstance(raw, Mapping) else None
        self.correlation.remember_call(
            key, CallContext(report.id, span_context, response_id)
        )
        return span_context

    def _span(
        self,
        name: str,
        span_context: SpanContext,
        parent: SpanContext | None,
        attributes: _attributes.Attributes,
        interval: tuple[int, int],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: "list[Link] | None" = None,
        status: Status | None = None,
    ) -> ReadableSpan:
        return ReadableSpan(
            name,
            context=span_context,
            parent=parent,
            resource=self.resource,
            attributes=attributes,
            links=links or [],
            kind=kind,
            status=status or Status(),
            start_time=interval[0],
            end_time=interval[1],
            instrumentation_scope=SCOPE,
        )


def _standalone_trace_id(key: str) -> int:
    """Return the trace id of a call that is in no other trace."""
    return _span_context.derive_trace_id(key)


def _name(attributes: _attributes.Attributes) -> str:
    names = ("gen_ai.operation.name", "gen_ai.request.model")
    return " ".join(str(attributes[name]) for name in names if name in attributes)


def _status(attributes: _attributes.Attributes, errors: list[str]) -> Status:
    kind = attributes.get("error.type")
    if kind is None:
        return Status()
    return Status(
        StatusCode.ERROR, _attributes.sanitize_text("\n".join(errors) or str(kind))
    )


def _text(value: Any) -> str | None:
    """Return an id as text, None if there is none."""
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, default=str)
