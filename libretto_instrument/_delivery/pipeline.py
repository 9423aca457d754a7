"""The pipeline: from the caller's thread to every destination, bounded and honest.

    put -> inbox -> worker: prepare -> a queue for each destination -> transport

With a store, messages are written to it between the two, and its reader, which is this
or another process, feeds them to the queues. An item is prepared once; the destinations
share its message, and none waits for another.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .._util import errors
from .._util.clock import monotonic
from .._util.forks import inherits_from_master
from .counters import Stats
from .inbox import SPOOLED
from .lifecycle import on_exit, on_fork
from .message import Item, Message
from .scheduler import Scheduler
from .store import Store
from .transport import Transport
from .workers import WorkerPool

#: At most this many items wait in the inbox, and none of more than this many bytes,
#: until a worker looks by itself.
MAX_DEFERRED, MAX_DEFERRED_BYTES = 64, 64 * 2**10


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
            max_events: At most this many entries for a destination are kept in memory;
                the oldest are dropped.
            max_bytes: Likewise, in bytes.
            exit_timeout: How long the end of the process may be held up, in seconds.
            spool_only: Write to the store, and leave the sending to another process.

        Raises:
            ValueError: A bound allows nothing, or ``spool_only`` has no store.
        """
        if min(max_events, max_bytes) < 1:
            raise ValueError("max_events and max_bytes must be at least 1")
        if spool_only and store is None:
            raise ValueError("spool_only needs a store")
        self._prepare = prepare
        self._transports = dict(destinations)
        self._names = tuple(self._transports)
        self._store = store
        self._exit_timeout = exit_timeout
        self._max_deferred = min(MAX_DEFERRED, max_events // 8)
        self._new_scheduler = partial(
            Scheduler,
            prepare,
            self._transports,
            store,
            max_events,
            max_bytes,
            spool_only,
        )
        self._reset()
        on_fork(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._is_registered = False
        self._exit_deadline: float | None = None
        self._is_drained = False
        self._scheduler = scheduler = self._new_scheduler()
        self._lock, self._feed = scheduler.lock, scheduler.feed
        self._inbox = scheduler.inbox.items
        self._workers = WorkerPool(scheduler, scheduler.max_workers)

    def reset_after_fork(self) -> None:
        """Forget what is the parent's: a child delivers what it puts itself."""
        inherited = [*self._inbox] if inherits_from_master() else []
        self._reset()
        self._inbox.extend(each for each in inherited if each[0] is not SPOOLED)
        for owner in (*self._transports.values(), self._store):
            reset = getattr(owner, "reset", None)
            if reset is not None:
                reset()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            self.reset_after_fork()

    # From the caller's thread

    def put(self, item: Item, destinations: tuple[str, ...] | None = None) -> None:
        """Take an item for delivery.

        It waits for nothing, so it may be called anywhere: in a finalizer, in a signal
        handler, in a forked child. Only once the process has drained at its end does it
        deliver by itself, within ``exit_timeout`` in all.

        Args:
            item: The item, or a message that is ready.
            destinations: Their names; all, if left out.
        """
        # A fork in C, such as uWSGI's, runs none of Python's hooks.
        if os.getpid() != self._pid:
            self.reset_after_fork()
        inbox = self._inbox
        inbox.append((item, self._names if destinations is None else destinations))
        if (
            monotonic() > self._workers.due_at
            or len(inbox) > self._max_deferred
            or item.size_bytes > MAX_DEFERRED_BYTES
        ):
            self._notify()

    def persist(self, item: Item, destinations: tuple[str, ...] | None = None) -> None:
        """Prepare an item and write it to the store; it is there on return.

        If it can't be written, it is delivered from memory.
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
        elif not store.append(message, scheduler.owed(names)):
            self.put(message, names)
        else:
            self._inbox.append((SPOOLED, names))
            is_due = monotonic() > self._workers.due_at
            if (is_due or len(self._inbox) > self._max_deferred) and (
                not self._is_drained
            ):
                self._notify()

    def _notify(self) -> None:
        """Have a worker look at the inbox."""
        if self._is_drained:
            self._deliver_late()
        elif monotonic() > self._workers.due_at:
            self._register()
            self._workers.wake()
        else:
            self._workers.wake(limit=2)
            if not len(self._inbox) % MAX_DEFERRED:
                self._scheduler.limit_inbox()

    def _register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            on_exit(self)

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

        Returns:
            True if every destination has all that was put since the last flush, less
            what the user withheld; False if something is on its way, or was lost.
        """
        self._check_process()
        deadline = monotonic() + min(max(0.0, timeout), threading.TIMEOUT_MAX / 2)
        if not (self._is_registered or self._inbox):
            return True
        flushes = self._scheduler.flushes
        reported = flushes.reported
        if timeout <= 0:
            with self._lock:
                is_complete = not self._scheduler.pending
        else:
            is_complete = self._workers.flush(deadline)
        if self._feed is not None:
            is_complete = self._feed.flush(self._workers, deadline) and is_complete
        return flushes.report(reported) and is_complete

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
        if self._feed is not None:
            self._feed.stop(self._workers, deadline)
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
        if self._feed is not None and not reads_store:
            self._feed.stop()
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

    # Statistics

    def stats(self, *, is_relay: bool = False) -> Stats:
        """Return where everything is that was ever put; of a relay, what it read."""
        self._check_process()
        with self._lock:
            restarted = self._workers.restarted
            return self._scheduler.stats(restarted, is_relay=is_relay)

    @property
    def pending(self) -> int:
        """How many messages are on their way, but for those on disk."""
        with self._lock:
            return self._scheduler.pending

    # The end

    def begin_exit(self) -> float:
        """Have what is left delivered without a pause, as the process ends.

        Returns:
            Until when `drain_at_exit` may wait: ``exit_timeout`` from the first time.
        """
        self._check_process()
        if self._exit_deadline is None:
            self._exit_deadline = monotonic() + self._exit_timeout
            self._workers.is_exiting, self._workers.due_at = True, 0.0
            if self.pending:
                self._workers.begin_flush(self._exit_deadline)
        return self._exit_deadline

    def drain_at_exit(self) -> None:
        """Deliver what is left as the process ends.

        However often it is called, it holds up the end for ``exit_timeout`` in all.
        """
        deadline = self.begin_exit()
        if self.pending and monotonic() < deadline:
            self._workers.flush(deadline)
        if self._feed is not None and not self._is_drained:
            has_written = self.stats().spooled > 0
            self._feed.drain(self._workers, deadline, own=has_written)
        self._is_drained = True
        self._warn_undelivered()
        if self._store is not None:
            self._store.close()

    def _deliver_late(self) -> None:
        """Deliver what an exit handler recorded after this pipeline has drained."""
        deadline = self._exit_deadline
        if sys.is_finalizing() or deadline is None:
            return  # No other thread runs any more.
        if monotonic() < deadline:
            self._workers.flush(deadline)
        self._warn_undelivered()

    def _warn_undelivered(self) -> None:
        stats = self.stats()
        for name, each in self._scheduler.destinations.items():
            own = stats.exporters.get(name, stats)
            each.warn_undelivered(own.queued + own.in_flight)
