"""The library's own figures as OpenTelemetry metrics."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import (
    CallbackOptions,
    MeterProvider,
    Observation,
    get_meter_provider,
)

from .._runtime.metrics import Reading, readings
from .._runtime.state import runtime
from .._util import errors
from .._version import __version__


def observe(meter_provider: MeterProvider | None = None) -> None:
    """Let a meter provider observe what `stats()` tells, whenever it collects.

    Call it once for a provider. The instruments are called ``libretto.sent``,
    ``libretto.queued``, ``libretto.dropped`` and so on, by ``destination`` and
    ``reason``; and ``libretto.spool.size`` and more of the spool.

    Args:
        meter_provider: The provider; the program's global one if left out.
    """
    provider = meter_provider or get_meter_provider()
    meter = provider.get_meter("libretto_instrument", __version__)
    for reading in _readings(with_spools=True):
        # As the conventions have it: a counter for what only grows.
        create = (
            meter.create_observable_counter
            if reading.only_grows
            else meter.create_observable_up_down_counter
        )
        create(
            "libretto." + reading.name.replace("spool_", "spool."),
            [_callback(reading.name)],
            "By" if reading.is_bytes else "{report}",
            reading.help,
        )


def _callback(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> list[Observation]:
        try:
            found = _readings(with_spools=name.startswith("spool_"))
        except Exception as exc:
            errors.log_internal_error(exc, "otel.observe")
            return []
        return [
            Observation(value, labels)
            for reading in found
            if reading.name == name
            for labels, value in reading.values
        ]

    return read


def _readings(*, with_spools: bool) -> list[Reading]:
    spools = runtime.deliveries.spools() if with_spools else None
    return readings(runtime.deliveries.stats(), spools)
