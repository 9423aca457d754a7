"""The worker threads: none before there is work, and more than one if it is slow.

Those without work look for it at each flush interval, so that callers need not wake
them. While all are busy, and may be for long, callers start another.
"""

import _thread
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from attrs import define, field, frozen

from .._util import errors, forks
from .._util.clock import monotonic
from .flush import FlushMarker
from .inbox import Inbox

#: How often a worker looks for work, in seconds. To wake it costs the caller more than
#: the rest of `put`, and each write to a socket takes the interpreter from the caller
#: once more. In bursts it does so once.
FLUSH_INTERVAL = 0.5
#: After this many seconds without work workers end, but for one, which waits until it
#: is woken.
IDLE_TIMEOUT = 30.0
#: A job of less than this, in seconds, is not worth a second worker.
MIN_SLOW_LATENCY = 0.02
#: A worker may be this late, in seconds, before it is woken.
_GRACE = 0.1
#: A worker that dies is replaced at once, but not more often than this, in seconds.
_RESTART_INTERVAL = 1.0
#: How often a flush looks whether there are workers enough, in seconds.
_CHECK_INTERVAL = 0.1

#: Called with the lock held, and the time, when a job is done; returns what it raised.
Finish = Callable[[float], BaseException | None]
#: A worker's: by queue, how many of its jobs are done with this worker's last one, if
#: no other worker has done any since. Empty after a wait.
Progress = dict[object, int]


@frozen
class Job:
    """One piece of work.

    Attributes:
        run: Does it, without the lock, within seconds, or None.
        is_slow: It may take long, so that another worker has to watch what is left.
        queue: Where its entries are from, if it has any.
    """

    run: Callable[[float | None], Finish]
    is_slow: bool = False
    queue: object = None


class Source(Protocol):
    """Where workers get jobs. The lock is held while its methods are called."""

    lock: Any
    inbox: Inbox

    def take(self, now: float, progress: Progress) -> Job | None:
        """Return the next job for a worker, and note it in the worker's progress."""
        ...

    def next_at(self, now: float) -> float:
        """Return when ``take`` may have a job; infinity if that depends on events."""
        ...

    def is_finished(self) -> bool:
        """Say whether the workers are to end."""
        ...


def new_latch() -> Any:
    """Return a locked lock: a waiter acquires it, and one ``release`` lets it through.

    A `threading.Event` would take a lock of its own to be set, perhaps in a signal
    handler that interrupted the holder of that very lock. It is looked up now, as
    gevent and eventlet replace it.
    """
    latch = threading.Lock()
    latch.acquire()
    return latch


