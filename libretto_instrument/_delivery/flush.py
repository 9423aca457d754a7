"""Tracks, for each flush, which of the messages put before it are on their way."""

from typing import Any

from attrs import define, field

from .._util.clock import monotonic


@define(eq=False)
class FlushMarker:
    """A point in the order of ``put`` that a flush waits to see passed.

    Attributes:
        deadline: Until when the flush waits, by the monotonic clock.
        done: Locked until the point is passed; the flush acquires it.
        last_seq: The last entry before the point.
        outstanding: How many messages before the point are still on their way.
        is_passed: None is on its way.
    """

    deadline: float
    done: Any
    last_seq: int = 0
    outstanding: int = 0
    is_passed: bool = False


@define
class FlushTracker:
    """The flushes that wait, and how many messages were ever lost.

    Attributes:
        losses: Messages that will never arrive, though the user wanted them sent.
        reported: How many of these a flush has reported.
    """

    losses: int = 0
    reported: int = 0
    _markers: list[FlushMarker] = field(factory=list)

    @property
    def is_waiting(self) -> bool:
        """Whether a flush waits."""
        return bool(self._markers)

    def place(self, marker: FlushMarker, last_seq: int, outstanding: int) -> None:
        """Let a marker wait for what is on its way."""
        now = monotonic()
        self._markers = [each for each in self._markers if now < each.deadline]
        self._markers.append(marker)
        marker.last_seq = last_seq
        self._change(marker, outstanding)

    def change(self, seq: int, count: int) -> None:
        """Note that more messages of an item are on their way, or less."""
        for marker in self._markers.copy():
            if seq <= marker.last_seq:
                self._change(marker, count)

    def _change(self, marker: FlushMarker, count: int) -> None:
        marker.outstanding += count
        if marker.outstanding <= 0:
            marker.is_passed = True
            self._markers.remove(marker)
            marker.done.release()

    def report(self, known: int) -> bool:
        """Say whether nothing was lost since ``known`` losses, and note it as told."""
        self.reported = self.losses
        return self.reported == known
