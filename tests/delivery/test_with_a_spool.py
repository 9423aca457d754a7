"""Delivery through the spool."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest
from attrs import evolve
from support import backend as answers
from support.backend import Backend, status
from support.deliveries import DELIVERED, Parcel, ScriptedTransport
from support.deliveries import prepare as without_endpoint
from support.waiting import eventually

from libretto_instrument._delivery import LIBRETTO, HttpTransport, Pipeline, Stats
from libretto_instrument._delivery import workers as workers_module
from libretto_instrument._spool import Spool
from libretto_instrument._spool.dead_letters import iter_dead_letters

TESTS = Path(__file__).parents[1]


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


def pending_in(tmp_path: Path) -> int:
    return Spool(tmp_path / "spool").stats().pending


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def prepare(backend):
    """Make messages that go to the backend."""
    return lambda parcel: evolve(
        without_endpoint(parcel), endpoint=backend.urls["event"]
    )


@pytest.fixture
def make(tmp_path, prepare):
    """Make pipelines with one spool, and end them with the test."""
    made: list[Pipeline] = []

    def make(transport=None, prepare=prepare, **options) -> Pipeline:
        spool = Spool(tmp_path / "spool")
        destinations = {LIBRETTO: transport or HttpTransport()}
        made.append(Pipeline(prepare, destinations, spool, **options))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.shutdown(0)


def test_on_disk_when_persist_returns(make, tmp_path, prepare):
    """A message is in a file by the time ``persist`` returns."""
    pipeline = make(ScriptedTransport(), spool_only=True)
    pipeline.persist(Parcel("a"))
    spool = Spool(tmp_path / "spool")
    assert spool.try_lead(LIBRETTO)
    [stored] = spool.read(LIBRETTO, 10, 10_000)
    assert stored.message == prepare(Parcel("a"))
    spool.close()


def test_delivered(make, backend):
    """What goes to disk first, prepared or not, arrives once and in order."""
    pipeline = make()
    for n in range(100):
        pipeline.persist(Parcel(f"{n}", "chat"))
    for n in range(100, 200):
        pipeline.put(Parcel(f"{n}", "chat"))
    assert pipeline.flush(30)
    ids = [event["promptEventId"] for event in backend.events]
    assert ids == [str(n) for n in range(200)]
    stats = pipeline.stats()
    assert (stats.accepted, stats.spooled, stats.relayed) == (200, 200, 200)
    assert total(stats) == 200
    assert (stats.spool_failures, stats.last_error) == (0, None)
    assert stats.last_success_at is not None


def test_without_a_flush(make, backend):
    """Messages leave by themselves, after a silence, too."""
    pipeline = make()
    for n in range(3):
        pipeline.persist(Parcel(str(n)))
        backend.wait_for(n + 1)


def test_spool_only(make, tmp_path):
    """With a relay declared, the process sends nothing, and flush means "on disk"."""
    transport = ScriptedTransport()
    pipeline = make(transport, spool_only=True)
    pipeline.start()
    pipeline.persist(Parcel("a"))
    pipeline.put(Parcel("b"))
    assert pipeline.flush()
    assert pipeline.shutdown()
    assert transport.attempts == []
    assert pending_in(tmp_path) == 2
    stats = pipeline.stats()
    assert (stats.accepted, stats.spooled, total(stats)) == (2, 2, 2)


def test_flush_while_another_process_leads(make, backend, tmp_path):
    """A flush waits for what another reader has yet to send, within its time-out."""
    other = Spool(tmp_path / "spool")
    assert other.try_lead(LIBRETTO)
    pipeline = make()
    pipeline.persist(Parcel("a"))
    started = monotonic()
    assert not pipeline.flush(0)
    assert not pipeline.flush(0.3)
    assert monotonic() - started < 3
    [stored] = other.read(LIBRETTO, 10, 10_000)
    other.ack(stored)
    assert pipeline.flush(20)
    assert backend.received == []
    other.close()


def test_takes_over_from_a_reader_that_ends(make, backend, tmp_path):
    """What the reader did not send when it ended, another process sends soon."""
    other = Spool(tmp_path / "spool")
    assert other.try_lead(LIBRETTO)
    pipeline = make()
    pipeline.persist(Parcel("a"))
    assert other.read(LIBRETTO, 10, 10_000)
    other.close()
    backend.wait_for(1)
    eventually(lambda: pipeline.stats().relayed == 1)


def test_spool_only_without_a_spool_to_be_had(make, tmp_path):
    """Without a way of its own, what stayed in memory is written later."""
    (tmp_path / "spool").write_text("in the way")
    pipeline = make(ScriptedTransport(), spool_only=True)
    for n in range(5):
        pipeline.persist(Parcel(str(n)))
    assert not pipeline.flush(0.3)
    assert pipeline.stats().queued + pipeline.stats().in_flight == 5
    (tmp_path / "spool").unlink()
    assert pipeline.flush(40)
    assert pending_in(tmp_path) == 5
    stats = pipeline.stats()
    assert (stats.accepted, stats.spooled, total(stats)) == (5, 5, 5)
    assert stats.spool_failures == 5


def check_all_by_memory(pipeline, backend):
    """Check that what cannot be written to the spool arrives all the same."""
    for n in range(10):
        pipeline.persist(Parcel(str(n), "chat"))
    eventually(lambda: pipeline.stats().sent == 10)
    assert arrived(backend) == Counter(str(n) for n in range(10))
    assert pipeline.stats().spool_failures == 10


def test_no_spool_to_be_had(make, backend, tmp_path):
    """Where the spool can't even be made, all goes by way of the memory."""
    (tmp_path / "spool").write_text("in the way")
    check_all_by_memory(make(), backend)


