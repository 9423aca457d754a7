"""A thread that does one thing again and again."""

import threading

import pytest
from support.waiting import eventually

from libretto_instrument.delivery import _background as background_module
from libretto_instrument.delivery._background import Background


@pytest.fixture
def make():
    """Make background threads that end with the test."""
    made: list[Background] = []

    def make(step):
        made.append(Background("test-background", step))
        return made[-1]

    yield make
    for background in made:
        background.stop()
    eventually(lambda: not running())


def running() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "test-background"]


def test_nothing_before_it_is_started(make):
    """There is no thread before there is something to do."""
    make(lambda: 0.0)
    assert running() == []


def test_steps(make):
    """The function is called again after each of its pauses."""
    steps = threading.Semaphore(0)
    background = make(lambda: steps.release() or 0.001)
    background.start()
    for _ in range(10):
        assert steps.acquire(timeout=10)
    assert len(running()) == 1


def test_started_again(make):
    """Once started, it is not started once more."""
    steps = threading.Semaphore(0)
    background = make(lambda: steps.release() or 3600.0)
    for _ in range(10):
        background.start()
    assert steps.acquire(timeout=10)
    assert len(running()) == 1
    assert not steps.acquire(blocking=False)


def test_stopped(make):
    """Once stopped it stays so."""
    background = make(lambda: 3600.0)
    background.start()
    eventually(running)
    background.stop()
    eventually(lambda: not running())
    background.start()
    assert running() == []


@pytest.mark.usefixtures("lenient")
def test_fault(make, caplog):
    """A fault ends the thread and is told, and it can be started anew."""
    faults = [RuntimeError("ours")]
    steps = threading.Semaphore(0)

    def step():
        steps.release()
        if faults:
            raise faults.pop()
        return 3600.0

    background = make(step)
    background.start()
    assert steps.acquire(timeout=10)
    eventually(lambda: not background._running)
    assert "test-background" in caplog.text
    background.start()
    assert steps.acquire(timeout=10)


def test_without_threads(make, monkeypatch):
    """Where no thread can be started, nothing is raised, and it is tried again."""
    steps = threading.Semaphore(0)
    background = make(lambda: steps.release() or 3600.0)

    def refuse(*args):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(background_module, "start_new_thread", refuse)
        background.start()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        background.start()
        eventually(lambda: not background._running)
    background.start()
    assert steps.acquire(timeout=10)
