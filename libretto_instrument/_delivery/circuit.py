"""What is held up together: the entries for one endpoint and API key."""

import heapq
from collections import deque
from typing import Any

from attrs import define, field

from .retry import backoff

#: A circuit breaker opens after this many failures in a row.
FAILURE_THRESHOLD = 3


@define
class CircuitBreaker:
    """Stops sending where nothing gets through, but for one probe at a time.

    Attributes:
        failures: Failures in a row.
        is_open: Only probes are sent.
        resume_at: The next probe may be sent at this time of the monotonic clock.
        is_probing: A probe is on its way.
    """

    failures: int = 0
    is_open: bool = False
    resume_at: float = 0.0
    is_probing: bool = False

    def next_at(self, now: float) -> float | None:
        """Return when a message may be sent: ``now`` or later; None if not known."""
        if not self.is_open:
            return now
        return None if self.is_probing else max(now, self.resume_at)

    def on_success(self) -> None:
        """Note an answer that shows the backend at work, a rejection included."""
        self.failures, self.is_open, self.is_probing = 0, False, False

    def on_failure(self, now: float, maximum: float) -> None:
        """Note a failure that may pass, and choose a pause of ``maximum`` or less."""
        self.failures += 1
        if self.failures >= FAILURE_THRESHOLD:
            self.open_until(
                now + backoff(self.failures - FAILURE_THRESHOLD + 1, maximum)
            )

    def open_until(self, time: float) -> None:
        """Send nothing before a time of the monotonic clock, and then a probe."""
        self.is_open = True
        self.resume_at = time


@define(eq=False)
class Entry:
    """One item or message on its way.

    Attributes:
        seq: Its place in the order of ``put``; 0 for one that was read from a store.
        size: What it counts towards the bound, in bytes.
        ordering_key: Entries of one key go one by one, in order.
        payload: The item or the message.
        destinations: Where an item goes once it is prepared.
        stored: What it was read from, if it is on disk.
        failures: How often it was tried in vain.
        is_waiting: It is in the queue, and not in flight or dropped.
        is_head: No other entry of its key goes before it.
        is_probe: It was taken while its circuit was open.
        circuit: The entries that are held up together.
    """

    seq: int
    size: int
    ordering_key: str | None = None
    payload: Any = None
    destinations: tuple[str, ...] = ()
    stored: Any = None
    failures: int = 0
    is_waiting: bool = False
    is_head: bool = False
    is_probe: bool = False
    circuit: Any = field(default=None, repr=False)


@define(eq=False)
class Circuit:
    """The entries for one endpoint and API key, which share circuit breakers.

    Attributes:
        name: The endpoint and the credential.
        endpoint: The breaker of the endpoint: whether it can be reached.
        breaker: The breaker of this endpoint and API key: whether it takes anything.
        fresh: Entries that were never tried, in order: since when each may go, a number
            that breaks ties, and which it is.
        retries: Entries to be tried again, likewise, as a heap.
    """

    name: tuple[str | None, str | None]
    endpoint: CircuitBreaker
    breaker: CircuitBreaker = field(factory=CircuitBreaker)
    fresh: deque[tuple[float, int, Entry]] = field(factory=deque)
    retries: list[tuple[float, int, Entry]] = field(factory=list)

    def clean(self) -> None:
        """Forget entries that were dropped."""
        while self.fresh and not self.fresh[0][2].is_waiting:
            self.fresh.popleft()
        while self.retries and not self.retries[0][2].is_waiting:
            heapq.heappop(self.retries)

    def resume_at(self, now: float) -> float | None:
        """Return when the breakers let an entry pass."""
        one, other = self.endpoint.next_at(now), self.breaker.next_at(now)
        return None if one is None or other is None else max(one, other)

    def next_at(self, now: float, min_wait: float) -> float | None:
        """Return when an entry can be taken; None if that depends on other events."""
        self.clean()
        times = [each[0][0] for each in (self.fresh, self.retries) if each]
        resume_at = self.resume_at(now) if times else None
        return None if resume_at is None else max(resume_at, min(times) + min_wait)

    def take(self, now: float, *, fresh: bool, min_wait: float) -> Entry | None:
        """Return the next entry, if one may go now."""
        self.clean()
        entries = self.fresh if fresh else self.retries
        if not entries or entries[0][0] + min_wait > now:
            return None
        resume_at = self.resume_at(now)
        if resume_at is None or resume_at > now:
            return None
        return (self.fresh.popleft() if fresh else heapq.heappop(self.retries))[2]
