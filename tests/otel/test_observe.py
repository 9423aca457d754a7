"""The library's statistics as metrics of OpenTelemetry."""

import sqlite3

import openai
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum
from support.backend import status

import libretto_instrument as libretto
from libretto_instrument._runtime.deliveries import Deliveries
from libretto_instrument.otel import OTLPExporter, observe


@pytest.fixture
def reader():
    """Yield a reader of a meter provider that observes us."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    observe(provider)
    yield reader
    provider.shutdown()


def told(reader: InMemoryMetricReader) -> dict[str, dict[str, float]]:
    """Return each metric's values by the destination, the reason, or both."""
    return {
        metric.name: {
            " ".join(point.attributes.values()): point.value
            for point in metric.data.data_points
        }
        for of_resource in reader.get_metrics_data().resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    }


def test_what_stats_say(reader, client: openai.OpenAI, backend) -> None:
    """Every figure of stats() is a metric, read whenever the provider collects."""
    libretto.install(api_key="key", prompt_template_name="observed")
    before = told(reader)
    for answer in (status(200), status(400)):
        backend.answer(answer)
        client.completions.create(model="any", prompt="Hi")
        libretto.flush(10)
    after, stats = told(reader), libretto.stats()
    same = ("queued", "in_flight", "sent", "retried", "spooled", "relayed")
    for name, field in {
        **dict(zip(same, same, strict=True)),
        "recorded": "accepted",
        "unspooled": "spool_failures",
        "restarted": "workers_restarted",
    }.items():
        assert after[f"libretto.{name}"]["libretto"] == getattr(stats, field)
    for reason, count in stats.dropped.items():
        assert after["libretto.dropped"][f"libretto {reason}"] == count
    gained = [
        after[name].get(key, 0) - before.get(name, {}).get(key, 0)
        for name, key in (
            ("libretto.sent", "libretto"),
            ("libretto.dropped", "libretto rejected_400"),
        )
    ]
    assert gained == [1, 1]


def test_each_exporter_apart(reader, client, backend, receiver) -> None:
    """What an exporter got is told apart from what Libretto did."""
    backend.answer(status(400))
    libretto.install(
        api_key="key",
        prompt_template_name="observed",
        exporters=[OTLPExporter(receiver.url, name="collector")],
    )
    client.completions.create(model="any", prompt="Hi")
    libretto.flush(10)
    after = told(reader)
    assert after["libretto.sent"]["collector"] == 1
    assert after["libretto.dropped"]["libretto rejected_400"] >= 1
    assert "collector rejected_400" not in after["libretto.dropped"]


def test_what_is_in_the_spool(reader, client, backend, tmp_path) -> None:
    """The bytes and reports in the spool are metrics; without a spool, zero."""
    assert told(reader)["libretto.spool.size"] == {"": 0}
    libretto.install(
        api_key="key",
        prompt_template_name="observed",
        spool_dir=tmp_path,
        spool_only=True,
    )
    client.completions.create(model="any", prompt="Hi")
    after = told(reader)
    assert after["libretto.spool.waiting"] == {"": 1}
    assert after["libretto.spool.size"][""] > 0


def test_kinds_and_units(reader) -> None:
    """What only grows is a counter; the others are not; bytes say that they are."""
    (of_resource,) = reader.get_metrics_data().resource_metrics
    metrics = {one.name: one for one in of_resource.scope_metrics[0].metrics}
    assert all(isinstance(one.data, Sum) for one in metrics.values())
    assert metrics["libretto.sent"].data.is_monotonic
    assert not metrics["libretto.queued"].data.is_monotonic
    assert metrics["libretto.queued"].unit == "{report}"
    assert metrics["libretto.spool.size"].unit == "By"


@pytest.mark.usefixtures("lenient")
def test_a_fault_leaves_a_gap(reader, monkeypatch) -> None:
    """A spool that cannot be read costs its own metrics, and neither the others nor
    the provider's collection."""

    def unreadable(_: Deliveries) -> None:
        raise sqlite3.OperationalError

    monkeypatch.setattr(Deliveries, "spools", unreadable)
    found = told(reader)
    assert "libretto.sent" in found
    assert "libretto.spool.size" not in found
