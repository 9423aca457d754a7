"""From put to delivered, with transports that do as the test says."""

import _thread
import asyncio
import gc
import logging
import random
import signal
import threading
from time import monotonic

import pytest
from support.deliveries import (
    DELIVERED,
    FAILED,
    REJECTED,
    UNREACHABLE,
    HeldTransport,
    MemoryTransport,
    Parcel,
    ScriptedTransport,
    prepare,
)
from support.waiting import eventually

from libretto_instrument._delivery import (
    LIBRETTO,
    Outcome,
    Pipeline,
    Stats,
)
from libretto_instrument._delivery import workers as workers_module
from libretto_instrument._util import errors


@pytest.fixture
def start():
    """Make pipelines that end with the test."""
    started = []

    def start(transport, prepare=prepare, **options):
        destinations = transport if isinstance(transport, dict) else None
        started.append(
            Pipeline(prepare, destinations or {LIBRETTO: transport}, **options)
        )
        return started[-1]

    yield start
    for pipeline in started:
        pipeline.shutdown(0)


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "libretto-delivery"]


def test_put_and_flush(start):
    """What was put is delivered, each once, when flush says so."""
    transport = MemoryTransport()
    pipeline = start(transport)
    for n in range(100):
        pipeline.put(Parcel(str(n)))
    assert pipeline.flush()
    assert sorted(int(m.id) for m in transport.messages) == list(range(100))
    stats = pipeline.stats()
    assert (stats.accepted, stats.sent) == (100, 100)
    assert (stats.queued, stats.in_flight) == (0, 0)
    assert stats.last_error is None
    assert stats.last_success_at is not None


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_flush_without_end(start, timeout):
    """A flush may be given all the time there is."""
    transport = MemoryTransport()
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    assert pipeline.flush(timeout)
    assert pipeline.shutdown(timeout)
    assert [message.id for message in transport.messages] == ["a"]


def test_nothing_starts_before_the_first_item(start):
    """A pipeline that gets nothing starts no thread."""
    eventually(lambda: not workers())
    pipeline = start(MemoryTransport())
    assert pipeline.flush()
    assert pipeline.stats() == Stats()
    assert pipeline.shutdown()
    assert workers() == []


def test_prepared_off_the_callers_thread(start):
    """Items become messages on a worker, never on the thread that puts."""
    threads: list[int] = []

    def note(parcel):
        threads.append(threading.get_ident())
        return prepare(parcel)

    pipeline = start(MemoryTransport(), prepare=note)
    pipeline.put(Parcel("a"))
    assert pipeline.flush()
    assert threads[0] != threading.get_ident()


def test_one_worker_at_rest(start):
    """Light load is one worker's job."""
    eventually(lambda: not workers())
    pipeline = start(MemoryTransport())
    for n in range(50):
        pipeline.put(Parcel(str(n)))
        assert pipeline.flush()
    assert len(workers()) == 1


def test_delivered_without_a_flush(start, monkeypatch):
    """What comes after a silence leaves at once, the very first included."""
    monkeypatch.setattr(workers_module, "IDLE_TIMEOUT", 0.02)
    transport = ScriptedTransport()
    pipeline = start(transport)
    for n in range(5):
        monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 60.0)
        pipeline.put(Parcel(str(n)))
        eventually(lambda n=n: len(transport.delivered) == n + 1)
        monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 0.01)
        pipeline._workers.wake()
        eventually(lambda: pipeline._workers.due_at == 0.0)


def test_sent_in_bursts(start, monkeypatch):
    """What comes right after the last job waits for the flush interval, counted."""
    monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 60.0)
    transport = ScriptedTransport()
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    eventually(lambda: transport.delivered and not pipeline._workers.busy)
    pipeline.put(Parcel("b"))
    stats = pipeline.stats()
    assert (stats.accepted, stats.queued, stats.sent) == (2, 1, 1)
    assert pipeline.flush()
    assert transport.delivered == ["a", "b"]


def test_sent_again_and_again(start, monkeypatch):
    """A worker looks for more after each flush interval, without being woken."""
    monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 0.01)
    transport = ScriptedTransport()
    pipeline = start(transport)
    for n in range(20):
        pipeline.put(Parcel(str(n)))
        eventually(
            lambda n=n: len(transport.delivered) == n + 1 and not pipeline._workers.busy
        )
    assert len(workers()) == 1


