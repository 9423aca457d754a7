"""The monotonic clock that everything is timed by.

Test tools such as freezegun replace `time.monotonic` wherever a module has it as an
attribute, and frozen time would make a time-out endless. So it is wrapped; and on
POSIX another function is called, which they leave alone.
"""

import time
from collections.abc import Callable
from functools import partial

#: Return seconds on a clock that is never set.
monotonic: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime")
    else partial(time.monotonic)
)
