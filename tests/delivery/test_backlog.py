"""What goes next, and what is dropped, with no thread in sight."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.parcels import DELIVERED, FAILED, REJECTED, Parcel, prepare

from libretto_instrument.delivery import Message
from libretto_instrument.delivery._backlog import Backlog, Job
from libretto_instrument.delivery._message import MESSAGE_OVERHEAD
from libretto_instrument.delivery._retry import UNWELL_AFTER


def make(max_events: int = 100, max_bytes: int = 10**6) -> Backlog:
    return Backlog(max_events, max_bytes)


def take(backlog: Backlog, now: float = 0.0) -> Job:
    """Take the next message that can be sent, preparing what needs it."""
    while True:
        job = backlog.take(now)
        assert job is not None, "nothing to take"
        if job.message is not None or backlog.prepared(job, prepare(job.item)):
            return job


def sent_id(job: Job) -> str:
    assert job.message is not None
    return job.message.id


def test_first_in_first_out():
    """Messages leave in the order in which they were put."""
    backlog = make()
    for n in range(3):
        backlog.add(Parcel(str(n)))
    assert [sent_id(take(backlog)) for _ in range(3)] == ["0", "1", "2"]
    assert backlog.take(0.0) is None


def test_one_at_a_time_is_prepared():
    """While one item is being prepared no other is handed out for it."""
    backlog = make()
    backlog.add(Parcel("a"))
    backlog.add(Parcel("b"))
    job = backlog.take(0.0)
    assert backlog.take(0.0) is None
    assert backlog.pause(0.0) is None
    backlog.prepared(job, prepare(job.item))
    assert backlog.pause(0.0) == 0
    assert backlog.take(0.0).item.id == "b"


def test_lane():
    """A message waits for the one before it of the same key, and for no other."""
    backlog = make()
    for name, key in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("x", None), ("a3", "a")]:
        backlog.add(Parcel(name, key))
    first = take(backlog)
    assert [sent_id(take(backlog)) for _ in range(2)] == ["b1", "x"]
    a3 = backlog.take(0.0)
    assert not backlog.prepared(a3, prepare(a3.item))
    assert backlog.take(0.0) is None
    backlog.settle(first, DELIVERED, 0.0)
    second = take(backlog)
    assert sent_id(second) == "a2"
    assert backlog.take(0.0) is None
    backlog.settle(second, REJECTED, 0.0)
    assert sent_id(take(backlog)) == "a3"


def test_lane_waits_for_a_retry():
    """A key's later messages wait while its first one waits to be tried again."""
    backlog = make()
    backlog.add(Parcel("a1", "a"))
    backlog.add(Parcel("a2", "a"))
    backlog.add(Parcel("b1", "b"))
    backlog.settle(take(backlog), FAILED, now=0.0)
    assert sent_id(take(backlog, -1.0)) == "b1"
    assert backlog.take(-1.0) is None
    assert sent_id(take(backlog, 1.0)) == "a1"


def test_retry_at_its_time():
    """A failed message is handed out again after its pause, and not before."""
    backlog = make()
    backlog.add(Parcel("a"))
    outcome = FAILED.__class__(delivered=False, retry=True, retry_after=7.0)
    backlog.settle(take(backlog), outcome, now=100.0)
    assert backlog.pause(100.0) == 7.0
    assert backlog.take(106.0) is None
    assert backlog.ledger.retried == 1
    assert sent_id(take(backlog, 107.0)) == "a"


def test_hurry():
    """A flush cuts every pause short."""
    backlog = make()
    for n in range(UNWELL_AFTER):
        backlog.add(Parcel(str(n)))
    for job in [take(backlog) for _ in range(UNWELL_AFTER)]:
        backlog.settle(job, FAILED, now=100.0)
    backlog.health.resume_at = 200.0
    backlog.hurry(100.0, until=105.0)
    assert backlog.pause(100.0) == 0
    assert backlog.take(100.0) is not None


