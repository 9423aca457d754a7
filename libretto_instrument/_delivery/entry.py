"""One item or message in a queue."""

from typing import Any

from attrs import define, field


@define(eq=False)
class Entry:
    """One item or message on its way.

    Attributes:
        seq: Its place in the order of ``put``; 0 for one that was read from a store.
        size: What it counts towards the bound, in bytes.
        ordering_key: Entries of one key go one by one, in order.
        payload: The item or the message.
        destinations: Where an item goes once it is prepared.
        stored: What it was read from, if it is on disk.
        failures: How many attempts failed.
        is_waiting: It is in the queue, and not in flight or dropped.
        is_probe: It was taken while its circuit was open.
        circuit: The entries that are held up together.
    """

    seq: int
    size: int
    ordering_key: str | None = None
    payload: Any = None
    destinations: tuple[str, ...] = ()
    stored: Any = None
    failures: int = 0
    is_waiting: bool = False
    is_probe: bool = False
    circuit: Any = field(default=None, repr=False)
