"""The worker threads: none before there is work, and more than one if it is slow."""

import _thread
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field

from .._util import errors
from .clock import monotonic
from .flush import FlushMarker

#: After its last job a worker looks again after this many seconds, so that `put` need
#: not wake it: that costs the caller more than the rest of `put`, and each write to a
#: socket takes the interpreter from the caller once more. In bursts it does so once.
FLUSH_INTERVAL = 0.5
#: After this many seconds without work an extra worker ends, and the last one waits
#: until it is woken.
IDLE_TIMEOUT = 30.0
#: A worker may be this late, in seconds, before another one is started in its place.
_GRACE = 0.1
#: A worker that dies is replaced at once, but not more often than this, in seconds.
_RESTART_INTERVAL = 1.0
#: For how long a flush waits for the only worker to notice it, in seconds.
_PLACE_TIMEOUT = 0.02
#: How often it looks whether there are workers enough, in seconds.
_POLL_INTERVAL = 0.1

#: One piece of work; called with a time-out in seconds, or None.
Job = Callable[[float | None], None]


class Source(Protocol):
    """Where workers get jobs. Its methods are called with the lock held."""

    def take(self, now: float, busy: int) -> Job | None:
        """Return the next job, while ``busy`` other workers have one."""
        ...

    def next_at(self, now: float, busy: int) -> float | None:
        """Return when ``take`` may have a job; None if that depends on events."""
        ...

    def needs_standby(self) -> bool:
        """Say whether another worker is to watch what is left while one works."""
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
        lock: Guards the source.
        source: Where the jobs come from.
        limit: At most this many workers.
        due_at: A worker will look at the source by this time of the monotonic clock;
            until then it need not be woken.
        is_exiting: The process ends: workers are to be woken for each item.
        busy: How many workers have a job.
        restarted: How many workers died and were replaced.
    """

    lock: Any
    source: Source
    limit: int
    due_at: float = 0.0
    is_exiting: bool = False
    busy: int = 0
    restarted: int = 0
    _deaths: int = 0
    _died_at: float = 0.0
    _has_napper: bool = False
    _live: set[object] = field(factory=set)
    # The latches of those that wait.
    _idle: deque[Any] = field(factory=deque)

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._live)

    def wake(self, limit: int | None = None) -> None:
        """Have a worker look at the source, a new one if all are busy.

        Args:
            limit: But no new one if there are this many.
        """
        if not self.is_exiting:
            self.due_at = monotonic() + FLUSH_INTERVAL
        limit = self.limit if limit is None else min(limit, self.limit)
        if not self._wake_idle() and len(self._live) < limit:
            self._spawn()

    def wake_all(self) -> None:
        """Have all that wait look at the source."""
        while self._wake_idle():
            pass

    # Waiting for them

    def flush(self, inbox: deque[Any], deadline: float) -> bool:
        """Wait until all that is in the inbox is done with.

        The caller takes no lock and changes nothing but the inbox: a signal handler may
        raise at any moment.

        Args:
            inbox: The source's.
            deadline: Until when, by the monotonic clock.

        Returns:
            Whether it is, and nothing of it was lost.
        """
        marker = FlushMarker(deadline, new_latch())
        inbox.append((marker, None))
        self.wake(limit=1)
        pause = _PLACE_TIMEOUT
        while not marker.is_passed:
            remaining = deadline - monotonic()
            if remaining <= 0 or marker.done.acquire(True, min(pause, remaining)):
                break
            is_noticed = pause == _PLACE_TIMEOUT and marker.is_placed
            pause = _POLL_INTERVAL
            if not self.size:
                self.work_here(deadline, marker)
            elif not is_noticed:
                self.wake()
        return marker.is_passed and not marker.has_loss

    def work_here(self, deadline: float, marker: FlushMarker | None = None) -> None:
        """Do the workers' jobs on this thread, as none can be started."""
        while (now := monotonic()) < deadline and not (marker and marker.is_passed):
            with self.lock:
                job = self.source.take(now, 0)
                next_at = self.source.next_at(now, 0)
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

    # Inside

    def _wake_idle(self) -> bool:
        try:
            latch = self._idle.pop()
        except IndexError:
            return False
        latch.release()
        return True

    def _spawn(self) -> None:
        worker = object()
        self._live.add(worker)
        try:
            # Thread.start() takes a lock of threading's, which this thread may hold
            # already: put() may run in a finalizer. So a bare thread starts it.
            _thread.start_new_thread(self._start_thread, (worker,))
        except RuntimeError:
            # There are none left, or the interpreter ends: flush() does the work then.
            self._live.discard(worker)
            return
        except BaseException:  # A signal handler's.
            self._live.discard(worker)
            raise
        if self._deaths:
            self._deaths -= 1
            self.restarted += 1

    def _start_thread(self, worker: object) -> None:
        try:
            threading.Thread(
                target=self._run, args=(worker,), name="libretto-delivery", daemon=True
            ).start()
        except RuntimeError:  # The interpreter began to end just now.
            self._run(worker)

    def _run(self, worker: object) -> None:
        try:
            self._work(worker)
        except BaseException as exc:
            self._live.discard(worker)
            if self._live:  # Another one is there in its place.
                self.restarted += 1
            else:
                self._deaths += 1
            self.due_at = 0.0
            errors.log_internal_error(exc, "delivery.worker")
            now, before = monotonic(), self._died_at
            self._died_at = now
            with self.lock:
                is_needed = self.source.next_at(now, self.busy) is not None
            if is_needed and not self._live and now - before > _RESTART_INTERVAL:
                self._spawn()
        finally:
            self._live.discard(worker)
            if not self._live:
                self.due_at = 0.0

    def _work(self, worker: object) -> None:
        last_job: float | None = None
        while True:
            latch, timeout, naps = None, 0.0, False
            with self.lock:
                now = monotonic()
                job = self.source.take(now, self.busy)
                if job is not None:
                    self.busy += 1
                    self._expect(now + FLUSH_INTERVAL)
                    is_alone = not self._idle and len(self._live) < self.limit
                    needs_standby = is_alone and self.source.needs_standby()
                elif self.source.is_finished():
                    self._live.discard(worker)
                    return
                else:
                    naps = last_job is not None and now - last_job < IDLE_TIMEOUT
                    naps = naps and not self._has_napper
                    timeout = self._plan_wait(now, naps=naps)
                    latch = new_latch()
                    self._idle.append(latch)
            if job is not None:
                try:
                    if needs_standby:
                        self._spawn()
                    job(None)
                finally:
                    with self.lock:
                        self.busy -= 1
                last_job = monotonic()
                continue
            is_woken = self._wait(latch, timeout, naps=naps)
            if not (is_woken or naps) and timeout >= IDLE_TIMEOUT:
                with self.lock:
                    if len(self._live) > 1:
                        self._live.discard(worker)
                        return

    def _plan_wait(self, now: float, *, naps: bool) -> float:
        """Return how long to wait, and note when a worker looks again."""
        longest = FLUSH_INTERVAL if naps else IDLE_TIMEOUT
        next_at = self.source.next_at(now, self.busy)
        timeout = longest if next_at is None else min(longest, max(0.0, next_at - now))
        if self.busy and self.due_at > now:
            # The busy worker has promised to look at the inbox; its job may hang.
            timeout = min(timeout, self.due_at - now + _GRACE)
        self._has_napper = self._has_napper or naps
        if naps or not (self.busy or self._has_napper):
            is_soon = timeout <= FLUSH_INTERVAL
            self._expect(now + timeout + _GRACE if is_soon else 0.0)
        return timeout

    def _expect(self, due_at: float) -> None:
        self.due_at = 0.0 if self.is_exiting else due_at

    def _wait(self, latch: Any, timeout: float, *, naps: bool) -> bool:
        is_woken: bool = False
        try:
            is_woken = latch.acquire(True, timeout)
        finally:
            if not is_woken:
                try:
                    self._idle.remove(latch)
                except ValueError:  # It was about to be woken.
                    is_woken = True
            if naps:
                self._has_napper = False
        return is_woken
