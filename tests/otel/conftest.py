"""What the tests of OpenTelemetry share: a receiver, and calls to send there."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from support.otlp import Receiver

from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter
from libretto_instrument.testing import capture_events


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own settings of OpenTelemetry out."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a receiver that takes everything."""
    with Receiver() as running:
        yield running


@pytest.fixture
def reported() -> Callable[..., Any]:
    """Return a context manager: a list of reports of what is recorded inside."""

    @contextmanager
    def reported(**settings: Any) -> Iterator[list[ExportRecord]]:
        reports: list[ExportRecord] = []
        with capture_events(**settings) as events:
            yield reports
            now = time.time()
            for kind, key, bodies in (
                ("event", "promptEventId", events),
                ("feedback", "feedback_key", events.feedback),
                ("chain", "id", events.chain_results),
            ):
                for body in bodies:
                    bare = {name: body[name] for name in body if name != "apiKey"}
                    reports.append(ExportRecord(kind, body[key], bare, now))

    return reported


@pytest.fixture
def send(receiver: Receiver) -> Callable[..., None]:
    """Return what sends reports by an exporter of its own to the receiver."""

    def send(reports: list[ExportRecord], **settings: Any) -> None:
        exporter = OTLPExporter(receiver.url, **settings)
        try:
            exporter.export(reports)
        finally:
            exporter.close()

    return send


@pytest.fixture
def ask(client: openai.OpenAI) -> Callable[..., Any]:
    """Return what asks the offline model something."""

    def ask(text: str = "Hello", **options: Any) -> Any:
        options = {"model": "gpt-5.4-mini", **options}
        return client.chat.completions.create(
            messages=[{"role": "user", "content": text}], **options
        )

    return ask
