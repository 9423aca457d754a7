"""A call knows the span that it was made in, and a chain the trace."""

import subprocess
import sys
from typing import Any
from uuid import UUID

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer

import libretto_instrument as libretto
from libretto_instrument.testing import CapturedEvents, capture_events

MESSAGES: Any = [{"role": "user", "content": "Hi there"}]

#: An id whose leading digits are noughts, which must not get lost.
SMALL = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(0))


@pytest.fixture
def tracer() -> Tracer:
    """Return a tracer of a provider that is not the global one."""
    return TracerProvider().get_tracer("application")


def ask(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(model="any", messages=MESSAGES, **more)


def ids(span: trace.Span) -> dict[str, str]:
    context = span.get_span_context()
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def test_a_call_carries_the_current_span(
    client: openai.OpenAI, events: CapturedEvents, tracer: Tracer
) -> None:
    """The context has the ids of the innermost span, as W3C writes them, beside the
    caller's own keys; outside of any span it has none."""
    with tracer.start_as_current_span("outer"):
        with tracer.start_as_current_span("inner") as inner:
            ask(client, libretto={"context": {"user": "7"}})
        ask(client)
    ask(client)
    ask(client, libretto={"context": {"user": "7"}})
    inside, outside = events[0]["context"], events[1]["context"]
    assert inside == {"user": "7", **ids(inner)}
    assert outside["trace_id"] == inside["trace_id"]
    assert outside["span_id"] != inside["span_id"]
    assert "context" not in events[2]
    assert events[3]["context"] == {"user": "7"}


def test_ids_have_all_their_digits(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """Ids are 32 and 16 lowercase digits, also of a remote span not sampled."""
    with trace.use_span(NonRecordingSpan(SMALL)):
        ask(client)
    assert events[0]["context"] == {
        "trace_id": "abc".zfill(32),
        "span_id": f"{3567:016x}",
    }


def test_a_void_span_is_none(client: openai.OpenAI, events: CapturedEvents) -> None:
    """A span whose ids are noughts, as tracing that is off has it, adds nothing."""
    with trace.use_span(trace.INVALID_SPAN):
        ask(client)
    assert "context" not in events[0]


@pytest.mark.parametrize("name", ["trace_id", "span_id"])
def test_own_ids_stand(
    client: openai.OpenAI, events: CapturedEvents, tracer: Tracer, name: str
) -> None:
    """An id that the caller gives is not overridden, nor half of a pair added to it."""
    own = {name: "mine", "user": "7"}
    with tracer.start_as_current_span("span"):
        ask(client, libretto={"context": own})
    assert events[0]["context"] == own


def test_it_can_be_switched_off(client: openai.OpenAI, tracer: Tracer) -> None:
    """With trace_context=False nothing is added; a scope may switch it on again."""
    with (
        capture_events(trace_context=False) as events,
        tracer.start_as_current_span("span") as span,
    ):
        ask(client)
        with libretto.scope(trace_context=True):
            ask(client)
    assert "context" not in events[0]
    assert events[1]["context"] == ids(span)


async def test_an_awaited_call_carries_its_own_span(
    model: Any, events: CapturedEvents, tracer: Tracer
) -> None:
    """A stream read after its span was left belongs to that span nevertheless."""
    async with openai.AsyncOpenAI(api_key="sk", base_url=model.base_url) as client:
        with tracer.start_as_current_span("span") as span:
            stream = await client.chat.completions.create(
                model="any", messages=MESSAGES, stream=True
            )
        async for _ in stream:
            pass
    assert events[0]["context"] == ids(span)


@pytest.mark.usefixtures("lenient")
def test_a_fault_costs_the_ids_alone(
    client: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    """When a foreign span fails to give its ids, the call is recorded
    without them."""

    class Broken(NonRecordingSpan):
        def get_span_context(self) -> SpanContext:
            raise LookupError

    with capture_events() as events, trace.use_span(Broken(SMALL)):
        ask(client, libretto={"context": {"user": "7"}})
        with libretto.chain(from_trace=True) as chain:
            ask(client)
    assert [event.get("context") for event in events] == [{"user": "7"}, None]
    assert UUID(chain.id).version == 4
    assert "trace.add_trace_context" in caplog.text


def test_nothing_imports_opentelemetry(model: Any) -> None:
    """A program without OpenTelemetry gets no import of it by a recorded call."""
    code = f"""
import sys, openai
from libretto_instrument.testing import capture_events
client = openai.OpenAI(api_key="sk", base_url={model.base_url!r})
with capture_events() as events:
    client.chat.completions.create(model="any", messages={MESSAGES!r})
print(len(events), [name for name in sys.modules if "opentelemetry" in name])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1 []"


# Chains


def test_a_chain_from_the_trace(
    client: openai.OpenAI, events: CapturedEvents, tracer: Tracer
) -> None:
    """A chain may take its id from the trace: the same digits, written as a UUID."""
    with tracer.start_as_current_span("request") as span:
        with libretto.chain(from_trace=True) as chain:
            ask(client)
        again = libretto.chain(from_trace=True)
    assert UUID(chain.id).hex == ids(span)["trace_id"]
    assert events[0]["chainId"] == chain.id == again.id == str(UUID(chain.id))


def test_a_decorated_function_takes_the_trace_of_each_call(
    client: openai.OpenAI, events: CapturedEvents, tracer: Tracer
) -> None:
    """A decorated function's chain is that of the trace it is called in."""

    @libretto.chain(from_trace=True)
    def workflow() -> None:
        ask(client)

    spans = []
    for _ in range(2):
        with tracer.start_as_current_span("request") as span:
            spans.append(ids(span)["trace_id"])
            workflow()
    assert [UUID(event["chainId"]).hex for event in events] == spans
    assert spans[0] != spans[1]


def test_a_chain_without_a_trace() -> None:
    """Where no span is current a chain from the trace has a fresh id."""
    first, second = libretto.chain(from_trace=True), libretto.chain(from_trace=True)
    assert UUID(first.id).version == UUID(second.id).version == 4
    assert first.id != second.id


def test_two_ids_are_one_too_many() -> None:
    """Giving both an id and from_trace=True is an error."""
    with pytest.raises(ValueError, match="not both"):
        libretto.chain("mine", from_trace=True)
