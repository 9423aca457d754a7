"""The way in from the caller's threads."""

from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable
from time import monotonic
from types import TracebackType

from ._message import Item

#: How many items stay in the box while somebody is expected; they are not counted
#: towards any bound yet. One more, and all are carried in: together they cost less
#: than each by itself, whose way finds nothing in the processor's caches.
BOX = 16
#: Of an item that weighs more than this, in bytes, none does.
LIGHT = 64 * 2**10


def shut_latch() -> LockType:
    """Make a signal for one waiter: ``release`` it once to let ``acquire`` through.

    Setting a ``threading.Event`` instead would take a lock, perhaps inside a signal
    handler that interrupted the holder of that very lock.
    """
    latch = allocate_lock()
    latch.acquire()
    return latch


class Gate:
    """A lock around the backlog, with a letter box for what comes while it is shut.

    ``put`` may run anywhere: in a finaliser, in a signal handler, on a thread that was
    interrupted inside this very class. So it never waits for the lock. It drops the
    item into the box, and leaves it there if it is light, somebody will come by and the
    box is not full. Else it carries the box in, or where the lock is held, whoever
    holds it does on leaving.

    Attributes:
        attended_until: Somebody is inside, or will enter about this time of the
            monotonic clock at the latest, so that a few items may wait in the box.
    """

    __slots__ = ("_admit", "_box", "_light", "_lock", "_room", "attended_until")

    def __init__(
        self,
        admit: Callable[[deque[Item]], None],
        *,
        room: int = BOX,
        light: int = LIGHT,
    ) -> None:
        """Make an open gate around an empty box.

        Args:
            admit: Called with the lock held; must empty the box it is given, the oldest
                first.
            room: At most so many items stay in the box while somebody is expected.
            light: And none that weighs more than this, in bytes.
        """
        self._admit = admit
        self._box: deque[Item] = deque()
        self._room, self._light = room, light
        self._lock = allocate_lock()
        self.attended_until = 0.0

    def put(self, item: Item) -> None:
        """Take an item in, without waiting for anybody."""
        box = self._box
        box.append(item)
        if (
            monotonic() > self.attended_until
            or len(box) > self._room
            or item.weight > self._light
        ):
            self._carry_in()

    def enter(self, timeout: float = -1) -> bool:
        """Take the lock, with everything that was put so far carried in.

        Args:
            timeout: For how many seconds to wait for the lock; -1 is for ever.

        Returns:
            Whether the lock was had; if so ``leave`` must follow.
        """
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            if self._box:
                self._admit(self._box)
        except BaseException:
            self._lock.release()
            raise
        return True

    def leave(self) -> None:
        """Release the lock, and carry in what was put meanwhile."""
        self._lock.release()
        self._carry_in()

    def _carry_in(self) -> None:
        # Looked at again after each release: an item that was put while the lock was
        # held found it shut and relies on this.
        while self._box and self._lock.acquire(False):
            try:
                self._admit(self._box)
            finally:
                self._lock.release()

    def __enter__(self) -> None:
        self.enter()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()
