"""Where calls, chains and feedback stand in traces."""

import json
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from support.otlp import attributes

import libretto_instrument as libretto
from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter

KEY = "12345678-1234-5678-1234-567812345678"


@pytest.fixture
def tracer() -> Any:
    """Return a tracer of the application's own."""
    return TracerProvider().get_tracer("application")


def test_calls_are_apart(ask, reported, send, receiver) -> None:
    """Calls that nothing joins are each a trace of one span."""
    with reported() as reports:
        ask()
        ask()
    send(reports)
    one, other = receiver.spans
    assert one.trace_id != other.trace_id
    assert one.span_id != other.span_id
    assert not one.parent_span_id


def test_a_chain(ask, reported, send, receiver) -> None:
    """The calls of a chain are children of one span, whose trace is the chain's UUID,
    and which lasts from the first call's start to the result."""
    with reported() as reports, libretto.chain() as chain:
        ask("one")
        ask("two")
        chain.result = {"answer": 42}
    send(reports, content=True)
    first, second, parent = receiver.spans
    assert parent.trace_id == first.trace_id == second.trace_id == UUID(chain.id).bytes
    assert first.parent_span_id == second.parent_span_id == parent.span_id
    assert not parent.parent_span_id
    assert len({first.span_id, second.span_id, parent.span_id}) == 3
    assert parent.name == "invoke_workflow"
    assert parent.kind == Span.SPAN_KIND_INTERNAL
    starts = first.start_time_unix_nano, second.start_time_unix_nano
    assert parent.start_time_unix_nano == min(starts)
    assert parent.end_time_unix_nano == pytest.approx(
        reports[-1].timestamp * 1e9, abs=1000
    )
    said = attributes(parent)
    message = json.loads(said.pop("gen_ai.output.messages"))
    assert json.loads(message[0]["parts"][0]["content"]) == {"answer": 42}
    assert said == {
        "gen_ai.operation.name": "invoke_workflow",
        "libretto.chain_id": chain.id,
    }
    assert attributes(first)["libretto.chain_id"] == chain.id


def test_a_chain_of_several_processes(receiver) -> None:
    """Processes that know of each other only the chain's id send one tree; one that
    saw no call of it says when it ended."""
    code = """
import sys
from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter
kind, number, chain, url = sys.argv[1:]
body = {"promptEventId": number, "feedbackKey": number, "chainId": chain}
if kind == "chain":
    body = {"id": chain, "result": "done"}
OTLPExporter(url, metrics=False).export([ExportRecord(kind, number, body, 1.7e9)])
"""
    for kind, number in (("event", "1"), ("event", "2"), ("chain", KEY)):
        command = [sys.executable, "-c", code, kind, number, KEY, receiver.url]
        subprocess.run(command, check=True, timeout=60)
    first, second, parent = receiver.spans
    assert parent.trace_id == first.trace_id == second.trace_id == UUID(KEY).bytes
    assert first.parent_span_id == second.parent_span_id == parent.span_id
    assert first.span_id != second.span_id
    assert parent.start_time_unix_nano == parent.end_time_unix_nano


@pytest.mark.parametrize("chain_id", ["order 7", "0" * 32, "\ud800"])
def test_a_chain_whose_id_is_no_uuid(send, receiver, chain_id: str) -> None:
    """An id of any other form stands for a trace, too."""
    event = {"promptEventId": "1", "feedbackKey": "1", "chainId": chain_id}
    chain = {"id": chain_id, "result": None}
    send(
        [
            ExportRecord("event", "1", event, 1.0),
            ExportRecord("chain", chain_id, chain, 2.0),
        ]
    )
    call, parent = receiver.spans
    assert call.trace_id == parent.trace_id
    assert any(call.trace_id)
    assert call.parent_span_id == parent.span_id


def test_a_call_in_the_programs_own_span(ask, reported, send, receiver, tracer) -> None:
    """A call that was made in a span of the program's is a child of that span."""
    with reported() as reports, tracer.start_as_current_span("request") as span:
        ask()
    send(reports)
    context, (call,) = span.get_span_context(), receiver.spans
    assert int.from_bytes(call.trace_id, "big") == context.trace_id
    assert int.from_bytes(call.parent_span_id, "big") == context.span_id
    assert not call.links


