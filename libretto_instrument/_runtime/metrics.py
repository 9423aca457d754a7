"""The counters of a delivery as metrics: names, labels, values."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import field, frozen

from .._delivery import LIBRETTO, Stats

if TYPE_CHECKING:
    from .._spool import SpoolStats

Labels = dict[str, str]


@frozen
class Metric:
    """A metric and its values by label.

    Attributes:
        name: Its name, in snake_case.
        help: Its description.
        is_monotonic: Whether it only grows while the process lives.
        values: The numbers, each with its labels.
        is_bytes: Whether its unit is bytes rather than reports.
    """

    name: str
    help: str
    is_monotonic: bool
    values: Sequence[tuple[Labels, float]] = field(factory=list)
    is_bytes: bool = False


#: For each metric its description, and whether it is monotonic.
_STATS_METRICS = {
    "recorded": ("Reports taken for delivery.", True),
    "queued": ("Reports that wait in memory.", False),
    "in_flight": ("Reports that are being prepared or sent.", False),
    "sent": ("Reports that were accepted.", True),
    "retried": ("Attempts that failed and will be retried.", True),
    "spooled": ("Reports written to the spool.", True),
    "relayed": ("Reports from the spool that were accepted.", True),
    "unspooled": ("Reports that could not be written to the spool at once.", True),
    "restarted": ("Workers that died and were replaced.", True),
}

#: The fields of `Stats` that have another name than the metric.
_FIELDS = {
    "recorded": "accepted",
    "unspooled": "spool_failures",
    "restarted": "workers_restarted",
}


def collect_metrics(
    stats: Stats, spools: "Iterable[SpoolStats] | None"
) -> list[Metric]:
    """Return the metrics of a delivery.

    Args:
        stats: Its counters.
        spools: The spools that it uses; None leaves their metrics out.
    """
    everywhere = {LIBRETTO: stats, **stats.exporters}
    found = [
        Metric(
            name,
            text,
            grows,
            [
                ({"destination": destination}, getattr(stats, _FIELDS.get(name, name)))
                for destination, stats in everywhere.items()
            ],
        )
        for name, (text, grows) in _STATS_METRICS.items()
    ]
    lost = [
        ({"destination": destination, "reason": reason}, count)
        for destination, stats in everywhere.items()
        for reason, count in stats.dropped.items()
    ]
    found.append(Metric("dropped", "Reports that will never arrive.", True, lost))
    if spools is not None:
        found += _spool_metrics(list(spools))
    return found


def _spool_metrics(spools: "list[SpoolStats]") -> list[Metric]:
    waiting = sum(spool.pending for spool in spools)
    dead_letters = sum(spool.dead_letters for spool in spools)
    size = sum(spool.size for spool in spools)
    lost: Counter[str] = Counter()
    pending: Counter[str] = Counter()
    for spool in spools:
        lost.update(spool.dropped)
        pending.update(spool.pending_by_destination)
    return [
        Metric("spool_waiting", "Reports in the spool.", False, [({}, waiting)]),
        Metric(
            "spool_backlog",
            "Reports in the spool that a destination has yet to get.",
            False,
            [
                ({"destination": destination}, count)
                for destination, count in pending.items()
            ],
        ),
        Metric(
            "spool_refused",
            "Dead letters: reports that a destination refused.",
            False,
            [({}, dead_letters)],
        ),
        Metric("spool_size", "Bytes in use.", False, [({}, size)], is_bytes=True),
        Metric(
            "spool_dropped",
            "Reports that the spool's bounds pushed out, whosever they were.",
            True,
            [({"reason": reason}, count) for reason, count in lost.items()],
        ),
    ]
