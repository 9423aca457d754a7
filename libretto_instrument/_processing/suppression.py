"""Leaves unrecorded what a hook, a redactor or an exporter asks of a model.

That holds in threads, too, which a hook starts or which an executor has ready for it:
an event for such a call would bring the hook to make another. A thread that gets its
work by a queue of the hook's own, or another process, is beyond reach.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

from .._config.propagate import wrap_start, wrap_submit
from .._config.scope import SUPPRESS_RECORDING, Scope, ScopeFrame, current
from .._util import errors

_is_patched = False


def suppress_recording() -> Scope:
    """Return a scope in which nothing is recorded, whatever thread does it."""
    global _is_patched
    if not _is_patched:
        _is_patched = True
        # A thread does not know what started it, nor a task what submitted it: these
        # two methods are the only place where both are known. Outside of hooks they do
        # what they always did. They are patched for good, as a hook's own threads may
        # start others after the hook has returned.
        submit = wrap_submit(ThreadPoolExecutor.submit, 1, _find_suppression)
        start = wrap_start(threading.Thread.start, _find_suppression)
        setattr(ThreadPoolExecutor, "submit", submit)  # noqa: B010
        setattr(threading.Thread, "start", start)  # noqa: B010
    return SUPPRESS_RECORDING


def _find_suppression() -> ScopeFrame | None:
    """Return the scope of the hook that runs here, or None. Never raises."""
    try:
        frame = current()
        while frame is not None and frame.owner is not SUPPRESS_RECORDING:
            frame = frame.parent
        return frame
    except Exception as exc:
        errors.log_internal_error(exc, "processing.suppression")
        return None
