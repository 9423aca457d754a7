"""The one place that swallows a fault of our own making.

Telemetry must never break the call that it watches, so every zone of ours ends in
``except Exception as exc: swallow(exc, where)``. There is no decorator and no context
manager on purpose: a swallowing decorator around a function that returns the user's
object would return ``None`` instead, and a context manager costs more than the work
it guards.
"""

import logging
import time
from inspect import CO_VARARGS
from itertools import pairwise
from traceback import walk_tb
from types import FrameType

logger = logging.getLogger("libretto_instrument")

#: Raise what would be swallowed. The test suite sets it; nothing else should.
strict = False

#: At most one log line per place in this many seconds.
QUIET_SECONDS = 60.0

_last_said: dict[str, float] = {}


def swallow(exc: BaseException, where: str) -> None:
    """Log a fault of ours, at most once a minute per place, and go on.

    Only the type of the exception and its place are logged: its message may hold a
    prompt or a key.

    Args:
        exc: What was raised inside our code.
        where: The step that failed, a constant such as ``"capture.begin"``.

    Raises:
        BaseException: ``exc`` itself, if one of the program's signal handlers raised
            it: it interrupts the program, and only chanced to meet our code.
    """
    if strict or is_from_signal_handler(exc):
        raise exc
    if quiet(where):
        return
    log(
        "Libretto could not record a call (%s in %s, at %s); the call is unharmed.",
        type(exc).__name__,
        where,
        _place(exc),
    )


def _place(exc: BaseException) -> str:
    """Return the function and line where an exception was raised."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"


def log(message: str, *args: object) -> None:
    """Log a warning, whatever the program's filters and handlers make of it.

    `logging` contains what a handler's ``emit`` raises, but not what a filter does, a
    logger of another class, or a handler that is none of its own.
    """
    try:
        logger.warning(message, *args)
    except Exception as exc:
        if is_from_signal_handler(exc):
            raise


def is_from_signal_handler(exc: BaseException) -> bool:
    """Say whether a signal handler of the program raised ``exc``.

    A handler is called with a signal's number and the frame that it interrupts, which
    is the frame that the exception comes to next.
    """
    interrupted = None
    for frame, _ in walk_tb(exc.__traceback__):
        if interrupted is not None and _is_handler_of(frame, interrupted):
            return True
        interrupted = frame
    return False


def _is_handler_of(frame: FrameType, interrupted: FrameType) -> bool:
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames
    arguments = [values.get(name) for name in names[: code.co_argcount]]
    if code.co_flags & CO_VARARGS:
        arguments += values.get(names[code.co_argcount + code.co_kwonlyargcount], ())
    return any(
        isinstance(number, int) and given is interrupted
        for number, given in pairwise(arguments)
    )


def warn(key: str, message: str, *args: object) -> None:
    """Log a warning, at most once a minute per ``key``."""
    if not quiet(key):
        log(message, *args)


_said_once: set[str] = set()


def warn_once(key: str, message: str, *args: object) -> None:
    """Log a warning once in the life of the process."""
    if key not in _said_once:
        _said_once.add(key)
        log(message, *args)


def quiet(key: str) -> bool:
    """Say whether ``key`` was logged within the last minute, and mark it as logged."""
    now = time.monotonic()
    last = _last_said.get(key)
    if last is not None and now - last < QUIET_SECONDS:
        return True
    _last_said[key] = now
    return False


def reset() -> None:
    """Forget what was said, so that it is said again. For tests and after a fork."""
    _last_said.clear()
    _said_once.clear()
