"""Carries scopes into threads, which start with an empty context of their own."""

import functools
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar, cast

from .scope import ScopeFrame, current, run_in_frame

_Target = TypeVar("_Target", bound=Any)

_MARK = "_libretto_propagates"

FindFrame = Callable[[], ScopeFrame | None]


def propagate(target: _Target) -> _Target:
    """Let what runs on other threads run in the scope that it comes from.

    Args:
        target: One of

            - a `ThreadPoolExecutor`: what is submitted to it from now on runs in the
              scope in which it was submitted;
            - a `Thread` that was not started yet: it runs in the scope of this call;
            - the class `ThreadPoolExecutor` or `Thread`, for frameworks that make their
              own: as above for all instances, a thread in the scope in which it is
              started;
            - a function: what is returned runs in the scope of this call.

    Returns:
        ``target``, or the function to call in place of it.

    Raises:
        TypeError: ``target`` is none of these.
    """
    from concurrent.futures import ThreadPoolExecutor

    is_class = isinstance(target, type)
    kind: type = target if is_class else type(target)
    if issubclass(kind, ThreadPoolExecutor):
        _replace(target, "submit", wrap_submit(target.submit, int(is_class)))
    elif issubclass(kind, Thread) and is_class:
        _replace(target, "start", wrap_start(target.start))
    elif issubclass(kind, Thread):
        target.run = _bind(target.run, current())
    elif callable(target) and not is_class:
        return cast(_Target, _bind(target, current()))
    else:
        raise TypeError(
            "propagate() takes a ThreadPoolExecutor, a Thread, one of these classes, "
            f"or a function, not {kind.__name__}."
        )
    return target


def _replace(target: Any, name: str, replacement: Any) -> None:
    if not hasattr(getattr(target, name), _MARK):
        setattr(replacement, _MARK, True)
        setattr(target, name, replacement)


def wrap_submit(
    submit: Callable[..., Any], at: int, find_frame: FindFrame = current
) -> Callable[..., Any]:
    """Return a ``submit`` that runs each function in the scope it is submitted in.

    Args:
        submit: The executor's method, or the class's.
        at: Where the function stands among the arguments.
        find_frame: Returns the scope to carry over, or None.
    """

    @functools.wraps(submit)
    def submit_in_scope(*args: Any, **kwargs: Any) -> Any:
        frame = find_frame()
        if frame is None or len(args) <= at:
            return submit(*args, **kwargs)
        return submit(*args[:at], run_in_frame, frame, *args[at:], **kwargs)

    return submit_in_scope


def wrap_start(
    start: Callable[[Thread], None], find_frame: FindFrame = current
) -> Callable[[Thread], None]:
    """Return a ``start`` that runs each thread in the scope it is started in."""
    from concurrent.futures import thread

    # A worker of a pool outlives the scope in which the pool starts it.
    pool_worker = getattr(thread, "_worker", None)

    @functools.wraps(start)
    def start_in_scope(self: Thread) -> None:
        frame = find_frame()
        if frame is not None and getattr(self, "_target", None) is not pool_worker:
            self.run = _bind(self.run, frame)  # type: ignore[method-assign]
        start(self)

    return start_in_scope


def _bind(function: Callable[..., Any], frame: ScopeFrame | None) -> Callable[..., Any]:
    if frame is None:
        return function

    @functools.wraps(function)
    def run_in_scope(*args: Any, **kwargs: Any) -> Any:
        return run_in_frame(frame, function, *args, **kwargs)

    return run_in_scope
