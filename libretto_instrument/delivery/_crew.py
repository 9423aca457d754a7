"""The worker threads: none until needed, one as a rule, more while it is not enough."""

import sys
import threading
from _thread import LockType, start_new_thread
from collections.abc import Callable, Sequence
from time import monotonic, sleep, thread_time
from typing import Any

from attrs import define, field

from .._util import errors
from . import _life
from ._backlog import Backlog, Job
from ._gate import Gate, shut_latch
from ._ledger import Mark
from ._message import Message
from ._sender import BatchSender, Outcome, Sender

#: A worker beyond the first ends when it had nothing to do for so many seconds. Each
#: that ends takes the interpreter from the callers once more, and the next burst has to
#: start another. For as long the last one naps on, before it sleeps until it is roused.
LINGER = 30.0
#: After its last job a worker looks again so many seconds later. To rouse a thread
#: costs the caller more than the rest of put(), and to work beside the caller's threads
#: costs them more than that: the interpreter changes hands at each write to a socket.
#: What is done in one go disturbs them once.
NAP = 0.5
#: And where it only hands on, or writes to disk.
SHORT_NAP = 0.02
#: Those at work may be so far behind, in seconds, before another one joins them: as
#: long as events wait for a nap to end.
TOLERATED_DELAY = 0.5
#: And while somebody waits in a flush.
TOLERATED_DELAY_OF_FLUSH = 0.1
#: When nothing was settled for so many seconds, another one joins them in any case.
STALLED_AFTER = 0.25
#: How often at most the crew's size is reconsidered while it is behind, in seconds; and
#: not before what joined last can have sent something.
RECONSIDER_EVERY = 0.01
#: Workers whose sending takes more than this share of one CPU are too many: they are
#: held up by the interpreter, of which there is one, and not by the backend.
BUSY = 0.5
#: The first messages are not measured: what they take goes into imports and handshakes.
UNMEASURED = 2
#: How long a worker naps to find out whether others hog the interpreter, in seconds.
TEST_NAP = 0.0001