def test_probe():
    """An unwell backend gets one message at a time until one goes well."""
    backlog = make()
    for n in range(10):
        backlog.add(Parcel(str(n)))
    for job in [take(backlog) for _ in range(UNWELL_AFTER)]:
        backlog.settle(job, FAILED, now=0.0)
    later = backlog.health.resume_at + 60
    probe = take(backlog, later)
    assert backlog.take(later) is None
    assert backlog.pause(later) is None
    backlog.settle(probe, DELIVERED, later)
    assert [sent_id(take(backlog, later)) for _ in range(9)]


def test_bound_by_count():
    """One item too many pushes out the oldest one that waits."""
    backlog = make(max_events=3)
    backlog.add(Parcel("flying"))
    flying = take(backlog)
    for n in range(5):
        backlog.add(Parcel(str(n)))
    assert backlog.ledger.dropped == {"queue_full": 3}
    assert [sent_id(take(backlog)) for _ in range(2)] == ["3", "4"]
    backlog.settle(flying, DELIVERED, 0.0)
    assert backlog.ledger.sent == 1


def test_bound_by_bytes():
    """Too many bytes push out the oldest items, and what was kept is counted right."""
    backlog = make(max_bytes=1000)
    for n in range(20):
        backlog.add(Parcel(str(n), weight=300))
    assert (backlog.waiting, backlog.held_bytes) == (3, 900)
    assert backlog.take(0.0).item.id == "17"


def test_a_heavy_message_counts_with_its_body():
    """Once prepared, a message counts with what it weighs then."""
    backlog = make(max_bytes=1500)
    backlog.add(Parcel("a", weight=10))
    backlog.add(Parcel("b", weight=600))
    job = backlog.take(0.0)
    assert backlog.prepared(job, Message("event", "a", b"x" * 1000))
    assert backlog.held_bytes == 1000 + MESSAGE_OVERHEAD
    assert backlog.ledger.dropped == {"queue_full": 1}


def test_too_large():
    """An item over the whole bound is turned away and pushes nothing out."""
    backlog = make(max_bytes=1000)
    backlog.add(Parcel("a"))
    backlog.add(Parcel("b", weight=1001))
    assert backlog.ledger.dropped == {"too_large": 1}
    assert backlog.waiting == 1


def test_the_oldest_goes_first_whatever_it_waits_for():
    """A message that waits for its retry is older than what was put after it."""
    backlog = make(max_events=3)
    backlog.add(Parcel("a1", "a"))
    backlog.settle(take(backlog), FAILED, 0.0)
    for name in ("b", "c", "d"):
        backlog.add(Parcel(name))
    assert [sent_id(take(backlog, 60.0)) for _ in range(3)] == ["b", "c", "d"]


def test_a_dropped_lane_holder_frees_its_lane():
    """When a waiting message is pushed out, the next of its key takes its place."""
    backlog = make(max_events=2)
    backlog.add(Parcel("a1", "a"))
    backlog.add(Parcel("a2", "a"))
    first = take(backlog)
    second = backlog.take(0.0)
    assert not backlog.prepared(second, prepare(second.item))
    backlog.settle(first, FAILED, 0.0)
    backlog.add(Parcel("b"))
    assert sent_id(take(backlog, 0.0)) == "a2"
    assert sent_id(take(backlog, 0.0)) == "b"


def test_close():
    """A closed backlog drops what waits, what comes, and what fails."""
    backlog = make()
    backlog.add(Parcel("flying"))
    job = take(backlog)
    backlog.add(Parcel("waiting"))
    backlog.close()
    backlog.add(Parcel("late"))
    backlog.settle(job, FAILED, 0.0)
    assert backlog.ledger.dropped == {"shutdown": 3}
    assert backlog.pending == backlog.held_bytes == 0


