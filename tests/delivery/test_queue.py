"""The queue of one destination, without threads."""

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.deliveries import DELIVERED, FAILED, UNREACHABLE

from libretto_instrument._delivery import Message, Outcome
from libretto_instrument._delivery.entry import Entry
from libretto_instrument._delivery.queue import DeliveryQueue


def entry(name: str, key: str | None = None, credential: str | None = None) -> Entry:
    message = Message("event", name, b"x", key, credential=credential)
    return Entry(1, 100, key, message)


def add(queue: DeliveryQueue, *entries: Entry) -> None:
    for each in entries:
        queue.add(each, now=1.0)


def names(batch: list[Entry]) -> list[str]:
    return [each.payload.id for each in batch]


def finish(queue: DeliveryQueue, batch: list[Entry], outcome: Outcome, now=1.0) -> None:
    queue.note(batch, [outcome] * len(batch), now)
    for each in batch:
        if outcome.retry:
            queue.retry(each, now, outcome.retry_after)
        else:
            queue.complete(each, now)
    queue.end(0.001, now)


def test_first_in_first_out():
    """Messages leave in the order in which they were put."""
    queue = DeliveryQueue()
    add(queue, *map(entry, "abc"))
    assert [names(queue.take(1.0)) for _ in range(4)] == [["a"], ["b"], ["c"], []]


def test_one_of_a_key_at_a_time():
    """A message waits for the one before it of its key, also for a retry."""
    queue = DeliveryQueue()
    add(queue, entry("a", "k"), entry("b", "k"), entry("c"))
    first = queue.take(1.0)
    assert names(queue.take(1.0)) == ["c"]
    assert queue.take(1.0) == []
    finish(queue, first, Outcome(delivered=False, retry=True, status=500), 1.0)
    assert queue.take(0.9) == []
    again = queue.take(100.0)
    assert names(again) == ["a"]
    finish(queue, again, DELIVERED, 100.0)
    assert names(queue.take(100.0)) == ["b"]


def test_what_was_never_tried_goes_first():
    """A message that is due for a retry waits until all others were tried once."""
    queue = DeliveryQueue()
    add(queue, entry("bad"))
    finish(queue, queue.take(1.0), FAILED)
    add(queue, entry("a"), entry("b"))
    assert [names(queue.take(100.0)) for _ in range(3)] == [["a"], ["b"], ["bad"]]


def test_no_more_takers_than_allowed():
    """As many take at a time as the transport bears."""
    queue = DeliveryQueue(max_concurrency=1)
    add(queue, entry("a"), entry("b"))
    first = queue.take(1.0)
    assert queue.take(1.0) == []
    assert queue.next_at(1.0) == math.inf
    finish(queue, first, DELIVERED)
    assert names(queue.take(1.0)) == ["b"]


def test_batches_shrink_until_the_one_that_fails_is_alone():
    """What failed together is tried again in smaller and smaller batches."""
    queue, sizes, now = DeliveryQueue(max_batch=64), [], 1.0
    add(queue, *(entry(str(n)) for n in range(64)))
    while max(sizes, default=2) > 1:
        sizes = []
        for _ in range(64):
            if batch := queue.take(now := now + 1000.0):
                sizes.append(len(batch))
                finish(queue, batch, FAILED, now)
    assert queue.queued == 64


@pytest.mark.parametrize("failure", [FAILED, UNREACHABLE])
def test_probes(failure):
    """A backend that fails gets one message at a time until one goes well."""
    queue = DeliveryQueue()
    add(queue, *(entry(str(n)) for n in range(20)))
    for batch in [queue.take(1.0) for _ in range(3)]:
        finish(queue, batch, failure)
    assert queue.take(1.0) == []
    now = queue.next_at(1.0)
    probe = queue.take(now)
    assert len(probe) == 1
    assert queue.take(now + 100.0) == []
    finish(queue, probe, DELIVERED, now)
    assert len([queue.take(now) for _ in range(5)]) == 5


def test_a_message_that_fails_again_says_nothing_of_others():
    """However often a few messages are refused, others are still tried at once."""
    queue, now = DeliveryQueue(), 1.0
    add(queue, entry("bad"))
    for _ in range(20):
        now += 1000.0
        finish(queue, queue.take(now), FAILED, now)
    queue.add(entry("good"), now)
    assert names(queue.take(now)) == ["good"]


def test_retry_after_holds_for_its_key_alone():
    """A throttled API key waits, and no other one does."""
    queue = DeliveryQueue()
    add(queue, entry("a1", credential="a"), entry("a2", credential="a"))
    throttled = Outcome(delivered=False, retry=True, status=429, retry_after=60)
    finish(queue, queue.take(1.0), throttled)
    add(queue, entry("b", credential="b"))
    assert names(queue.take(1.0)) == ["b"]
    assert queue.take(60.9) == []
    assert names(queue.take(61.0)) == ["a2"]


