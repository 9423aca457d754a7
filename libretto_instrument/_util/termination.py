"""Lets daemonic children of multiprocessing finish work before SIGTERM ends them."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The process that finishes its work anyway, as often as it says so.
_finishing: list[int] = []


@contextmanager
def finishing() -> Iterator[None]:
    """Have SIGTERM not interrupt the block: the process is about to end."""
    _finishing.append(os.getpid())
    try:
        yield
    finally:
        _finishing.pop()


def handle_termination(finish: Callable[[], object]) -> bool:
    """Have ``finish`` called when SIGTERM ends this process, if it is such a child.

    ``Pool.__exit__`` and the end of a parent terminate their daemonic children right
    after the last task, and wait for them. Where the program handles the signal itself,
    nothing changes.

    Returns:
        False if it has to be called again, on the main thread.
    """
    process: Any = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return True
    if not process.current_process().daemon or os.name != "posix":
        return True
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return True

    def on_termination(signum: int, frame: object) -> None:
        if os.getpid() in _finishing:
            return
        try:
            finish()
        finally:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    signal.signal(signal.SIGTERM, on_termination)
    return True
