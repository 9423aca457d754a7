"""Delivery by way of the disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest
from support import backend as answers
from support.backend import Backend, status
from support.parcels import Parcel, ScriptedSender, prepare
from support.waiting import eventually

from libretto_instrument.delivery import HttpSender, Stats
from libretto_instrument.delivery import _journal as journal_module
from libretto_instrument.delivery._ingestion import waiting
from libretto_instrument.delivery._spool_file import FILE
from libretto_instrument.delivery.durable import DurableDelivery, Spool

TESTS = Path(__file__).parents[1]


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def message(name: str, key: str | None = None):
    return prepare(Parcel(name, key))


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


def waiting_in(tmp_path: Path) -> int:
    with Spool(tmp_path / "spool") as spool:
        return spool.stats().waiting


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def make(tmp_path):
    """Make deliveries by way of one spool, and end them with the test."""
    made: list[DurableDelivery] = []

    def make(sender, **options) -> DurableDelivery:
        spool = Spool(tmp_path / "spool", **options.pop("spool", {}))
        made.append(DurableDelivery(prepare, sender, spool, **options))
        return made[-1]

    yield make
    for delivery in made:
        delivery.shutdown(0)


def test_on_disk_when_put_returns(make, tmp_path):
    """A message is in a file by the time ``put_message`` returns."""
    delivery = make(ScriptedSender(), spool_only=True)
    delivery.put_message(message("a"))
    [entry] = waiting(tmp_path / "spool", {})
    assert entry.message == message("a")


def test_delivered(make, backend):
    """What goes to disk first, prepared or not, arrives once and in order."""
    delivery = make(HttpSender(backend.urls))
    for n in range(100):
        delivery.put_message(message(f"{n}", "chat"))
    for n in range(100, 200):
        delivery.put(Parcel(f"{n}", "chat"))
    assert delivery.flush(30)
    ids = [event["promptEventId"] for event in backend.events]
    assert ids == [str(n) for n in range(200)]
    stats = delivery.stats()
    assert (stats.recorded, stats.spooled, stats.relayed) == (200, 200, 200)
    assert total(stats) == 200
    assert (stats.unspooled, stats.last_error) == (0, None)
    assert stats.last_success_at is not None


def test_without_a_flush(make, backend):
    """Messages leave by themselves, after a silence, too."""
    delivery = make(HttpSender(backend.urls))
    for n in range(3):
        delivery.put_message(message(str(n)))
        backend.wait_for(n + 1)


def test_spool_only(make, tmp_path):
    """With a relay declared, the process sends nothing, and flush means "on disk"."""
    sender = ScriptedSender()
    delivery = make(sender, spool_only=True)
    delivery.start()
    delivery.put_message(message("a"))
    delivery.put(Parcel("b"))
    assert delivery.flush()
    assert delivery.shutdown()
    assert sender.attempts == []
    assert waiting_in(tmp_path) == 2
    stats = delivery.stats()
    assert (stats.recorded, stats.spooled, total(stats)) == (2, 2, 2)


@pytest.fixture
def lock(tmp_path):
    """Lock the file of the spool, once it is there."""
    connections = []

    def lock():
        path = tmp_path / "spool" / FILE
        connection = sqlite3.connect(path, isolation_level=None)
        connections.append(connection)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    yield lock
    for connection in connections:
        connection.close()


@pytest.fixture
def without_journals(monkeypatch):
    """Have messages written to the database, as where files can't be locked."""
    monkeypatch.setattr(journal_module, "fcntl", None)


def test_spool_busy_to_those_who_send(make, backend, lock):
    """What is written goes to disk all the same."""
    delivery = make(HttpSender(backend.urls), spool={"busy_timeout": 0})
    delivery.put_message(message("first"))
    assert delivery.flush()
    connection = lock()
    for n in range(5):
        delivery.put_message(message(str(n)))
    assert delivery.stats().unspooled == 0
    connection.execute("ROLLBACK")
    assert delivery.flush(20)
    assert arrived(backend) == Counter(["first", *map(str, range(5))])


