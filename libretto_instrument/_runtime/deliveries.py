"""The deliveries of this process: one for each route that reports take.

Most processes have one. None is made, and nothing of the delivery room is imported,
before the first report.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field

from .._config.settings import DeliveryOptions
from .._processing.process import has_libretto_destination, needs_worker

if TYPE_CHECKING:
    from ..delivery import Delivery, Fan, Sender, Stats
    from ..delivery.durable import DurableDelivery, SpoolStats
    from .exporter_transport import ExporterSender

    AnyDelivery: TypeAlias = Delivery | Fan | DurableDelivery


@define(eq=False)
class Deliveries:
    """Takes reports and hands each to the delivery of its route.

    Attributes:
        on_start: Called when a delivery has been given its first report.
    """

    on_start: Callable[[], None]
    _urls: dict[str, str] = field(factory=dict)
    _by_route: "dict[DeliveryOptions, AnyDelivery]" = field(factory=dict)
    # By the id of the user's exporter, which its sender keeps alive.
    _exporters: "dict[int, ExporterSender]" = field(factory=dict)
    # To addresses that held before.
    _retired: "list[AnyDelivery]" = field(factory=list)
    # Stopped, but not known to have nothing in hand any more.
    _stopped: "list[AnyDelivery]" = field(factory=list)
    # The figures, added up, of those that have come to an end: one or none.
    _past: "list[Stats]" = field(factory=list)
    # Reentrant, as streams report from finalizers, which run anywhere.
    _lock: threading.RLock = field(factory=threading.RLock)

    def address(self, urls: dict[str, str]) -> None:
        """Send to these addresses from now on."""
        with self._lock:
            if urls != self._urls:
                self._retired.extend(self._by_route.values())
                self._by_route = {}
                self._urls = urls

    def submit(self, item: Any) -> None:
        """Take a finished call or a statement.

        Without a spool it returns at once. With one, it returns when the report is on
        disk, unless a redactor or a hook has to see it first, or templates are to be
        recognised: these run on a worker.
        """
        route = item.settings.delivery
        known = self._by_route.get(route)
        delivery: Any = known or self._start(route)
        # Without exporters, what is not for Libretto does not come here.
        if route.spool_dir is not None and not needs_worker(item.settings):
            home = not route.exporters or has_libretto_destination(item)
            delivery.keep(item, home=home)
        elif route.exporters and not has_libretto_destination(item):
            delivery.put(item, home=False)
        else:
            delivery.put(item)
        if known is None:
            self.on_start()

    def resume(self, route: DeliveryOptions) -> None:
        """Deliver what earlier processes left in a route's spool."""
        if route.spool_dir is not None and not route.spool_only:
            delivery: Any = self._by_route.get(route) or self._start(route)
            delivery.start()
            self.on_start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was submitted is delivered; say whether it is."""
        deadline = monotonic() + timeout
        delivered = [each.flush(deadline - monotonic()) for each in self._all()]
        return all(delivered)

    def shutdown(self, timeout: float) -> bool:
        """Deliver what there is, and stop; say whether all of it was delivered."""
        deadline = monotonic() + timeout
        with self._lock:
            stopped = self._all()
            self._by_route, self._retired, self._exporters = {}, [], {}
            self._stopped.extend(stopped)
        delivered = [each.shutdown(deadline - monotonic()) for each in stopped]
        self._add_up()
        return all(delivered)

    def _add_up(self) -> None:
        """Keep of stopped deliveries that have nothing in hand the figures alone."""
        from ..delivery import Stats

        # Not with the lock held: the figures wait for a delivery's own lock, whose
        # holder may be in a finalizer that wants this one.
        figures = [(each, each.stats()) for each in self._stopped.copy()]
        with self._lock:
            for each, stats in figures:
                in_hand = sum(
                    its.queued + its.in_flight
                    for its in (stats, *stats.exporters.values())
                )
                if each in self._stopped and not in_hand:
                    self._stopped.remove(each)
                    self._past = [Stats.total([*self._past, stats])]

    def drain_at_exit(self) -> None:
        """Deliver what there is as the process ends, starting no thread."""
        for delivery in self._all():
            delivery.drain_at_exit()

    def stats(self) -> "Stats":
        """Return the figures of all deliveries together, stopped ones included."""
        from ..delivery import Stats

        with self._lock:
            past, deliveries = self._past, [*self._stopped, *self._all()]
        return Stats.total([*past, *(each.stats() for each in deliveries)])

    def spools(self) -> "list[SpoolStats]":
        """Return what is in the spools that are in use."""
        found = (getattr(each, "spool_stats", None) for each in self._all())
        return [look() for look in found if look is not None]

    def _all(self) -> "list[AnyDelivery]":
        return [*self._retired, *self._by_route.values()]

    def _start(self, route: DeliveryOptions) -> "AnyDelivery":
        with self._lock:
            if route not in self._by_route:
                senders = self._senders(route)
                started = _delivery_on(route, senders)
                # A finalizer may have come in between on this very thread.
                self._by_route.setdefault(route, started)
            return self._by_route[route]

    def _senders(self, route: DeliveryOptions) -> "dict[str, Sender]":
        """Return what delivers to each destination of a route, Libretto first."""
        from ..delivery import HOME, HttpSender

        senders: dict[str, Sender] = {HOME: HttpSender(self._urls)}
        if route.exporters:
            from .exporter_transport import ExporterSender

            for exporter in route.exporters:
                # One for all routes, as it keeps them from using it at the same time.
                sender = self._exporters.get(id(exporter)) or ExporterSender(exporter)
                senders[exporter.name] = self._exporters[id(exporter)] = sender
        return senders

    def renew_lock(self) -> None:
        """Forget, in a forked child, a lock that another thread held at the fork.

        So too what the parent had delivered and stopped: a child counts its own.
        """
        self._lock = threading.RLock()
        self._stopped, self._past = [], []


def _delivery_on(route: DeliveryOptions, senders: "dict[str, Sender]") -> "AnyDelivery":
    from .._processing.serialize import FINISHERS, prepare, prepare_to_keep
    from ..delivery import HOME, Delivery, Fan

    bounds: dict[str, Any] = {
        "max_events": route.queue_max_events,
        "max_bytes": route.queue_max_bytes,
        "exit_timeout": route.exit_timeout,
    }
    if route.spool_dir is None:
        if route.exporters:
            return Fan(prepare, senders, **bounds)
        return Delivery(prepare, senders[HOME], **bounds)
    from ..delivery.durable import DurableDelivery, Spool

    spool = Spool(
        route.spool_dir,
        max_bytes=route.spool_max_bytes,
        max_age=route.spool_max_age,
        busy_timeout=route.spool_busy_timeout,
        finishers=FINISHERS,
    )
    return DurableDelivery(
        prepare,
        senders.pop(HOME),
        spool,
        prepare_to_keep=prepare_to_keep,
        others=senders,
        spool_only=route.spool_only,
        **bounds,
    )