@define(eq=False)
class WorkerPool:
    """Threads that do the jobs of a source.

    ``wake`` takes no lock, so it may be called anywhere, in signal handlers too.

    Attributes:
        source: Where the jobs come from.
        limit: At most this many workers.
        due_at: A worker will look at the source by this time of the monotonic clock;
            until then it need not be woken.
        is_exiting: The process ends: workers are to be woken for each item.
        busy: How many workers have a job.
        restarted: How many workers died and were replaced.
    """

    source: Source
    limit: int
    due_at: float = 0.0
    is_exiting: bool = False
    busy: int = 0
    restarted: int = 0
    _worked_at: float = -math.inf
    _died_at: float = -math.inf
    _live: set[object] = field(factory=set)
    # The latches of those that wait.
    _idle: deque[Any] = field(factory=deque)

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._live)

    def wake(self, limit: int | None = None) -> None:
        """Have a worker look at the source, a new one if all are busy and few."""
        self._promise(monotonic() + FLUSH_INTERVAL)
        if not self._wake_idle():
            self._spawn(self.limit if limit is None else limit)

    def wake_all(self) -> None:
        """Have all that wait look at the source."""
        while self._wake_idle():
            pass

    # Waiting for them

    def flush(self, deadline: float) -> bool:
        """Wait until all that is in the inbox is done with; say whether it is.

        The caller takes no lock and changes nothing but the inbox: a signal handler may
        raise at any moment.
        """
        marker = self.begin_flush(deadline)
        while not marker.is_passed and (left := deadline - monotonic()) > 0:
            if not self._live:
                self.work_here(deadline, marker)
            if marker.done.acquire(True, min(_CHECK_INTERVAL, left)):
                break
            self.wake()
        return marker.is_passed

    def begin_flush(self, deadline: float) -> FlushMarker:
        """Have all that is in the inbox delivered without a pause until a deadline."""
        marker = FlushMarker(deadline, new_latch())
        self.source.inbox.items.append((marker, None))
        self.wake(limit=1)
        return marker

    def work_here(self, deadline: float, marker: FlushMarker | None = None) -> None:
        """Do the workers' jobs on this thread, as none can be started."""
        while (now := monotonic()) < deadline and not (marker and marker.is_passed):
            with self.source.lock:
                job = self.source.take(now, {})
                next_at = now if job else self.source.next_at(now)
            if job is not None:
                self._do(job, deadline - now)
            elif next_at == math.inf:
                return
            else:
                time.sleep(max(0.0, min(next_at, deadline) - now))

    # Inside

    def _promise(self, due_at: float) -> None:
        """Say by when a worker looks at the source; 0 if it has to be woken."""
        self.due_at = 0.0 if self.is_exiting else due_at

    def _wake_idle(self) -> bool:
        while self._idle:
            is_waiting = True
            try:
                # It is released before it is taken out: what a signal handler raises in
                # between must not leave a worker asleep that no other call finds.
                latch = self._idle[-1]
                latch.release()
            except IndexError:
                return False
            except RuntimeError:  # It was released before.
                is_waiting = False
            with suppress(ValueError):
                self._idle.remove(latch)
            if is_waiting:
                return True
        return False

    def _spawn(self, limit: int) -> None:
        if len(self._live) >= min(limit, self.limit) or not forks.may_start_threads():
            return
        worker = object()
        self._live.add(worker)
        try:
            # Thread.start() takes a lock of threading's, which this thread may hold
            # already: put() may run in a finalizer. So a bare thread starts it.
            _thread.start_new_thread(self._start_thread, (worker,))
        except RuntimeError:
            # There are none left, or the interpreter ends: flush() does the work then.
            self._live.discard(worker)
        except BaseException:  # A signal handler's.
            self._live.discard(worker)
            raise

    def _start_thread(self, worker: object) -> None:
        try:
            threading.Thread(
                target=self._run, args=(worker,), name="libretto-delivery", daemon=True
            ).start()
        except RuntimeError:  # The interpreter began to end just now.
            self._run(worker)

    def _run(self, worker: object) -> None:
        forks.worker_threads.add(threading.get_ident())
        try:
            self._work(worker)
        except BaseException as exc:
            self._live.discard(worker)
            self.restarted += 1
            errors.log_internal_error(exc, "delivery.worker")
            now, before = monotonic(), self._died_at
            self._died_at = now
            with self.source.lock:
                is_needed = self.source.next_at(now) < math.inf
            if is_needed and not self._live and now - before > _RESTART_INTERVAL:
                self._spawn(1)
        finally:
            forks.worker_threads.discard(threading.get_ident())
            self._live.discard(worker)
            if not self._live:
                self.due_at = 0.0

    def _work(self, worker: object) -> None:
        progress: Progress = {}
        while True:
            with self.source.lock:
                now = monotonic()
                job = self.source.take(now, progress)
                if job is not None:
                    self._begin(job, now)
                elif self.source.is_finished() or self._is_surplus(now):
                    self._live.discard(worker)
                    return
                else:
                    timeout = self._plan_wait(now)
                    latch = new_latch()
                    self._idle.append(latch)
            if job is not None:
                self._do(job)
            else:
                self._wait(latch, timeout)
                progress.clear()

    def _begin(self, job: Job, now: float) -> None:
        """Count a job, and have another worker watch what is left if need be."""
        self.busy += 1
        if self._idle:
            return  # One of them looks in time.
        self._promise(0.0 if job.is_slow else now + MIN_SLOW_LATENCY)
        if self.source.next_at(now) < math.inf:
            self.wake()  # This one may hang, and perhaps no caller comes any more.

    def _do(self, job: Job, timeout: float | None = None) -> None:
        is_worker, finish, fault = timeout is None, None, None
        try:
            finish = job.run(timeout)
        finally:
            with self.source.lock:
                now = monotonic()
                if is_worker:
                    self.busy -= 1
                    if job.queue is not None:  # To look into the store is no work.
                        self._worked_at = now
                    self._promise(now + FLUSH_INTERVAL)
                if finish is not None:
                    fault = finish(now)
        if fault is not None:
            if not isinstance(fault, Exception):
                raise fault  # It ends a worker, and is logged there.
            errors.log_internal_error(fault, "delivery.job")

    def _is_active(self, now: float) -> bool:
        return self.busy > 0 or now - self._worked_at < IDLE_TIMEOUT

    def _is_surplus(self, now: float) -> bool:
        return len(self._live) > 1 and not self._is_active(now)

    def _plan_wait(self, now: float) -> float:
        """Return for how long to wait for work, in seconds."""
        timeout = FLUSH_INTERVAL if self._is_active(now) else IDLE_TIMEOUT
        timeout = min(timeout, max(0.0, self.source.next_at(now) - now))
        is_soon = timeout <= FLUSH_INTERVAL
        self._promise(now + timeout + _GRACE if is_soon else 0.0)
        return timeout

    def _wait(self, latch: Any, timeout: float) -> None:
        try:
            latch.acquire(True, timeout)
        finally:
            with suppress(ValueError):  # Who woke it has taken it out.
                self._idle.remove(latch)
