"""From put to delivered, with senders that do as the test says."""

import asyncio
import gc
import logging
import random
import signal
import threading
from itertools import islice
from time import monotonic, thread_time

import pytest
from support.parcels import (
    DELIVERED,
    FAILED,
    REJECTED,
    HeldSender,
    Parcel,
    ScriptedSender,
    prepare,
)
from support.waiting import eventually

from libretto_instrument._util import errors
from libretto_instrument.delivery import Delivery, MemorySender, Outcome, Stats
from libretto_instrument.delivery import _crew as crew_module
from libretto_instrument.delivery._gate import BOX


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "libretto-delivery"]


# The ordinary course of things


def test_put_and_flush(deliver):
    """What was put is delivered, each once, when flush says so.

    In the order of ``put`` only where a key asks for it: a second worker may join.
    """
    sender = MemorySender()
    delivery = deliver(sender)
    for n in range(100):
        delivery.put(Parcel(str(n)))
    assert delivery.flush()
    assert sorted(int(message.id) for message in sender.messages) == list(range(100))
    stats = delivery.stats()
    assert (stats.recorded, stats.sent) == (100, 100)
    assert (stats.queued, stats.in_flight) == (0, 0)
    assert stats.last_error is None
    assert stats.last_success_at is not None


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_flush_without_end(deliver, timeout):
    """A flush may be given all the time there is."""
    sender = MemorySender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert delivery.flush(timeout)
    assert delivery.shutdown(timeout)
    assert [message.id for message in sender.messages] == ["a"]


def test_nothing_starts_before_the_first_item(deliver):
    """A delivery that gets nothing starts no thread (failure-modes 30)."""
    eventually(lambda: not workers())
    delivery = deliver(MemorySender())
    assert delivery.flush()
    assert delivery.stats() == Stats()
    assert delivery.shutdown()
    assert workers() == []


def test_prepared_off_the_callers_thread(deliver):
    """Items become messages on the worker, never on the thread that puts."""
    threads: list[int] = []

    def note(parcel):
        threads.append(threading.get_ident())
        return prepare(parcel)

    delivery = deliver(MemorySender(), prepare=note)
    delivery.put(Parcel("a"))
    assert delivery.flush()
    assert threads[0] != threading.get_ident()


def test_one_worker_at_rest(deliver):
    """Light load is one worker's job (failure-modes 47)."""
    eventually(lambda: not workers())
    delivery = deliver(MemorySender())
    for n in range(50):
        delivery.put(Parcel(str(n)))
        assert delivery.flush()
    assert len(workers()) == 1


