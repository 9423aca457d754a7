"""What becomes of the delivery when the process forks and when it ends."""

import atexit
import os
import sys
import threading
from time import monotonic
from typing import Any, Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What must not be shared with a forked child."""

    def after_fork_in_child(self) -> None:
        """Start afresh; called in the child, where only this thread lives on."""
        ...


class Closable(Protocol):
    """What must not be open when the process forks."""

    def before_fork(self) -> None:
        """Close, and stay closed."""
        ...

    def after_fork_in_parent(self) -> None:
        """Open again when needed."""
        ...


class Drainable(Protocol):
    """What must not be cut off by the end of the process."""

    def drain_at_exit(self) -> None:
        """Bring to an end what is under way, in bounded time."""
        ...


class _Door:
    """A way into what forks wait for: ``with door: ...``.

    Attributes:
        inside: How many threads are in.
    """

    def __init__(self, wait: "_NoFork") -> None:
        self._wait = wait
        self.inside = 0

    def __enter__(self) -> None:
        with self._wait.changed:
            self.inside += 1

    def __exit__(self, *exc_info: object) -> None:
        changed = self._wait.changed
        with changed:
            self.inside -= 1
            changed.notify_all()


class _NoFork:
    """What a fork waits for, if not for long.

    A module that one thread is importing while another one forks stays half imported
    in the child for ever, and its lock held. So whatever may import for the first time
    keeps forks off. Any number of threads may do so at once.

    Attributes:
        importing: The way in for what is known to import.
        hooks: The way in for the user's own code, which may import and may take long.
        changed: Somebody went in or out.
    """

    #: How long a fork waits, in seconds. Then the child takes its chance.
    PATIENCE = 5.0
    #: How long if there are only hooks inside, and none is importing.
    SHORT_PATIENCE = 0.25

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget those who were inside: they are not here, in the child, to leave."""
        self.changed = threading.Condition()
        self.importing = _Door(self)
        self.hooks = _Door(self)

    def _is_empty(self) -> bool:
        return not (self.importing.inside or self.hooks.inside)

    def before_fork(self) -> None:
        """Wait, and let nobody enter before the fork is over."""
        self.changed.acquire()
        deadline = monotonic() + self.PATIENCE
        while not self.changed.wait_for(self._is_empty, self.SHORT_PATIENCE):
            if monotonic() > deadline:
                return
            if not (self.importing.inside or _is_importing()):
                return

    def after_fork(self) -> None:
        """Let everybody enter again."""
        self.changed.release()


def _is_importing() -> bool:
    """Tell whether some module is half imported now."""
    for module in list(sys.modules.values()):
        # Not by its attributes: some modules load others when these are asked for.
        spec = getattr(module, "__dict__", {}).get("__spec__")
        if getattr(spec, "_initializing", False):
            return True
    return False


no_fork = _NoFork()
_forkable: WeakSet[Forkable] = WeakSet()
_closable: WeakSet[Closable] = WeakSet()
_drainable: WeakSet[Drainable] = WeakSet()
_hooked: set[str] = set()


def reset_after_fork(target: Forkable) -> None:
    """Have ``target.after_fork_in_child`` called in forked children while it lives."""
    _hook_forks()
    _forkable.add(target)


def close_before_fork(target: Closable) -> None:
    """Have ``target`` closed before this process forks, while it lives."""
    _hook_forks()
    _closable.add(target)


def drain_at_exit(target: Drainable) -> None:
    """Have ``target.drain_at_exit`` called when this process ends, if it lives then."""
    if "exit" not in _hooked:
        _hooked.add("exit")
        atexit.register(_drain_all)
    # The children of these two end without atexit's callbacks, but run finalizers
    # of their own, which they forget when they are forked.
    for name in ("multiprocessing.util", "billiard.util"):
        util: Any = sys.modules.get(name)
        if util is not None and name not in _hooked:
            _hooked.add(name)
            util.Finalize(None, _drain_all, exitpriority=0)
    # The processes of Celery's pool run neither: they say goodbye, and are killed.
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None and "celery" not in _hooked:
        _hooked.add("celery")
        signals.worker_process_shutdown.connect(_drain_pool_process, weak=False)
    _drainable.add(target)


def _hook_forks() -> None:
    # Hooks at fork can't be taken away again, hence one for all, and weak references.
    if "fork" not in _hooked and hasattr(os, "register_at_fork"):
        _hooked.add("fork")
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )


def _before_fork() -> None:
    no_fork.before_fork()
    for target in list(_closable):
        target.before_fork()


def _after_fork_in_parent() -> None:
    for target in list(_closable):
        target.after_fork_in_parent()
    no_fork.after_fork()


def _after_fork_in_child() -> None:
    no_fork.reset()
    _hooked.difference_update({"multiprocessing.util", "billiard.util"})
    for target in list(_forkable):
        target.after_fork_in_child()


def _drain_pool_process(**signal: object) -> None:
    _drain_all()


def _drain_all() -> None:
    # Each but once: these hooks are several, and each may wait as long as it may.
    while _drainable:
        _drainable.pop().drain_at_exit()
