"""The way in from the caller's threads."""

import signal
import threading
from collections import deque
from math import inf

import pytest

from libretto_instrument.delivery._gate import BOX, LIGHT, Gate


class Item(str):
    """Something of a weight."""

    weight = 1


class Heavy(Item):
    """Something that is not to wait uncounted."""

    weight = LIGHT + 1


def admit_to(taken: list[object]):
    def admit(box: deque[object]) -> None:
        while box:
            taken.append(box.popleft())

    return admit


def test_open():
    """What is put is carried in at once."""
    taken: list[object] = []
    gate = Gate(admit_to(taken))
    gate.put(1)
    gate.put(2)
    assert taken == [1, 2]


def test_shut():
    """What is put while the gate is held waits for nobody, and goes in on leaving."""
    taken: list[object] = []
    gate = Gate(admit_to(taken))
    with gate:
        gate.put(1)
        assert taken == []
    assert taken == [1]


def test_attended():
    """While somebody will come by, a few items wait in the box, and no more."""
    taken: list[object] = []
    gate = Gate(admit_to(taken))
    gate.attended_until = inf
    few = [Item(number) for number in range(BOX)]
    for item in few:
        gate.put(item)
    assert taken == []
    gate.put(Item("one too many"))
    assert taken == [*few, "one too many"]
    gate.put(Item("again"))
    assert taken[-1] == "one too many"
    with gate:
        assert taken[-1] == "again"


def test_heavy():
    """What weighs much does not wait in the box, nor what came before it."""
    taken: list[object] = []
    gate = Gate(admit_to(taken))
    gate.attended_until = inf
    gate.put(Item("light"))
    gate.put(Heavy("heavy"))
    assert taken == ["light", "heavy"]


@pytest.mark.parametrize("bounds", [{"room": 0}, {"light": 0}])
def test_small_box(bounds):
    """As little may wait uncounted as the owner says."""
    taken: list[object] = []
    gate = Gate(admit_to(taken), **bounds)
    gate.attended_until = inf
    gate.put(Item("a"))
    assert taken == ["a"]


def test_no_longer_attended():
    """What was put while the box was being emptied is carried in if nobody comes."""
    taken: list[object] = []

    def admit(box: deque[object]) -> None:
        taken.extend(box)
        box.clear()
        if gate.attended_until:
            gate.attended_until = 0.0
            gate.put(Item("meanwhile"))

    gate = Gate(admit)
    gate.attended_until = inf
    items = [Item(number) for number in range(BOX + 1)]
    for item in items:
        gate.put(item)
    assert taken == [*items, "meanwhile"]


def test_enter_carries_in():
    """Whoever takes the gate sees what was put into the box before."""
    taken: list[object] = []
    gate = Gate(admit_to(taken))
    with gate:
        gate.put(1)
        gate._lock.release()
        assert gate.enter()
        assert taken == [1]


def test_enter_gives_up():
    """A gate that is held for longer than one can wait is not entered."""
    gate = Gate(admit_to([]))
    with gate:
        assert not gate.enter(timeout=0.01)
    assert gate.enter(timeout=0.01)
    gate.leave()


def test_nested():
    """A put from within a put, as a finaliser may do it, is neither lost nor stuck."""
    taken: list[object] = []

    def admit(box: deque[object]) -> None:
        item = box.popleft()
        if item == "outer":
            gate.put("inner")
        taken.append(item)

    gate = Gate(admit)
    gate.put("outer")
    assert taken == ["outer", "inner"]


def test_signal_handler():
    """A signal handler that interrupts the very inside of the gate can put."""
    taken: list[object] = []

    def admit(box: deque[object]) -> None:
        while box:
            item = box.popleft()
            taken.append(item)
            if item == "call":
                signal.raise_signal(signal.SIGUSR1)

    gate = Gate(admit)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: gate.put("signal"))
    try:
        gate.put("call")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert taken == ["call", "signal"]


def test_fault_inside():
    """A fault while carrying in leaves the gate open for the next one."""
    taken: list[object] = []

    def admit(box: deque[object]) -> None:
        item = box.popleft()
        if item == "bad":
            raise LookupError
        taken.append(item)

    gate = Gate(admit)
    with pytest.raises(LookupError):
        gate.put("bad")
    gate.put("good")
    gate._box.append("bad")
    with pytest.raises(LookupError):
        gate.enter()
    gate.put("better")
    assert taken == ["good", "better"]


def test_many_threads():
    """Each item goes in exactly once, in order per thread, and none is left behind."""
    taken: list[tuple[int, int]] = []
    gate = Gate(admit_to(taken))
    together = threading.Barrier(5)

    def put(thread: int) -> None:
        together.wait()
        for number in range(2000):
            gate.put((thread, number))

    def hold() -> None:
        together.wait()
        for _ in range(2000):
            with gate:
                pass

    threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
    threads.append(threading.Thread(target=hold))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 8000
    for thread in range(4):
        assert [n for t, n in taken if t == thread] == list(range(2000))