@pytest.mark.parametrize(("count", "size"), [(65, 100), (3, 5 * 2**20)])
def test_many_or_large_items_do_not_wait(start, monkeypatch, count, size):
    """More items than a few, or large ones, wake the worker before the interval."""
    monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 60.0)
    transport = ScriptedTransport()
    pipeline = start(transport)
    pipeline.put(Parcel("first"))
    eventually(lambda: transport.delivered and not pipeline._workers.busy)
    for n in range(count):
        pipeline.put(Parcel(str(n), size_bytes=size))
    eventually(lambda: len(transport.delivered) >= count)
    assert pipeline.stats().dropped == {}


def test_withheld(start):
    """What the user's hook withholds is counted, and is not a loss."""
    pipeline = start(MemoryTransport(), prepare=lambda parcel: None)
    pipeline.put(Parcel("a"))
    assert pipeline.flush()
    assert pipeline.stats().dropped == {"withheld": 1}


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("fault", [RuntimeError, SystemExit, GeneratorExit])
def test_prepare_fails(start, fault):
    """A fault in preparing one item is counted and does not touch the others."""

    def fail_for_bad(parcel):
        if parcel.id == "bad":
            raise fault("secret")
        return prepare(parcel)

    transport = MemoryTransport()
    pipeline = start(transport, prepare=fail_for_bad)
    for name in ("a", "bad", "b"):
        pipeline.put(Parcel(name))
    assert not pipeline.flush()
    assert [message.id for message in transport.messages] == ["a", "b"]
    assert pipeline.stats().dropped == {"prepare_failed": 1}


def test_bad_item(start, monkeypatch, caplog):
    """An item that is none is reported as a fault of ours, and the others go on."""
    monkeypatch.setattr(errors, "reraise", False)
    pipeline = start(MemoryTransport())
    pipeline.put(object())
    pipeline.put(Parcel("a"))
    assert not pipeline.flush()
    stats = pipeline.stats()
    assert (stats.sent, stats.dropped) == (1, {"prepare_failed": 1})
    assert "AttributeError in delivery.put" in caplog.text


@pytest.mark.parametrize("bound", ["max_events", "max_bytes"])
def test_bounds_that_allow_nothing(bound):
    """A bound of nothing is refused at once."""
    with pytest.raises(ValueError, match=bound):
        Pipeline(prepare, {LIBRETTO: MemoryTransport()}, **{bound: 0})


# flush


def test_flush_reports_losses_once(start):
    """Flush is False when something was rejected since the last one, then True."""
    transport = ScriptedTransport(lambda message, tries: REJECTED)
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    eventually(lambda: pipeline.stats().dropped == {"rejected_400": 1})
    assert not pipeline.flush()
    assert pipeline.flush()
    assert pipeline.stats().last_error == "HTTP 400"


def test_flush_retries(start):
    """Flush does not sit out the pauses between attempts."""
    transport = ScriptedTransport(lambda m, tries: DELIVERED if tries > 5 else FAILED)
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    assert pipeline.flush(10)
    assert transport.attempts == ["a"] * 7
    assert pipeline.stats().retried == 6


@pytest.mark.parametrize("timeout", [0, 0.2, -1])
def test_flush_is_bounded(start, timeout):
    """Flush returns False in time when sending hangs."""
    transport = HeldTransport()
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    started = monotonic()
    assert not pipeline.flush(timeout)
    assert monotonic() - started < timeout + 2
    transport.let_go.set()
    assert pipeline.flush()
    assert pipeline.flush(0)


def test_flush_is_bounded_when_a_hook_hangs(start):
    """Flush and shutdown return in time though a hook never does."""
    let_go = threading.Event()
    pipeline = start(MemoryTransport(), prepare=lambda parcel: let_go.wait(30))
    for n in range(3):
        pipeline.put(Parcel(str(n)))
    started = monotonic()
    assert not pipeline.flush(0.2)
    assert not pipeline.shutdown(0.2)
    assert monotonic() - started < 3
    let_go.set()


def test_a_hook_that_hangs_holds_up_no_other_item(start):
    """While a hook hangs for one item, flush has the others delivered."""
    let_go = threading.Event()
    transport = MemoryTransport()

    def hang_for_bad(parcel):
        if parcel.id == "bad":
            let_go.wait(30)
        return prepare(parcel)

    pipeline = start(transport, prepare=hang_for_bad)
    for name in ("bad", "a", "b"):
        pipeline.put(Parcel(name))
    assert not pipeline.flush(1)
    assert sorted(message.id for message in transport.messages) == ["a", "b"]
    let_go.set()


