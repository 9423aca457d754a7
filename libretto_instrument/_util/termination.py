"""Lets daemonic children of multiprocessing finish work before SIGTERM ends them."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: How often SIGTERM is repeated, in seconds.
_REPEAT_INTERVAL = 0.05

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

    has_begun = threading.Event()

    def on_termination(signum: int, frame: object) -> None:
        has_begun.set()
        if os.getpid() in _finishing:
            return
        try:
            finish()
        finally:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    _repeat_until(has_begun)
    signal.signal(signal.SIGTERM, on_termination)
    return True


def _repeat_until(has_begun: threading.Event) -> None:
    """Have a thread repeat SIGTERM until the main thread handles it.

    Python runs handlers on the main thread. There a signal that comes just before a
    system call, or that another thread gets, interrupts nothing: the main thread would
    wait on, and the process that terminates this one would wait for it forever.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if previous >= 0:  # The program's, such as an event loop's.
        signal.set_wakeup_fd(previous, warn_on_full_buffer=False)
        os.close(reader)
        os.close(writer)
        return
    main_thread, process = threading.get_ident(), os.getpid()

    def stop_in_child() -> None:
        if os.getpid() != process and signal.set_wakeup_fd(-1) == writer:
            os.close(writer)

    def repeat() -> None:
        while signal.SIGTERM not in os.read(reader, 1):
            pass
        while not has_begun.wait(_REPEAT_INTERVAL):
            signal.pthread_kill(main_thread, signal.SIGTERM)

    os.register_at_fork(after_in_child=stop_in_child)
    threading.Thread(target=repeat, name="libretto-termination", daemon=True).start()
