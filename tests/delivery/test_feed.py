"""What is read from a store, and when."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from libretto_instrument._delivery import Message
from libretto_instrument._delivery.feed import WINDOW, WINDOW_BYTES, Feed
from libretto_instrument._delivery.queue import DeliveryQueue


class Shelf:
    """A store of messages of one size."""

    def __init__(self, number: int, size: int) -> None:
        body = b"x" * size
        self.waiting = [Message("event", str(at), body) for at in range(number)]

    def try_lead(self, name: str) -> bool:
        """Let everybody read."""
        return True

    def maintain(self) -> None:
        """Have nothing to look after."""

    def read(self, name: str, max_messages: int, max_bytes: int) -> list[Any]:
        """Return what comes next, and at least one."""
        found: list[Any] = []
        size = 0
        while self.waiting and len(found) < max_messages:
            size += self.waiting[0].size_bytes
            if found and size > max_bytes:
                break
            found.append(SimpleNamespace(message=self.waiting.pop(0)))
        return found


def poll(feed: Feed) -> Iterator[float]:
    """Poll whenever it is due, and yield the time, which goes by in steps of 0.1 s."""
    now = 1.0
    while True:
        if feed.begin(now):
            feed.poll()(now)
        yield now
        now += 0.1


@pytest.mark.parametrize("size", [100, 100_000, 1_000_000, 10_000_000])
def test_a_window_of_the_store(size: int) -> None:
    """While nothing is delivered, a bounded number of messages and bytes is read; and
    in the end all are."""
    queue = DeliveryQueue(max_concurrency=1)
    shelf = Shelf(600, size) if size < 1_000_000 else Shelf(40, size)
    feed = Feed(shelf, {"libretto": queue}, threading.Lock())  # type: ignore[arg-type]
    number = len(shelf.waiting)
    polls = poll(feed)
    for _ in range(50):
        next(polls)
    assert 1 <= queue.stored_pending <= WINDOW
    assert queue.stored_bytes <= WINDOW_BYTES + size
    assert not feed.is_idle
    delivered = 0
    while not feed.is_idle:
        now = next(polls)
        for entry in queue.take(now):
            queue.complete(entry, now)
            queue.end(0.001, now)
            delivered += 1
    assert delivered == number
    assert queue.stored_bytes == 0


def test_a_full_window_is_not_polled_all_the_time() -> None:
    """A large message that is on its way does not keep a worker looking for more."""
    queue = DeliveryQueue()
    feed = Feed(Shelf(3, 10_000_000), {"libretto": queue}, threading.Lock())  # type: ignore[arg-type]
    assert feed.begin(1.0)
    feed.poll()(1.0)
    assert feed.begin(2.0)
    feed.poll()(2.0)  # There is no place for another.
    assert not feed.begin(2.0)
