"""A delivery's figures for Prometheus, by its own client."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .._runtime.metrics import Reading, readings

if TYPE_CHECKING:
    from .._delivery import Stats
    from .._spool import SpoolStats

Look: TypeAlias = "Callable[[], tuple[Stats, SpoolStats]]"


def serve(host: str, port: int, look: Look) -> None:
    """Serve the figures at ``/metrics`` from a background thread, to the process's end.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        look: Returns the figures of this moment.

    Raises:
        OSError: The port is taken.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(look))
    server, _ = start_http_server(port, host, registry)
    taken = server.server_port
    print(f"Metrics on http://{host}:{taken}/metrics", file=sys.stderr, flush=True)


@frozen
class _Figures(Collector):
    """Reads the figures whenever Prometheus asks."""

    look: Look

    def collect(self) -> Iterator[Metric]:
        """Yield each figure, with its labels."""
        stats, spool = self.look()
        for reading in readings(stats, [spool]):
            yield _family(reading)


def _family(reading: Reading) -> Metric:
    labels = sorted({name for labels, _ in reading.values for name in labels})
    kind = CounterMetricFamily if reading.only_grows else GaugeMetricFamily
    name = reading.name.replace("spool_size", "spool_bytes")
    family = kind("libretto_" + name, reading.help, labels=labels)
    for given, value in reading.values:
        family.add_metric([given[label] for label in labels], value)
    return family
