"""Exits, forks and other ends, in processes of their own."""

import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest
from support import backend as answers
from support.backend import Backend

TESTS = Path(__file__).parents[1]
PREAMBLE = """
import os, sys, threading
sys.path.insert(0, os.environ["TESTS"])
from libretto_instrument.delivery import Delivery, HttpSender
from support.parcels import Parcel, prepare

def start(**options):
    base = os.environ["LIBRETTO_API_PREFIX"]
    return Delivery(prepare, HttpSender({"event": base + "/event"}), **options)

"""


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def run(backend, tmp_path):
    """Run a script in a process of its own, with the delivery at hand."""

    def run(script, *arguments, timeout=60, code=0):
        path = tmp_path / "script.py"
        path.write_text(PREAMBLE + textwrap.dedent(script))
        root = str(TESTS.parent)
        environment = os.environ | {
            "LIBRETTO_API_PREFIX": backend.url,
            "TESTS": str(TESTS),
            "PYTHONPATH": os.pathsep.join(
                filter(None, (root, os.environ.get("PYTHONPATH")))
            ),
        }
        done = subprocess.run(
            [sys.executable, str(path), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def ids(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


def expected(*counts: tuple[str, int]) -> Counter[str]:
    return Counter(f"{who}-{n}" for who, count in counts for n in range(count))


# Exits


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(0)",
        "threading.Thread(target=threading.Event().wait, args=(0.1,)).start()",
    ],
)
def test_exit(run, backend, end):
    """What was put right before the end is delivered by it (failure-modes 43)."""
    run(f"""
        delivery = start()
        for n in range(50):
            delivery.put(Parcel(f"main-{{n}}"))
        {end}
    """)
    assert ids(backend) == expected(("main", 50))


def test_exit_after_a_crash(run, backend):
    """An exception that ends the process does not keep events from leaving it."""
    done = run(
        """
        delivery = start()
        delivery.put(Parcel("main-0"))
        raise RuntimeError("the user's own")
        """,
        code=1,
    )
    assert ids(backend) == expected(("main", 1))
    assert "the user's own" in done.stderr


def test_exit_says_nothing(run, backend):
    """A healthy end is a silent one (failure-modes 44)."""
    done = run(
        """
        delivery = start()
        delivery.put(Parcel("main-0"))
        """
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("fault", ["hang", "refuse"])
def test_exit_with_the_backend_down(run, backend, fault):
    """A backend that is down holds the exit up for a bounded time, and a line says so
    (failure-modes 42)."""
    if fault == "hang":
        backend.answer(answers.hang)
    else:
        backend.refuse()
    started = monotonic()
    done = run(
        """
        delivery = start(exit_timeout=0.3)
        for n in range(3):
            delivery.put(Parcel(f"main-{n}"))
        """
    )
    assert monotonic() - started < 15
    assert "before 3 events could be delivered" in done.stderr
    assert "Traceback" not in done.stderr


def test_exit_without_a_worker(run, backend):
    """Where no thread can be started, the exit delivers alone (failure-modes 44)."""
    run("""
        from libretto_instrument.delivery import _crew
        def refuse(*args):
            raise RuntimeError("can't start new thread")
        delivery = start()
        delivery.put(Parcel("main-0"))
        delivery.flush()
        _crew.start_new_thread = refuse
        delivery._start_afresh()
        delivery._prepare_for_exit()
        delivery.put(Parcel("main-1"))
    """)
    assert ids(backend) == expected(("main", 2))


def test_put_at_exit(run, backend):
    """What other exit handlers put is delivered, before and after ours."""
    run("""
        import atexit
        delivery = start()
        atexit.register(lambda: delivery.put(Parcel("main-2")) or delivery.flush())
        delivery.put(Parcel("main-0"))
        atexit.register(lambda: delivery.put(Parcel("main-1")))
    """)
    assert ids(backend) == expected(("main", 3))


def test_put_at_the_very_end(run):
    """A put while the interpreter is torn down neither raises nor hangs."""
    done = run("""
        delivery = start()
        class Late:
            def __del__(self):
                delivery.put(Parcel("late"))
        sys.modules["keeps it until the end"] = Late()
        delivery.put(Parcel("main-0"))
    """)
    assert done.stderr == ""


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(run, backend):
    """Parent and child each deliver their own, exactly once (failure-modes 41)."""
    run("""
        delivery = start()
        for n in range(20):
            delivery.put(Parcel(f"before-{n}"))
        child = os.fork()
        if not child:
            stats = delivery.stats()
            assert (stats.recorded, stats.queued, stats.sent) == (0, 0, 0)
            for n in range(20):
                delivery.put(Parcel(f"child-{n}"))
            os._exit(0 if delivery.flush() else 7)
        for n in range(20):
            delivery.put(Parcel(f"after-{n}"))
        assert delivery.flush()
        assert delivery.stats().sent == 40
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert delivery.flush()
    """)
    assert ids(backend) == expected(("before", 20), ("child", 20), ("after", 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_in_the_middle(run, backend):
    """A fork while other threads put and send harms neither side (failure-modes 41)."""
    run("""
        delivery = start()
        stop = threading.Event()
        count = 0
        def put():
            global count
            while not stop.is_set() and count < 3000:
                delivery.put(Parcel(f"parent-{count}"))
                count += 1
        thread = threading.Thread(target=put)
        thread.start()
        children = []
        for number in range(8):
            child = os.fork()
            if not child:
                for n in range(5):
                    delivery.put(Parcel(f"child{number}-{n}"))
                os._exit(0 if delivery.flush(20) else 7)
            children.append(child)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        thread.join()
        assert delivery.flush(30)
        print(count)
    """)
    got = ids(backend)
    assert set(got.values()) == {1}
    for number in range(8):
        assert sum(name.startswith(f"child{number}-") for name in got) == 5


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run, backend, method):
    """Children of each kind deliver what they put, without a flush
    (failure-modes 41)."""
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    run(
        """
        import multiprocessing
        delivery = None
        def work(who):
            global delivery
            delivery = delivery or start(exit_timeout=60)
            for n in range(500):
                delivery.put(Parcel(f"{who}-{n}"))

        if __name__ == "__main__":
            delivery = start(exit_timeout=60)
            delivery.put(Parcel("parent-0"))
            context = multiprocessing.get_context(sys.argv[1])
            children = [
                context.Process(target=work, args=(f"child{n}",)) for n in range(8)
            ]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
        """,
        method,
        timeout=120,
    )
    assert ids(backend) == expected(
        ("parent", 1), *((f"child{n}", 500) for n in range(8))
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_pool_process(run, backend):
    """A process of Celery's pool delivers at its goodbye: after that it is cut off,
    without exit handlers and finalizers (failure-modes 41, 43)."""
    run("""
        import types
        class Signal:
            def connect(self, receiver, weak=True):
                self.receiver = receiver
        goodbye = Signal()
        sys.modules["celery.signals"] = types.ModuleType("celery.signals")
        sys.modules["celery.signals"].worker_process_shutdown = goodbye
        delivery = start()
        children = []
        for number in range(2):
            child = os.fork()
            if not child:
                for n in range(20):
                    delivery.put(Parcel(f"child{number}-{n}"))
                goodbye.receiver(sender=None, pid=os.getpid(), exitcode=0)
                os._exit(0)
            children.append(child)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(("child0", 20), ("child1", 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_during_a_slow_hook(run, backend):
    """A fork does not wait for a hook that takes its time (failure-modes 41)."""
    done = run("""
        from time import monotonic
        began, go_on = threading.Event(), threading.Event()
        parent = os.getpid()
        def be_slow(parcel):
            if os.getpid() == parent:
                began.set()
                go_on.wait()
            return prepare(parcel)
        delivery = Delivery(
            be_slow, HttpSender({"event": os.environ["LIBRETTO_API_PREFIX"] + "/event"})
        )
        delivery.put(Parcel("parent-0"))
        began.wait()
        started = monotonic()
        child = os.fork()
        if not child:
            delivery.put(Parcel("child-0"))
            os._exit(0 if delivery.flush() else 7)
        print(monotonic() - started)
        go_on.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert float(done.stdout) < 3
    assert ids(backend) == expected(("parent", 1), ("child", 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_during_an_import(run, backend, tmp_path):
    """A fork waits for an import on a worker, which a child could never finish."""
    (tmp_path / "slowly.py").write_text(
        "import threading\nbegan.set()\nthreading.Event().wait(1)\n"
        "def prepare(parcel):\n    return ready(parcel)\n"
    )
    run("""
        import builtins
        builtins.began, builtins.ready = threading.Event(), prepare
        def import_late(parcel):
            import slowly
            return slowly.prepare(parcel)
        delivery = Delivery(
            import_late,
            HttpSender({"event": os.environ["LIBRETTO_API_PREFIX"] + "/event"}),
        )
        delivery.put(Parcel("parent-0"))
        began.wait()
        child = os.fork()
        if not child:
            delivery.put(Parcel("child-0"))
            os._exit(0 if delivery.flush(20) else 7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(("parent", 1), ("child", 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_preload(run, backend):
    """A parent that configures and forks, as gunicorn does with preload, costs its
    workers nothing (failure-modes 41)."""
    run("""
        delivery = start()
        delivery.put(Parcel("parent-0"))
        delivery.flush()
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                delivery.put(Parcel(f"child{number}-0"))
                sys.exit(0)
            children.append(child)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(
        ("parent", 1), ("child0", 1), ("child1", 1), ("child2", 1)
    )


def test_thread_pool(run, backend):
    """Threads of a pool put as everybody else does."""
    run("""
        from concurrent.futures import ThreadPoolExecutor
        delivery = start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: delivery.put(Parcel(f"pool-{n}")), range(200)))
    """)
    assert ids(backend) == expected(("pool", 200))