def test_flush_while_the_spool_is_busy(make, backend, lock):
    """A flush takes no longer than it may, nor does the end, and says what it did."""
    delivery = make(HttpSender(backend.urls))
    delivery.put_message(message("first"))
    assert delivery.flush()
    connection = lock()
    delivery.put_message(message("second"))
    started = monotonic()
    assert not delivery.flush(0)
    assert not delivery.flush(0.2)
    assert not delivery.shutdown(0.2)
    assert monotonic() - started < 4
    connection.execute("ROLLBACK")
    assert waiting_in(delivery._spool.directory.parent) == 1


def test_flush_of_nothing_but_others(make, backend):
    """A flush that had no time to move what was written does not say it arrived."""
    delivery = make(HttpSender(backend.urls))
    backend.refuse()
    delivery.put_message(message("a"))
    assert not delivery.flush(0)


def test_busy_spool(make, backend, lock, without_journals):
    """What can't be written in time stays in memory, counted, and leaves from there."""
    delivery = make(HttpSender(backend.urls), spool={"busy_timeout": 0.01})
    delivery.put_message(message("first"))
    assert delivery.flush()
    connection = lock()
    for n in range(5):
        delivery.put_message(message(str(n)))
    backend.wait_for(6)
    connection.execute("ROLLBACK")
    assert delivery.flush(20)
    stats = delivery.stats()
    assert (stats.recorded, total(stats)) == (6, 6)
    assert (stats.sent, stats.spooled) == (5, 1)
    assert stats.unspooled >= 5


def test_busy_spool_with_spool_only(make, tmp_path, lock, without_journals):
    """Without a way of its own, what stayed in memory is written later."""
    delivery = make(ScriptedSender(), spool_only=True, spool={"busy_timeout": 0.01})
    delivery.put_message(message("first"))
    connection = lock()
    for n in range(5):
        delivery.put_message(message(str(n)))
    assert not delivery.flush(0.2)
    assert delivery.stats().queued + delivery.stats().in_flight == 5
    connection.execute("ROLLBACK")
    assert delivery.flush(20)
    assert waiting_in(tmp_path) == 6
    stats = delivery.stats()
    assert (stats.recorded, stats.spooled, total(stats)) == (6, 6, 6)


def test_no_spool_to_be_had(make, backend, tmp_path):
    """Where the spool can't even be made, all goes by way of the memory."""
    (tmp_path / "spool").write_text("in the way")
    delivery = make(HttpSender(backend.urls))
    for n in range(10):
        delivery.put_message(message(str(n), "chat"))
    eventually(lambda: delivery.stats().sent == 10)
    assert arrived(backend) == Counter(str(n) for n in range(10))
    assert not delivery.flush(0.1)


@pytest.mark.usefixtures("lenient")
def test_fault_in_writing(make, backend, monkeypatch):
    """A fault of ours in writing does not reach the caller, nor lose the message."""
    delivery = make(HttpSender(backend.urls))
    faults, add = [RuntimeError("ours")], delivery._spool.add

    def fail_at_first(message, destinations):
        if faults:
            raise faults.pop()
        return add(message, destinations)

    monkeypatch.setattr(delivery._spool, "add", fail_at_first)
    delivery.put_message(message("a"))
    assert delivery.flush()
    assert arrived(backend) == Counter(["a"])
    assert total(delivery.stats()) == delivery.stats().recorded == 1


def test_backend_down(make, backend):
    """Flush is bounded and truthful while the backend is down (failure-modes 42)."""
    backend.answer(status(503))
    delivery = make(HttpSender(backend.urls))
    for n in range(20):
        delivery.put_message(message(str(n), "chat"))
    started = monotonic()
    assert not delivery.flush(0.3)
    assert monotonic() - started < 3
    backend.recover()
    assert delivery.flush(20)
    assert arrived(backend) == Counter(str(n) for n in range(20))
    assert delivery.stats().retried > 0
    assert delivery.stats().last_error == "HTTP 503"


def test_refused(make, backend):
    """A refusal makes one flush False; the message is kept for inspection."""
    backend.answer(status(413), times=1)
    delivery = make(HttpSender(backend.urls))
    delivery.put_message(message("a"))
    assert not delivery.flush()
    delivery.put_message(message("b"))
    assert delivery.flush()
    assert [refused.message.id for refused in delivery._spool.refused()] == ["a"]