def test_flush_from_a_hook(start):
    """A flush on the worker's own thread can't succeed, but it returns."""
    results: list[bool] = []

    def flush_first(parcel):
        results.append(pipeline.flush(0.05))
        return prepare(parcel)

    pipeline = start(MemoryTransport(), prepare=flush_first)
    pipeline.put(Parcel("a"))
    assert pipeline.flush()
    assert results == [False]


def test_sending_goes_on_while_there_is_more_to_prepare(start):
    """Items that never cease do not keep a worker from sending."""
    transport = MemoryTransport()
    sent: list[int] = []

    def put_next(parcel):
        number = int(parcel.id)
        if number < 500:
            pipeline.put(Parcel(str(number + 1)))
        sent.append(len(transport.messages))
        return prepare(parcel)

    pipeline = start(transport, prepare=put_next)
    pipeline.put(Parcel("0"))
    eventually(lambda: pipeline.stats().sent == 501)
    assert sent[-1] > 300


def test_flush_sends_side_by_side(start):
    """A flush of a few items waits for a slow backend once."""
    transport = HeldTransport()
    pipeline = start(transport)
    for n in range(4):
        pipeline.put(Parcel(str(n)))
    flushing = threading.Thread(target=pipeline.flush, args=(20,))
    flushing.start()
    for _ in range(4):
        assert transport.began.acquire(timeout=10)
    transport.let_go.set()
    flushing.join()
    assert pipeline.stats().sent == 4


async def test_inside_an_event_loop(start):
    """A running event loop neither disturbs delivery nor is disturbed."""
    transport = MemoryTransport()
    pipeline = start(transport)

    async def put(n: int) -> None:
        pipeline.put(Parcel(str(n)))
        await asyncio.sleep(0)

    await asyncio.gather(*(put(n) for n in range(50)))
    assert await asyncio.to_thread(pipeline.flush)
    assert pipeline.flush()
    assert len(transport.messages) == 50


# Bounds


def test_bounded_while_sending_hangs(start):
    """However much is put, no more is kept than the bounds say."""
    transport = HeldTransport(max_concurrency=2)
    pipeline = start(transport, max_events=50)
    for n in range(5000):
        pipeline.put(Parcel(str(n)))
    eventually(lambda: pipeline.pending <= 50)
    stats = pipeline.stats()
    assert stats.dropped == {"queue_full": 5000 - stats.queued - stats.in_flight}
    transport.let_go.set()
    pipeline.flush()
    assert transport.delivered[-1] == "4999"


def test_bounded_in_bytes(start):
    """Large items count by their size."""
    transport = HeldTransport(max_concurrency=1)
    pipeline = start(transport, max_bytes=10_000)
    for n in range(100):
        pipeline.put(Parcel(str(n), size_bytes=1000))
    eventually(lambda: pipeline.pending <= 30)
    transport.let_go.set()
    assert not pipeline.flush()


def test_bounded_without_workers(start, no_more_threads):
    """What no worker can take is bounded, too."""
    pipeline = start(MemoryTransport(), max_events=100, max_bytes=10_000)
    for n in range(500):
        pipeline.put(Parcel(str(n), size_bytes=1000))
    stats = pipeline.stats()
    assert stats.queued <= 10 + 64
    assert stats.accepted == total(stats) == 500


def test_too_large(start):
    """An item that is larger than the bound is dropped, and pushes nothing out."""
    transport = MemoryTransport()
    pipeline = start(transport, max_bytes=1000)
    pipeline.put(Parcel("a"))
    pipeline.put(Parcel("b", size_bytes=1001))
    assert not pipeline.flush()
    assert pipeline.stats().dropped == {"too_large": 1}
    assert [message.id for message in transport.messages] == ["a"]


def test_full_queue_is_logged_once(start, caplog):
    """A full queue is worth one line a minute, with a count and no content."""
    transport = HeldTransport(max_concurrency=1)
    pipeline = start(transport, max_events=5)
    for n in range(100):
        pipeline.put(Parcel(f"id-{n}"))
    transport.let_go.set()
    pipeline.flush()
    eventually(lambda: caplog.records)
    for n in range(100):
        pipeline.put(Parcel(f"id-{n}"))
    pipeline.flush()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "queue is full" in record.getMessage()
    assert "id-" not in record.getMessage()


