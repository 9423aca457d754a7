"""Ids for events, feedback and chains."""

import os
from collections.abc import Callable
from contextlib import suppress

#: The hex digit that holds the variant of RFC 4122, for each random digit.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _random_source() -> Callable[[int], bytes]:
    """Return what asks the system for random bytes.

    `os.urandom` releases the interpreter's lock, and a caller then waits for a worker
    that is busy; `os.getrandom` keeps it. A sandbox may forbid that system call.
    """
    getrandom: Callable[[int], bytes] | None = getattr(os, "getrandom", None)
    if getrandom is not None:
        with suppress(OSError):
            getrandom(1)
            return getrandom
    return os.urandom


_random = _random_source()


def new_id() -> str:
    """Return a random UUID (version 4) as text, faster than `uuid.uuid4` does.

    Nothing is kept ready in memory: a copy of the process, by a fork that Python does
    not see or from a snapshot of the machine, would return the same ids.
    """
    digits = _random(16).hex()
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
    )