def test_a_chain_in_the_programs_own_span(
    ask, reported, send, receiver, tracer
) -> None:
    """In a span of the program's, calls stay its children and refer to their chain by
    a link."""
    with (
        reported() as reports,
        tracer.start_as_current_span("request") as span,
        libretto.chain() as chain,
    ):
        ask()
        chain.result = "done"
    send(reports)
    call, parent = receiver.spans
    assert int.from_bytes(call.parent_span_id, "big") == span.get_span_context().span_id
    (link,) = call.links
    assert (link.trace_id, link.span_id) == (parent.trace_id, parent.span_id)
    assert parent.trace_id == UUID(chain.id).bytes
    assert not parent.parent_span_id


def test_a_chain_from_the_trace(ask, reported, send, receiver, tracer) -> None:
    """The span of a chain that took its id from the trace is in that trace, beneath
    the span that its first call was made in."""
    with (
        reported() as reports,
        tracer.start_as_current_span("request") as span,
        libretto.chain(from_trace=True) as chain,
    ):
        ask()
        chain.result = "done"
    send(reports)
    call, parent = receiver.spans
    context = span.get_span_context()
    assert int.from_bytes(parent.trace_id, "big") == context.trace_id
    assert parent.trace_id == call.trace_id
    assert int.from_bytes(parent.parent_span_id, "big") == context.span_id
    assert parent.parent_span_id == call.parent_span_id


# Feedback


def test_feedback(ask, reported, send, receiver, tracer) -> None:
    """Feedback is an evaluation event on the very span of the call, wherever that is,
    and names the response."""
    with reported() as reports:
        with tracer.start_as_current_span("request"):
            answer = ask("one")
        with libretto.chain():
            other = ask("two")
        alone = ask("three")
        for each, rating in ((answer, 0.25), (other, 1), (alone, 0)):
            libretto.send_feedback(
                libretto.feedback_key(each), rating=rating, better_response="Better"
            )
    send(reports, content=True)
    assert len(receiver.logs) == 3
    for span, record, response in zip(
        receiver.spans, receiver.logs, (answer, other, alone), strict=True
    ):
        assert record.event_name == "gen_ai.evaluation.result"
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        said = attributes(record)
        assert said["gen_ai.evaluation.name"] == "libretto.feedback"
        assert said["gen_ai.evaluation.explanation"] == "Better"
        assert said["gen_ai.response.id"] == response.id
        key = attributes(span)["libretto.feedback_key"]
        assert said["libretto.feedback_key"] == key
    values = [
        attributes(record)["gen_ai.evaluation.score.value"] for record in receiver.logs
    ]
    assert values == [0.25, 1.0, 0.0]


def test_later_feedback(ask, reported, receiver) -> None:
    """Feedback that another process gives later is on the call's span, too, where the
    call was in no trace and no chain."""
    with reported() as reports:
        ask()
    first, later = (OTLPExporter(receiver.url, metrics=False) for _ in range(2))
    first.export(reports)
    key = reports[0].body["feedbackKey"]
    later.export(
        [ExportRecord("feedback", key, {"feedback_key": key, "rating": 0.5}, 1.7e9)]
    )
    (span,), (record,) = receiver.spans, receiver.logs
    assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert "gen_ai.response.id" not in attributes(record)
    first.close()
    later.close()


def test_deleted_feedback(send, receiver) -> None:
    """Feedback that is taken back is an evaluation without a score that says so."""
    body = {"feedback_key": "key", "is_deleted": True}
    send([ExportRecord("feedback", "key", body, 1.7e9)])
    said = attributes(receiver.logs[0])
    assert said["gen_ai.evaluation.score.label"] == "deleted"
    assert "gen_ai.evaluation.score.value" not in said


def test_one_key_for_several_calls(ask, reported, send, receiver) -> None:
    """Calls that were given the same feedback key are spans of their own, each the same
    span when it is sent again; feedback is on the first."""
    with reported() as reports, libretto.scope(feedback_key=KEY):
        ask("one")
        ask("two")
        libretto.send_feedback(KEY, rating=1)
    send([*reports, *reports[:2]])
    one, two, one_again, two_again = (span.span_id for span in receiver.spans)
    assert one != two
    assert (one, two) == (one_again, two_again)
    assert receiver.logs[0].span_id == one