@define(eq=False)
class Crew:
    """The workers, each of which gets, prepares and sends one job at a time.

    Attributes:
        gate: Guards the backlog and the fields here.
        backlog: Where the jobs come from.
        prepare: Makes the message of an item.
        sender: Sends the message.
        limit: At most so many workers, so many messages in flight.
        size: How many there are.
        on_hire: Called for each new worker, still on the thread that hires.
        destination: Where the messages go, for the log.
        nap: After its last job a worker looks again so many seconds later; None is
            for as long as spares the callers.
        hiring: Whether more may be started; not any more when the interpreter exits.
    """

    gate: Gate
    backlog: Backlog
    prepare: Callable[[Any], Message | None]
    sender: Sender
    limit: int
    on_hire: Callable[[], None]
    destination: str = "Libretto"
    nap: float | None = None
    size: int = 0
    hiring: bool = True
    _idle: list[LockType] = field(factory=list)
    # How many of the idle ones wake by themselves when the backlog has something.
    _alert: int = 0
    # How many of the idle ones are about to look again anyway.
    _napping: int = 0
    _nap_ends: float = 0.0
    _deaths: int = 0
    # Of one message, in seconds: until it is sent, and of CPU. Zero is unknown.
    _latency: float = 0.0
    _cpu: float = 0.0
    _measured: int = -UNMEASURED
    _last_settled: float = 0.0
    _reconsider_at: float = 0.0
    _reported: int = 0
    _batching: BatchSender | None = field(init=False)

    @_batching.default
    def _find_batching(self) -> BatchSender | None:
        return self.sender if isinstance(self.sender, BatchSender) else None

    # From the caller's side, with the gate held

    def rouse(self, *, urgently: bool = False) -> None:
        """See to it that somebody looks after what waits.

        Args:
            urgently: Somebody waits for it.
        """
        backlog = self.backlog
        waiting = backlog.waiting
        if not waiting:
            return
        if not self.size:
            self._hire()
            return
        at_work = self.size - len(self._idle)
        if backlog.health.unwell and (self._alert or backlog.in_flight):
            # Whoever waits for the pause to end, or has the probe in hand, looks next.
            return
        if not at_work:
            if urgently or not self._napping or not self.hiring or backlog.filling:
                self._wake()
        elif urgently or not self._latency or self._lags(at_work):
            now = monotonic()
            if now - self._last_settled > STALLED_AFTER:
                self._last_settled = now
                self._join()

    def _lags(self, at_work: int) -> bool:
        return self.backlog.waiting * self._latency > at_work * self._tolerated_delay

    @property
    def _tolerated_delay(self) -> float:
        is_awaited = self.backlog.ledger.is_awaited
        return TOLERATED_DELAY_OF_FLUSH if is_awaited else TOLERATED_DELAY

    def hire_no_more(self) -> None:
        """Start no more workers, and let no item wait for one that naps."""
        self.hiring = False
        self.gate.attended_until = 0.0

    def hire_first(self) -> None:
        """Have a worker, before there is anything for it to do."""
        if not self.size:
            self._hire()

    def _wake(self) -> None:
        self._idle.pop().release()
        self._attend()

    def _join(self) -> None:
        if self._idle:
            self._wake()
        elif self.size < self.limit:
            self._hire()

    def rouse_all(self) -> None:
        """Wake everybody: the pauses have changed, or it is time to go."""
        while self._idle:
            self._idle.pop().release()

    def _hire(self) -> None:
        if not self.hiring:
            return
        try:
            # Thread.start() takes a lock of the threading module, which the thread
            # that we are on may hold: put() may run in a finaliser. So a bare thread,
            # which takes none, starts the real one.
            start_new_thread(self._launch, ())
        except RuntimeError:
            # No threads any more, or none left: the exit drains without, and until
            # then the next put tries again.
            return
        if not self.size:
            self._last_settled = monotonic()
        self._grow(1)
        self.on_hire()
        if self._deaths:
            self._deaths -= 1
            self.backlog.ledger.restarted += 1

    def _launch(self) -> None:
        try:
            threading.Thread(
                target=self._work, name="libretto-delivery", daemon=True
            ).start()
        except RuntimeError:
            with self.gate:
                self._grow(-1)

    # The workers' own

    def _work(self) -> None:
        job: Job | None = None
        try:
            while (job := self._next_job(napping=job is not None)) is not None:
                self._carry(job)
                self._report()
                if not self._stays():
                    return
        except BaseException as exc:
            with self.gate:
                self._grow(-1)
                self._deaths += 1
                if job is not None:
                    self.backlog.give_back(job)
            errors.log_internal_error(exc, "delivery.worker")

    def _next_job(self, *, napping: bool) -> Job | None:
        """Wait for a job, perhaps with a nap first; None tells the worker to end."""
        with self.gate:
            began = monotonic()
            while True:
                now = monotonic()
                job = self.backlog.take(now)
                if job is not None:
                    self._attend()
                    return job
                if self.backlog.closed:
                    break
                napping = napping and self.hiring and not self._napping
                roused = self._sleep(now, napping=napping)
                if not (roused or napping or self.backlog.waiting or self.size == 1):
                    break
                # Roused in vain, as by a flush, it has still to nap after its last job.
                is_over = self.nap is not None or now - began > LINGER
                napping = napping and (roused or not is_over)
            self._grow(-1)
        return None

    def _grow(self, change: int) -> None:
        self.size += change
        self._attend()

    def _attend(self) -> None:
        """Tell the gate until when somebody is expected to look again."""
        until = 0.0
        if self.size > len(self._idle):
            until = monotonic() + STALLED_AFTER
        elif self._napping and self.hiring and not self.backlog.filling:
            # Not if it fills: what waits in the gate's box is not counted.
            until = self._nap_ends
        self.gate.attended_until = until

    def _sleep(self, now: float, *, napping: bool) -> bool:
        """Leave the gate until roused or until there may be something to do.

        Returns:
            Whether the worker was roused.
        """
        pause = self.backlog.pause(now)
        timeout = -1.0 if pause is None else pause
        nap = NAP if self.nap is None else self.nap
        longest = nap if napping else LINGER if self.size > 1 else None
        if longest is not None:
            timeout = longest if pause is None else min(pause, longest)
        alert = pause is not None
        latch = shut_latch()
        self._idle.append(latch)
        self._alert += alert
        self._napping += napping
        if napping:
            self._nap_ends = now + timeout
        self._attend()
        self.gate.leave()
        latch.acquire(timeout=timeout)
        self.gate.enter()
        self._alert -= alert
        self._napping -= napping
        was_roused = latch not in self._idle
        if not was_roused:
            self._idle.remove(latch)
        return was_roused

    def _carry(self, job: Job, timeout: float | None = None) -> None:
        message = job.message
        if message is None:
            message = self._prepare(job)
        if message is None:
            return
        if self._batching is not None:
            self._carry_batch(self._batching, job, message, timeout)
            return
        fault: Exception | None = None
        started, cpu = monotonic(), thread_time()
        try:
            outcome = self.sender.send(message, timeout)
        except Exception as exc:
            fault = exc
            outcome = Outcome(delivered=False, retry=True, error=type(exc).__name__)
        now, cpu = monotonic(), thread_time() - cpu
        with self.gate:
            self.backlog.settle(job, outcome, now)
            self._last_settled = now
            self._measure(max(now - started, 1e-6), cpu)
        if fault is not None:
            errors.log_internal_error(fault, "delivery.send")

    def _measure(self, latency: float, cpu: float) -> None:
        self._measured += 1
        if latency > STALLED_AFTER:  # So slow is no handshake.
            self._measured = max(self._measured, 1)
        if self._measured > 0:
            share = max(0.2, 1 / self._measured)
            self._latency += (latency - self._latency) * share
            self._cpu += (cpu - self._cpu) * share

    def _carry_batch(
        self, sender: BatchSender, job: Job, message: Message, timeout: float | None
    ) -> None:
        jobs, messages = [job], [message]
        with self.gate:
            for other in self.backlog.take_more(monotonic(), sender.max_batch - 1):
                assert other.message is not None
                jobs.append(other)
                messages.append(other.message)
        fault: Exception | None = None
        outcomes: Sequence[Outcome]
        try:
            outcomes = sender.send_batch(messages, timeout)
        except Exception as exc:
            fault = exc
            failed = Outcome(delivered=False, retry=True, error=type(exc).__name__)
            outcomes = [failed] * len(jobs)
        except BaseException:
            with self.gate:
                for other in reversed(jobs):
                    self.backlog.give_back(other)
            raise
        with self.gate:
            self.backlog.settle_all(list(zip(jobs, outcomes, strict=True)), monotonic())
        if fault is not None:
            errors.log_internal_error(fault, "delivery.send")

    def _stays(self) -> bool:
        """Reconsider the crew's size; if False, this worker shall end."""
        now, backlog = monotonic(), self.backlog
        with self.gate:
            at_work = self.size - len(self._idle)
            if now < self._reconsider_at or not self._latency:
                return True
            busy = self._cpu / self._latency
            if at_work > 1 and at_work * busy > BUSY:
                self._reconsider_at = now + RECONSIDER_EVERY
                self._grow(-1)
                return False
            if (
                (at_work + 1) * busy > BUSY
                or not self._lags(at_work)
                or backlog.pause(now) != 0.0
            ):
                return True
            self._reconsider_at = now + max(RECONSIDER_EVERY, self._latency)
            # Those who began together end together: to add one at a time would take as
            # many rounds as it needs workers. Doubled, a crew of 32 takes five.
            needed = backlog.waiting * self._latency / self._tolerated_delay
            missing = int(min(needed, BUSY / max(busy, 1e-9))) - at_work
        hogged = _absence() > sys.getswitchinterval() / 2
        with self.gate:
            if not hogged:
                for _ in range(max(1, min(missing, at_work))):
                    self._join()
            elif self.size - len(self._idle) > 1:
                self._grow(-1)
                return False
        return True

    def _prepare(self, job: Job) -> Message | None:
        """Make the job's message; None if there is none to be sent now."""
        fault: Exception | None = None
        message: Message | None = None
        try:
            with _life.no_fork.hooks:
                message = self.prepare(job.item)
        except Exception as exc:
            fault = exc
        with self.gate:
            if fault is not None:
                self.backlog.withdraw(job, "prepare_failed", lost=True)
            elif message is None:
                self.backlog.withdraw(job, "withheld", lost=False)
            elif not self.backlog.prepared(job, message):
                message = None
        if fault is not None:
            errors.log_internal_error(fault, "delivery.prepare")
        return message

    def _report(self) -> None:
        # Said by a worker: to log on the caller's thread could wait for a handler.
        ledger = self.backlog.ledger
        dropped = ledger.dropped.get("queue_full", 0)
        if dropped != self._reported and not errors.should_suppress(
            f"delivery.queue_full:{self.destination}"
        ):
            self._reported = dropped
            errors.log(
                "A queue is full: %d events for %s dropped so far, the oldest first "
                "(last error: %s). Check that they can be delivered from here.",
                dropped,
                self.destination,
                ledger.last_error,
            )

    # Without workers

    def work_here(self, mark: Mark, deadline: float) -> None:
        """Do the workers' job on this thread, for want of any.

        Args:
            mark: Up to where.
            deadline: Until when at most, by the monotonic clock.
        """
        while mark.remaining > 0 and (now := monotonic()) < deadline:
            with self.gate:
                job = self.backlog.take(now)
                pause = self.backlog.pause(now)
            if job is not None:
                try:
                    self._carry(job, deadline - now)
                except BaseException:
                    with self.gate:
                        self.backlog.give_back(job)
                    raise
            elif pause is None:
                return
            else:
                mark.wait(min(pause, deadline - now))


def _absence() -> float:
    """Measure how long a test nap really takes, in seconds."""
    started = monotonic()
    sleep(TEST_NAP)
    return monotonic() - started