# Order and concurrency


def test_order_by_key(start):
    """Each key's messages are sent one by one, in order, while others go on."""
    chance = random.Random(4)

    def decide(message, tries):
        pause.wait(0.001)
        return FAILED if chance.random() < 0.05 else DELIVERED

    pause = threading.Event()
    transport = ScriptedTransport(decide)
    pipeline = start(transport)
    for n in range(600):
        pipeline.put(Parcel(f"{n % 7}:{n}", ordering_key=f"chat {n % 7}"))
    flushed = [pipeline.flush(0.3) for _ in range(3)]
    pause.set()
    assert pipeline.flush(30), flushed
    for key in range(7):
        numbers = [int(i[2:]) for i in transport.delivered if i.startswith(f"{key}:")]
        assert numbers == list(range(key, 600, 7))
    assert transport.peak_of_key == 1


def test_more_workers_for_a_slow_backend(start, monkeypatch):
    """Workers come while sending is slow, up to the limit, and go when it is over."""
    monkeypatch.setattr(workers_module, "IDLE_TIMEOUT", 0.02)
    monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 0.01)
    pause = threading.Event()
    transport = ScriptedTransport(lambda m, tries: pause.wait(0.05) or DELIVERED)
    pipeline = start(transport)
    for n in range(300):
        pipeline.put(Parcel(str(n)))
    assert pipeline.flush(30)
    assert 2 <= transport.peak <= 8
    eventually(lambda: len(workers()) == 1)


@pytest.mark.parametrize("sent_before", [0, 3])
@pytest.mark.parametrize("waits_already", [True, False])
def test_a_send_that_hangs_holds_up_no_other_message(start, sent_before, waits_already):
    """While one message is being sent for long, others are, too, without a flush."""
    began, let_go = threading.Event(), threading.Event()

    def decide(message, tries):
        if message.id == "slow":
            began.set()
            let_go.wait(30)
        return DELIVERED

    transport = ScriptedTransport(decide)
    pipeline = start(transport)
    for n in range(sent_before):
        pipeline.put(Parcel(str(n)))
        assert pipeline.flush()
    if waits_already:
        pipeline.put(Parcel("slow"))
        pipeline.put(Parcel("other"))
        if sent_before:  # The backend was fast until now.
            assert began.wait(10)
            threading.Event().wait(workers_module.MIN_SLOW_LATENCY)
            pipeline.put(Parcel("another"))
    else:
        pipeline.put(Parcel("slow"))
        assert began.wait(10)
        threading.Event().wait(workers_module.MIN_SLOW_LATENCY)
        pipeline.put(Parcel("other"))
    eventually(lambda: "other" in transport.delivered)
    let_go.set()


@pytest.mark.parametrize("hanging", [1, 3])
@pytest.mark.parametrize("hangs", ["hook", "transport", "exporter"])
def test_many_go_past_some_that_hang(start, hangs, hanging):
    """Items that hang leave the others their pace, without a flush or another call."""
    let_go = threading.Event()
    names = {str(50 + 7 * n) for n in range(hanging)}

    def hang(message, tries=0):
        if message.id in names:
            let_go.wait(60)
        return DELIVERED

    def prepare_or_hang(parcel):
        if hangs == "hook":
            hang(parcel)
        return prepare(parcel)

    transport = ScriptedTransport(hang) if hangs == "transport" else ScriptedTransport()
    other = {"other": ScriptedTransport(hang)} if hangs == "exporter" else {}
    pipeline = start({LIBRETTO: transport, **other}, prepare=prepare_or_hang)
    for n in range(3000):
        pipeline.put(Parcel(str(n)))
    expected = 3000 if other else 3000 - hanging
    eventually(lambda: len(transport.delivered) == expected)
    let_go.set()


def test_one_worker_for_a_fast_backend(start):
    """A burst that one worker deals with quickly gets no second sender."""
    transport = ScriptedTransport()
    pipeline = start(transport)
    for n in range(2000):
        pipeline.put(Parcel(str(n)))
    assert pipeline.flush(30)
    assert transport.peak == 1


