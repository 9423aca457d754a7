"""When to try again: back-off and ``Retry-After``."""

import random
import re
from datetime import timezone
from email.utils import parsedate_to_datetime

#: The first pause is at most this long, in seconds; each further one doubles.
INITIAL_BACKOFF = 0.5
#: The longest pause of our own choosing, in seconds.
MAX_BACKOFF = 30.0
#: The same while a flush waits.
MAX_BACKOFF_FLUSHING = 0.25
#: The longest ``Retry-After`` that is honoured, in seconds.
MAX_RETRY_AFTER = 300.0


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
        value: The header: a number of seconds, also a decimal one, or an HTTP date.
        now: The time, in seconds since the epoch.

    Returns:
        Seconds to wait, within [0, ``MAX_RETRY_AFTER``]; None if there is no header or
        it makes no sense.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return min(max(0.0, when.timestamp() - now), MAX_RETRY_AFTER)
