"""The inbox: items that callers have put and no worker has taken. It has no lock."""

from collections import Counter, deque
from contextlib import suppress
from typing import Any

from attrs import define, field

from .flush import FlushMarker

#: What stands in the inbox for a message that the caller wrote to the store.
SPOOLED = object()


@define(eq=False)
class Inbox:
    """Items in the order of ``put``.

    Attributes:
        items: Each with the names of its destinations; flush markers among them.
        dropped: How many were dropped and not yet counted; see ``pop_dropped``.
    """

    items: deque[tuple[Any, Any]] = field(factory=deque)
    # One counter; a thread that changes it takes it out meanwhile.
    dropped: deque[Counter[Any]] = field(factory=deque)

    def pop(self) -> tuple[Any, Any] | None:
        """Return the oldest."""
        try:
            return self.items.popleft()
        except IndexError:
            return None

    def pop_dropped(self) -> Counter[Any]:
        """Count what was dropped, by whether it is stored, and its destinations."""
        try:
            return self.dropped.popleft()
        except IndexError:
            return Counter()

    def limit(self, max_events: int, max_bytes: int) -> None:
        """Drop the oldest, if no worker can be had to take them."""
        sizes = [getattr(item, "size_bytes", 0) for item, _ in self.items.copy()]
        excess = sum(sizes) - max_bytes
        for count, size in enumerate(sizes):
            if excess <= 0 and len(sizes) - count <= max_events:
                return
            excess -= size
            with suppress(IndexError):
                self._drop(*self.items.popleft())

    def _drop(self, item: Any, names: Any) -> None:
        if isinstance(item, FlushMarker):
            self.items.append((item, names))  # It waits for what is there now.
            return
        counts = self.pop_dropped()
        counts[item is SPOOLED, names] += 1
        self.dropped.append(counts)
