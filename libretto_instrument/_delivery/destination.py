"""One destination: its queue, its transport and its counters."""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field

from .._util import errors
from .._util.clock import monotonic
from .counters import Counters, Stats
from .entry import Entry
from .flush import FlushTracker
from .inbox import SPOOLED
from .message import LIBRETTO, Message
from .queue import DeliveryQueue
from .store import Store
from .transport import Outcome, Transport
from .workers import Finish


@define(eq=False)
class Destination:
    """Sends what is in its queue, and counts what becomes of it.

    The pipeline's lock guards everything but the transport and the store.

    Attributes:
        name: ``"libretto"``, or the exporter's name.
        transport: Sends the messages.
        store: The store that messages on disk were read from.
        flushes: The flushes that wait for this destination.
        queue: The messages that are not yet delivered.
        counters: How many messages were sent, retried and dropped.
        is_closed: Failed messages are dropped, not retried.
    """

    name: str
    transport: Transport
    store: Store | None
    flushes: FlushTracker
    queue: DeliveryQueue = field(init=False)
    counters: Counters = field(factory=Counters)
    is_closed: bool = False
    _warned: int = 0
    _undelivered: int = 0

    def __attrs_post_init__(self) -> None:
        transport = self.transport
        self.queue = DeliveryQueue(transport.max_batch, transport.max_concurrency)

    def add(self, seq: int, message: Message, now: float) -> None:
        """Take a message in; see `Entry` for the number."""
        size, key = message.size_bytes, message.ordering_key
        self.queue.add(Entry(seq, size, key, message), now)
        self.flushes.change(seq, 1)

    def drop_oldest(self, now: float, reason: str) -> bool:
        """Drop the message that has waited longest, and count it."""
        entry = self.queue.drop_oldest(now)
        if entry is None:
            return False
        self.count_lost(reason)
        self.flushes.change(entry.seq, -1)
        return True

    def count_lost(self, reason: str, count: int = 1) -> None:
        """Count messages that will never arrive, though the user wanted them sent."""
        self.counters.dropped[reason] += count
        self.flushes.losses += count

    # Sending

    def stats(self, inbox: Iterable[tuple[Any, Any]], incoming: DeliveryQueue) -> Stats:
        """Return where everything is that was put.

        Args:
            inbox: What was put and not looked at yet, with who is to get it.
            incoming: What is being prepared.
        """
        name, queue = self.name, self.queue
        waiting = [item for item, names in inbox if names and name in names]
        spooled = waiting.count(SPOOLED)
        queued = queue.queued + len(waiting) - spooled
        queued += sum(name in e.destinations for e in incoming.waiting_entries())
        in_flight = queue.in_flight
        in_flight += sum(name in e.destinations for e in incoming.taken_entries())
        return self.counters.stats(queued, in_flight, spooled)

    def send(self, batch: Sequence[Entry], timeout: float | None) -> Finish:
        """Try once to send what was taken from the queue; see `Job`."""
        self._warn_if_dropped()
        started = monotonic()
        fault: BaseException | None = None
        outcomes: Sequence[Outcome]
        try:
            messages = [entry.payload for entry in batch]
            outcomes = self.transport.send(messages, timeout)
            if len(outcomes) != len(batch):
                raise ValueError("a transport must return an outcome for each message")
        except BaseException as exc:
            fault = exc
            failed = Outcome(delivered=False, retry=True, error=type(exc).__name__)
            outcomes = [failed] * len(batch)
        for entry, outcome in zip(batch, outcomes, strict=True):
            self._update_store(entry, outcome)

        def finish(now: float) -> BaseException | None:
            self.queue.note(batch, outcomes, now)
            # What is put back goes to the front, so the last goes first.
            for entry, outcome in zip(reversed(batch), reversed(outcomes), strict=True):
                self._finish(entry, outcome, now)
            self.queue.end(now - started, now)
            return fault

        return finish

    def _update_store(self, entry: Entry, outcome: Outcome) -> None:
        if entry.stored is None or self.store is None:
            return
        if outcome.delivered:
            self.store.ack(entry.stored)
        elif not outcome.retry:
            self.store.reject(entry.stored, outcome.error or "rejected")

    def _finish(self, entry: Entry, outcome: Outcome, now: float) -> None:
        counters, is_stored = self.counters, entry.stored is not None
        if outcome.error is not None:
            counters.note_error(outcome.error)
        if outcome.retry and not self.is_closed:
            counters.retried += 1
            self.queue.retry(entry, now, outcome.retry_after)
            return
        status = outcome.status
        reason = "rejected" if status is None else f"rejected_{status}"
        if outcome.delivered:
            counters.count_delivered(is_stored=is_stored)
        elif not is_stored:
            self.count_lost("shutdown" if outcome.retry else reason)
        elif not outcome.retry:
            counters.relay_rejected[reason] += 1
        self.queue.complete(entry, now)
        if not is_stored:
            self.flushes.change(entry.seq, -1)

    def _warn_if_dropped(self) -> None:
        # By a worker, without the lock, as the program's handlers may take their time.
        dropped = self.counters.dropped.get("queue_full", 0)
        key = f"delivery.queue_full:{self.name}"
        if dropped != self._warned and not errors.should_suppress(key):
            self._warned = dropped
            errors.log(
                "A queue is full: %d events for %s dropped so far, the oldest first "
                "(last error: %s). Check that they can be delivered from here.",
                dropped,
                self.label,
                self.counters.last_error,
            )

    def warn_undelivered(self, count: int) -> None:
        """Log what the end of the process leaves undelivered, if it was not logged."""
        if count and count != self._undelivered:
            self._undelivered = count
            errors.log(
                "The process ends before %d events could be delivered to %s (last "
                "error: %s). flush() with a longer timeout before the end, or a spool "
                "directory, would keep them.",
                count,
                self.label,
                self.counters.last_error,
            )

    @property
    def label(self) -> str:
        """What it is called in the log."""
        return "Libretto" if self.name == LIBRETTO else f"the exporter {self.name}"

    def close_transport(self) -> None:
        """Release the transport's connections and files."""
        try:
            self.transport.close()
        except Exception as exc:
            errors.log_internal_error(exc, "delivery.close")
