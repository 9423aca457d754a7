"""From a recorded call to the receiver, with all that lies between."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.backend import Backend, status
from support.otlp import Receiver, attributes

import libretto_instrument as libretto
from libretto_instrument.demo._scenarios import SCENARIOS, DemoClient
from libretto_instrument.otel import OTLPExporter

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(backend: Backend, receiver: Receiver) -> Iterator[OTLPExporter]:
    """Record every client, for a Libretto and an OTLP receiver."""
    exporter = OTLPExporter(receiver.url, content=True)
    libretto.install(api_key="key", prompt_template_name="e2e", exporters=[exporter])
    yield exporter
    libretto.shutdown(5)


def test_the_demonstration(
    client: openai.OpenAI, installed: OTLPExporter, backend: Backend, receiver: Receiver
) -> None:
    """Each event that reaches Libretto is a span at the receiver, with its ids, model,
    tokens and chain; feedback and the chain's result are there, too."""
    for scenario in SCENARIOS:
        scenario.run(DemoClient(client))
    assert libretto.flush(20)
    spans = {
        said["libretto.event_id"]: (span, said)
        for span in receiver.spans
        if "libretto.event_id" in (said := attributes(span))
    }
    assert spans.keys() == {event["promptEventId"] for event in backend.events}
    assert len(receiver.spans) == len(spans) + 1
    for event in backend.events:
        span, said = spans[event["promptEventId"]]
        assert said["libretto.prompt_template_name"] == event["promptTemplateName"]
        assert said["gen_ai.request.model"] == event["modelParameters"]["model"]
        took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        assert took == pytest.approx(event["responseTime"], abs=0.01)
        assert 0 < time.time() - span.end_time_unix_nano / 1e9 < 120
        usage = event.get("responseMetrics", {}).get("usage", {})
        assert said.get("gen_ai.usage.input_tokens") == usage.get("prompt_tokens")
        assert said.get("gen_ai.usage.output_tokens") == usage.get("completion_tokens")
        assert said.get("libretto.chain_id") == event.get("chainId")
    (feedback,) = receiver.logs
    rated = backend.stored("feedback")[0]
    assert attributes(feedback)["gen_ai.evaluation.score.value"] == rated["rating"]
    (parent,) = (span for span in receiver.spans if span.name == "invoke_workflow")
    children = [one for one in receiver.spans if one.parent_span_id == parent.span_id]
    assert len(children) == 2
    assert {child.trace_id for child in children} == {parent.trace_id}
    libretto.shutdown(10)
    points = receiver.metrics["gen_ai.client.operation.duration"].histogram.data_points
    assert sum(point.count for point in points) == len(backend.events)


def test_the_programs_own_spans(
    client: openai.OpenAI, installed: OTLPExporter, receiver: Receiver
) -> None:
    """A program that traces by itself, its HTTP client included, gets its own spans,
    none more and none less, and the receiver gets ours alone; no global provider is
    set."""
    providers = (
        trace.get_tracer_provider(),
        metrics.get_meter_provider(),
        get_logger_provider(),
    )
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(memory))
    requests = pytest.importorskip("opentelemetry.instrumentation.requests")
    instrumentor = requests.RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    tracer = provider.get_tracer("application")
    try:
        with tracer.start_as_current_span("request") as span:
            with tracer.start_as_current_span("step"):
                client.completions.create(model="any", prompt="Hi")
            libretto.send_feedback("key", rating=1)
        assert libretto.flush(20)
        libretto.shutdown(5)
    finally:
        instrumentor.uninstrument()
    provider.force_flush()
    assert [one.name for one in memory.get_finished_spans()] == ["step", "request"]
    (ours,) = receiver.spans
    assert ours.name == "text_completion any"
    assert int.from_bytes(ours.trace_id, "big") == span.get_span_context().trace_id
    assert receiver.metrics
    assert providers == (
        trace.get_tracer_provider(),
        metrics.get_meter_provider(),
        get_logger_provider(),
    )
    provider.shutdown()