def test_idle_worker_is_roused(deliver, monkeypatch):
    """An item that comes after a long silence is delivered without a flush."""
    monkeypatch.setattr(crew_module, "NAP", 0.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    for n in range(20):
        delivery.put(Parcel(str(n)))
        eventually(lambda n=n: len(sender.delivered) == n + 1)
        eventually(lambda: delivery._crew._idle)


def test_withheld(deliver):
    """What the user's hook withholds is counted, and is no loss."""
    delivery = deliver(MemorySender(), prepare=lambda parcel: None)
    delivery.put(Parcel("a"))
    assert delivery.flush()
    assert delivery.stats().dropped == {"withheld": 1}


@pytest.mark.usefixtures("lenient")
def test_prepare_fails(deliver):
    """A fault in preparing one item is counted and does not touch the others."""

    def fail_for_bad(parcel):
        if parcel.id == "bad":
            raise RuntimeError("secret")
        return prepare(parcel)

    sender = MemorySender()
    delivery = deliver(sender, prepare=fail_for_bad)
    for name in ("a", "bad", "b"):
        delivery.put(Parcel(name))
    assert not delivery.flush()
    assert [message.id for message in sender.messages] == ["a", "b"]
    assert delivery.stats().dropped == {"prepare_failed": 1}


def test_bad_item(deliver, monkeypatch, caplog):
    """An item that is none is said to be a fault of ours, and put does not raise."""
    monkeypatch.setattr(errors, "reraise", False)
    delivery = deliver(MemorySender())
    delivery.put(object())
    delivery.put(Parcel("a"))
    assert not delivery.flush()
    stats = delivery.stats()
    assert (stats.sent, stats.dropped) == (1, {"prepare_failed": 1})
    assert "AttributeError in delivery.put" in caplog.text


def test_bad_item_before_a_worker(deliver, monkeypatch):
    """A worker that comes upon an item that is none goes on with the others."""
    monkeypatch.setattr(errors, "reraise", False)
    sender = HeldSender()
    delivery = deliver(sender, max_in_flight=1)
    delivery.put(Parcel("a"))
    sender.began.acquire()
    delivery.put(object())  # It stays in the box: the worker is at work.
    delivery.put(Parcel("b"))
    sender.let_go.set()
    assert not delivery.flush()
    assert sender.delivered == ["a", "b"]
    stats = delivery.stats()
    assert (stats.recorded, stats.restarted) == (3, 0)


def test_first_message_hangs(deliver, monkeypatch):
    """Not even a few items wait for a message that is not answered."""
    monkeypatch.setattr(crew_module, "STALLED_AFTER", 0.01)
    delivery = deliver(sender := HeldSender())
    delivery.put(Parcel("hangs"))
    sender.began.acquire()
    few = iter(range(BOX // 2))

    def another_is_being_sent() -> bool:
        for number in islice(few, 1):
            delivery.put(Parcel(str(number)))
        return sender.began.acquire(blocking=False)

    eventually(another_is_being_sent)
    sender.let_go.set()
    assert delivery.flush()


@pytest.mark.parametrize("bound", ["max_events", "max_bytes", "max_in_flight"])
def test_bounds_that_allow_nothing(bound):
    """A bound of nothing is refused at once."""
    with pytest.raises(ValueError, match=bound):
        Delivery(prepare, MemorySender(), **{bound: 0})


# flush


def test_flush_is_told_of_losses_once(deliver):
    """Flush is False when something was rejected since the last one, then True."""
    sender = ScriptedSender(lambda message, tries: REJECTED)
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery.stats().dropped == {"rejected_400": 1})
    assert not delivery.flush()
    assert delivery.flush()
    assert delivery.stats().last_error == "HTTP 400"


def test_flush_retries(deliver):
    """Flush does not sit out the pauses between attempts."""
    sender = ScriptedSender(lambda m, tries: DELIVERED if tries > 5 else FAILED)
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert delivery.flush(10)
    assert sender.attempts == ["a"] * 7
    assert delivery.stats().retried == 6


@pytest.mark.parametrize("timeout", [0, 0.2, -1])
def test_flush_is_bounded(deliver, timeout):
    """Flush returns False in time when sending hangs (failure-modes 42)."""
    sender = HeldSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    started = monotonic()
    assert not delivery.flush(timeout)
    assert monotonic() - started < timeout + 2
    sender.let_go.set()
    assert delivery.flush()


def test_flush_from_a_hook(deliver):
    """A flush on the worker's own thread can't succeed, but it returns."""
    results: list[bool] = []

    def flush_first(parcel):
        results.append(delivery.flush(0.05))
        return prepare(parcel)

    delivery = deliver(MemorySender(), prepare=flush_first)
    delivery.put(Parcel("a"))
    assert delivery.flush()
    assert results == [False]


def test_flush_sends_side_by_side(deliver):
    """Whoever waits for a flush of a few items waits for a slow backend once."""
    sender = HeldSender()
    delivery = deliver(sender)
    for n in range(4):
        delivery.put(Parcel(str(n)))
    flushing = threading.Thread(target=delivery.flush, args=(20,))
    flushing.start()
    for _ in range(4):
        assert sender.began.acquire(timeout=10)
    sender.let_go.set()
    flushing.join()
    assert delivery.stats().sent == 4


async def test_inside_an_event_loop(deliver):
    """A running event loop neither disturbs the delivery nor is disturbed."""
    sender = MemorySender()
    delivery = deliver(sender)

    async def put(n: int) -> None:
        delivery.put(Parcel(str(n)))
        await asyncio.sleep(0)

    await asyncio.gather(*(put(n) for n in range(50)))
    assert await asyncio.to_thread(delivery.flush)
    assert delivery.flush()
    assert len(sender.messages) == 50


# Bounds


def test_bounded_while_sending_hangs(deliver):
    """However much is put, no more is kept than the bounds say (failure-modes 46)."""
    sender = HeldSender()
    delivery = deliver(sender, max_events=50, max_in_flight=2)
    for n in range(5000):
        delivery.put(Parcel(str(n)))
    stats = delivery.stats()
    assert stats.queued + stats.in_flight <= 50
    assert stats.dropped == {"queue_full": 5000 - stats.queued - stats.in_flight}
    sender.let_go.set()
    delivery.flush()
    assert sender.delivered[-1] == "4999"


def test_bounded_in_bytes(deliver):
    """Large items count by their size."""
    sender = HeldSender()
    delivery = deliver(sender, max_bytes=10_000, max_in_flight=1)
    for n in range(100):
        delivery.put(Parcel(str(n), weight=1000))
    assert delivery._backlog.held_bytes <= 10_000
    sender.let_go.set()
    assert not delivery.flush()


def test_full_queue_is_said_once(deliver, caplog):
    """A full queue is worth one line a minute, with a figure and no content."""
    sender = HeldSender()
    delivery = deliver(sender, max_events=5, max_in_flight=1)
    for n in range(100):
        delivery.put(Parcel(f"id-{n}"))
    sender.let_go.set()
    delivery.flush()
    eventually(lambda: caplog.records)
    for n in range(100):
        delivery.put(Parcel(f"id-{n}"))
    delivery.flush()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "queue is full" in record.getMessage()
    assert "id-" not in record.getMessage()


# Order and concurrency


def test_order_by_key(deliver):
    """Each key's messages are sent one by one, in order, while others go on."""
    chance = random.Random(4)

    def decide(message, tries):
        gate.wait(0.001)
        return FAILED if chance.random() < 0.05 else DELIVERED

    gate = threading.Event()
    sender = ScriptedSender(decide)
    delivery = deliver(sender, max_in_flight=16)
    for n in range(600):
        delivery.put(Parcel(f"{n % 7}:{n}", order_key=f"chat {n % 7}"))
    flushed = [delivery.flush(0.3) for _ in range(3)]
    gate.set()
    assert delivery.flush(30), flushed
    for key in range(7):
        numbers = [
            int(name[2:]) for name in sender.delivered if name.startswith(f"{key}:")
        ]
        assert numbers == list(range(key, 600, 7))
    assert sender.busiest_lane == 1


def test_grows_for_a_slow_backend_and_shrinks_again(deliver, monkeypatch):
    """Workers come while sending is slow, up to the limit, and go when it is over."""
    monkeypatch.setattr(crew_module, "LINGER", 0.02)
    pause = threading.Event()
    sender = ScriptedSender(lambda m, tries: pause.wait(0.05) or DELIVERED)
    delivery = deliver(sender, max_in_flight=8)
    for n in range(300):
        delivery.put(Parcel(str(n)))
    assert delivery.flush(30)
    assert 2 <= sender.busiest <= 8
    eventually(lambda: delivery._crew.size == 1)
    eventually(lambda: len(workers()) == 1)


def test_grows_by_doubling(deliver, monkeypatch):
    """A crew that is far behind doubles with each round of sending."""
    monkeypatch.setattr(crew_module, "_absence", lambda: 0.0)
    pause = threading.Event()
    sender = ScriptedSender(lambda m, tries: pause.wait(0.1) or DELIVERED)
    delivery = deliver(sender, max_in_flight=16)
    for n in range(300):
        delivery.put(Parcel(str(n)))
    eventually(lambda: sender.busiest == 16, timeout=30)
    # One more in each round would have made it 136.
    assert len(sender.attempts) < 90


def test_works_in_one_go(deliver, monkeypatch):
    """What comes right after the last job waits for the end of the worker's nap."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery._crew._napping)
    delivery.put(Parcel("b"))
    assert delivery._crew._napping
    assert delivery.flush()
    assert sender.delivered == ["a", "b"]


def test_naps_on(deliver, monkeypatch):
    """With nothing to do it naps again and again, and nobody has to rouse it."""
    monkeypatch.setattr(crew_module, "NAP", 0.01)
    sender = ScriptedSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery._crew._napping)
    first = delivery._crew._nap_ends
    eventually(lambda: delivery._crew._nap_ends > first + 0.05)
    delivery.put(Parcel("b"))
    eventually(lambda: sender.delivered == ["a", "b"])


def test_naps_no_more_after_a_while(deliver, monkeypatch):
    """After a longer silence it sleeps until it is roused, and that is at once."""
    monkeypatch.setattr(crew_module, "NAP", 0.01)
    monkeypatch.setattr(crew_module, "LINGER", 0.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery._crew._nap_ends and not delivery._crew._napping)
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    delivery.put(Parcel("b"))
    eventually(lambda: sender.delivered == ["a", "b"])


def test_counted_while_it_naps(deliver, monkeypatch):
    """What waits in the box for the end of a nap is told of like everything else."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery._crew._napping)
    delivery.put(Parcel("b"))
    assert delivery._gate._box
    stats = delivery.stats()
    assert (stats.recorded, stats.queued, stats.sent) == (2, 1, 1)


def test_a_filling_queue_ends_the_nap(deliver, monkeypatch):
    """Nothing is dropped because the worker sleeps."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender, max_events=80)
    delivery.put(Parcel("first"))
    eventually(lambda: delivery._crew._napping)
    for n in range(12):
        delivery.put(Parcel(str(n)))
    eventually(lambda: len(sender.delivered) == 13)
    assert delivery.stats().dropped == {}


def test_large_items_end_the_nap(deliver, monkeypatch):
    """Nor are a few large ones."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender, max_bytes=64 * 2**20)
    delivery.put(Parcel("first"))
    eventually(lambda: delivery._crew._napping)
    for n in range(12):
        delivery.put(Parcel(str(n), weight=5 * 2**20))
        if n == 1:
            eventually(lambda: len(sender.delivered) == 3)
    assert delivery.flush()
    assert delivery.stats().dropped == {}


def test_no_nap_before_work(deliver, monkeypatch):
    """What comes after a silence leaves at once, the very first included."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    assert delivery.start()
    eventually(lambda: delivery._crew._idle)
    delivery.put(Parcel("a"))
    eventually(lambda: sender.delivered == ["a"])


def test_no_nap_at_the_end(deliver, monkeypatch):
    """What comes once no thread can be started any more is not left to a nap."""
    monkeypatch.setattr(crew_module, "NAP", 60.0)
    sender = ScriptedSender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    eventually(lambda: delivery._crew._napping)
    delivery.hire_no_more()
    delivery.put(Parcel("b"))
    eventually(lambda: sender.delivered == ["a", "b"])


def test_slow_first_messages_bring_no_company(deliver):
    """Imports and handshakes say nothing of how long the rest will take."""
    pause = threading.Event()

    def start_slowly(message, tries):
        if int(message.id) < crew_module.UNMEASURED:
            pause.wait(0.05)
        return DELIVERED

    sender = ScriptedSender(start_slowly)
    delivery = deliver(sender)
    for n in range(300):
        delivery.put(Parcel(str(n)))
    assert delivery.flush()
    assert sender.busiest == 1


def test_busy_workers_leave(deliver, monkeypatch):
    """Workers that wait for each other, and not for the backend, become fewer."""
    monkeypatch.setattr(crew_module, "_absence", lambda: 0.0)
    monkeypatch.setattr(crew_module, "LINGER", 60.0)
    pause, quick = threading.Event(), threading.Event()

    def send(message, tries):
        if not quick.is_set():
            pause.wait(0.05)
        began = thread_time()
        while quick.is_set() and thread_time() - began < 0.002:
            pass
        return DELIVERED

    sender = ScriptedSender(send)
    delivery = deliver(sender, max_in_flight=8)
    for n in range(1000):
        delivery.put(Parcel(str(n)))
    eventually(lambda: delivery._crew.size == 8)
    quick.set()
    eventually(lambda: delivery._crew.size < 8)
    assert delivery._backlog.waiting
    assert delivery.flush(30)


def test_a_dead_backend_is_probed_by_one(deliver):
    """While nothing gets through, one message at a time is tried."""
    down = threading.Event()
    sender = ScriptedSender(lambda m, tries: DELIVERED if down.is_set() else FAILED)
    delivery = deliver(sender, max_in_flight=8)
    for n in range(200):
        delivery.put(Parcel(str(n)))
    assert not delivery.flush(0.5)
    assert len(sender.attempts) < 40
    down.set()
    assert delivery.flush(10)
    assert sorted(map(int, sender.delivered)) == list(range(200))


@pytest.mark.usefixtures("lenient")
def test_figures_add_up(deliver):
    """At every moment, under faults from all sides, the figures account for all."""
    chance = random.Random(7)

    def decide(message, tries):
        roll = chance.random()
        if roll < 0.02:
            raise OSError
        return FAILED if roll < 0.1 else REJECTED if roll < 0.2 else DELIVERED

    def withhold_some(parcel):
        if parcel.id.endswith("13"):
            return None
        if parcel.id.endswith("77"):
            raise ValueError
        return prepare(parcel)

    delivery = deliver(
        ScriptedSender(decide), prepare=withhold_some, max_events=200, max_in_flight=8
    )
    together = threading.Barrier(5)

    def produce(thread: int) -> None:
        together.wait()
        for n in range(500):
            delivery.put(Parcel(f"{thread}-{n}", chance.choice([None, "a", "b"])))

    producers = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    for producer in producers:
        producer.start()
    together.wait()
    while any(producer.is_alive() for producer in producers):
        stats = delivery.stats()
        assert stats.recorded == total(stats)
    for producer in producers:
        producer.join()
    delivery.flush(2)
    stats = delivery.stats()
    assert stats.recorded == total(stats) == 2000
    delivery.shutdown(0)
    eventually(lambda: delivery.stats().in_flight == 0)
    stats = delivery.stats()
    assert (stats.recorded, stats.queued, total(stats)) == (2000, 0, 2000)


# Awkward places to put from


class Reporting:
    """An object that reports its own end, in a cycle that only gc can break."""

    def __init__(self, delivery: Delivery, name: str) -> None:
        self.delivery, self.name, self.myself = delivery, name, self

    def __del__(self) -> None:
        self.delivery.put(Parcel(self.name))


def test_put_in_a_finaliser(deliver):
    """Items put by finalisers, wherever the collector strikes, are delivered."""
    sender = MemorySender()
    delivery = deliver(sender)
    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for n in range(500):
            Reporting(delivery, f"dead {n}")
            delivery.put(Parcel(f"alive {n}"))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert delivery.flush()
    assert delivery.stats().sent == len({m.id for m in sender.messages}) == 1000


def test_first_put_in_a_finaliser_under_threadings_lock(deliver):
    """Even the first item starts the worker without a lock that may be held."""
    sender = MemorySender()
    delivery = deliver(sender)
    with threading._active_limbo_lock:
        Reporting(delivery, "dead")
        gc.collect()
    assert delivery.flush()
    assert len(sender.messages) == 1


def test_put_in_a_signal_handler(deliver):
    """Signals that interrupt put and flush may put, too."""
    sender = MemorySender()
    delivery = deliver(sender)
    handled = []

    def handle(number, frame):
        handled.append(number)
        delivery.put(Parcel(f"signal {len(handled)}"))

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
    try:
        n = 0
        while len(handled) < 100:
            delivery.put(Parcel(str(n)))
            n += 1
            if n % 500 == 0:
                delivery.flush(0.05)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert delivery.flush()
    assert delivery.stats().recorded == n + len(handled)


# Workers that die


class Killing(ScriptedSender):
    """A sender that kills the worker that first uses it."""

    def send(self, message, timeout=None):
        if not self.attempts:
            self.attempts.append(message.id)
            raise SystemExit
        return super().send(message, timeout)


@pytest.mark.usefixtures("lenient")
def test_dead_worker_is_replaced(deliver):
    """The next put replaces a dead worker, which loses nothing (failure-modes 45)."""
    sender = Killing()
    delivery = deliver(sender)
    delivery.put(Parcel("a", "chat"))
    eventually(lambda: sender.attempts and not workers())
    assert delivery.stats().queued == 1
    delivery.put(Parcel("b", "chat"))
    eventually(lambda: sender.delivered == ["a", "b"])
    assert delivery.stats().restarted == 1


@pytest.mark.usefixtures("lenient")
def test_flush_replaces_a_dead_worker(deliver):
    """Flush, too, gets another worker."""
    sender = Killing()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert delivery.flush()
    assert sender.delivered == ["a"]


@pytest.mark.usefixtures("lenient")
def test_hook_that_kills(deliver):
    """A hook that ends its thread costs its own item only."""

    def exit_for_bad(parcel):
        if parcel.id == "bad":
            raise SystemExit
        return prepare(parcel)

    sender = MemorySender()
    delivery = deliver(sender, prepare=exit_for_bad)
    delivery.put(Parcel("bad"))
    delivery.put(Parcel("good"))
    assert not delivery.flush()
    assert [message.id for message in sender.messages] == ["good"]
    assert delivery.stats().dropped == {"prepare_failed": 1}


@pytest.mark.usefixtures("lenient")
def test_faulty_sender(deliver):
    """A sender that raises is tried again like a backend that fails."""

    def decide(message, tries):
        if tries == 0:
            raise KeyError("secret")
        return DELIVERED

    sender = ScriptedSender(decide)
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert delivery.flush()
    assert delivery.stats().last_error == "KeyError"


@pytest.fixture
def no_more_threads(monkeypatch):
    """Make every attempt to start a thread fail, as at the interpreter's end."""

    def refuse(*args):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(crew_module, "start_new_thread", refuse)


@pytest.mark.usefixtures("no_more_threads")
def test_without_threads(deliver):
    """Where no thread can be started, flush delivers by itself (failure-modes 44)."""
    sender = ScriptedSender(lambda m, tries: FAILED if tries < 2 else DELIVERED)
    delivery = deliver(sender)
    delivery.put(Parcel("a", "chat"))
    delivery.put(Parcel("b", "chat"))
    before = workers()
    assert delivery.flush()
    assert sender.delivered == ["a", "b"]
    assert set(workers()) <= set(before)


@pytest.mark.usefixtures("no_more_threads")
def test_interrupted_without_threads(deliver):
    """Control-C in a flush that delivers by itself leaves nothing stuck."""

    def interrupt_once(message, tries):
        if tries == 0:
            raise KeyboardInterrupt
        return DELIVERED

    sender = ScriptedSender(interrupt_once)
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    with pytest.raises(KeyboardInterrupt):
        delivery.flush()
    assert delivery.stats().queued == 1
    assert delivery.flush()


# shutdown


def test_shutdown(deliver):
    """Shutdown delivers, stops the worker and closes the sender, once and for all."""
    sender = MemorySender()
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert delivery.shutdown()
    eventually(lambda: not workers())
    assert sender.closed
    delivery.put(Parcel("late"))
    assert delivery.stats().dropped == {"shutdown": 1}
    assert not delivery.shutdown()
    assert workers() == []


def test_shutdown_counts_what_it_leaves(deliver):
    """What can't be delivered by the end is dropped and counted (failure-modes 42)."""
    sender = ScriptedSender(lambda message, tries: FAILED)
    delivery = deliver(sender)
    for n in range(10):
        delivery.put(Parcel(str(n), "chat"))
    assert not delivery.shutdown(0.1)
    eventually(lambda: delivery.stats().dropped == {"shutdown": 10})


@pytest.mark.usefixtures("lenient")
def test_shutdown_survives_the_sender(deliver):
    """A sender that can't be closed does not make shutdown raise."""

    class Unclosable(MemorySender):
        def close(self):
            raise OSError

    delivery = deliver(Unclosable())
    delivery.put(Parcel("a"))
    assert delivery.shutdown()


def test_outcome_without_a_status(deliver):
    """A sender that rejects without an answer has its own reason in the figures."""
    sender = ScriptedSender(lambda m, tries: Outcome(delivered=False, error="no"))
    delivery = deliver(sender)
    delivery.put(Parcel("a"))
    assert not delivery.flush()
    assert delivery.stats().dropped == {"rejected": 1}
