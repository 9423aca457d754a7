"""What becomes of delivery when the process forks and when it ends."""

import atexit
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from .._util.termination import finishing, handle_termination


class ForkAware(Protocol):
    """An owner of locks, threads or connections, which a forked child must not use."""

    def reset_after_fork(self) -> None:
        """Start over; called in the child, where only this thread lives on."""
        ...


class Drainable(Protocol):
    """An owner of work that the end of the process must not cut off."""

    def drain_at_exit(self) -> None:
        """Finish what is under way, in bounded time."""
        ...


_fork_aware: "WeakSet[ForkAware]" = WeakSet()
_drainable: "WeakSet[Drainable]" = WeakSet()
_hooked: set[str] = set()


def on_fork(target: ForkAware) -> None:
    """Have ``target.reset_after_fork`` called in forked children, while it lives."""
    _fork_aware.add(target)
    # Hooks at fork can't be taken away again, hence one for all, and weak references.
    if "fork" not in _hooked and hasattr(os, "register_at_fork"):
        _hooked.add("fork")
        os.register_at_fork(after_in_child=_after_fork_in_child)


def on_exit(target: Drainable) -> None:
    """Have ``target.drain_at_exit`` called when this process ends, if it lives then.

    To be called in each process, forked children included.
    """
    _hook_once("exit", lambda: atexit.register(drain_all))
    # The children of these two end without atexit's callbacks, but run finalizers of
    # their own, which they forget when they are forked.
    for name in ("multiprocessing.util", "billiard.util"):
        util: Any = sys.modules.get(name)
        if util is not None:
            finalize = partial(util.Finalize, None, drain_all, exitpriority=0)
            _hook_once(name, finalize)
    # The processes of Celery's pool run neither: they are killed, after a signal.
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:
        shutdown = signals.worker_process_shutdown
        _hook_once("celery", lambda: shutdown.connect(_on_pool_process_end, weak=False))
    _hook_once("SIGTERM", _handle_termination)
    _drainable.add(target)


def drain_all() -> None:
    """Drain each target once: several hooks call this, and each drain takes time."""
    with finishing():
        while _drainable:
            _drainable.pop().drain_at_exit()


def is_exiting() -> bool:
    """Say whether the interpreter is torn down: no other thread runs any more."""
    return sys.is_finalizing()


def _hook_once(name: str, hook: Callable[[], object]) -> None:
    if name not in _hooked:
        _hooked.add(name)
        hook()


def _on_pool_process_end(**signal: object) -> None:
    drain_all()


def _handle_termination() -> None:
    if not handle_termination(drain_all):
        _hooked.discard("SIGTERM")


def _after_fork_in_child() -> None:
    _hooked.difference_update({"multiprocessing.util", "billiard.util", "SIGTERM"})
    for target in list(_fork_aware):
        target.reset_after_fork()
