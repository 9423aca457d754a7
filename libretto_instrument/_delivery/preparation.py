"""Between inbox and destinations: items become messages, and are written to a store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field

from .._util.clock import monotonic
from .circuit import Entry
from .destination import Destination
from .flush import FlushTracker
from .message import Message
from .queue import DeliveryQueue
from .store import Store
from .workers import Finish

#: At most this many threads prepare, as the user's hooks may hang.
MAX_PREPARERS = 4


@define(eq=False)
class Preparation:
    """Prepares what is in its queue, and hands it to the destinations or the store.

    The pipeline's lock guards everything but ``prepare`` and the store.

    Attributes:
        prepare: Turns an item into a message; None for one that is withheld.
        destinations: By name.
        store: Where messages are written first, if anywhere.
        spool_only: Another process sends what is in the store.
        flushes: Who waits.
        on_stored: Called with the lock held after messages were written to the store.
        queue: What waits to be prepared.
        is_closed: Everything that still comes is dropped.
    """

    prepare: Callable[[Any], Message | None]
    destinations: Mapping[str, Destination]
    store: Store | None
    spool_only: bool
    flushes: FlushTracker
    on_stored: Callable[[], None] = lambda: None
    queue: DeliveryQueue = field(factory=lambda: DeliveryQueue(1, MAX_PREPARERS))
    is_closed: bool = False

    def count_lost(self, names: Sequence[str], reason: str, count: int = 1) -> None:
        """Count items that will never arrive, for each of their destinations."""
        for name in names:
            self.destinations[name].count_lost(reason, count)

    def count_spooled(self, names: Sequence[str], count: int = 1) -> None:
        """Count messages as written to the store, likewise."""
        for name in names:
            self.destinations[name].counters.spooled += count
        self.on_stored()

    def drop_oldest(self, now: float, reason: str) -> bool:
        """Drop the item that has waited longest, and count it."""
        entry = self.queue.drop_oldest(now)
        if entry is None:
            return False
        self.count_lost(entry.destinations, reason)
        self.flushes.change(entry.seq, -1)
        return True

    def owed(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return who is to get a stored message; None leaves it to the relay."""
        return None if self.spool_only and len(self.destinations) == 1 else names

    def run(self, batch: Sequence[Entry], timeout: float | None) -> Finish:
        """Prepare the one item that was taken from the queue; see `Job`."""
        started, (entry,) = monotonic(), batch
        item, fault = entry.payload, None
        message: Message | None = item if isinstance(item, Message) else None
        is_new, is_stored = message is None, False
        try:
            if is_new:
                message = self.prepare(item)
        except BaseException as exc:
            fault = exc
        if self.store and message is not None and (is_new or self.spool_only):
            is_stored = self.store.append(message, self.owed(entry.destinations))

        def finish(now: float) -> BaseException | None:
            if fault is not None:
                self.count_lost(entry.destinations, "prepare_failed")
            elif is_stored:
                self.count_spooled(entry.destinations)
            if fault is not None or is_stored or self._hand_over(entry, message, now):
                self.queue.complete(entry, now)
                self.flushes.change(entry.seq, -1)
            self.queue.end(now - started, now)
            return fault

        return finish

    def _hand_over(self, entry: Entry, message: Message | None, now: float) -> bool:
        """Queue what is not in the store; return whether it is done with here."""
        for name in entry.destinations:
            destination = self.destinations[name]
            counters = destination.counters
            if message is None:
                counters.dropped["withheld"] += 1
            elif self.is_closed:
                destination.count_lost("shutdown")
            else:
                if self.store is not None and not entry.failures:
                    counters.spool_failures += 1
                if self.spool_only:
                    counters.retried += 1
                    counters.note_error("spool unavailable")
                else:
                    destination.add(entry.seq, message, now)
        if message is None or self.is_closed or not self.spool_only:
            return True
        entry.payload = message
        self.queue.retry(entry, now)
        return False