@pytest.mark.skipif(sys.platform == "win32", reason="fcntl is not for Windows")
def test_no_locks_to_be_had(make, backend, monkeypatch):
    """Where files can't be locked, all goes by way of the memory."""
    import fcntl

    def refuse(fd, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    check_all_by_memory(make(), backend)


@pytest.mark.usefixtures("lenient")
def test_fault_in_preparing(make, backend, prepare):
    """An error while preparing is counted and does not reach the caller."""
    pipeline = make(prepare=lambda parcel: 1 / 0)
    pipeline.persist(Parcel("a"))
    assert not pipeline.flush()
    assert pipeline.stats().dropped == {"prepare_failed": 1}


def test_backend_down(make, backend):
    """Flush is bounded and truthful while the backend is down."""
    backend.answer(status(503))
    pipeline = make()
    for n in range(20):
        pipeline.persist(Parcel(str(n), "chat"))
    started = monotonic()
    assert not pipeline.flush(0.3)
    assert monotonic() - started < 3
    backend.recover()
    assert pipeline.flush(20)
    assert arrived(backend) == Counter(str(n) for n in range(20))
    assert pipeline.stats().retried > 0
    assert pipeline.stats().last_error == "HTTP 503"


def test_refused(make, backend):
    """A refusal makes one flush False; the message is kept for inspection."""
    backend.answer(status(413), times=1)
    pipeline = make()
    pipeline.persist(Parcel("a"))
    assert not pipeline.flush()
    pipeline.persist(Parcel("b"))
    assert pipeline.flush()
    [letter] = iter_dead_letters(pipeline._store.directory)
    assert (letter.message.id, letter.reason) == ("a", "HTTP 413")


def test_refused_while_another_process_leads(make, tmp_path):
    """A flush is False for what another reader had refused, if it was put here."""
    other = Spool(tmp_path / "spool")
    assert other.try_lead(LIBRETTO)
    pipeline = make()
    for refused in ("a", "theirs"):
        pipeline.persist(Parcel("a" if refused == "a" else "b"))
        assert other.append(without_endpoint(Parcel("theirs")), (LIBRETTO,))
        for stored in other.read(LIBRETTO, 10, 10_000):
            if stored.message.id == refused:
                other.reject(stored, "HTTP 401")
            else:
                other.ack(stored)
        assert pipeline.flush() is (refused == "theirs")
    other.close()


def test_left_for_the_next(make, backend):
    """What one process could not deliver, the next one does without a put."""
    backend.refuse()
    before = make()
    before.persist(Parcel("a"))
    assert not before.shutdown(0.1)
    before.persist(Parcel("late"))
    eventually(lambda: before.stats().dropped == {"shutdown": 1})
    backend.recover()
    after = make()
    after.start()
    # The one before may lead for a moment longer.
    eventually(lambda: after.flush(20) and arrived(backend) == Counter(["a"]))


# In processes of their own

SCRIPT = """
import os, signal, sys
sys.path.insert(0, os.environ["TESTS"])
import attrs
from libretto_instrument._delivery import LIBRETTO, HttpTransport, Pipeline
from libretto_instrument._spool import Spool
from support.deliveries import Parcel
from support.deliveries import prepare as without_endpoint

def prepare(parcel):
    return attrs.evolve(without_endpoint(parcel), endpoint=os.environ["URL"])

def start(**options):
    spool = Spool(os.environ["SPOOL"])
    return Pipeline(prepare, {LIBRETTO: HttpTransport()}, spool, **options)

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
        pipeline = start(spool_only=True)
        for n in range(100):
            pipeline.persist(Parcel(str(n), "chat"))
            if n == 80:
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL
    backend.recover()
    pipeline = make()
    pipeline.read_store()
    backend.wait_for(81)
    ids = [event["promptEventId"] for event in backend.events]
    assert ids == [str(n) for n in range(81)]


def test_exit(run, backend, tmp_path):
    """What was put right before the end is delivered by it."""
    done = run("""
        pipeline = start()
        for n in range(40):
            pipeline.persist(Parcel(str(n)))
        for n in range(40, 80):
            pipeline.put(Parcel(str(n)))
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert arrived(backend) == Counter(str(n) for n in range(80))
    assert pending_in(tmp_path) == 0


def test_exit_with_the_backend_down(run, backend, tmp_path):
    """A backend that hangs holds the exit up for a bounded time, and loses nothing."""
    backend.answer(answers.hang)
    started = monotonic()
    done = run("""
        pipeline = start(exit_timeout=0.3)
        for n in range(20):
            pipeline.persist(Parcel(str(n)))
        for n in range(20, 40):
            pipeline.put(Parcel(str(n)))
    """)
    assert monotonic() - started < 15
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pending_in(tmp_path) == 40


def test_put_at_exit(run, backend, tmp_path):
    """What other exit handlers put is kept, before and after ours."""
    done = run("""
        import atexit
        pipeline = start()
        atexit.register(lambda: pipeline.persist(Parcel("2")))
        pipeline.persist(Parcel("0"))
        atexit.register(lambda: pipeline.put(Parcel("1")))
        atexit.register(lambda: pipeline.drain_at_exit())
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert arrived(backend).total() + pending_in(tmp_path) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(run, backend):
    """Parent and children each write and deliver, exactly once."""
    done = run("""
        pipeline = start()
        for n in range(20):
            pipeline.persist(Parcel(f"before-{n}"))
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                assert pipeline.stats().accepted == 0
                for n in range(20):
                    pipeline.persist(Parcel(f"child{number}-{n}"))
                sys.exit(0 if pipeline.flush(20) else 7)
            children.append(child)
        for n in range(20):
            pipeline.persist(Parcel(f"after-{n}"))
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pipeline.flush(20), pipeline.stats()
    """)
    assert done.returncode == 0, done.stderr
    who = ["before", "after", "child0", "child1", "child2"]
    assert arrived(backend) == Counter(f"{w}-{n}" for w in who for n in range(20))


def test_one_worker_left(make, monkeypatch):
    """Workers that came for a slow backend go, though one looks for more on disk."""
    monkeypatch.setattr(workers_module, "IDLE_TIMEOUT", 0.02)
    monkeypatch.setattr(workers_module, "FLUSH_INTERVAL", 0.01)
    pause = threading.Event()
    transport = ScriptedTransport(lambda m, tries: pause.wait(0.05) or DELIVERED)
    pipeline = make(transport)
    for n in range(100):
        pipeline.persist(Parcel(str(n)))
    assert pipeline.flush(30)
    assert transport.peak >= 2
    eventually(lambda: pipeline._workers.size == 1)
    pipeline.persist(Parcel("more"))
    eventually(lambda: "more" in transport.delivered)
