"""Leaves unrecorded what a hook, a redactor or an exporter asks of a model.

That holds in threads, too, which a hook starts or which an executor has ready for it:
an event for such a call would bring the hook to make another. A thread that gets its
work by a queue of the hook's own, or another process, is beyond reach.
"""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from .._config.scope import SUPPRESS_RECORDING, Scope, current
from .._util import errors

_patched: list[str] = []


def suppress_recording() -> Scope:
    """Return a scope in which nothing is recorded, whatever thread does it."""
    if not _patched:
        _patched.append("threads")
        _patch_threads()
    return SUPPRESS_RECORDING


def _is_suppressed() -> bool:
    """Return whether a hook runs here. Never raises: the program's threads ask, too."""
    try:
        frame = current()
        while frame is not None and frame.owner is not SUPPRESS_RECORDING:
            frame = frame.parent
    except Exception as exc:
        errors.log_internal_error(exc, "processing.suppression")
        return False
    return frame is not None


def _patch_threads() -> None:
    """Have threads begin in the context of the hook that starts or uses them.

    Outside of hooks the two methods do what they always did.
    """
    submit: Any = ThreadPoolExecutor.submit
    start: Any = threading.Thread.start

    @functools.wraps(submit)
    def submit_in_context(
        self: Any, function: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        if _is_suppressed():
            return submit(self, copy_context().run, function, *args, **kwargs)
        return submit(self, function, *args, **kwargs)

    @functools.wraps(start)
    def start_in_context(self: threading.Thread) -> None:
        # An executor's threads go on to work for others.
        target = getattr(getattr(self, "_target", None), "__module__", None)
        if _is_suppressed() and target != ThreadPoolExecutor.__module__:
            run = functools.partial(copy_context().run, self.run)
            self.run = run  # type: ignore[method-assign]
        start(self)

    setattr(ThreadPoolExecutor, "submit", submit_in_context)  # noqa: B010
    setattr(threading.Thread, "start", start_in_context)  # noqa: B010