def test_retry_after_of_a_message_that_is_refused():
    """What a server asks for along with a 5xx holds for the message alone."""
    queue = DeliveryQueue()
    add(queue, entry("bad"), entry("good"))
    unavailable = Outcome(delivered=False, retry=True, status=503, retry_after=60)
    finish(queue, queue.take(1.0), unavailable)
    assert names(queue.take(1.0)) == ["good"]
    assert queue.next_at(1.0) == 61.0


def test_expedite():
    """A flush cuts every pause short, once, and later ones to a moment."""
    queue = DeliveryQueue()
    add(queue, entry("a"))
    throttled = Outcome(delivered=False, retry=True, status=429, retry_after=60)
    finish(queue, queue.take(1.0), throttled)
    queue.expedite(2.0, until=10.0)
    batch = queue.take(2.0)
    assert names(batch) == ["a"]
    finish(queue, batch, FAILED, 2.0)
    assert queue.next_at(2.0) <= 2.25


def test_the_oldest_is_dropped_first():
    """What waits for a retry is older than what came after it; a key goes on."""
    queue = DeliveryQueue()
    add(queue, entry("a", "k"), entry("b", "k"), entry("c"))
    finish(queue, queue.take(1.0), FAILED)
    assert queue.drop_oldest(1.0).failures == 1
    assert names(queue.take(1.0)) == ["c"]
    assert names(queue.take(1.0)) == ["b"]


def test_stored_messages_are_not_dropped():
    """What is on disk counts towards no bound of the memory, and stays."""
    queue = DeliveryQueue()
    stored = entry("a")
    stored.stored = object()
    add(queue, stored)
    assert (queue.pending, queue.bytes, queue.stored_pending) == (0, 0, 1)
    assert queue.drop_oldest(1.0) is None
    finish(queue, queue.take(1.0), DELIVERED)
    assert queue.stored_pending == 0


def test_a_credential_that_comes_back():
    """What is put while an earlier message of its credential is in flight is sent."""
    queue = DeliveryQueue()
    add(queue, entry("a", credential="x"))
    first = queue.take(1.0)
    add(queue, entry("b", credential="y"))
    second = queue.take(1.0)
    add(queue, entry("c", credential="x"))
    assert queue.drop_oldest(1.0) is not None
    add(queue, entry("d", credential="x"))
    finish(queue, first, DELIVERED)
    finish(queue, second, DELIVERED)
    assert names(queue.take(1.0)) == ["d"]


KEYS = st.sampled_from([None, "k", "l"])
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS, st.sampled_from(["x", "y"])),
    st.tuples(st.just("take"), st.floats(0, 50)),
    st.tuples(
        st.just("finish"),
        st.integers(0, 5),
        st.sampled_from([DELIVERED, FAILED, UNREACHABLE]),
    ),
    st.tuples(st.just("drop")),
    st.tuples(st.just("expedite")),
)


@given(st.lists(STEPS, max_size=60), st.sampled_from([1, 4]))
def test_whatever_happens(steps, max_batch):
    """Nothing is lost or sent twice, sums hold, and each key keeps its order."""
    queue, now, added, gone = DeliveryQueue(max_batch), 1.0, 0, 0
    taken: list[list[Entry]] = []
    ended: dict[str, list[int]] = defaultdict(list)
    for step, *values in steps:
        now += 0.01
        if step == "add":
            queue.add(entry(str(added), values[0], values[1]), now)
            added += 1
        elif step == "take":
            now += values[0]
            if batch := queue.take(now):
                taken.append(batch)
        elif step == "finish" and taken:
            batch = taken.pop(values[0] % len(taken))
            if not values[1].retry:
                gone += len(batch)
                for each in batch:
                    ended[each.ordering_key].append(int(each.payload.id))
            finish(queue, batch, values[1], now)
        elif step == "drop":
            gone += queue.drop_oldest(now) is not None
        elif step == "expedite":
            queue.expedite(now, now + 1)
        in_flight = sum(map(len, taken))
        assert queue.in_flight == in_flight
        assert queue.queued == added - gone - in_flight
        assert queue.bytes == 100 * queue.pending
        keys = [e.ordering_key for batch in taken for e in batch if e.ordering_key]
        assert len(keys) == len(set(keys))
    for batch in taken:
        finish(queue, batch, DELIVERED, now)
        gone += len(batch)
        for each in batch:
            ended[each.ordering_key].append(int(each.payload.id))
    while queue.queued:
        now = queue.next_at(now)
        batch = queue.take(now)
        assert batch
        gone += len(batch)
        for each in batch:
            ended[each.ordering_key].append(int(each.payload.id))
        finish(queue, batch, DELIVERED, now)
    assert gone == added
    for key in ("k", "l"):
        assert ended[key] == sorted(ended[key])
