"""Phoenix, a backend of traces that knows the GenAI conventions, read back by its own
client."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import openai
import pytest
from attrs import frozen
from phoenix.client import Client
from sameness import gateway
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument.demo._scenarios import SCENARIOS, DemoClient
from libretto_instrument.exporters import ExportError, ExportRecord
from libretto_instrument.otel import OTLPExporter

#: Seconds that it may take to start, on a machine that is busy.
START = 180


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a Phoenix that keeps what it gets in a folder of its own."""
    folder = tmp_path_factory.mktemp("phoenix")
    with socket.socket() as http, socket.socket() as grpc:
        for one in (http, grpc):
            one.bind(("127.0.0.1", 0))
        ports = [str(one.getsockname()[1]) for one in (http, grpc)]
    environment = os.environ | {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": ports[0],
        "PHOENIX_GRPC_PORT": ports[1],
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    url = f"http://127.0.0.1:{ports[0]}"
    program = Path(sys.executable).with_name("phoenix")
    with (folder / "log").open("wb") as log:
        served = subprocess.Popen(
            [program, "serve"], env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START
        while not answers(url):
            assert served.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        served.terminate()
        served.wait(30)


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/healthz", timeout=5):
            return True
    except (URLError, OSError):
        return False


@frozen
class Run:
    """One run of the demonstration.

    Attributes:
        events: What Libretto got.
        spans: What Phoenix has, by the ids of Libretto's events; of the chain, by the
            chain's.
    """

    events: list[dict[str, Any]]
    spans: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def run(phoenix: str) -> Iterator[Run]:
    """Make the demonstration's calls, for a Libretto and for Phoenix."""
    with (
        pytest.MonkeyPatch.context() as patched,
        Backend() as backend,
        gateway() as model,
        openai.OpenAI(api_key="sk-test", base_url=model.url) as client,
    ):
        patched.setenv("LIBRETTO_API_PREFIX", backend.url)
        exporter = OTLPExporter(phoenix, content=True, metrics=False, feedback=False)
        libretto.install(api_key="key", exporters=[exporter])
        try:
            for scenario in SCENARIOS:
                scenario.run(DemoClient(client))
            assert libretto.flush(60)
            assert not libretto.stats().exporters["otlp"].dropped
        finally:
            libretto.uninstall()
            libretto.shutdown(5)
        yield Run(backend.events, read_back(phoenix, len(backend.events) + 1))


def read_back(phoenix: str, count: int) -> dict[str, dict[str, Any]]:
    """Return what Phoenix has, which it stores a moment after it was sent."""
    client = Client(base_url=phoenix)
    deadline = time.monotonic() + 30
    while True:
        spans = client.spans.get_spans(project_identifier="default", limit=1000)
        if len(spans) >= count or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return {
        said.get("libretto.event_id") or said["libretto.chain_id"]: span
        for span in spans
        if (said := span["attributes"])
    }


def messages(span: dict[str, Any], which: str) -> list[dict[str, Any]]:
    """Return the messages of a span as Phoenix shows them."""
    found: dict[int, dict[str, Any]] = {}
    for name, value in span["attributes"].items():
        if name.startswith(f"llm.{which}_messages."):
            at, _, field = name.removeprefix(f"llm.{which}_messages.").partition(".")
            found.setdefault(int(at), {})[field.removeprefix("message.")] = value
    return [found[at] for at in sorted(found)]


def test_every_event_is_there(run: Run) -> None:
    """Each event of the demonstration is a span of a language model in Phoenix, and
    beside them there is the chain's."""
    chains = {event["chainId"] for event in run.events if "chainId" in event}
    ids = {event["promptEventId"] for event in run.events}
    assert run.spans.keys() == ids | chains
    assert len(ids) == sum(len(scenario.expected) for scenario in SCENARIOS)
    assert {run.spans[one]["span_kind"] for one in ids} == {"LLM"}


def test_models_and_tokens(run: Run) -> None:
    """Phoenix shows the model that was asked, the tokens, and Libretto's own words."""
    for event in run.events:
        span = run.spans[event["promptEventId"]]
        said = span["attributes"]
        assert said["llm.model_name"] == event["modelParameters"]["model"]
        assert said["llm.provider"] == said["llm.system"] == "openai"
        assert said["libretto.prompt_template_name"] == event["promptTemplateName"]
        usage = event.get("responseMetrics", {}).get("usage", {})
        for name, kind in (
            ("prompt", "prompt_tokens"),
            ("completion", "completion_tokens"),
            ("total", "total_tokens"),
        ):
            assert said.get(f"llm.token_count.{name}") == usage.get(kind)
        assert said.get("session.id") == event.get("chatId")
        failed = "responseErrors" in event
        assert span["status_code"] == ("ERROR" if failed else "UNSET")
    assert sum("responseErrors" in event for event in run.events) == 1


def test_messages(run: Run) -> None:
    """Phoenix shows what was asked, the template filled in, and what was answered."""
    for event in run.events:
        span = run.spans[event["promptEventId"]]
        answered = messages(span, "output")
        if "responseErrors" in event:
            assert answered == []
        elif event["response"]:
            assert answered[0]["content"] == event["response"]
            assert answered[0]["role"] == "assistant"
    named = {
        event["promptTemplateName"]: event["promptEventId"] for event in run.events
    }

    def asked(name: str) -> list[tuple[str, str]]:
        span = run.spans[named[name]]
        return [(one["role"], one["content"]) for one in messages(span, "input")]

    assert asked("demo-sport-emoji") == [
        ("system", "You answer with one emoji."),
        ("user", "Which emoji stands for tennis?"),
    ]
    assert asked("demo-slogan") == [("user", "Write a slogan for a quiet kettle:")]
    history = asked("demo-support")
    assert [role for role, _ in history] == ["system", "user", "assistant", "user"]
    assert history[1][1] == "My kettle whistles."


def test_tools(run: Run) -> None:
    """Phoenix shows the tools that were offered, the call of one, and its answer."""
    events = [
        event for event in run.events if event["promptTemplateName"] == "demo-weather"
    ]
    # Libretto may get them in any order.
    events.sort(key=lambda event: len(event["promptTemplateChat"]))
    first, second = (run.spans[event["promptEventId"]] for event in events)
    call = "tool_calls.0.tool_call"
    (answer,) = messages(first, "output")
    assert answer[f"{call}.function.name"] == "get_weather"
    assert json.loads(answer[f"{call}.function.arguments"])["city"]
    tool = json.loads(first["attributes"]["llm.tools.0.tool.json_schema"])
    assert tool["function"]["name"] == "get_weather"
    asked = messages(second, "input")
    assert asked[1][f"{call}.id"] == asked[2]["tool_call_id"] == answer[f"{call}.id"]
    assert asked[2]["content"] == "Sunny, 24 °C"


def test_the_chain(run: Run) -> None:
    """The calls of the chain are children of its span, and are in its trace; every
    other call is the root of its own."""
    calls = [event for event in run.events if "chainId" in event]
    assert len(calls) == 2
    parent = run.spans[calls[0]["chainId"]]
    assert parent["name"] == "invoke_workflow"
    assert parent["parent_id"] is None
    for event in run.events:
        span = run.spans[event["promptEventId"]]
        in_chain = event in calls
        assert (span["parent_id"] == parent["context"]["span_id"]) is in_chain
        here = span["context"]["trace_id"] == parent["context"]["trace_id"]
        assert here is in_chain
        assert in_chain or span["parent_id"] is None


def test_times(run: Run) -> None:
    """A span lasts as long as its event says that the call took."""
    for event in run.events:
        span = run.spans[event["promptEventId"]]
        start, end = (
            datetime.fromisoformat(span[name]) for name in ("start_time", "end_time")
        )
        took = (end - start).total_seconds() * 1000
        assert took == pytest.approx(event["responseTime"], abs=0.01)


def test_feedback_is_not_taken(phoenix: str) -> None:
    """Phoenix takes traces alone: feedback, a log record, is refused for good, which is
    what feedback=False is for."""
    body = {"feedback_key": "key", "rating": 1}
    exporter = OTLPExporter(phoenix, metrics=False)
    with pytest.raises(ExportError) as refused:
        exporter.export([ExportRecord("feedback", "key", body, time.time())])
    assert not refused.value.retry
    exporter.close()