@pytest.mark.parametrize("code", [429, 503])
def test_a_receiver_that_is_busy(
    client: openai.OpenAI,
    installed: OTLPExporter,
    backend: Backend,
    receiver: Receiver,
    code: int,
) -> None:
    """A receiver that says to come back later gets the span then, once; Libretto waits
    for nothing of it."""
    receiver.answer(status(code, headers={"Retry-After": "0.2"}), times=2)
    began = time.monotonic()
    client.completions.create(model="any", prompt="Hi")
    backend.wait_for(1)
    assert libretto.flush(20)
    assert time.monotonic() - began >= 0.2
    assert len(receiver.spans) == 1
    figures = libretto.stats().exporters["otlp"]
    assert figures.sent >= 1
    assert figures.retried >= 2


def test_a_receiver_that_is_down(
    client: openai.OpenAI, installed: OTLPExporter, backend: Backend, receiver: Receiver
) -> None:
    """While the receiver is down the spans wait, the calls reach Libretto, and all of
    the spans are sent when it is back."""
    receiver.refuse()
    for _ in range(3):
        client.completions.create(model="any", prompt="Hi")
    backend.wait_for(3)
    assert not libretto.flush(0.3)
    assert (
        libretto.stats().exporters["otlp"].queued
        + (libretto.stats().exporters["otlp"].in_flight)
        == 3
    )
    receiver.recover()
    assert libretto.flush(20)
    assert len(receiver.spans) == 3


def test_a_receiver_that_refuses(
    client: openai.OpenAI, installed: OTLPExporter, backend: Backend, receiver: Receiver
) -> None:
    """What the receiver will never take is dropped and counted as such."""
    before = libretto.stats().exporters.get("otlp")
    receiver.answer(status(401))
    client.completions.create(model="any", prompt="Hi")
    backend.wait_for(1)
    libretto.flush(10)
    figures = libretto.stats().exporters["otlp"]
    dropped = sum(figures.dropped.values())
    assert dropped - (sum(before.dropped.values()) if before else 0) == 1
    assert figures.last_error == "HTTP 401"


AT_EXIT = """
import sys, openai
import libretto_instrument as libretto
from libretto_instrument.otel import OTLPExporter
libretto.install(api_key="key", prompt_template_name="last words")
exporters = [OTLPExporter(sys.argv[2])]
libretto.install(api_key="key", prompt_template_name="last", exporters=exporters)
client = openai.OpenAI(api_key="sk", base_url=sys.argv[1])
client.completions.create(model="any", prompt="Hi")
"""


def test_the_end_of_the_process(
    model: Any, backend: Backend, receiver: Receiver
) -> None:
    """A process that just ends leaves nothing behind: neither the span of its last call
    nor the figures."""
    subprocess.run(
        [sys.executable, "-c", AT_EXIT, model.base_url, receiver.url],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert len(receiver.spans) == 1
    (point,) = receiver.metrics[
        "gen_ai.client.operation.duration"
    ].histogram.data_points
    assert point.count == 1


def test_by_a_spool_and_a_relay(
    client: openai.OpenAI, backend: Backend, receiver: Receiver, tmp_path: Path
) -> None:
    """A span that a relay sends from the spool tells the time of the call, not of the
    sending, and the relay's last figures are sent before it ends."""
    libretto.install(
        api_key="key",
        prompt_template_name="relayed",
        spool_dir=tmp_path,
        spool_only=True,
        exporters=[OTLPExporter(receiver.url)],
    )
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    called = time.time()
    options = ["--spool", str(tmp_path), "--exporter", f"otlp:{receiver.url}"]
    relay = subprocess.Popen(
        [sys.executable, "-m", "libretto_instrument", "relay", *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    receiver.wait_until(lambda: bool(receiver.spans), 30)
    backend.wait_for(1)
    relay.terminate()
    relay.communicate(timeout=30)
    assert relay.returncode == 0
    (span,) = receiver.spans
    assert attributes(span)["libretto.event_id"] == backend.events[0]["promptEventId"]
    assert called - 60 < span.end_time_unix_nano / 1e9 < called
    (point,) = receiver.metrics[
        "gen_ai.client.operation.duration"
    ].histogram.data_points
    assert point.count == 1
