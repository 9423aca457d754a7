"""Circuit breakers for an endpoint and for the API keys used with it."""

import heapq
import math
from collections import deque

from attrs import define, field

from .entry import Entry
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

    def next_at(self, now: float) -> float:
        """Return when a message may be sent; infinity if that depends on a probe."""
        if not self.is_open:
            return now
        return math.inf if self.is_probing else max(now, self.resume_at)

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
class Circuit:
    """The entries for one endpoint and API key, which share circuit breakers.

    Attributes:
        name: The endpoint and the credential.
        endpoint_breaker: Whether the endpoint can be reached.
        key_breaker: Whether the endpoint takes anything under this API key.
        size: How many entries refer to it: ready, behind their key, or in flight.
    """

    name: tuple[str | None, str | None]
    endpoint_breaker: CircuitBreaker
    key_breaker: CircuitBreaker = field(factory=CircuitBreaker)
    size: int = 0
    # Each with when it may go: entries that were never tried, in order, and a heap of
    # those that failed. Entries that were dropped are removed when they come first.
    _fresh: deque[tuple[float, Entry]] = field(factory=deque)
    _failed: list[tuple[float, int, Entry]] = field(factory=list)
    _ties: int = 0

    @property
    def is_open(self) -> bool:
        """Whether only probes are sent."""
        return self.endpoint_breaker.is_open or self.key_breaker.is_open

    def push(self, entry: Entry, ready_at: float) -> None:
        """Let an entry go from a time of the monotonic clock on."""
        if entry.failures:
            self._ties += 1
            heapq.heappush(self._failed, (ready_at, self._ties, entry))
        else:
            self._fresh.append((ready_at, entry))

    def _peek(self) -> tuple[bool, float]:
        """Return whether the next entry failed before, and when it may go."""
        fresh, failed = self._fresh, self._failed
        while fresh:
            if fresh[0][1].is_waiting:
                return False, fresh[0][0]
            fresh.popleft()
        while failed and not failed[0][2].is_waiting:
            heapq.heappop(failed)
        return True, failed[0][0] if failed else math.inf

    def _resume_at(self, now: float) -> float:
        return max(self.endpoint_breaker.next_at(now), self.key_breaker.next_at(now))

    def next_at(self, now: float, min_wait: float) -> float:
        """Return when an entry can be taken; infinity if that depends on events."""
        return max(self._peek()[1] + min_wait, self._resume_at(now))

    def take(self, now: float, *, is_retry: bool, min_wait: float) -> Entry | None:
        """Return the next entry, if one may go now."""
        has_failed, ready_at = self._peek()
        if has_failed is not is_retry or ready_at + min_wait > now:
            return None
        if self._resume_at(now) > now:
            return None
        next_one = heapq.heappop(self._failed) if is_retry else self._fresh.popleft()
        entry = next_one[-1]
        entry.is_waiting = False
        for breaker in (self.endpoint_breaker, self.key_breaker):
            if breaker.is_open:
                breaker.is_probing = entry.is_probe = True
        return entry

    def expedite(self, now: float) -> None:
        """Cut all pauses short."""
        for breaker in (self.endpoint_breaker, self.key_breaker):
            breaker.resume_at = min(breaker.resume_at, now)
        self._failed = [
            (min(ready_at, now), tie, entry) for ready_at, tie, entry in self._failed
        ]
        heapq.heapify(self._failed)
