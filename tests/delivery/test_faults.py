"""The whole way to a real server that misbehaves, and then recovers."""

import sys
import threading
from collections import Counter
from time import monotonic

import pytest
from attrs import evolve
from support import backend as answers
from support.backend import Backend, slow, status
from support.deliveries import Parcel, prepare
from support.waiting import eventually

from libretto_instrument._delivery import LIBRETTO, HttpTransport, Pipeline

PASSING = {
    "hang": answers.hang,
    "cut": answers.cut,
    "garbage": answers.garbage,
    "429": status(429, headers={"Retry-After": "0"}),
    "429 with patience": status(429, headers={"Retry-After": "300"}),
    "500": status(500),
    "503": status(503, {"error": "down"}),
}
FINAL = {
    "400": status(400, {"error": "no"}),
    "401": status(401),
    "413": status(413),
    "redirect": answers.redirect("http://127.0.0.1:9/"),
}
ODD = {
    "slow": slow(0.05),
    "half": answers.half,
    "endless": answers.endless,
    "drip": answers.drip,
    "not JSON": answers.content(b"<html>"),
}


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def start(backend):
    """Make pipelines to the backend that end with the test."""
    started = []

    def start(timeout=10.0, **options):
        def prepare_for_backend(parcel):
            return evolve(prepare(parcel), endpoint=backend.urls["event"])

        transports = {LIBRETTO: HttpTransport(timeout=timeout)}
        started.append(Pipeline(prepare_for_backend, transports, **options))
        return started[-1]

    yield start
    for pipeline in started:
        pipeline.shutdown(0)


@pytest.fixture
def pipeline(start):
    return start(timeout=0.3)


def put(pipeline, numbers):
    for n in numbers:
        pipeline.put(Parcel(str(n), ordering_key=f"chat {n % 3}" if n % 2 else None))


def flush_in_time(pipeline, timeout):
    """Flush, and fail if that takes much longer than it may."""
    started = monotonic()
    result = pipeline.flush(timeout)
    assert monotonic() - started < timeout + 2
    return result


@pytest.mark.parametrize("fault", PASSING)
def test_fault_that_passes(backend, pipeline, fault):
    """Flush is bounded, and after recovery all arrive."""
    backend.answer(PASSING[fault])
    put(pipeline, range(20))
    assert not flush_in_time(pipeline, 0.2)
    stats = pipeline.stats()
    assert stats.sent == 0
    assert stats.queued + stats.in_flight == 20
    backend.recover()
    assert flush_in_time(pipeline, 20)
    assert arrived(backend) == Counter(str(n) for n in range(20))
    assert pipeline.stats().sent == 20
    assert pipeline.stats().retried > 0


def test_port_closed(backend, pipeline):
    """A refused connection is retried until it is accepted, also without a flush."""
    backend.refuse()
    put(pipeline, range(20))
    assert not flush_in_time(pipeline, 0.2)
    assert pipeline.stats().last_error == "ConnectionRefusedError"
    backend.recover()
    backend.wait_for(20, timeout=30)
    eventually(lambda: pipeline.stats().sent == 20)
    assert arrived(backend) == Counter(str(n) for n in range(20))
    assert pipeline.stats().last_success_at is not None


@pytest.mark.parametrize("fault", FINAL)
def test_fault_that_does_not_pass(backend, pipeline, fault):
    """A message that is rejected is sent once, counted, and delays no other."""
    backend.answer(FINAL[fault])
    put(pipeline, range(20))
    assert not flush_in_time(pipeline, 20)
    assert len(backend.received) == 20
    [(reason, count)] = pipeline.stats().dropped.items()
    assert (reason[:9], count) == ("rejected_", 20)
    backend.recover()
    put(pipeline, range(20, 40))
    assert flush_in_time(pipeline, 20)
    assert arrived(backend) == Counter(str(n) for n in range(20, 40))


@pytest.mark.parametrize("fault", ODD)
def test_odd_success(backend, pipeline, fault):
    """What the backend took is delivered once, however oddly it says so."""
    backend.answer(ODD[fault])
    put(pipeline, range(6))
    assert flush_in_time(pipeline, 20)
    assert arrived(backend) == Counter(str(n) for n in range(6))


def test_one_bad_message(backend, pipeline):
    """A message that the backend chokes on does not stop those of other keys."""
    choked = threading.Event()

    def choke(exchange):
        choked.set()
        exchange.respond(500)

    backend.answer(answers.Answer(choke), times=1)
    pipeline.put(Parcel("bad", ordering_key="chat"))
    choked.wait(10)
    put(pipeline, range(0, 20, 2))
    assert flush_in_time(pipeline, 20)
    assert arrived(backend) == Counter(["bad", *map(str, range(0, 20, 2))])


def test_order_through_an_outage(backend, pipeline):
    """A chat's events arrive in order, whatever failed in between."""
    backend.answer(status(503), times=2)
    backend.answer(answers.cut, times=1)
    put(pipeline, range(1, 40, 2))
    assert flush_in_time(pipeline, 20)
    for key in range(3):
        ids = [
            e["promptEventId"] for e in backend.events if e["chatId"][-1] == str(key)
        ]
        assert ids == sorted(ids, key=int)


@pytest.mark.parametrize("fault", ["hang", "503"])
def test_black_hole(backend, start, fault):
    """With the backend down, what is kept stays within bounds."""
    backend.answer(PASSING[fault])
    pipeline = start(max_events=1000, max_bytes=200_000)
    for n in range(20_000):
        pipeline.put(Parcel(str(n)))
    eventually(lambda: pipeline.pending <= 1000)
    stats = pipeline.stats()
    assert stats.accepted == 20_000
    assert sum(stats.dropped.values()) == 20_000 - stats.queued - stats.in_flight
    backend.recover()
    pipeline.flush(20)
    stats = pipeline.stats()
    assert stats.sent == stats.accepted - stats.dropped["queue_full"] > 0
    assert arrived(backend).total() == len(arrived(backend)) == stats.sent
    assert "19999" in arrived(backend)


@pytest.fixture
def eager_switches():
    """Have threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switches")
def test_every_drop_is_counted(backend, start):
    """Callers and workers that drop at the same time lose no count."""
    backend.answer(status(503))
    pipeline = start(max_events=64, max_bytes=20_000)

    def flood():
        for n in range(5_000):
            pipeline.put(Parcel(str(n)))

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: pipeline.pending <= 64)
    assert pipeline.stats().accepted == 20_000
    assert not pipeline.flush(0)
    assert pipeline.stats().accepted == 20_000
