"""What a flush waits for: that everything before a point has left the process."""

from typing import Any

from attrs import define, field

from .clock import monotonic


@define(eq=False)
class FlushMarker:
    """A point in the order of ``put`` that a flush waits to see passed.

    Attributes:
        deadline: Until when the flush waits, by the monotonic clock.
        done: Locked until the point is passed; the flush acquires it.
        is_placed: The inbox was emptied up to the point.
        last_seq: The entry before the point.
        outstanding: How many messages before the point are still on their way.
        has_loss: One of them was lost.
        is_passed: None is on its way.
    """

    deadline: float
    done: Any
    is_placed: bool = False
    last_seq: int = 0
    outstanding: int = 0
    has_loss: bool = False
    is_passed: bool = False

    def change(self, count: int) -> None:
        """Note that more messages are on their way, or less."""
        self.outstanding += count
        if self.outstanding <= 0 and not self.is_passed:
            self.is_passed = True
            self.done.release()


@define
class FlushTracker:
    """The flushes that wait, and what was lost since the last one."""

    _markers: list[FlushMarker] = field(factory=list)
    _has_loss: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether a flush waits."""
        return bool(self._markers)

    def place(self, marker: FlushMarker, last_seq: int, outstanding: int) -> None:
        """Let a marker wait for what is on its way.

        What was lost since the last flush is reported by this one, once.
        """
        now = monotonic()
        self._markers = [each for each in self._markers if now < each.deadline]
        marker.is_placed, marker.last_seq = True, last_seq
        marker.has_loss = self._has_loss or any(m.has_loss for m in self._markers)
        self._has_loss = False
        self._markers.append(marker)
        self._change(marker, outstanding)

    def change(self, seq: int, count: int) -> None:
        """Note that more messages of an item are on their way, or less."""
        for marker in self._markers.copy():
            if seq <= marker.last_seq:
                self._change(marker, count)

    def _change(self, marker: FlushMarker, count: int) -> None:
        marker.change(count)
        if marker.is_passed:
            self._markers.remove(marker)

    def note_loss(self, seq: int) -> None:
        """Note that a message was lost; before ``change``."""
        now = monotonic()
        waiting = [m for m in self._markers if seq <= m.last_seq and now < m.deadline]
        for marker in waiting:
            marker.has_loss = True
        self._has_loss = self._has_loss or not waiting

    def report_loss(self) -> bool:
        """Say whether something was lost since the last flush."""
        has_loss, self._has_loss = self._has_loss, False
        return has_loss
