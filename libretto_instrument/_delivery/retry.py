"""When to try again: back-off and the circuit breaker."""

import random
from datetime import timezone
from email.utils import parsedate_to_datetime

from attrs import define

#: The first pause is at most this long, in seconds; each further one doubles.
INITIAL_BACKOFF = 0.5
#: The longest pause of our own choosing, in seconds.
MAX_BACKOFF = 30.0
#: The same while a flush waits.
MAX_BACKOFF_FLUSHING = 0.25
#: The longest ``Retry-After`` that is honoured, in seconds.
MAX_RETRY_AFTER = 300.0
#: The breaker opens after this many failures in a row.
FAILURE_THRESHOLD = 3


def backoff(failures: int, maximum: float = MAX_BACKOFF) -> float:
    """Choose the pause before the next attempt: exponential, with full jitter.

    Args:
        failures: How often it has failed so far, from 1.
        maximum: The longest pause, in seconds.

    Returns:
        Seconds, between 0 and ``min(maximum, INITIAL_BACKOFF * 2 ** (failures - 1))``.
    """
    # The exponent is bounded because 2.0 ** 1100 overflows.
    longest = min(maximum, INITIAL_BACKOFF * 2.0 ** min(failures - 1, 16))
    return random.uniform(0.0, longest)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Parse a ``Retry-After`` header, in either of its forms.

    Args:
        value: The header: a number of seconds, or an HTTP date.
        now: The time, in seconds since the epoch.

    Returns:
        Seconds to wait, within [0, ``MAX_RETRY_AFTER``]; None if there is no header or
        it makes no sense.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        # Longer numbers all mean the maximum, and int() refuses absurd ones.
        return min(float(value[:9]), MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return min(max(0.0, when.timestamp() - now), MAX_RETRY_AFTER)


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
