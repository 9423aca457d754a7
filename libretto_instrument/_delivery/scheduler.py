"""What workers do next: they prepare items, send messages and read the store."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define, evolve, field

from .._util import errors
from .._util.clock import monotonic
from .counters import Stats
from .destination import Destination
from .entry import Entry
from .feed import Feed
from .flush import FlushMarker, FlushTracker
from .inbox import SPOOLED, Inbox
from .message import LIBRETTO, Message
from .queue import DeliveryQueue
from .store import Store
from .transport import Transport
from .workers import MIN_SLOW_LATENCY, Finish, Job, Progress

#: Another worker joins those that are busy with a destination when the next message for
#: it has been ready for longer than this, in seconds; and while a flush waits.
MAX_QUEUE_DELAY, MAX_QUEUE_DELAY_FLUSHING = 0.5, 0.1
#: But not while sending takes less than this, in seconds: then workers would wait for
#: the interpreter, of which there is one, and not for the backend.
MIN_PARALLEL_LATENCY = 0.002
#: Unless nothing came back for this long, in seconds.
STALL_TIMEOUT = 0.25
#: Items are prepared until they are this many messages ahead; then one for one.
MAX_AHEAD = 64
#: At most this many threads prepare, as the user's hooks may hang.
MAX_PREPARERS = 4


@define(eq=False)
class Scheduler:
    """The state behind a pipeline, whose bounds it has: what was put, and where it is.

    Attributes:
        prepare: Turns an item into a message; None for one that is withheld.
        lock: Guards everything here but the inbox.
        inbox: What was put.
        incoming: What is to be prepared.
        is_closed: Everything that still comes is dropped.
        is_retiring: Close the transports when nothing is left to do.
        is_released: They are closed.
    """

    prepare: Callable[[Any], Message | None]
    transports: Mapping[str, Transport]
    store: Store | None
    max_events: int
    max_bytes: int
    spool_only: bool
    # Reentrant: a finalizer may run, and ask for statistics, while it is held.
    lock: Any = field(factory=threading.RLock)
    flushes: FlushTracker = field(factory=FlushTracker)
    inbox: Inbox = field(factory=Inbox)
    incoming: DeliveryQueue = field(factory=lambda: DeliveryQueue(1, MAX_PREPARERS))
    destinations: dict[str, Destination] = field(init=False)
    feed: Feed | None = None
    is_closed: bool = False
    is_retiring: bool = False
    is_released: bool = False
    _seq: int = 0
    # How many messages were prepared and not sent, of late.
    _ahead: int = 0
    # Each queue, and what is done with the entries that are taken from it.
    _stages: dict[DeliveryQueue, Callable[[Any, float | None], Finish]] = field(
        init=False
    )

    def __attrs_post_init__(self) -> None:
        self.destinations = {
            name: Destination(name, transport, self.store, self.flushes)
            for name, transport in self.transports.items()
        }
        found = self.destinations.values()
        self._stages = {self.incoming: self._prepare}
        self._stages |= {each.queue: each.send for each in found}
        if self.store is not None and not self.spool_only:
            queues = {each.name: each.queue for each in found}
            self.feed = Feed(self.store, queues, self.lock)

    @property
    def max_workers(self) -> int:
        """One more than can be busy, so that there is always one to empty the inbox."""
        return 1 + sum(queue.max_concurrency for queue in self._stages)

    @property
    def pending(self) -> int:
        """How many entries are on their way, but for those on disk."""
        return len(self.inbox.items) + sum(queue.pending for queue in self._stages)

    # From the inbox

    def drain_inbox(self, now: float) -> None:
        """Move what was put into the queue of what is to be prepared."""
        self._count_dropped()
        while (put := self.inbox.pop()) is not None:
            item, names = put
            if item is SPOOLED:
                self._count_spooled(names)
            elif isinstance(item, FlushMarker):
                self._place(item, now)
            else:
                self._accept(item, names, now)
        self._enforce_bounds(now)

    def limit_inbox(self) -> None:
        """Keep the bounds in the inbox. Callers do so, and take no lock."""
        self.inbox.limit(self.max_events, self.max_bytes)

    def _count_dropped(self) -> None:
        for (is_spooled, names), count in self.inbox.pop_dropped().items():
            if is_spooled:
                self._count_spooled(names, count)
            else:
                self._count_lost(names, "queue_full", count)

    def _count_spooled(self, names: Sequence[str], count: int = 1) -> None:
        for name in names:
            self.destinations[name].counters.spooled += count

    def _count_lost(self, names: Sequence[str], reason: str, count: int = 1) -> None:
        for name in names:
            self.destinations[name].count_lost(reason, count)

    def _accept(self, item: Any, names: tuple[str, ...], now: float) -> None:
        try:
            size, key = item.size_bytes, item.ordering_key
        except Exception as exc:
            self._count_lost(names, "prepare_failed")
            errors.log_internal_error(exc, "delivery.put")
            return
        if self.is_closed:
            self._count_lost(names, "shutdown")
        elif size > self.max_bytes:
            self._count_lost(names, "too_large")
        else:
            self._seq += 1
            self.is_released = False
            self.incoming.add(Entry(self._seq, size, key, item, names), now)

    def _place(self, marker: FlushMarker, now: float) -> None:
        if now >= marker.deadline:
            return
        for queue in self._stages:
            queue.expedite(now, marker.deadline)
        if self.feed is not None:
            self.feed.expedite()
        outstanding = sum(queue.pending for queue in self._stages)
        self.flushes.place(marker, self._seq, outstanding)

    def _enforce_bounds(self, now: float) -> None:
        incoming = self.incoming
        for each in self.destinations.values():
            queue = each.queue
            while (
                queue.pending + incoming.pending > self.max_events
                or queue.bytes + incoming.bytes > self.max_bytes
            ):
                if not (
                    each.drop_oldest(now, "queue_full")
                    or self._drop_incoming(now, "queue_full")
                ):
                    break

    def _drop_incoming(self, now: float, reason: str) -> bool:
        entry = self.incoming.drop_oldest(now)
        if entry is not None:
            self._count_lost(entry.destinations, reason)
            self.flushes.change(entry.seq, -1)
        return entry is not None

    # For the workers, which hold the lock

    def take(self, now: float, progress: Progress) -> Job | None:
        """Return the next job for a worker, and note it in the worker's progress."""
        if self.inbox.items or self.inbox.dropped:
            self.drain_inbox(now)
        if self.feed is not None and self.feed.begin(now):
            return Job(self.feed.poll)
        for queue in self._order():
            if not (queue.queued or queue.stored_pending):
                continue
            # A worker goes on with what no other worker makes progress with.
            goes_on = progress.get(queue) == queue.ends
            batch = queue.take(now, 0.0 if goes_on else self._min_wait(queue, now))
            if not batch:
                continue
            ahead = self._ahead + (1 if queue is self.incoming else -len(batch))
            self._ahead = min(max(ahead, 0), MAX_AHEAD)
            is_fast = 0 < queue.latency < MIN_SLOW_LATENCY
            # An exporter is the user's code; it may hang.
            is_slow = not is_fast or len(self.destinations) > 1
            progress[queue] = queue.ends + 1
            return Job(partial(self._stages[queue], batch), is_slow, queue)
        if self.is_retiring and not self.is_released and self._is_idle():
            self.is_released = True
            return Job(self._release)
        return None

    def _is_idle(self) -> bool:
        return not self.pending and (self.feed is None or self.feed.is_idle)

    def _order(self) -> list[DeliveryQueue]:
        # Neither preparing nor sending holds up the other; writing to disk goes first.
        incoming, *others = self._stages
        if self.store or self._ahead < MAX_AHEAD:
            return [incoming, *others]
        return [*others, incoming]

    def _min_wait(self, queue: DeliveryQueue, now: float) -> float:
        """Return how long an entry has to be ready before another worker joins."""
        is_active = queue.active > 0
        if queue is self.incoming and self.store is None:
            # The worker that sends prepares, too, as long as it comes back soon.
            is_active = is_active or any(
                each.active and now - each.last_end < STALL_TIMEOUT
                for each in self._stages
            )
        if not is_active:
            return 0.0
        is_fast = queue.latency < MIN_PARALLEL_LATENCY
        if is_fast and now - queue.last_end < STALL_TIMEOUT:
            return 1e9  # Never, unless something changes.
        if self.flushes.is_waiting:
            return MAX_QUEUE_DELAY_FLUSHING
        return MAX_QUEUE_DELAY

    def next_at(self, now: float) -> float:
        """Return when ``take`` may have a job; infinity if that depends on events."""
        if self.inbox.items:
            return now
        next_at = math.inf if self.feed is None else self.feed.next_at
        for queue in self._stages:
            next_at = min(next_at, queue.next_at(now, self._min_wait(queue, now)))
        return next_at

    def is_finished(self) -> bool:
        """Say whether the workers are to end."""
        return self.is_closed or (self.is_retiring and self.is_released)

    # Preparing

    def owed(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return who is to get a stored message; None leaves it to the relay."""
        return None if self.spool_only and len(self.destinations) == 1 else names

    def _prepare(self, batch: Sequence[Entry], timeout: float | None) -> Finish:
        """Prepare one item, and write it to the store, if there is one; see `Job`."""
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
                self._count_lost(entry.destinations, "prepare_failed")
            elif is_stored:
                self._count_spooled(entry.destinations)
            else:
                self._hand_over(entry, message, now)
            if not entry.is_waiting:
                self.incoming.complete(entry, now)
                self.flushes.change(entry.seq, -1)
            self._enforce_bounds(now)
            self.incoming.end(now - started, now)
            return fault

        return finish

    def _hand_over(self, entry: Entry, message: Message | None, now: float) -> None:
        """Queue what is not in the store where it goes, or to be tried again."""
        for name in entry.destinations:
            destination = self.destinations[name]
            counters = destination.counters
            if message is None:
                counters.dropped["withheld"] += 1
                continue
            if self.is_closed:
                destination.count_lost("shutdown")
                continue
            if self.store is not None and not entry.failures:
                counters.spool_failures += 1
            if self.spool_only:
                counters.retried += 1
                counters.note_error("spool unavailable")
            else:
                destination.add(entry.seq, message, now)
        if self.spool_only and message is not None and not self.is_closed:
            entry.payload = message
            self.incoming.retry(entry, now)

    # The end

    def close(self, now: float) -> None:
        """Drop what waits, and from now on everything that comes."""
        self.drain_inbox(now)
        self.is_closed = self.is_retiring = self.is_released = True
        while self._drop_incoming(now, "shutdown"):
            pass
        for each in self.destinations.values():
            each.is_closed = True
            while each.drop_oldest(now, "shutdown"):
                pass

    def release(self) -> None:
        """Close the transports and the store. Not with the lock held."""
        for each in self.destinations.values():
            each.close_transport()
        if self.store is not None:
            self.store.close()

    def _release(self, timeout: float | None) -> Finish:
        self.release()
        return lambda now: None

    # Statistics

    def stats(self, workers_restarted: int, *, is_relay: bool = False) -> Stats:
        """Return where everything is that was put, or that a relay has read."""
        self._count_dropped()
        inbox = self.inbox.items.copy()
        found = {
            name: each.counters.relay_stats()
            if is_relay
            else each.stats(inbox, self.incoming)
            for name, each in self.destinations.items()
        }
        stats = found.pop(LIBRETTO, Stats())
        return evolve(stats, workers_restarted=workers_restarted, exporters=found)
