"""Keeps forks from leaving locks held in the child.

A lock that another thread holds at the fork is never released in the child. Some locks
are not ours: `pydantic` takes one as it builds a model, and `pydantic_core` another
when it is first used, so that the program's own calls would never return in the child.
"""

import _imp
import os
import sys
import time
from threading import get_ident
from types import TracebackType
from typing import Any

from .clock import monotonic

#: For how long a fork is held up by a block, in seconds; it may be in a user's hook.
_MAX_SECONDS = 2.0
_POLL_INTERVAL = 0.001

#: Threads of ours whose imports hold up a fork: a module that is half imported then
#: stays so in the child.
worker_threads: set[int] = set()

# When each thread entered its block. No lock guards this: one side writes here and then
# reads `_forking`, the other does so the other way round.
_entered_at: dict[int, float] = {}
_forking: set[int] = set()


def may_start_threads() -> bool:
    """Say whether this process may have threads; uWSGI's master may not.

    It forks its workers in C, without the interpreter's lock: a thread that holds that
    lock just then leaves it held in the worker, which answers no request.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    try:
        return uwsgi is None or bool(
            uwsgi.worker_id() or uwsgi.mule_id() or uwsgi.i_am_the_spooler()
        )
    except AttributeError:  # Another module of that name.
        return True


def inherits_from_master() -> bool:
    """Say whether this is the first process that uWSGI's master has forked.

    The master runs no Python from then on, not even at its end. So what it recorded is
    for that process to deliver, and for no other.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    try:
        if uwsgi is None or uwsgi.worker_id() != 1:
            return False
        return bool(uwsgi.workers()[0]["respawn_count"] == 0)
    except (AttributeError, LookupError, TypeError):
        return False


class _ForkBarrier:
    """A context manager; see the module."""

    def __enter__(self) -> None:
        thread = get_ident()
        _entered_at[thread] = now = monotonic()
        while _forking and monotonic() - now < _MAX_SECONDS:
            del _entered_at[thread]
            time.sleep(_POLL_INTERVAL)
            _entered_at[thread] = monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _entered_at.pop(get_ident(), None)


#: ``with fork_barrier:`` a fork on another thread waits for the end of the block.
fork_barrier = _ForkBarrier()


def _before_fork() -> None:
    thread = get_ident()
    _forking.add(thread)
    while any(
        monotonic() - entered_at < _MAX_SECONDS
        for other, entered_at in list(_entered_at.items())
        if other != thread
    ):
        time.sleep(_POLL_INTERVAL)
    # Each import takes this lock for a moment when it begins, so that none does so
    # between the look for one and the fork.
    deadline = monotonic() + _MAX_SECONDS
    _imp.acquire_lock()
    while _is_importing() and monotonic() < deadline:
        _imp.release_lock()
        time.sleep(_POLL_INTERVAL)
        _imp.acquire_lock()


def _is_importing() -> bool:
    bootstrap: Any = sys.modules["_frozen_importlib"]
    # Of CPython: a weak reference to the lock of each module that is being imported.
    locks = [ref() for ref in list(getattr(bootstrap, "_module_locks", {}).values())]
    return any(getattr(lock, "owner", None) in worker_threads for lock in locks)


def _after_fork_in_parent() -> None:
    _imp.release_lock()
    _forking.discard(get_ident())


def _after_fork_in_child() -> None:
    _imp.release_lock()
    _entered_at.clear()
    _forking.clear()
    worker_threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
