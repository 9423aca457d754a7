"""A thread that does one thing again and again: none until it is needed."""

import threading
from _queue import Empty, SimpleQueue
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress

from .._util import errors
from . import _life


class Background:
    """Calls a function, waits for as long as it says, and calls it again."""

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        """Make it, without starting the thread.

        Args:
            name: The thread's.
            step: Does the work; returns after how many seconds to call it again.
        """
        self._name = name
        self._step = step
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        self._running = False
        self._stopped = False
        self._bell: SimpleQueue[None] = SimpleQueue()

    after_fork_in_child = _start_afresh

    def start(self) -> None:
        """See to it that the function is called again and again. Never blocks."""
        if not self._running and not self._stopped:
            self._running = True
            try:
                # Not Thread.start(): see the crew.
                start_new_thread(self._launch, ())
            except RuntimeError:
                self._running = False

    def stop(self) -> None:
        """Call it no more."""
        self._stopped = True
        self._bell.put(None)

    def _launch(self) -> None:
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            self._running = False

    def _run(self) -> None:
        try:
            while not self._stopped:
                pause = self._step()
                with suppress(Empty):
                    self._bell.get(timeout=pause)
        except Exception as exc:
            errors.log_internal_error(exc, self._name)
        finally:
            self._running = False