def test_a_destination_that_hangs_holds_up_no_other(start):
    """Each destination is served for itself, and counted for itself."""
    held, quick = HeldTransport(max_batch=10, max_concurrency=1), MemoryTransport()
    pipeline = start({"held": held, LIBRETTO: quick})
    for n in range(50):
        pipeline.put(Parcel(str(n)))
    eventually(lambda: len(quick.messages) == 50)
    stats = pipeline.stats()
    assert (stats.sent, stats.exporters["held"].sent) == (50, 0)
    assert total(stats.exporters["held"]) == stats.exporters["held"].accepted == 50
    held.let_go.set()
    assert pipeline.flush()
    assert sorted(held.delivered) == sorted(m.id for m in quick.messages)


def test_items_for_some_destinations(start):
    """An item goes where it is meant to go, and counts there alone."""
    one, other = MemoryTransport(), MemoryTransport()
    pipeline = start({LIBRETTO: one, "other": other})
    pipeline.put(Parcel("a"))
    pipeline.put(Parcel("b"), ("other",))
    assert pipeline.flush()
    assert [message.id for message in one.messages] == ["a"]
    assert sorted(message.id for message in other.messages) == ["a", "b"]
    stats = pipeline.stats()
    assert (stats.accepted, stats.exporters["other"].accepted) == (1, 2)


def test_batches(start):
    """A transport that takes batches gets them, one at a time."""
    held = HeldTransport(max_batch=16, max_concurrency=1)
    pipeline = start(held)
    pipeline.put(Parcel("first"))
    held.began.acquire()
    for n in range(32):
        pipeline.put(Parcel(str(n)))
    held.let_go.set()
    assert pipeline.flush()
    assert len(held.delivered) == 33
    begun = 0
    while held.began.acquire(blocking=False):
        begun += 1
    assert begun < 8


# Faults of the backend


@pytest.mark.parametrize("failure", [FAILED, UNREACHABLE])
def test_a_dead_backend_is_probed_by_one(start, failure):
    """While nothing gets through, one message at a time is tried."""
    is_up = threading.Event()
    transport = ScriptedTransport(
        lambda m, tries: DELIVERED if is_up.is_set() else failure
    )
    pipeline = start(transport)
    for n in range(200):
        pipeline.put(Parcel(str(n)))
    assert not pipeline.flush(0.5)
    assert len(transport.attempts) < 40
    is_up.set()
    assert pipeline.flush(10)
    assert sorted(map(int, transport.delivered)) == list(range(200))


def test_messages_that_always_fail_stop_no_others(start):
    """A few messages that are always refused with 5xx do not hold up the rest."""
    transport = ScriptedTransport(
        lambda m, tries: FAILED if m.id.startswith("bad") else DELIVERED
    )
    pipeline = start(transport)
    for n in range(5):
        pipeline.put(Parcel(f"bad {n}"))
    for n in range(30):
        pipeline.put(Parcel(str(n)))
    eventually(lambda: len(transport.delivered) == 30)
    before = len(transport.attempts)
    eventually(lambda: len(transport.attempts) > before, timeout=30)
    pipeline.put(Parcel("late"))
    eventually(lambda: "late" in transport.delivered)


def test_one_throttled_key_stops_no_others(start):
    """A key that is told to wait waits alone."""
    throttled = Outcome(delivered=False, retry=True, status=429, retry_after=300)
    transport = ScriptedTransport(
        lambda m, tries: throttled if m.credential == "A" else DELIVERED
    )
    pipeline = start(transport)
    for n in range(3):
        pipeline.put(Parcel(f"A {n}", credential="A"))
    for n in range(20):
        pipeline.put(Parcel(f"B {n}", credential="B"))
    eventually(lambda: len(transport.delivered) == 20)
    assert len(transport.attempts) == 21


def test_one_dead_endpoint_stops_no_others(start):
    """An endpoint that can't be reached is probed, while another is served."""
    transport = ScriptedTransport(
        lambda m, tries: UNREACHABLE if m.endpoint == "https://down.test" else DELIVERED
    )
    pipeline = start(transport)
    for n in range(20):
        pipeline.put(Parcel(f"down {n}", endpoint="https://down.test"))
        pipeline.put(Parcel(str(n)))
    eventually(lambda: len(transport.delivered) == 20)
    assert len(transport.attempts) < 40