@pytest.mark.parametrize("lost_before", [True, False])
def test_marks(lost_before):
    """A mark is passed when all before it is settled, and remembers losses."""
    backlog = make()
    backlog.add(Parcel("a"))
    backlog.add(Parcel("b"))
    first, second = take(backlog), take(backlog)
    if lost_before:
        backlog.settle(first, REJECTED, 0.0)
    mark = backlog.ledger.mark(backlog.newest, backlog.pending)
    backlog.add(Parcel("after the mark"))
    backlog.settle(take(backlog), REJECTED, 0.0)
    if not lost_before:
        backlog.settle(first, DELIVERED, 0.0)
    assert not mark.wait(0)
    backlog.settle(second, DELIVERED, 0.0)
    assert mark.wait(0)
    assert mark.lost is lost_before


def test_overlapping_marks():
    """A loss is told to everybody who waited for it."""
    backlog = make()
    backlog.add(Parcel("a"))
    backlog.settle(take(backlog), REJECTED, 0.0)
    first = backlog.ledger.mark(backlog.newest, backlog.pending)
    second = backlog.ledger.mark(backlog.newest, backlog.pending)
    assert (first.lost, second.lost) == (True, True)
    backlog.ledger.lift(first)
    backlog.ledger.lift(second)
    assert not backlog.ledger.mark(backlog.newest, backlog.pending).lost


steps = st.one_of(
    st.tuples(
        st.just("add"),
        st.sampled_from([None, "a", "b"]),
        st.integers(min_value=1, max_value=700),
    ),
    st.tuples(st.just("take"), st.none(), st.none()),
    st.tuples(
        st.just("settle"),
        st.sampled_from([DELIVERED, FAILED, REJECTED]),
        st.integers(min_value=0, max_value=5),
    ),
    st.tuples(st.just("withdraw"), st.none(), st.none()),
    st.tuples(st.just("later"), st.none(), st.sampled_from([0.1, 1.0, 60.0])),
    st.tuples(st.just("hurry"), st.none(), st.none()),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=80))
def test_whatever_happens(script):
    """Nothing is lost uncounted, bounds hold, and each key keeps its order."""
    backlog = make(max_events=8, max_bytes=3000)
    now, added = 0.0, 0
    flying: list[Job] = []
    delivered: list[tuple[str | None, int]] = []
    for what, argument, number in script:
        if what == "add":
            backlog.add(Parcel(str(added), argument, weight=number))
            added += 1
        elif what == "take":
            job = backlog.take(now)
            if job is not None and (
                job.message is not None or backlog.prepared(job, prepare(job.item))
            ):
                flying.append(job)
        elif what == "withdraw":
            job = backlog.take(now)
            if job is not None and job.message is None:
                backlog.withdraw(job, "withheld", lost=False)
            elif job is not None:
                flying.append(job)
        elif what == "settle" and flying:
            job = flying.pop(number % len(flying))
            backlog.settle(job, argument, now)
            if argument.delivered:
                delivered.append((job.message.order_key, int(job.message.id)))
        elif what == "later":
            now += number
        elif what == "hurry":
            backlog.hurry(now, now + 1)

        ledger = backlog.ledger
        assert ledger.recorded == added
        assert added == ledger.sent + backlog.pending + sum(ledger.dropped.values())
        assert backlog.in_flight == len(flying)
        assert backlog.pending <= 8 or backlog.waiting == 0
        assert backlog.held_bytes <= 3000 or backlog.waiting == 0
        keys = Counter(job.message.order_key for job in flying)
        assert all(count == 1 for key, count in keys.items() if key is not None)
    for key in ("a", "b"):
        ids = [number for lane, number in delivered if lane == key]
        assert ids == sorted(ids)

    # And in the end, whatever is left can be delivered.
    for job in flying:
        backlog.settle(job, DELIVERED, now)
    while backlog.pending:
        now += 300
        job = backlog.take(now)
        assert job is not None
        if job.message is not None or backlog.prepared(job, prepare(job.item)):
            backlog.settle(job, DELIVERED, now)
    assert backlog.held_bytes == 0
    assert backlog._lanes == {}
