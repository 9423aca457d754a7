"""The histograms of the recorded calls."""

import openai
import pytest
from support.otlp import Receiver, attributes
from support.waiting import eventually

from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter

DURATION = "gen_ai.client.operation.duration"
TOKENS = "gen_ai.client.token.usage"


def points(receiver: Receiver, name: str) -> list:
    return list(receiver.metrics[name].histogram.data_points)


def test_durations_and_tokens(client, ask, reported, send, receiver) -> None:
    """Each call is counted in the histograms that the conventions name, with the
    bounds that they advise, apart by operation, model, kind of token and error."""
    with reported() as reports:
        used = [ask().usage, ask("Hello again").usage]
        client.completions.create(model="davinci", prompt="Hi")
        with pytest.raises(openai.APIStatusError):
            ask(model="offline-error-500")
    send(reports)
    assert receiver.metrics[DURATION].unit == "s"
    assert receiver.metrics[TOKENS].unit == "{token}"
    durations = points(receiver, DURATION)
    assert list(durations[0].explicit_bounds) == pytest.approx(
        [
            *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
            *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
        ]
    )
    told = [(attributes(point), point.count) for point in durations]
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.response.model": "offline-model",
    }
    assert (chat, 2) in told
    assert (
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "offline-error-500",
            "error.type": "InternalServerError",
        },
        1,
    ) in told
    assert len(told) == 3
    took = sum(report.body["responseTime"] for report in reports) / 1000
    assert sum(point.sum for point in durations) == pytest.approx(took)
    tokens = points(receiver, TOKENS)
    assert list(tokens[0].explicit_bounds) == [
        *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576),
        *(4194304, 16777216, 67108864),
    ]
    (inputs,) = (
        point
        for point in tokens
        if attributes(point) == {**chat, "gen_ai.token.type": "input"}
    )
    assert (inputs.count, inputs.sum) == (2, sum(one.prompt_tokens for one in used))
    assert len(tokens) == 4


def test_figures_come_by_themselves(ask, reported, receiver, monkeypatch) -> None:
    """Some time after a call its metrics are sent, without another call; they are sums
    from the start."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    with reported() as reports:
        ask()
    exporter = OTLPExporter(receiver.url)
    exporter.export(reports)
    eventually(lambda: receiver.metrics and points(receiver, DURATION)[0].count == 1)
    exporter.export(
        [ExportRecord("event", "other", reports[0].body, reports[0].timestamp)]
    )
    eventually(lambda: points(receiver, DURATION)[0].count == 2)
    exporter.close()


def test_no_figures(ask, reported, send, receiver) -> None:
    """With metrics=False none are sent."""
    with reported() as reports:
        ask()
    send(reports, metrics=False)
    assert receiver.spans
    assert {request.path for request in receiver.received} == {"/v1/traces"}


def test_no_feedback(send, receiver) -> None:
    """With feedback=False it is taken, and goes nowhere."""
    send([ExportRecord("feedback", "key", {"feedback_key": "key", "rating": 1}, 1.0)])
    assert receiver.logs
    receiver.received.clear()
    send(
        [ExportRecord("feedback", "key", {"feedback_key": "key", "rating": 1}, 1.0)],
        feedback=False,
    )
    assert receiver.received == []
