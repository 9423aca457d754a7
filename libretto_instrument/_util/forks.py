"""Keeps forks out of blocks during which a thread may hold other libraries' locks.

A lock that one thread holds while another forks is held in the child for ever. Some
are out of reach: `pydantic` takes one as it builds a model, and `pydantic_core` another
when it is first used, so that the program's own calls would never return in the child.
"""

import os
import time
from threading import get_ident
from types import TracebackType

#: For how long a fork is held up by a block, in seconds; it may be in a user's hook.
_MAX_SECONDS = 2.0
_POLL_INTERVAL = 0.001

# When each thread entered its block. No lock guards this: one side writes here and then
# reads `_forking`, the other does so the other way round.
_entered_at: dict[int, float] = {}
_forking: set[int] = set()


class _ForkBarrier:
    """A context manager; see the module."""

    def __enter__(self) -> None:
        thread = get_ident()
        _entered_at[thread] = now = time.monotonic()
        while _forking and time.monotonic() - now < _MAX_SECONDS:
            del _entered_at[thread]
            time.sleep(_POLL_INTERVAL)
            _entered_at[thread] = time.monotonic()

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
        time.monotonic() - entered_at < _MAX_SECONDS
        for other, entered_at in list(_entered_at.items())
        if other != thread
    ):
        time.sleep(_POLL_INTERVAL)


def _after_fork_in_parent() -> None:
    _forking.discard(get_ident())


def _after_fork_in_child() -> None:
    _entered_at.clear()
    _forking.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