def test_left_for_the_next(make, backend):
    """What one process could not deliver, the next one does without a put."""
    backend.refuse()
    before = make(HttpSender(backend.urls))
    before.put_message(message("a"))
    assert not before.shutdown(0.1)
    before.put_message(message("late"))
    assert before.stats().dropped == {"shutdown": 1}
    backend.recover()
    after = make(HttpSender(backend.urls))
    after.start()
    backend.wait_for(1)
    assert arrived(backend) == Counter(["a"])


# In processes of their own

SCRIPT = """
import os, signal, sys
sys.path.insert(0, os.environ["TESTS"])
from libretto_instrument.delivery import HttpSender
from libretto_instrument.delivery.durable import DurableDelivery, Spool
from support.parcels import Parcel, prepare

def start(**options):
    spool = Spool(os.environ["SPOOL"], busy_timeout=5)
    sender = HttpSender({"event": os.environ["URL"]})
    return DurableDelivery(prepare, sender, spool, **options)

def message(name, key=None):
    return prepare(Parcel(name, key))

"""


@pytest.fixture
def run(backend, tmp_path):
    """Run a script in a process of its own."""

    def run(script):
        environment = os.environ | {
            "TESTS": str(TESTS),
            "PYTHONPATH": str(TESTS.parent),
            "URL": backend.urls["event"],
            "SPOOL": str(tmp_path / "spool"),
        }
        return subprocess.run(
            [sys.executable, "-c", SCRIPT + textwrap.dedent(script)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed(run, make, backend):
    """What was put before a SIGKILL is delivered by the next process."""
    backend.answer(answers.hang)
    done = run("""
        delivery = start(spool_only=True)
        for n in range(100):
            delivery.put_message(message(str(n), "chat"))
            if n == 80:
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL
    backend.recover()
    delivery = make(HttpSender(backend.urls))
    delivery.start()
    backend.wait_for(81)
    ids = [event["promptEventId"] for event in backend.events]
    assert ids == [str(n) for n in range(81)]


def test_exit(run, backend, tmp_path):
    """What was put right before the end is delivered by it (failure-modes 43)."""
    done = run("""
        delivery = start()
        for n in range(40):
            delivery.put_message(message(str(n)))
        for n in range(40, 80):
            delivery.put(Parcel(str(n)))
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert arrived(backend) == Counter(str(n) for n in range(80))
    assert waiting_in(tmp_path) == 0


def test_exit_with_the_backend_down(run, backend, tmp_path):
    """A backend that hangs holds the exit up for a bounded time, and loses nothing."""
    backend.answer(answers.hang)
    started = monotonic()
    done = run("""
        delivery = start(exit_timeout=0.3)
        for n in range(20):
            delivery.put_message(message(str(n)))
        for n in range(20, 40):
            delivery.put(Parcel(str(n)))
    """)
    assert monotonic() - started < 15
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert waiting_in(tmp_path) == 40


def test_put_at_exit(run, backend, tmp_path):
    """What other exit handlers put is kept, before and after ours."""
    done = run("""
        import atexit
        delivery = start()
        atexit.register(lambda: delivery.put_message(message("2")))
        delivery.put_message(message("0"))
        atexit.register(lambda: delivery.put(Parcel("1")))
        atexit.register(lambda: delivery.drain_at_exit())
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert arrived(backend).total() + waiting_in(tmp_path) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(run, backend):
    """Parent and children each write and deliver, exactly once (failure-modes 41)."""
    done = run("""
        delivery = start()
        for n in range(20):
            delivery.put_message(message(f"before-{n}"))
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                assert delivery.stats().recorded == 0
                for n in range(20):
                    delivery.put_message(message(f"child{number}-{n}"))
                sys.exit(0 if delivery.flush(20) else 7)
            children.append(child)
        for n in range(20):
            delivery.put_message(message(f"after-{n}"))
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert delivery.flush(20), delivery.stats()
    """)
    assert done.returncode == 0, done.stderr
    who = ["before", "after", "child0", "child1", "child2"]
    assert arrived(backend) == Counter(f"{w}-{n}" for w in who for n in range(20))
