"""The monotonic clock that delivery measures by.

Test tools such as freezegun replace `time.monotonic` in every module that has it as an
attribute, and frozen time would make a time-out last for ever. So the function is kept
where they do not look, and on POSIX it is one that they leave alone.
"""

import time
from collections.abc import Callable


def _find_clock() -> Callable[[], float]:
    if not hasattr(time, "clock_gettime"):
        return time.monotonic
    read, clock_id = time.clock_gettime, time.CLOCK_MONOTONIC
    return lambda: read(clock_id)


class _Clock:
    read = staticmethod(_find_clock())


def monotonic() -> float:
    """Return seconds on a clock that nobody sets."""
    return _Clock.read()
