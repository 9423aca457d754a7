"""When to try again."""

import random
from datetime import timezone
from email.utils import parsedate_to_datetime

from attrs import define

#: The first pause is at most this long, in seconds; each further one doubles.
BASE = 0.5
#: No pause of our own choosing is longer than this, in seconds.
CAP = 30.0
#: While somebody waits for a flush, pauses are at most this long, in seconds.
HURRIED_CAP = 0.25
#: A server that asks for more patience than this, in seconds, is asked again sooner.
RETRY_AFTER_CAP = 300.0
#: So many failures in a row, over all messages, and the backend counts as unwell.
UNWELL_AFTER = 3


def backoff(failures: int, cap: float = CAP) -> float:
    """Choose a pause before the next attempt: exponential, with full jitter.

    Args:
        failures: How often it has failed so far, from 1.
        cap: The longest pause, in seconds.

    Returns:
        Seconds, between 0 and ``min(cap, BASE * 2 ** (failures - 1))``.
    """
    # The exponent is bounded because 2.0 ** 1100 overflows.
    return random.uniform(0.0, min(cap, BASE * 2.0 ** min(failures - 1, 16)))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a ``Retry-After`` header, in either of its forms.

    Args:
        value: The header: a number of seconds, or an HTTP date.
        now: The time, in seconds since the epoch.

    Returns:
        Seconds to wait, within [0, ``RETRY_AFTER_CAP``]; None if there is no header
        or it makes no sense.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        # Longer numbers all mean "the cap", and int() refuses absurd ones.
        return min(float(value[:9]), RETRY_AFTER_CAP)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return min(max(0.0, when.timestamp() - now), RETRY_AFTER_CAP)


@define
class Health:
    """How the backend is doing, over all messages.

    When it is unwell nothing is sent until ``resume_at``, and then one message at a
    time: a probe. The first answer that is not a failure ends that. So a backend that
    is down costs one request per pause, not one per waiting message.

    Attributes:
        failures: Failures in a row.
        resume_at: Nothing is sent before this time of the monotonic clock.
        unwell: Whether the pause and the one-at-a-time rule hold.
    """

    failures: int = 0
    resume_at: float = 0.0
    unwell: bool = False

    def succeeded(self) -> None:
        """Note an answer that shows the backend at work, a rejection included."""
        self.failures = 0
        self.unwell = False

    def failed(self, now: float, retry_after: float | None, cap: float) -> None:
        """Note a failure that may pass.

        Args:
            now: The monotonic clock, in seconds.
            retry_after: For how long the server asked to be left alone, in seconds.
            cap: The longest pause of our own choosing, in seconds.
        """
        self.failures += 1
        if retry_after is not None:
            self.unwell = True
            self.resume_at = now + retry_after
        elif self.failures >= UNWELL_AFTER:
            self.unwell = True
            self.resume_at = now + backoff(self.failures - UNWELL_AFTER + 1, cap)

    def allows(self, now: float, in_flight: int) -> bool:
        """Say whether one more message may be sent now."""
        return not self.unwell or (now >= self.resume_at and in_flight == 0)
