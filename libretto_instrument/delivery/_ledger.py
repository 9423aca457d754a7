"""The figures of the delivery, and who waits for them."""

import time
from _thread import LockType

from attrs import define, field

from ._gate import shut_latch
from ._message import Stats


@define(eq=False)
class Mark:
    """A point in the stream of items that somebody waits to see passed.

    Attributes:
        last: The number of the last item before the mark.
        remaining: How many items before the mark are not yet settled.
        lost: Whether one of them was lost.
    """

    last: int
    remaining: int
    lost: bool
    _passed: LockType = field(factory=shut_latch)

    def settle(self, *, lost: bool) -> None:
        """Note that one item before the mark is settled."""
        self.lost = self.lost or lost
        self.remaining -= 1
        if self.remaining == 0:
            self._passed.release()

    def wait(self, timeout: float) -> bool:
        """Wait until the mark is passed.

        Args:
            timeout: Seconds; negative means none.

        Returns:
            Whether it was passed in time.
        """
        return self.remaining <= 0 or self._passed.acquire(timeout=max(0.0, timeout))


@define
class Ledger:
    """Counts what happens to items. Not thread-safe: the gate guards it."""

    recorded: int = 0
    sent: int = 0
    spooled: int = 0
    retried: int = 0
    restarted: int = 0
    dropped: dict[str, int] = field(factory=dict)
    last_error: str | None = None
    last_error_at: float | None = None
    last_success_at: float | None = None
    _marks: list[Mark] = field(factory=list)
    _lost_since_mark: bool = False

    def deliver(self, number: int) -> None:
        """Count an item as accepted by Libretto."""
        self.sent += 1
        self.last_success_at = time.time()
        self._settle(number, lost=False)

    def spool(self, number: int) -> None:
        """Count an item as written to disk, for others to deliver."""
        self.spooled += 1
        self._settle(number, lost=False)

    def drop(self, number: int, reason: str, *, lost: bool = True) -> None:
        """Count an item as one that will never arrive.

        Args:
            number: The item's number.
            reason: Why; a key of ``Stats.dropped``.
            lost: False when the user wanted it so.
        """
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        told = self._settle(number, lost=lost)
        self._lost_since_mark = self._lost_since_mark or (lost and not told)

    def refuse(self, reason: str) -> None:
        """Count an item that was turned away at the door, without a number."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self._lost_since_mark = True

    def note_error(self, error: str | None) -> None:
        """Remember what went wrong last."""
        self.last_error = error
        self.last_error_at = time.time()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for items to be settled."""
        return bool(self._marks)

    def mark(self, last: int, pending: int) -> Mark:
        """Set a mark behind all items so far; ``lift`` takes it away again.

        What was lost since the mark before counts as lost before this one, so that
        whoever puts and then flushes learns of each loss once.

        Args:
            last: The number of the newest item.
            pending: How many items are not yet settled.
        """
        lost = self._lost_since_mark or any(mark.lost for mark in self._marks)
        self._lost_since_mark = False
        mark = Mark(last=last, remaining=pending, lost=lost)
        self._marks.append(mark)
        return mark

    def lift(self, mark: Mark) -> None:
        """Take a mark away."""
        self._marks.remove(mark)

    def _settle(self, number: int, *, lost: bool) -> bool:
        """Tell those who wait for the item; return whether there are any."""
        waiting = [mark for mark in self._marks if number <= mark.last]
        for mark in waiting:
            mark.settle(lost=lost)
        return bool(waiting)

    def stats(self, *, queued: int, in_flight: int) -> Stats:
        """Take a picture of the figures."""
        return Stats(
            recorded=self.recorded,
            queued=queued,
            in_flight=in_flight,
            sent=self.sent,
            retried=self.retried,
            dropped=dict(self.dropped),
            spooled=self.spooled,
            restarted=self.restarted,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            last_success_at=self.last_success_at,
        )
