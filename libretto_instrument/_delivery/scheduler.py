"""What workers do next, over the queues of all destinations."""

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, evolve, field

from .._util import errors
from .circuit import Entry
from .counters import Stats
from .destination import Destination
from .feed import Feed
from .flush import FlushMarker, FlushTracker
from .message import LIBRETTO, Message
from .preparation import Preparation
from .queue import DeliveryQueue
from .store import Store
from .transport import Transport
from .workers import MIN_SLOW_LATENCY, Finish, Job

#: Another worker joins those that are busy with a destination when the next message for
#: it has been ready for longer than this, in seconds; and while a flush waits.
MAX_QUEUE_DELAY, MAX_QUEUE_DELAY_FLUSHING = 0.5, 0.1
#: But not while sending takes less than this, in seconds: then workers would wait for
#: the interpreter, of which there is one, and not for the backend.
MIN_PARALLEL_LATENCY = 0.002
#: Unless nothing came back for this long, in seconds.
STALL_TIMEOUT = 0.25
#: Items are prepared for about this many seconds, and then something is sent.
PREPARE_SECONDS = 0.02
#: What stands in the inbox for a message that the caller wrote to the store.
SPOOLED = object()


@define(eq=False)
class Scheduler:
    """The state behind a pipeline, whose bounds it has: what was put, and where it is.

    Attributes:
        lock: Guards everything here but the inbox.
        inbox: What was put, with the names of its destinations, and flush markers.
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
    destinations: dict[str, Destination] = field(init=False)
    preparation: Preparation = field(init=False)
    feed: Feed | None = None
    inbox: deque[tuple[Any, Any]] = field(factory=deque)
    is_closed: bool = False
    is_retiring: bool = False
    is_released: bool = False
    # What callers dropped of the inbox, by the names of its destinations. One counter;
    # a thread that changes it takes it out meanwhile, as callers take no lock.
    _evicted: deque[Counter[Any]] = field(factory=deque)
    _seq: int = 0
    _stages: tuple[Preparation | Destination, ...] = field(init=False)
    _queues: tuple[DeliveryQueue, ...] = field(init=False)
    # Since when items are prepared and nothing is sent.
    _preparing_since: float | None = None

    def __attrs_post_init__(self) -> None:
        self.destinations = {
            name: Destination(name, transport, self.store, self.flushes)
            for name, transport in self.transports.items()
        }
        self.preparation = Preparation(
            self.prepare, self.destinations, self.store, self.spool_only, self.flushes
        )
        self._stages = (self.preparation, *self.destinations.values())
        self._queues = tuple(stage.queue for stage in self._stages)
        if self.store is not None and not self.spool_only:
            queues = {name: each.queue for name, each in self.destinations.items()}
            self.feed = Feed(self.store, queues, self.lock)
            self.preparation.on_stored = self.feed.expedite
            for each in self.destinations.values():
                each.on_sent = self.feed.on_completed

    @property
    def max_workers(self) -> int:
        """One more than can be busy, so that there is always one to empty the inbox."""
        return 1 + sum(queue.max_concurrency for queue in self._queues)

    @property
    def pending(self) -> int:
        """How many entries are on their way, but for those on disk."""
        return len(self.inbox) + sum(queue.pending for queue in self._queues)

    # From the inbox

    def drain_inbox(self, now: float) -> None:
        """Move what was put into the queue of what is to be prepared."""
        if self._evicted:
            self._count_evicted()
        while self.inbox:
            try:
                item, names = self.inbox.popleft()
            except IndexError:  # put() dropped the last one.
                break
            if item is SPOOLED:
                self.preparation.count_spooled(names)
            elif isinstance(item, FlushMarker):
                self._place(item, now)
            else:
                self._accept(item, names, now)
        self._enforce_bounds(now)

    def evict(self, item: Any, names: Any) -> None:
        """Drop what a caller took out of a full inbox. Takes no lock."""
        if isinstance(item, FlushMarker):
            self.inbox.append((item, names))  # It waits for what is there now.
            return
        try:
            counts = self._evicted.pop()
        except IndexError:
            counts = Counter()
        counts[item is SPOOLED, names] += 1
        self._evicted.append(counts)

    def _count_evicted(self) -> None:
        try:
            counts = self._evicted.popleft()
        except IndexError:
            return
        for (is_spooled, names), count in counts.items():
            if is_spooled:
                self.preparation.count_spooled(names, count)
            else:
                self.preparation.count_lost(names, "queue_full", count)

    def _accept(self, item: Any, names: tuple[str, ...], now: float) -> None:
        try:
            size, key = item.size_bytes, item.ordering_key
        except Exception as exc:
            self.preparation.count_lost(names, "prepare_failed")
            errors.log_internal_error(exc, "delivery.put")
            return
        if self.is_closed:
            self.preparation.count_lost(names, "shutdown")
        elif size > self.max_bytes:
            self.preparation.count_lost(names, "too_large")
        else:
            self._seq += 1
            self.is_released = False
            self.preparation.queue.add(Entry(self._seq, size, key, item, names), now)

    def _place(self, marker: FlushMarker, now: float) -> None:
        if now >= marker.deadline:
            return
        for queue in self._queues:
            queue.expedite(now, marker.deadline)
        if self.feed is not None:
            self.feed.expedite()
        outstanding = sum(queue.pending for queue in self._queues)
        self.flushes.place(marker, self._seq, outstanding)

    def _enforce_bounds(self, now: float) -> None:
        incoming = self.preparation.queue
        for each in self.destinations.values():
            queue = each.queue
            while (
                queue.pending + incoming.pending > self.max_events
                or queue.bytes + incoming.bytes > self.max_bytes
            ):
                if not (
                    each.drop_oldest(now, "queue_full")
                    or self.preparation.drop_oldest(now, "queue_full")
                ):
                    break

    # For the workers: see `Source`

    def take(self, now: float, previous: Job | None) -> Job | None:
        """Return the next job for a worker, which has just done the previous one."""
        if self.inbox or self._evicted:
            self.drain_inbox(now)
        if self.feed is not None and self.feed.begin(now):
            return Job(self.feed.poll)
        for stage in self._order(now):
            queue = stage.queue
            if not (queue.queued or queue.stored_pending):
                continue
            # A worker goes on with what no other worker makes progress with.
            goes_on = (
                previous is not None
                and previous.stage is stage
                and previous.ends + 1 == queue.ends
            )
            batch = queue.take(now, 0.0 if goes_on else self._min_wait(stage, now))
            if not batch:
                continue
            if stage is not self.preparation:
                self._preparing_since = None
            else:
                self._enforce_bounds(now)
                self._preparing_since = self._preparing_since or now
            is_fast = 0 < queue.latency < MIN_SLOW_LATENCY
            # An exporter is the user's code; it may hang.
            is_slow = not is_fast or len(self.destinations) > 1
            return Job(partial(stage.run, batch), is_slow, stage, queue.ends)
        if self.is_retiring and not self.is_released and self._is_idle():
            self.is_released = True
            return Job(self._release)
        return None

    def _is_idle(self) -> bool:
        feed = self.feed
        if feed is None:
            return not self.pending
        is_read = feed.is_stopped or feed.has_read_all
        return is_read and not (self.pending or feed.in_flight)

    def _order(self, now: float) -> tuple[Preparation | Destination, ...]:
        # Neither preparing nor sending holds up the other; writing to disk goes first.
        since = self._preparing_since
        if self.store or since is None or now - since < PREPARE_SECONDS:
            return self._stages
        return (*self._stages[1:], self.preparation)

    def _min_wait(self, stage: Preparation | Destination, now: float) -> float:
        """Return how long an entry has to be ready before another worker joins."""
        queue = stage.queue
        is_active = queue.active > 0
        if stage is self.preparation and self.store is None:
            # The worker that sends prepares, too, as long as it comes back soon.
            is_active = is_active or any(
                each.active and now - each.last_end < STALL_TIMEOUT
                for each in self._queues
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
        if self.inbox:
            return now
        next_at = math.inf if self.feed is None else self.feed.next_at
        for stage in self._stages:
            next_at = min(next_at, stage.queue.next_at(now, self._min_wait(stage, now)))
        return next_at

    def is_finished(self) -> bool:
        """Say whether the workers are to end."""
        return self.is_closed or (self.is_retiring and self.is_released)

    # The end

    def close(self, now: float) -> None:
        """Drop what waits, and from now on everything that comes."""
        self.drain_inbox(now)
        self.is_closed = self.is_retiring = self.is_released = True
        for stage in self._stages:
            stage.is_closed = True
            while stage.drop_oldest(now, "shutdown"):
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
        self._count_evicted()
        found = {
            name: each.counters.relay_stats() if is_relay else self._stats(each)
            for name, each in self.destinations.items()
        }
        stats = found.pop(LIBRETTO, Stats())
        return evolve(stats, workers_restarted=workers_restarted, exporters=found)

    def _stats(self, destination: Destination) -> Stats:
        name, queue = destination.name, destination.queue
        incoming = self.preparation.queue
        waiting = [item for item, names in self.inbox.copy() if names and name in names]
        spooled = waiting.count(SPOOLED)
        queued = queue.queued + len(waiting) - spooled
        queued += sum(name in e.destinations for e in incoming.waiting_entries())
        in_flight = queue.in_flight
        in_flight += sum(name in e.destinations for e in incoming.taken_entries())
        return destination.counters.stats(queued, in_flight, spooled)
