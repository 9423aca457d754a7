"""The delivery counters as OpenTelemetry metrics."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import (
    CallbackOptions,
    MeterProvider,
    Observation,
    get_meter_provider,
)

from .._runtime.metrics import Metric, collect_metrics
from .._runtime.state import runtime
from .._util import errors
from .._util.version import __version__


def observe(meter_provider: MeterProvider | None = None) -> None:
    """Register the counters of `stats()` as observable metrics.

    Call it once for a provider. The instruments are called ``libretto.sent``,
    ``libretto.queued``, ``libretto.dropped`` and so on, by ``destination`` and
    ``reason``; and ``libretto.spool.size`` and more of the spool.

    Args:
        meter_provider: The provider; the program's global one if left out.
    """
    provider = meter_provider or get_meter_provider()
    meter = provider.get_meter("libretto_instrument", __version__)
    for metric in _collect(with_spools=True):
        # As the conventions have it: a counter for what only grows.
        create = (
            meter.create_observable_counter
            if metric.is_monotonic
            else meter.create_observable_up_down_counter
        )
        create(
            "libretto." + metric.name.replace("spool_", "spool."),
            [_callback(metric.name)],
            "By" if metric.is_bytes else "{report}",
            metric.help,
        )


def _callback(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> list[Observation]:
        try:
            found = _collect(with_spools=name.startswith("spool_"))
        except Exception as exc:
            errors.log_internal_error(exc, "otel.observe")
            return []
        return [
            Observation(value, labels)
            for metric in found
            if metric.name == name
            for labels, value in metric.values
        ]

    return read


def _collect(*, with_spools: bool) -> list[Metric]:
    spools = runtime.deliveries.spools() if with_spools else None
    return collect_metrics(runtime.deliveries.stats(), spools)