def test_a_batch_that_fails_for_one_message(start):
    """A message that fails each batch is soon alone, and the others arrive."""

    class Choking(ScriptedTransport):
        def send(self, messages, timeout=None):
            if any(message.id == "bad" for message in messages):
                return [FAILED] * len(messages)
            return super().send(messages, timeout)

    transport = Choking(max_batch=64, max_concurrency=1)
    pipeline = start(transport)
    for name in ("bad", *map(str, range(63))):
        pipeline.put(Parcel(name))
    assert not pipeline.flush(4)
    assert sorted(map(int, transport.delivered)) == list(range(63))


@pytest.mark.usefixtures("lenient")
def test_stats_add_up(start):
    """At every moment, under faults from all sides, the statistics account for all."""
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

    pipeline = start(ScriptedTransport(decide), prepare=withhold_some, max_events=200)
    together = threading.Barrier(5)

    def produce(thread: int) -> None:
        together.wait()
        for n in range(500):
            pipeline.put(Parcel(f"{thread}-{n}", chance.choice([None, "a", "b"])))

    producers = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    for producer in producers:
        producer.start()
    together.wait()
    accepted = 0
    while any(producer.is_alive() for producer in producers):
        stats = pipeline.stats()
        assert accepted <= stats.accepted == total(stats)
        accepted = stats.accepted
    for producer in producers:
        producer.join()
    pipeline.flush(2)
    stats = pipeline.stats()
    assert stats.accepted == total(stats) == 2000
    pipeline.shutdown(0)
    eventually(lambda: pipeline.stats().in_flight == 0)
    stats = pipeline.stats()
    assert (stats.accepted, stats.queued, total(stats)) == (2000, 0, 2000)


# Awkward places to put from


class Reporting:
    """An object that reports its own end, in a cycle that only gc can break."""

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self.pipeline, self.name, self.myself = pipeline, name, self

    def __del__(self) -> None:
        self.pipeline.put(Parcel(self.name))
        self.pipeline.stats()


def test_put_in_a_finalizer(start):
    """Items put by finalizers, wherever the collector strikes, are delivered."""
    transport = MemoryTransport()
    pipeline = start(transport)
    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for n in range(500):
            Reporting(pipeline, f"dead {n}")
            pipeline.put(Parcel(f"alive {n}"))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert pipeline.flush()
    assert pipeline.stats().sent == len({m.id for m in transport.messages}) == 1000


def test_first_put_in_a_finalizer_under_threadings_lock(start):
    """Even the first item starts a worker without a lock that may be held."""
    transport = MemoryTransport()
    pipeline = start(transport)
    with threading._active_limbo_lock:
        Reporting(pipeline, "dead")
        gc.collect()
    assert pipeline.flush()
    assert len(transport.messages) == 1


@pytest.fixture
def alarm():
    """Install a handler of SIGALRM for the length of a test."""
    before = signal.getsignal(signal.SIGALRM)
    yield lambda handler: signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_put_in_a_signal_handler(start, alarm):
    """Signals that interrupt put and flush may put, too."""
    pipeline = start(MemoryTransport())
    handled = []

    def handle(number, frame):
        handled.append(number)
        pipeline.put(Parcel(f"signal {len(handled)}"))

    alarm(handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
    n = 0
    while len(handled) < 100:
        pipeline.put(Parcel(str(n)))
        n += 1
        if n % 500 == 0:
            pipeline.flush(0.05)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert pipeline.flush()
    assert pipeline.stats().accepted == n + len(handled)


def test_a_signal_handler_that_raises(start, alarm):
    """An exception thrown into put, flush or stats leaves nothing locked."""
    pipeline = start(MemoryTransport())

    class Timeout(Exception):  # noqa: N818 - as programs name theirs
        pass

    def handle(number, frame):
        raise Timeout

    alarm(handle)
    chance, raised = random.Random(3), 0
    while raised < 300:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00002, 0.001))
            for n in range(60):
                pipeline.put(Parcel(str(n)))
                pipeline.flush(0.0005)
                pipeline.stats()
        except Timeout:
            raised += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    pipeline.put(Parcel("last"))
    assert pipeline.flush()
    stats = pipeline.stats()
    assert stats.accepted == total(stats)


# Workers that die


class Killing(ScriptedTransport):
    """A transport that kills the worker that first uses it."""

    def send(self, messages, timeout=None):
        if not self.attempts:
            self.attempts.append(messages[0].id)
            raise SystemExit
        return super().send(messages, timeout)


