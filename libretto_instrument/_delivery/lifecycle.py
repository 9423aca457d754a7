"""Hooks for forks and for the end of the process."""

import atexit
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from .._util.termination import finishing, handle_termination

#: What a forked child must not use as it is: it has locks, threads or connections. And
#: what has work that the end of the process must not cut off.
_fork_aware: "WeakSet[Any]" = WeakSet()
_drainable: "WeakSet[Any]" = WeakSet()
_hooked: set[str] = set()


def on_fork(target: Any) -> None:
    """Have ``target.reset_after_fork`` called in forked children, while it lives."""
    _fork_aware.add(target)
    # Hooks at fork can't be taken away again, hence one for all, and weak references.
    if "fork" not in _hooked and hasattr(os, "register_at_fork"):
        _hooked.add("fork")
        os.register_at_fork(after_in_child=_after_fork_in_child)


def on_exit(target: Any) -> None:
    """Have ``target`` drained when this process ends, if it lives then.

    First ``begin_exit`` of all targets is called, then ``drain_at_exit`` of each: so
    the time that they may take runs for all at once. To be called in each process,
    forked children included.
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
        connect = partial(shutdown.connect, lambda **signal: drain_all(), weak=False)
        _hook_once("celery", connect)
    _hook_once("SIGTERM", _handle_termination)
    _drainable.add(target)


def drain_all() -> None:
    """Drain each target once: several hooks call this, and each drain takes time."""
    with finishing():
        for target in list(_drainable):
            target.begin_exit()
        while _drainable:
            _drainable.pop().drain_at_exit()


def _hook_once(name: str, hook: Callable[[], object]) -> None:
    if name not in _hooked:
        _hooked.add(name)
        hook()


def _handle_termination() -> None:
    if not handle_termination(drain_all):
        _hooked.discard("SIGTERM")


def _after_fork_in_child() -> None:
    _hooked.difference_update({"multiprocessing.util", "billiard.util", "SIGTERM"})
    for target in list(_fork_aware):
        target.reset_after_fork()
