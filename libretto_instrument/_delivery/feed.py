"""Feeds messages of any process from the store to the queues, a window at a time."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from .._util.clock import monotonic
from .entry import Entry
from .queue import DeliveryQueue
from .store import Store
from .workers import Finish, WorkerPool

#: At most this many messages of a store, and bytes, are in a queue at a time. After a
#: crash they may be sent once more.
WINDOW, WINDOW_BYTES = 256, 8 * 2**20
#: How often to look for new messages, at most and at least, in seconds.
MIN_POLL, MAX_POLL = 0.05, 0.5
#: How often to maintain the store, in seconds.
MAINTENANCE_INTERVAL = 1.0
#: How often a flush asks the store what is left, at first and at most, in seconds.
_MIN_WAIT, _MAX_WAIT = 0.01, 0.1


@define(eq=False)
class Feed:
    """Moves messages from a store into the queues of their destinations.

    Attributes:
        store: The store.
        queues: By destination.
        lock: Guards the queues and what is here.
        next_at: When to poll, by the monotonic clock; infinity while that is under way.
        has_read_all: The last poll found nothing new.
        is_stopped: Nothing more is sent from the store.
    """

    store: Store
    queues: Mapping[str, DeliveryQueue]
    lock: Any
    next_at: float = 0.0
    has_read_all: bool = False
    is_stopped: bool = False
    _pause: float = MIN_POLL
    _maintain_at: float = 0.0
    _is_expedited: bool = False
    # The last poll left messages that there was no place for.
    _has_more: bool = False
    _rejected: set[Any] = field(factory=set)

    @property
    def in_flight(self) -> int:
        """How many stored messages are in the queues or being sent."""
        return sum(queue.stored_pending for queue in self.queues.values())

    def expedite(self) -> None:
        """Poll soon: there are new messages."""
        self._pause, self._is_expedited = MIN_POLL, True
        if self.next_at < math.inf:
            self.next_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to send that it knows of."""
        return (self.is_stopped or self.has_read_all) and not self.in_flight

    def begin(self, now: float) -> bool:
        """Say whether to poll now; if so, ``poll`` must follow."""
        is_due = now >= self.next_at
        if self._has_more and self.next_at < math.inf:
            is_due = is_due or all(
                queue.stored_pending < WINDOW // 2
                and queue.stored_bytes < WINDOW_BYTES // 2
                for queue in self.queues.values()
            )
        if not is_due:
            return False
        self.next_at, self._is_expedited = math.inf, False
        return True

    def poll(self, timeout: float | None = None) -> Finish:
        """Read from the store what the queues have place for; see `Job`.

        It takes at most about 50 ms for each destination.
        """
        found: list[tuple[DeliveryQueue, Any]] = []
        has_more, fault = False, None
        try:
            if monotonic() >= self._maintain_at:
                self._maintain_at = monotonic() + MAINTENANCE_INTERVAL
                self.store.maintain()
            for name, queue in self.queues.items():
                if self.store.try_lead(name):
                    limit = WINDOW - queue.stored_pending
                    space = WINDOW_BYTES - queue.stored_bytes
                    is_full = min(limit, space) <= 0
                    new = [] if is_full else self.store.read(name, limit, space)
                    found += [(queue, stored) for stored in new]
                    has_more = has_more or is_full or len(new) == limit
        except BaseException as exc:
            fault = exc

        def finish(now: float) -> BaseException | None:
            if not self.is_stopped:  # Else the store's next reader gets them.
                self._has_more = has_more
                self._add(found, now)
            return fault

        return finish

    def _add(self, found: "list[tuple[DeliveryQueue, Any]]", now: float) -> None:
        for queue, stored in found:
            message = stored.message
            key, size = message.ordering_key, message.size_bytes
            queue.add(Entry(0, size, key, message, stored=stored), now)
        self.has_read_all = not (found or self._has_more)
        self._pause = MIN_POLL if found else min(MAX_POLL, self._pause * 2)
        self.next_at = 0.0 if self._is_expedited else now + self._pause

    # On the caller's thread

    def flush(self, workers: WorkerPool, deadline: float) -> bool:
        """Wait until every destination has what this process wrote; say whether it has.

        The reader may be another process. What a destination refused makes one flush
        False.
        """
        names = tuple(self.queues)
        if not self._wait(workers, deadline, lambda: not self.store.own_pending(names)):
            return False
        known, self._rejected = self._rejected, self.store.own_rejected(names)
        return self._rejected <= known

    def drain(self, workers: WorkerPool, deadline: float, *, own: bool) -> None:
        """Send what is in the store, if this process reads it, and then stop.

        With ``own`` only what this process wrote is waited for; else all there is.
        """

        def is_done() -> bool:
            leads = tuple(name for name in self.queues if self.store.try_lead(name))
            is_read = self.has_read_all and not self.in_flight
            return not leads or (not self.store.own_pending(leads) if own else is_read)

        self._wait(workers, deadline, is_done)
        self.stop(workers, deadline)

    def _wait(
        self, workers: WorkerPool, deadline: float, is_done: Callable[[], bool]
    ) -> bool:
        pause = _MIN_WAIT
        while not is_done():
            until = min(deadline, monotonic() + pause)
            if monotonic() >= deadline:
                return False
            with self.lock:
                self.expedite()
            workers.wake(limit=1)
            if not workers.size:
                workers.work_here(until)
            time.sleep(max(0.0, until - monotonic()))
            pause = min(pause * 2, _MAX_WAIT)
        return True

    def stop(self, workers: WorkerPool | None = None, deadline: float = 0.0) -> None:
        """Send nothing more from the store; what is being sent has until ``deadline``.

        What waits is left to the store's next reader.
        """
        with self.lock:
            self.is_stopped, self.next_at = True, math.inf
            for queue in self.queues.values():
                queue.drop_stored(monotonic())
        while workers and workers.size and self.in_flight and monotonic() < deadline:
            time.sleep(_MIN_WAIT)
