"""What is not yet delivered, and which of it goes next. No locks, no threads."""

import heapq
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from ._ledger import Ledger
from ._message import Item, Message
from ._retry import CAP, HURRIED_CAP, Health, backoff
from ._sender import Outcome


@define(eq=False)
class Job:
    """One item on its way.

    Attributes:
        number: Its place in the order of ``put``.
        weight: What it counts towards the bound, in bytes.
        item: What was put, until it is prepared.
        message: What it became, once it is prepared.
        failures: How often sending it failed.
        holds_lane: Whether the messages of its key wait for it.
    """

    number: int
    weight: int
    item: Any = None
    message: Message | None = None
    failures: int = 0
    holds_lane: bool = False


@define(eq=False)
class Backlog:
    """A bounded queue that keeps the order within each key. The gate guards it.

    An item is *raw* until a worker prepares it, which one worker at a time does, so
    that messages enter their lanes in the order of ``put``. A lane is held by one
    message of its key, in flight or waiting for a retry; the ones behind it are
    *parked*. When the bounds are passed the oldest waiting item is dropped, held lane
    or not; what is in flight stays.

    Attributes:
        max_events: At most so many items are kept, the ones in flight included.
        max_bytes: At most so many bytes are kept, likewise.
        ledger: Counts what happens.
        health: How the backend does.
        hurried_until: Until this time of the monotonic clock, pauses are short.
        closed: Whether everything that still comes is dropped.
    """

    max_events: int
    max_bytes: int
    ledger: Ledger = field(factory=Ledger)
    health: Health = field(factory=Health)
    hurried_until: float = 0.0
    closed: bool = False
    # With the weight each had when it came, lest a change of it upset the sums.
    _raw: deque[tuple[Item, int]] = field(factory=deque)
    _newest: int = 0
    _bytes: int = 0
    _preparing: bool = False
    _in_flight: dict[int, Job] = field(factory=dict)
    # Everything prepared that waits, oldest first.
    _parked: OrderedDict[int, Job] = field(factory=OrderedDict)
    # When which parked job may go. Numbers of jobs dropped since are skipped.
    _due: list[tuple[float, int]] = field(factory=list)
    # Per key in use, the numbers that wait for the one that holds the lane.
    _lanes: dict[str, deque[int]] = field(factory=dict)

    # What waits

    @property
    def waiting(self) -> int:
        """How many items wait, raw or parked."""
        return len(self._raw) + len(self._parked)

    @property
    def in_flight(self) -> int:
        """How many items a worker has in hand."""
        return len(self._in_flight)

    @property
    def pending(self) -> int:
        """How many items are not yet settled."""
        return len(self._raw) + len(self._parked) + len(self._in_flight)

    @property
    def filling(self) -> bool:
        """Whether so much is pending that what comes next may soon be too much."""
        return 8 * self._bytes > self.max_bytes or 8 * self.pending > self.max_events

    @property
    def newest(self) -> int:
        """The number of the item that was added last."""
        return self._newest

    @property
    def held_bytes(self) -> int:
        """The weight of all that is pending, in bytes."""
        return self._bytes

    # From the caller's side

    def add(self, item: Item) -> None:
        """Take an item in, and drop the oldest ones if the bounds demand it."""
        weight = item.weight
        if self.closed:
            self.refuse("shutdown")
        elif weight > self.max_bytes:
            self.refuse("too_large")
        else:
            self.ledger.recorded += 1
            self._raw.append((item, weight))
            self._newest += 1
            self._bytes += weight
            if self._bytes > self.max_bytes or self.pending > self.max_events:
                self._trim()

    def refuse(self, reason: str) -> None:
        """Count an item that is not taken in."""
        self.ledger.recorded += 1
        self.ledger.refuse(reason)

    # From the workers' side

    def take(self, now: float) -> Job | None:
        """Hand out the next job: a message that may be sent, or else a raw item.

        Whoever gets a raw one must end it with ``prepared`` or ``withdraw``, whoever
        sends must end it with ``settle``.

        Args:
            now: The monotonic clock, in seconds.
        """
        if not self.health.allows(now, len(self._in_flight)):
            return None
        while self._due and self._due[0][0] <= now:
            _, number = heapq.heappop(self._due)
            job = self._parked.pop(number, None)
            if job is not None:
                self._in_flight[number] = job
                return job
        if self._raw and not self._preparing:
            number = self._newest - len(self._raw) + 1
            item, weight = self._raw.popleft()
            self._preparing = True
            job = self._in_flight[number] = Job(number, weight, item=item)
            return job
        return None

    def take_more(self, now: float, limit: int) -> list[Job]:
        """Hand out messages to be sent along with one that was taken before.

        Only for a backlog whose items are messages already, taken by one worker.

        Args:
            now: The monotonic clock, in seconds.
            limit: At most so many.
        """
        more: list[Job] = []
        while len(more) < limit and (job := self.take(now)) is not None:
            if job.message is not None or self.prepared(job, job.item):
                more.append(job)
        return more

    def pause(self, now: float) -> float | None:
        """Tell for how many seconds ``take`` will have nothing to hand out.

        Returns:
            0 when it has something now; None when only an event can change it: an
            item put, a job prepared or settled.
        """
        if self._raw and not self._preparing:
            at = now
        elif self._due:
            at = self._due[0][0]
        else:
            return None
        if self.health.unwell:
            if self._in_flight:
                return None
            at = max(at, self.health.resume_at)
        return max(0.0, at - now)

    def prepared(self, job: Job, message: Message) -> bool:
        """Give a raw job its message.

        Returns:
            Whether the worker shall send it now. If not, it is parked behind another
            message of its key.
        """
        self._preparing = False
        self._bytes += message.weight - job.weight
        job.item, job.message, job.weight = None, message, message.weight
        key = message.order_key
        if key is not None and key in self._lanes:
            self._lanes[key].append(job.number)
            self._parked[job.number] = self._in_flight.pop(job.number)
        elif key is not None:
            self._lanes[key] = deque()
            job.holds_lane = True
        if self._bytes > self.max_bytes:
            self._trim()
        return job.number in self._in_flight

    def withdraw(self, job: Job, reason: str, *, lost: bool) -> None:
        """End a raw job that became no message."""
        self._preparing = False
        self._forget(job)
        self.ledger.drop(job.number, reason, lost=lost)

    def settle(self, job: Job, outcome: Outcome, now: float) -> None:
        """End an attempt to send.

        Args:
            job: The job sent.
            outcome: What became of it.
            now: The monotonic clock, in seconds.
        """
        self.settle_all([(job, outcome)], now)

    def settle_all(self, sent: Sequence[tuple[Job, Outcome]], now: float) -> None:
        """End one attempt to send several messages; see ``settle``."""
        cap = HURRIED_CAP if now < self.hurried_until else CAP
        failed = [outcome for _, outcome in sent if outcome.retry]
        if failed:
            self.health.failed(now, failed[0].retry_after, cap)
        else:
            self.health.succeeded()
        # The last first, as each that failed is put in front of the others.
        for job, outcome in reversed(sent):
            if outcome.error is not None:
                self.ledger.note_error(outcome.error)
            if outcome.retry and not self.closed:
                self._put_off(job, outcome, now, cap)
            else:
                self._end(job, outcome)

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._forget(job)
        self._release_lane(job)
        if outcome.delivered:
            self.ledger.deliver(job.number)
        elif outcome.spooled:
            self.ledger.spool(job.number)
        elif outcome.retry:
            self.ledger.drop(job.number, "shutdown")
        else:
            status = outcome.status
            reason = "rejected" if status is None else f"rejected_{status}"
            self.ledger.drop(job.number, reason)

    def give_back(self, job: Job) -> None:
        """Take a job back from a worker that died, if it was still in hand."""
        if job.number not in self._in_flight:
            return
        if job.message is None:
            # The hook that kills a worker would kill the next one, too.
            self.withdraw(job, "prepare_failed", lost=True)
        else:
            self._park_in_front(job, 0.0)

    def hurry(self, now: float, until: float) -> bool:
        """Cut all pauses short: somebody waits for a flush.

        Args:
            now: The monotonic clock, in seconds.
            until: Until when new pauses shall be short as well.

        Returns:
            Whether there were any, which a worker may be waiting out.
        """
        paused = self.health.unwell or bool(self._due)
        self.hurried_until = max(self.hurried_until, until)
        self.health.resume_at = now
        self._due = [(min(at, now), number) for at, number in self._due]
        heapq.heapify(self._due)
        return paused

    def close(self) -> None:
        """Drop everything that waits, and from now on everything that comes."""
        self.closed = True
        while self._drop_oldest("shutdown"):
            pass

    # Inside

    def _put_off(self, job: Job, outcome: Outcome, now: float, cap: float) -> None:
        job.failures += 1
        self.ledger.retried += 1
        pause = outcome.retry_after
        if pause is None:
            pause = backoff(job.failures, cap)
        self._park_in_front(job, now + pause)
        self._trim()

    def _park_in_front(self, job: Job, at: float) -> None:
        self._parked[job.number] = self._in_flight.pop(job.number)
        self._parked.move_to_end(job.number, last=False)
        heapq.heappush(self._due, (at, job.number))

    def _forget(self, job: Job) -> None:
        del self._in_flight[job.number]
        self._bytes -= job.weight

    def _release_lane(self, job: Job) -> None:
        key = job.message.order_key if job.message else None
        if key is None or not job.holds_lane:
            return
        followers = self._lanes[key]
        while followers:
            number = followers.popleft()
            follower = self._parked.get(number)
            if follower is not None:
                follower.holds_lane = True
                heapq.heappush(self._due, (0.0, number))
                return
        del self._lanes[key]

    def _trim(self) -> None:
        while self._bytes > self.max_bytes or self.pending > self.max_events:
            if not self._drop_oldest("queue_full"):
                return

    def _drop_oldest(self, reason: str) -> bool:
        if self._parked:
            number, job = self._parked.popitem(last=False)
            self._bytes -= job.weight
            self._release_lane(job)
        elif self._raw:
            number = self._newest - len(self._raw) + 1
            self._bytes -= self._raw.popleft()[1]
        else:
            return False
        self.ledger.drop(number, reason)
        return True
