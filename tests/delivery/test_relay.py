"""From the spool to a real server, by one process or several."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from support import backend as answers
from support.backend import Backend, slow, status
from support.parcels import HeldSender, Parcel, ScriptedSender, prepare
from support.waiting import eventually

from libretto_instrument.delivery import HttpSender, Message
from libretto_instrument.delivery._presence import Presence
from libretto_instrument.delivery._relay import Relay, relay
from libretto_instrument.delivery._spool import Spool
from libretto_instrument.delivery.inspection import is_relayed

TESTS = Path(__file__).parents[1]
SCRIPT = """
import os, signal, sys, threading
sys.path.insert(0, os.environ["TESTS"])
from libretto_instrument.delivery import HttpSender
from libretto_instrument.delivery import _spool
from libretto_instrument.delivery.durable import Spool, relay

_spool.LEASE = float(os.environ.get("LEASE", "60"))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
sender = HttpSender({"event": os.environ["URL"]})
sys.exit(0 if relay(Spool(os.environ["SPOOL"]), sender, stop) else 3)
"""


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / "spool", busy_timeout=5)
    yield spool
    spool.close()


@pytest.fixture
def start(backend, spool):
    """Start relay processes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(lease: float = 60.0) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "TESTS": str(TESTS),
            "PYTHONPATH": str(TESTS.parent),
            "URL": backend.urls["event"],
            "SPOOL": str(spool.directory),
            "LEASE": str(lease),
        }
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def fill(spool: Spool, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        key = f"chat {n % 3}" if n % 2 else None
        assert spool.add(prepare(Parcel(str(n), order_key=key)))


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


def in_order(backend: Backend) -> bool:
    for chat in range(3):
        numbers = [
            int(event["promptEventId"])
            for event in backend.events
            if event["chatId"] == f"chat {chat}"
        ]
        if numbers != sorted(numbers):
            return False
    return True


def test_drain(backend, spool):
    """A relay empties a spool, in order, however much is in it."""
    fill(spool, 1000)
    worker = Relay(spool, HttpSender(backend.urls))
    assert worker.drain(60)
    worker.close()
    assert arrived(backend) == Counter(str(n) for n in range(1000))
    assert in_order(backend)
    assert spool.stats().waiting == 0


def test_drain_behind_many_for_others(backend, spool):
    """Nothing that could be claimed is left, however much is not to be."""
    for n in range(1500):
        spool.add(prepare(Parcel(f"other-{n}")), ("elsewhere",))
    fill(spool, 5)
    worker = Relay(spool, HttpSender(backend.urls))
    assert worker.drain(30)
    worker.close()
    assert sum(arrived(backend).values()) == 5


def test_stop(backend, spool):
    """Told to stop, a relay empties the spool first."""
    stop = threading.Event()
    results = []
    thread = threading.Thread(
        target=lambda: results.append(relay(spool, HttpSender(backend.urls), stop))
    )
    thread.start()
    other = Spool(spool.directory)
    fill(other, 10)
    backend.wait_for(10)
    fill(other, 10, first=10)
    stop.set()
    thread.join(30)
    assert results == [True]
    assert arrived(backend) == Counter(str(n) for n in range(20))
    other.close()


def test_stop_with_the_backend_down(backend, spool):
    """With the backend down it ends in time, and leaves everything to others."""
    backend.answer(status(503))
    fill(spool, 10)
    stop = threading.Event()
    stop.set()
    assert not relay(spool, HttpSender(backend.urls), stop, drain_timeout=0.3)
    stats = spool.stats()
    assert (stats.waiting, stats.claimed) == (10, 0)


def test_refused(backend, spool):
    """What Libretto refuses is set aside, and holds up nothing."""
    fill(spool, 4)
    backend.answer(status(400, {"error": "no"}), times=1)
    worker = Relay(spool, HttpSender(backend.urls))
    assert worker.drain(30)
    worker.close()
    [refused] = spool.refused()
    assert refused.reason == "HTTP 400"
    assert arrived(backend).total() == 3
    assert spool.retry() == 1
    again = Relay(spool, HttpSender(backend.urls))
    assert again.drain(30)
    again.close()
    assert arrived(backend) == Counter(str(n) for n in range(4))


def test_outage(backend, spool):
    """What fails is tried again, in order, once the backend has recovered."""
    backend.answer(answers.cut)
    fill(spool, 50)
    worker = Relay(spool, HttpSender(backend.urls))
    assert not worker.drain(0.2)
    backend.recover()
    assert worker.drain(30)
    worker.close()
    assert arrived(backend) == Counter(str(n) for n in range(50))
    assert in_order(backend)


def test_a_claim_that_ran_out(spool, monkeypatch):
    """A relay that slept for too long does not send what others may have by now."""
    monkeypatch.setattr("libretto_instrument.delivery._relay.LEASE", -1.0)
    sender = ScriptedSender()
    fill(spool, 3)
    worker = Relay(spool, sender)
    worker.step()
    worker.hurry(5)
    worker.close()
    assert sender.attempts == []
    assert spool.stats().waiting == 3


def test_under_way_at_the_end(spool):
    """What is being sent as a relay ends stays claimed: nobody else sends it."""
    fill(spool, 4)
    sender = HeldSender()
    worker = Relay(spool, sender, max_in_flight=1)
    worker.step()
    assert sender.began.acquire(timeout=10)
    worker.close()
    stats = spool.stats()
    assert (stats.waiting, stats.claimed) == (4, 1)
    sender.let_go.set()
    eventually(lambda: spool.stats().waiting == 3)


def test_spool_busy_after_sending(spool, monkeypatch):
    """A delivered message that could not be struck off is not sent a second time."""
    fill(spool, 1)
    failures = [OSError(), OSError()]
    remove = spool.remove

    def fail_at_first(stored):
        if failures:
            raise failures.pop()
        remove(stored)

    monkeypatch.setattr(spool, "remove", fail_at_first)
    sender = ScriptedSender()
    worker = Relay(spool, sender)
    assert worker.drain(10)
    worker.close()
    assert sender.attempts == ["0"]
    assert spool.stats().waiting == 0


def test_a_row_given_to_another_message(spool, monkeypatch):
    """A message is sent that got the row of one whose delivery is just being noted, as
    in a file that was made anew."""
    fill(spool, 1)
    remove, rows = spool.remove, []

    def be_slow(stored):
        rows.append(stored.row)
        remove(stored)
        if stored.message.id == "0":
            shutil.rmtree(spool.directory)
            fill(spool, 1, first=2)
            worker.step()

    monkeypatch.setattr(spool, "remove", be_slow)
    sender = ScriptedSender()
    worker = Relay(spool, sender)
    assert worker.drain(10)
    worker.close()
    assert sender.attempts == ["0", "2"]
    assert rows == [1, 1]


def test_spool_out_of_reach(tmp_path, caplog):
    """A spool that can't be opened is said once, and looked for again."""
    (tmp_path / "file").write_text("in the way")
    worker = Relay(Spool(tmp_path / "file" / "spool"), ScriptedSender())
    assert worker.step() > 0
    assert worker.step() > 0
    worker.close()
    [record] = caplog.records
    assert "can't be read" in record.getMessage()


def test_large_messages_are_claimed_a_few_at_a_time(spool):
    """A relay does not load more than a window's bytes at once."""
    for n in range(6):
        spool.add(Message("event", str(n), b"x" * 3 * 2**20))
    sender = HeldSender()
    worker = Relay(spool, sender, max_in_flight=1)
    worker.step()
    assert 0 < worker.stats().recorded <= 2
    sender.let_go.set()
    assert worker.drain(30)
    worker.close()
    assert len(sender.delivered) == 6


# Its presence


def test_a_relay_at_work_is_seen(backend, spool):
    """Whether a relay is at work can be told from outside, in a new directory, too."""
    assert is_relayed(spool.directory) is False
    stop = threading.Event()
    thread = threading.Thread(
        target=relay,
        args=(Spool(spool.directory), HttpSender(backend.urls), stop),
    )
    thread.start()
    eventually(lambda: is_relayed(spool.directory))
    spool.close()
    shutil.rmtree(spool.directory)
    eventually(lambda: is_relayed(spool.directory))
    stop.set()
    thread.join(30)
    assert is_relayed(spool.directory) is False


def test_the_first_of_two_relays_to_leave_takes_no_sign_with_it(tmp_path):
    """A spool is relayed until the last of its relays is gone."""
    one, other = Presence(tmp_path), Presence(tmp_path)
    one.show()
    other.show()
    one.end()
    assert is_relayed(tmp_path) is True
    other.end()
    assert is_relayed(tmp_path) is False


# Several processes


def test_two_relays(backend, spool, start):
    """Two relays on one spool send each message once, and each chat in order."""
    fill(spool, 300)
    backend.answer(slow(0.002))
    processes = [start(), start()]
    fill(spool, 300, first=300)
    backend.wait_for(600, timeout=60)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in processes] == [0, 0]
    assert arrived(backend) == Counter(str(n) for n in range(600))
    assert in_order(backend)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_relay(backend, spool, start):
    """What a relay had claimed when it was killed, another one delivers."""
    backend.answer(answers.hang)
    fill(spool, 20)
    victim = start(lease=0.5)
    backend.wait_until(lambda: len(backend.received) > 0, timeout=30)
    victim.kill()
    victim.wait()
    # What the victim had sent and nobody had read yet goes with its connections.
    backend.refuse()
    backend.recover()
    heir = start()
    backend.wait_for(20, timeout=30)
    heir.send_signal(signal.SIGTERM)
    assert heir.wait(30) == 0
    assert arrived(backend) == Counter(str(n) for n in range(20))
    assert in_order(backend)
