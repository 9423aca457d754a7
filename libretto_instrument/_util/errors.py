"""Containing and logging internal errors.

Telemetry must never break the call that it records, so code on the caller's path ends
in ``except Exception as exc: log_internal_error(exc, where)``. There is deliberately no
decorator and no context manager: a swallowing decorator around a function that returns
the user's object would return ``None`` instead, and a context manager costs more than
the work that it guards.
"""

import logging
import time
from inspect import CO_VARARGS
from itertools import pairwise
from traceback import walk_tb
from types import FrameType

logger = logging.getLogger("libretto_instrument")

#: Raise instead of logging. For the test suite only.
reraise = False

#: Minimum interval between two log lines with the same key, in seconds.
LOG_INTERVAL = 60.0

_last_logged: dict[str, float] = {}


def log_internal_error(exc: BaseException, where: str) -> None:
    """Log an internal error, at most once a minute per step.

    Only the exception's type and location are logged: its message may hold a prompt or
    a key.

    Args:
        exc: What was raised inside our code.
        where: The step that failed, a constant such as ``"capture.begin"``.

    Raises:
        BaseException: ``exc`` itself, if one of the program's signal handlers raised
            it: it is meant for the program, and interrupted our code by chance.
    """
    if reraise or is_from_signal_handler(exc):
        raise exc
    if should_suppress(where):
        return
    log(
        "Libretto could not record a call (%s in %s, at %s); the call is unharmed.",
        type(exc).__name__,
        where,
        _raise_location(exc),
    )


def _raise_location(exc: BaseException) -> str:
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
    """Return whether one of the program's signal handlers raised ``exc``.

    A handler is called with the signal number and the interrupted frame, and that frame
    is the next one outwards in the traceback.
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
        isinstance(number, int) and frame_argument is interrupted
        for number, frame_argument in pairwise(arguments)
    )


def warn(key: str, message: str, *args: object) -> None:
    """Log a warning, at most once a minute per ``key``."""
    if not should_suppress(key):
        log(message, *args)


_warned_once: set[str] = set()


def warn_once(key: str, message: str, *args: object) -> None:
    """Log a warning once in the life of the process."""
    if key not in _warned_once:
        _warned_once.add(key)
        log(message, *args)


def should_suppress(key: str) -> bool:
    """Return whether ``key`` was logged within the last minute; if not, mark it."""
    now = time.monotonic()
    last = _last_logged.get(key)
    if last is not None and now - last < LOG_INTERVAL:
        return True
    _last_logged[key] = now
    return False


def reset() -> None:
    """Allow every message to be logged again. For tests, and after a fork."""
    _last_logged.clear()
    _warned_once.clear()
