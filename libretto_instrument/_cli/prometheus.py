"""Delivery metrics for Prometheus, by its own client library."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as MetricFamily
from prometheus_client.registry import Collector

from .._runtime.metrics import Metric, collect_metrics

if TYPE_CHECKING:
    from .._delivery import Stats
    from .._spool import SpoolStats

StatsReader: TypeAlias = "Callable[[], tuple[Stats, SpoolStats]]"


def serve(host: str, port: int, read_stats: StatsReader) -> None:
    """Serve metrics at ``/metrics`` until the process ends; port 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """
    registry = CollectorRegistry()
    registry.register(_StatsCollector(read_stats))
    server, _ = start_http_server(port, host, registry)
    print(
        f"Metrics on http://{host}:{server.server_port}/metrics",
        file=sys.stderr,
        flush=True,
    )


@frozen
class _StatsCollector(Collector):
    """Reads the counters at each scrape."""

    read_stats: StatsReader

    def collect(self) -> Iterator[MetricFamily]:
        """Yield each metric, with its labels."""
        stats, spool = self.read_stats()
        for metric in collect_metrics(stats, [spool]):
            yield _metric_family(metric)


def _metric_family(metric: Metric) -> MetricFamily:
    labels = sorted({name for labels, _ in metric.values for name in labels})
    kind = CounterMetricFamily if metric.is_monotonic else GaugeMetricFamily
    name = metric.name.replace("spool_size", "spool_bytes")
    family = kind("libretto_" + name, metric.help, labels=labels)
    for label_values, value in metric.values:
        family.add_metric([label_values[label] for label in labels], value)
    return family
