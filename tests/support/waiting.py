"""Waiting for what other threads and processes do."""

import threading
from collections.abc import Callable
from time import monotonic


def eventually(holds: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait until ``holds()`` is true.

    Raises:
        AssertionError: If it is not, after ``timeout`` seconds.
    """
    deadline = monotonic() + timeout
    pause = threading.Event()
    while not holds():
        assert monotonic() < deadline, f"not so after {timeout} s"
        pause.wait(0.005)
