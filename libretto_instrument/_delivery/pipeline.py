"""The pipeline: from the caller's thread to every destination, bounded and honest.

    put -> inbox -> worker: prepare -> a queue for each destination -> transport

With a store, messages are written to it between the two, and its reader, which is this
or another process, feeds them to the queues. An item is prepared once; the destinations
share its message, and none waits for another.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .._util import errors
from . import lifecycle
from .clock import monotonic
from .counters import Stats
from .destination import Destination
from .feed import Feed
from .flush import FlushMarker, FlushTracker
from .message import Item, Message
from .scheduler import SPOOLED, Scheduler
from .store import Store
from .transport import Transport
from .workers import WorkerPool, new_latch

#: At most this many items wait in the inbox, and none of more than this many bytes,
#: until a worker looks by itself.
MAX_DEFERRED, MAX_DEFERRED_BYTES = 64, 64 * 2**10
#: How often a flush looks whether there are workers enough, in seconds.
_POLL_INTERVAL = 0.1
#: For how long a flush waits for the only worker to notice it, in seconds.
_PLACE_TIMEOUT = 0.02
#: How often a flush asks the store what is left, at first and at most, in seconds.
_MIN_STORE_POLL, _MAX_STORE_POLL = 0.01, 0.1


class Pipeline:
    """Takes items from the callers' threads and gets them to every destination.

    ``put`` is all that a caller waits for. Threads and connections come with the first
    item; without one, there is nothing to shut down.
    """

    def __init__(
        self,
        prepare: Callable[[Any], Message | None],
        destinations: Mapping[str, Transport],
        store: Store | None = None,
        *,
        max_events: int = 10_000,
        max_bytes: int = 64 * 2**20,
        exit_timeout: float = 5.0,
        spool_only: bool = False,
    ) -> None:
        """Make a pipeline that has not started anything yet.

        Args:
            prepare: Turns an item into a message, on a worker. It returns None for an
                item that the user wants withheld.
            destinations: A transport for each destination, by its name.
            store: Where messages are written before they are sent.
            max_events: At most this many entries are kept in memory for a destination;
                beyond that, the oldest waiting ones are dropped.
            max_bytes: Likewise, in bytes.
            exit_timeout: For how many seconds the end of the process may be held up to
                deliver what is left.
            spool_only: Write to the store, and leave the sending to another process.

        Raises:
            ValueError: A bound allows nothing, or ``spool_only`` has no store.
        """
        if min(max_events, max_bytes) < 1:
            raise ValueError(
                "max_events and max_bytes must be at least 1, not "
                f"{max_events} and {max_bytes}"
            )
        if spool_only and store is None:
            raise ValueError("spool_only needs a store")
        self._prepare = prepare
        self._transports = dict(destinations)
        self._names = tuple(self._transports)
        self._store = store
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._exit_timeout = exit_timeout
        self._spool_only = spool_only
        self._reset()
        lifecycle.on_fork(self)
        lifecycle.delay_forks_for_imports(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._is_registered = False
        self._exit_deadline: float | None = None
        self._is_drained = False
        self._warned_left: dict[str, int] = {}
        # Reentrant: a finalizer may run, and ask for statistics, while it is held.
        lock = threading.RLock()
        flushes = FlushTracker()
        destinations = {
            name: Destination(name, transport, self._store, lock, flushes)
            for name, transport in self._transports.items()
        }
        feed: Feed | None = None
        if self._store is not None and not self._spool_only:
            queues = {name: each.queue for name, each in destinations.items()}
            feed = Feed(self._store, queues, lock)
            for each in destinations.values():
                each.on_sent = feed.on_completed
        self._lock, self._feed = lock, feed
        self._scheduler = Scheduler(
            self._prepare,
            destinations,
            self._store,
            feed,
            flushes,
            lock,
            self._max_events,
            self._max_bytes,
            self._spool_only,
        )
        self._inbox = self._scheduler.inbox
        self._workers = WorkerPool(lock, self._scheduler, self._scheduler.max_workers)
        self._max_deferred = min(MAX_DEFERRED, self._max_events // 8)

    def reset_after_fork(self) -> None:
        """Forget what is the parent's: a child delivers what it puts itself."""
        self._reset()
        for owner in (*self._transports.values(), self._store):
            reset = getattr(owner, "reset", None)
            if reset is not None:
                reset()

    def _check_process(self) -> None:
        # A fork in C, such as uWSGI's, runs none of Python's hooks.
        if os.getpid() != self._pid:
            self.reset_after_fork()

    # From the caller's thread

    def put(self, item: Item, destinations: tuple[str, ...] | None = None) -> None:
        """Take an item for delivery.

        It waits for nothing and never touches the network, so it may be called
        anywhere: in a finalizer, in a signal handler, in a forked child. Only when the
        process has drained at its end does it deliver by itself, within
        ``exit_timeout`` in all.

        Args:
            item: The item, or a message that is ready.
            destinations: Their names; all, if left out.
        """
        if os.getpid() != self._pid:
            self.reset_after_fork()
        inbox = self._inbox
        inbox.append((item, self._names if destinations is None else destinations))
        if monotonic() > self._workers.due_at:
            self._attend()
        elif len(inbox) > self._max_deferred or item.size_bytes > MAX_DEFERRED_BYTES:
            self._workers.wake(limit=2)
            if not len(inbox) % MAX_DEFERRED:
                self._limit_inbox()

    def persist(self, item: Item, destinations: tuple[str, ...] | None = None) -> None:
        """Prepare an item and write it to the store; it is there on return.

        If it can't be written, it stays in memory and is delivered from there. It waits
        for no other process.
        """
        self._check_process()
        names = self._names if destinations is None else destinations
        scheduler, store = self._scheduler, self._store
        message: Message | None = None
        try:
            message = self._prepare(item)
        except Exception as exc:
            if errors.is_from_signal_handler(exc):
                self.put(item, names)
                raise
        if message is None or store is None or scheduler.is_closed:
            self.put(item, names)  # A worker finds the same, and counts and reports it.
        elif store.append(message, scheduler.owed(names)):
            self._inbox.append((SPOOLED, names))
            if self._is_drained:
                return
            if monotonic() > self._workers.due_at:
                self._attend()
            elif len(self._inbox) > self._max_deferred:
                self._workers.wake(limit=2)
        else:
            self.put(message, names)

    def _attend(self) -> None:
        if self._is_drained:
            self._deliver_late()
            return
        self._register()
        self._workers.wake()

    def _register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            lifecycle.on_exit(self)

    def _limit_inbox(self) -> None:
        """Drop the oldest items of an inbox that no worker can be had to empty."""
        inbox = self._inbox
        sizes = [getattr(item, "size_bytes", 0) for item, _ in inbox.copy()]
        excess = sum(sizes) - self._max_bytes
        for count, size in enumerate(sizes):
            if excess <= 0 and len(sizes) - count <= self._max_events:
                return
            excess -= size
            with suppress(IndexError):
                _, names = inbox.popleft()
                for name in names or ():
                    counters = self._scheduler.destinations[name].counters
                    counters.count_dropped("queue_full")

    def start(self) -> None:
        """See to it that ``flush`` and the exit deliver what is in the store."""
        self._check_process()
        if self._store is not None:
            self._register()

    def read_store(self) -> None:
        """Have a worker read the store from now on, as a relay does without a `put`."""
        self.start()
        self._workers.wake()

    # Waiting

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put before is delivered.

        Pauses between attempts are cut short meanwhile. With ``spool_only`` it waits
        until everything is on disk.

        Args:
            timeout: Seconds at most.

        Returns:
            True if every destination has everything that was put since the last flush
            (less what the user withheld); False if something is still on its way, or
            was lost.
        """
        self._check_process()
        deadline = monotonic() + min(max(0.0, timeout), threading.TIMEOUT_MAX / 2)
        if not (self._is_registered or self._inbox):
            return True
        if timeout <= 0:
            with self._lock:
                is_idle = not self._scheduler.pending
            is_complete = is_idle and not self._scheduler.flushes.report_loss()
        else:
            is_complete = self._flush_memory(deadline)
        return self._flush_store(deadline) and is_complete

    def _flush_memory(self, deadline: float) -> bool:
        marker = FlushMarker(deadline, new_latch())
        self._inbox.append((marker, None))
        workers = self._workers
        workers.wake(limit=1)
        pause = _PLACE_TIMEOUT
        while not marker.is_passed:
            remaining = deadline - monotonic()
            if remaining <= 0 or marker.done.acquire(True, min(pause, remaining)):
                break
            is_first, pause = pause == _PLACE_TIMEOUT, _POLL_INTERVAL
            if is_first and marker.is_placed:
                continue
            if workers.size:
                workers.wake()
            else:
                self._work_here(marker, deadline)
        return marker.is_passed and not marker.has_loss

    def _flush_store(self, deadline: float) -> bool:
        if self._store is None or self._feed is None:
            return True
        pause = _MIN_STORE_POLL
        while self._store.own_pending(self._names):
            remaining = deadline - monotonic()
            if remaining <= 0:
                return False
            self._read_store(self._feed, min(deadline, monotonic() + pause))
            pause = min(pause * 2, _MAX_STORE_POLL)
        return not self._scheduler.flushes.report_loss()

    def _work_here(self, marker: FlushMarker | None, deadline: float) -> None:
        """Do the workers' jobs on this thread, as none can be started."""
        while (now := monotonic()) < deadline and not (marker and marker.is_passed):
            with self._lock:
                job = self._scheduler.take(now, 0)
                next_at = self._scheduler.next_at(now, 0)
            if job is None:
                if next_at is None:
                    return
                time.sleep(max(0.0, min(next_at, deadline) - now))
                continue
            try:
                job(deadline - now)
            except KeyboardInterrupt:
                raise
            except BaseException as exc:
                errors.log_internal_error(exc, "delivery.flush")

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Deliver what can be delivered in time, then stop for good.

        What is left, and what is put later, is counted as dropped; what is on disk
        stays there.

        Args:
            timeout: Seconds at most.

        Returns:
            What ``flush`` returned.
        """
        deadline = monotonic() + max(0.0, timeout)
        is_complete = self.flush(timeout)
        scheduler = self._scheduler
        with self._lock:
            scheduler.close(monotonic())
            scheduler.is_retiring = scheduler.is_released = True
        self._close_store(deadline)
        self._workers.wake_all()
        scheduler.release()
        return is_complete

    def retire(self, *, reads_store: bool = True) -> None:
        """Deliver what is left in the background, then release everything.

        Args:
            reads_store: Whether to deliver what is in the store, too; another pipeline
                of this process may do that.
        """
        self._check_process()
        if not reads_store:
            self._stop_feed()
        with self._lock:
            self._scheduler.is_retiring = True
            self._scheduler.is_released = not (self._is_registered or self._inbox)
        if not self._scheduler.is_released:
            self._workers.wake(limit=1)

    @property
    def is_retired(self) -> bool:
        """Whether nothing is left to do after ``retire``."""
        scheduler = self._scheduler
        return scheduler.is_retiring and scheduler.is_released and not scheduler.pending

    @property
    def is_busy(self) -> bool:
        """Whether a worker prepares or sends right now."""
        return self._workers.busy > 0

    # Statistics

    def stats(self) -> Stats:
        """Return where everything is that was ever put."""
        self._check_process()
        with self._lock:
            return self._scheduler.stats(self._workers.restarted)

    @property
    def pending(self) -> int:
        """How many messages are on their way, but for those on disk."""
        with self._lock:
            return self._scheduler.pending

    # The end

    def drain_at_exit(self) -> None:
        """Deliver what is left as the process ends.

        However often it is called, it holds up the end for ``exit_timeout`` in all.
        """
        self._check_process()
        now = monotonic()
        if self._exit_deadline is None:
            self._exit_deadline = now + self._exit_timeout
        self._workers.is_exiting, self._workers.due_at = True, 0.0
        if self.pending and now < self._exit_deadline:
            self._flush_memory(self._exit_deadline)
        if self._feed is not None:
            self._drain_store(self._feed, self._exit_deadline)
        self._is_drained = True
        self._warn_undelivered()
        self._close_store(self._exit_deadline)

    def _drain_store(self, feed: Feed, deadline: float) -> None:
        """Deliver from the store what this process wrote, if it is the reader.

        If it wrote nothing, deliver what there is: it may be a job that runs for that.
        """
        store = self._store
        has_written = self.stats().spooled > 0
        while store is not None and monotonic() < deadline:
            leads = tuple(name for name in self._names if store.try_lead(name))
            if not leads or (has_written and not store.own_pending(leads)):
                return
            if not has_written and feed.has_read_all and not feed.in_flight:
                return
            self._read_store(feed, min(deadline, monotonic() + _MIN_STORE_POLL))

    def _read_store(self, feed: Feed, until: float) -> None:
        with self._lock:
            feed.expedite()
        self._workers.wake(limit=1)
        if not self._workers.size:
            self._work_here(None, until)
        time.sleep(max(0.0, until - monotonic()))

    def _stop_feed(self) -> None:
        if self._feed is not None and self._store is not None:
            with self._lock:
                released = self._feed.stop(monotonic())
            for stored in released:
                self._store.release(stored)

    def _close_store(self, deadline: float) -> None:
        """Stop reading, and let other processes; what is being sent has until then."""
        if self._store is None:
            return
        self._stop_feed()
        if self._feed is not None:
            while self._feed.in_flight and self._workers.size:
                if monotonic() > deadline:
                    break
                time.sleep(_MIN_STORE_POLL)
        self._store.close()

    def _deliver_late(self) -> None:
        """Deliver what an exit handler recorded after this pipeline has drained."""
        deadline = self._exit_deadline
        if lifecycle.is_exiting() or deadline is None:
            return
        if monotonic() < deadline:
            self._flush_memory(deadline)
        self._warn_undelivered()

    def _warn_undelivered(self) -> None:
        for each in self._scheduler.destinations.values():
            stats = self.stats()
            own = stats.exporters.get(each.name, stats)
            left = own.queued + own.in_flight
            if left and left != self._warned_left.get(each.name):
                self._warned_left[each.name] = left
                errors.log(
                    "The process ends before %d events could be delivered to %s "
                    "(last error: %s). flush() with a longer timeout before the end, "
                    "or a spool directory, would keep them.",
                    left,
                    each.label,
                    each.counters.last_error,
                )