@pytest.mark.usefixtures("lenient")
def test_dead_worker_is_replaced(start):
    """A worker that dies loses nothing, and is replaced."""
    transport = Killing()
    pipeline = start(transport)
    pipeline.put(Parcel("a", "chat"))
    pipeline.put(Parcel("b", "chat"))
    eventually(lambda: transport.delivered == ["a", "b"])
    assert pipeline.stats().workers_restarted == 1
    pipeline.put(Parcel("c"))
    assert pipeline.flush()


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("fault", [KeyError, KeyboardInterrupt, asyncio.CancelledError])
def test_faulty_transport(start, fault):
    """A transport that raises is tried again like a backend that fails."""

    def decide(message, tries):
        if tries == 0:
            raise fault("secret")
        return DELIVERED

    transport = ScriptedTransport(decide)
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    assert pipeline.flush()
    assert pipeline.stats().last_error == fault.__name__


@pytest.mark.usefixtures("lenient")
def test_a_transport_that_says_too_little(start):
    """A transport that returns no outcome for a message has not delivered it."""
    answers = [[], [DELIVERED]]

    class Terse(MemoryTransport):
        def send(self, messages, timeout=None):
            return answers.pop(0)

    pipeline = start(Terse())
    pipeline.put(Parcel("a"))
    assert pipeline.flush()
    assert pipeline.stats().retried == 1


@pytest.fixture
def no_more_threads(monkeypatch):
    """Make every attempt to start a thread fail, as at the interpreter's end."""

    def refuse(*args):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)


@pytest.mark.usefixtures("no_more_threads")
def test_without_threads(start):
    """Where no thread can be started, flush delivers by itself."""
    transport = ScriptedTransport(lambda m, tries: FAILED if tries < 2 else DELIVERED)
    pipeline = start(transport)
    pipeline.put(Parcel("a", "chat"))
    pipeline.put(Parcel("b", "chat"))
    before = workers()
    assert pipeline.flush()
    assert transport.delivered == ["a", "b"]
    assert set(workers()) <= set(before)


@pytest.mark.usefixtures("no_more_threads")
def test_interrupted_without_threads(start):
    """Control-C in a flush that delivers by itself leaves nothing stuck."""

    def interrupt_once(message, tries):
        if tries == 0:
            raise KeyboardInterrupt
        return DELIVERED

    pipeline = start(ScriptedTransport(interrupt_once))
    pipeline.put(Parcel("a"))
    with pytest.raises(KeyboardInterrupt):
        pipeline.flush()
    assert pipeline.stats().queued == 1
    assert pipeline.flush()


# The end


def test_shutdown(start):
    """Shutdown delivers, stops the workers and closes the transport."""
    transport = MemoryTransport()
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    assert pipeline.shutdown()
    eventually(lambda: not workers())
    assert transport.is_closed
    pipeline.put(Parcel("late"))
    eventually(lambda: pipeline.stats().dropped == {"shutdown": 1})
    assert not pipeline.shutdown()
    eventually(lambda: not workers())


def test_shutdown_counts_what_it_leaves(start):
    """What can't be delivered by the end is dropped and counted."""
    transport = ScriptedTransport(lambda message, tries: FAILED)
    pipeline = start(transport)
    for n in range(10):
        pipeline.put(Parcel(str(n), "chat"))
    assert not pipeline.shutdown(0.1)
    eventually(lambda: pipeline.stats().dropped == {"shutdown": 10})


@pytest.mark.usefixtures("lenient")
def test_shutdown_survives_the_transport(start):
    """A transport that can't be closed does not make shutdown raise."""

    class Unclosable(MemoryTransport):
        def close(self):
            raise OSError

    pipeline = start(Unclosable())
    pipeline.put(Parcel("a"))
    assert pipeline.shutdown()


def test_retire(start):
    """A retired pipeline delivers what it has, closes, and its threads end."""
    transport = ScriptedTransport(lambda m, tries: DELIVERED if tries else FAILED)
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    pipeline.retire()
    eventually(lambda: transport.delivered == ["a"])
    eventually(lambda: pipeline.is_retired and transport.is_closed)
    eventually(lambda: not workers())


def test_outcome_without_a_status(start):
    """A message that is rejected without an answer has its own reason."""
    transport = ScriptedTransport(lambda m, t: Outcome(delivered=False, error="no"))
    pipeline = start(transport)
    pipeline.put(Parcel("a"))
    assert not pipeline.flush()
    assert pipeline.stats().dropped == {"rejected": 1}
