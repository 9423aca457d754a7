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
import attrs, os, sys, threading
sys.path.insert(0, os.environ["TESTS"])
from libretto_instrument._delivery import LIBRETTO, HttpTransport, Pipeline
from support.deliveries import Parcel
from support.deliveries import prepare as without_endpoint

def prepare(parcel):
    endpoint = os.environ["LIBRETTO_API_PREFIX"] + "/event"
    return attrs.evolve(without_endpoint(parcel), endpoint=endpoint)

def start(prepare=prepare, **options):
    return Pipeline(prepare, {LIBRETTO: HttpTransport()}, **options)

"""


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def run(backend, tmp_path):
    """Run a script in a process of its own, with the pipeline at hand."""

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
    """What was put right before the end is delivered by it."""
    run(f"""
        pipeline = start()
        for n in range(50):
            pipeline.put(Parcel(f"main-{{n}}"))
        {end}
    """)
    assert ids(backend) == expected(("main", 50))


def test_exit_after_a_crash(run, backend):
    """An exception that ends the process does not keep events from leaving it."""
    done = run(
        """
        pipeline = start()
        pipeline.put(Parcel("main-0"))
        raise RuntimeError("the user's own")
        """,
        code=1,
    )
    assert ids(backend) == expected(("main", 1))
    assert "the user's own" in done.stderr


def test_exit_says_nothing(run, backend):
    """A healthy end is a silent one."""
    done = run(
        """
        pipeline = start()
        pipeline.put(Parcel("main-0"))
        """
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("fault", ["hang", "refuse"])
def test_exit_with_the_backend_down(run, backend, fault):
    """A backend that is down holds up the end for a bounded time, with a warning."""
    if fault == "hang":
        backend.answer(answers.hang)
    else:
        backend.refuse()
    started = monotonic()
    done = run(
        """
        pipeline = start(exit_timeout=0.3)
        for n in range(3):
            pipeline.put(Parcel(f"main-{n}"))
        """
    )
    assert monotonic() - started < 15
    assert "before 3 events could be delivered" in done.stderr
    assert "Traceback" not in done.stderr


def test_exit_without_a_worker(run, backend):
    """Where no thread can be started, the exit delivers alone."""
    run("""
        import _thread
        def refuse(*args):
            raise RuntimeError("can't start new thread")
        _thread.start_new_thread = refuse
        pipeline = start()
        pipeline.put(Parcel("main-0"))
        pipeline.put(Parcel("main-1"))
    """)
    assert ids(backend) == expected(("main", 2))


@pytest.mark.parametrize("what", ["hook", "transport", "first put in an exit handler"])
def test_exit_is_bounded(run, what):
    """What hangs at the end holds it up for the exit time-out and no longer."""
    started = monotonic()
    done = run(
        """
        import atexit
        def hang(*args):
            threading.Event().wait()
        class Hanging:
            max_batch, max_concurrency, close = 1, 1, lambda self: None
            send = hang
        what = sys.argv[1]
        if what == "transport":
            pipeline = Pipeline(prepare, {LIBRETTO: Hanging()}, exit_timeout=0.3)
        else:
            pipeline = start(hang, exit_timeout=0.3)
        if what.startswith("first"):
            if sys.version_info >= (3, 12):
                sys.exit()  # No thread can be started then, nor a hook be cut short.
            atexit.register(lambda: pipeline.put(Parcel("main-0")))
        else:
            pipeline.put(Parcel("main-0"))
        """,
        what,
    )
    assert monotonic() - started < 10
    assert "Traceback" not in done.stderr


def test_one_exit_timeout_for_all(run, backend):
    """Pipelines that hang hold up the end once, not one after the other.

    One beside them delivers meanwhile what it has.
    """
    started = monotonic()
    run("""
        class Hanging:
            max_batch, max_concurrency, close = 1, 1, lambda self: None
            def send(self, messages, timeout):
                threading.Event().wait()
        for n in range(10):
            hanging = Pipeline(prepare, {LIBRETTO: Hanging()}, exit_timeout=2)
            hanging.put(Parcel(f"hung-{n}"))
            globals()[f"hanging_{n}"] = hanging
            if n == 5:
                healthy = start(exit_timeout=2)
                healthy.put(Parcel("main-0"))
    """)
    assert monotonic() - started < 15
    assert ids(backend) == expected(("main", 1))


@pytest.mark.parametrize("is_up", [True, False])
def test_frozen_time(run, backend, is_up):
    """A tool that stops the clocks in all modules stops neither flush nor exit."""
    run(
        """
        import time
        pipeline = start(exit_timeout=0.3)
        clocks = {time.time: 1e9, time.monotonic: 1e3, time.perf_counter: 1e3}
        for module in list(sys.modules.values()):
            if module.__name__ in ("threading", "queue", "selectors"):
                continue  # Such tools leave these alone.
            for name, value in list(vars(module).items()):
                if callable(value) and value in clocks:
                    setattr(module, name, lambda now=clocks[value]: now)
        assert time.monotonic() == time.monotonic() == 1e3
        if sys.argv[1] == "down":
            os.environ["LIBRETTO_API_PREFIX"] = "http://127.0.0.1:9"
        pipeline.put(Parcel("main-0"))
        assert pipeline.flush(30 if sys.argv[1] == "up" else 0.3) is (
            sys.argv[1] == "up"
        )
        """,
        "up" if is_up else "down",
    )
    assert ids(backend) == expected(("main", int(is_up)))


def test_put_at_exit(run, backend):
    """What other exit handlers put is delivered, before and after ours."""
    done = run("""
        import atexit
        pipeline = start()
        atexit.register(lambda: pipeline.put(Parcel("main-2")))
        pipeline.put(Parcel("main-0"))
        atexit.register(lambda: pipeline.put(Parcel("main-1")))
    """)
    assert ids(backend) == expected(("main", 3))
    assert done.stderr == ""


def test_put_at_exit_with_the_backend_down(run, backend):
    """What comes after the drain and can't be delivered in time is reported."""
    backend.refuse()
    done = run("""
        import atexit
        pipeline = start(exit_timeout=0.2)
        atexit.register(lambda: [pipeline.put(Parcel(f"main-{n}")) for n in (1, 2)])
        pipeline.put(Parcel("main-0"))
    """)
    assert "before 3 events could be delivered" in done.stderr


def test_put_at_the_very_end(run):
    """A put while the interpreter is torn down neither raises nor hangs."""
    done = run("""
        pipeline = start()
        class Late:
            def __del__(self):
                pipeline.put(Parcel("late"))
        sys.modules["keeps it until the end"] = Late()
        pipeline.put(Parcel("main-0"))
    """)
    assert done.stderr == ""


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(run, backend):
    """Parent and child each deliver their own, exactly once."""
    run("""
        pipeline = start()
        for n in range(20):
            pipeline.put(Parcel(f"before-{n}"))
        child = os.fork()
        if not child:
            stats = pipeline.stats()
            assert (stats.accepted, stats.queued, stats.sent) == (0, 0, 0)
            for n in range(20):
                pipeline.put(Parcel(f"child-{n}"))
            os._exit(0 if pipeline.flush() else 7)
        for n in range(20):
            pipeline.put(Parcel(f"after-{n}"))
        assert pipeline.flush()
        assert pipeline.stats().sent == 40
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pipeline.flush()
    """)
    assert ids(backend) == expected(("before", 20), ("child", 20), ("after", 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_in_the_middle(run, backend):
    """A fork while other threads put and send harms neither side."""
    run("""
        pipeline = start()
        stop = threading.Event()
        count = 0
        def put():
            global count
            while not stop.is_set() and count < 3000:
                pipeline.put(Parcel(f"parent-{count}"))
                count += 1
        thread = threading.Thread(target=put)
        thread.start()
        children = []
        for number in range(8):
            child = os.fork()
            if not child:
                for n in range(5):
                    pipeline.put(Parcel(f"child{number}-{n}"))
                os._exit(0 if pipeline.flush(20) else 7)
            children.append(child)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        thread.join()
        assert pipeline.flush(30)
        print(count)
    """)
    got = ids(backend)
    assert set(got.values()) == {1}
    for number in range(8):
        assert sum(name.startswith(f"child{number}-") for name in got) == 5


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run, backend, method):
    """Children of each kind deliver what they put, without a flush."""
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    run(
        """
        import multiprocessing
        pipeline = None
        def work(who):
            global pipeline
            pipeline = pipeline or start(exit_timeout=60)
            for n in range(500):
                pipeline.put(Parcel(f"{who}-{n}"))

        if __name__ == "__main__":
            pipeline = start(exit_timeout=60)
            pipeline.put(Parcel("parent-0"))
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
@pytest.mark.parametrize("end", ["with", "terminate", "the parent ends"])
def test_a_pool_that_is_terminated(run, backend, end):
    """Workers of a pool that are terminated deliver what their tasks recorded."""
    run(
        """
        import multiprocessing
        pipeline = start()
        def work(n):
            pipeline.put(Parcel(f"task-{n}"))
            return n
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            end = sys.argv[1]
            if end == "with":
                with context.Pool(4) as pool:
                    pool.map(work, range(40))
            elif end == "terminate":
                pool = context.Pool(4)
                pool.map(work, range(40))
                pool.terminate()
            else:
                done = context.Queue()
                def work_on():
                    for n in range(40):
                        work(n)
                    done.put(None)
                    threading.Event().wait()
                context.Process(target=work_on, daemon=True).start()
                done.get()
        """,
        end,
    )
    assert ids(backend) == expected(("task", 40))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("forks", [False, True])
def test_a_signal_that_interrupts_nothing(run, backend, forks):
    """A child ends though SIGTERM does not interrupt what its main thread waits for."""
    done = run(
        """
        import multiprocessing, signal
        pipeline = start()
        def terminate():
            main = threading.main_thread().ident
            while sys._current_frames()[main].f_code.co_name != "wait":
                pass
            threading.Event().wait(0.1)
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        def work(forks):
            pipeline.put(Parcel("child-0"))
            if forks:  # The signals of a grandchild are its own.
                grandchild = os.fork()
                if not grandchild:
                    signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
                    signal.raise_signal(signal.SIGTERM)
                os.waitpid(grandchild, 0)
                pipeline.put(Parcel("child-1"))
            threading.Thread(target=terminate).start()
            threading.Event().wait()
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            child = context.Process(target=work, args=(len(sys.argv) > 1,), daemon=True)
            child.start()
            child.join()
            print(child.exitcode)
        """,
        *(["forks"] if forks else []),
    )
    assert done.stdout.strip() == "-15"
    assert ids(backend) == expected(("child", 1 + forks))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_programs_own_signal_handler_stays(run, backend):
    """A child that handles SIGTERM itself goes on to do so."""
    done = run("""
        import multiprocessing, signal
        pipeline = start()
        def work(ready):
            signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
            pipeline.put(Parcel("child-0"))
            pipeline.flush()
            ready.set()
            threading.Event().wait()
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            ready = context.Event()
            child = context.Process(target=work, args=(ready,), daemon=True)
            child.start()
            ready.wait()
            child.terminate()
            child.join()
            print(child.exitcode)
    """)
    assert done.stdout.strip() == "9"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_that_runs_no_hooks(run, backend):
    """A child that was forked in C, as uWSGI does, delivers its own, and only that."""
    run("""
        import ctypes
        pipeline = start()
        pipeline.put(Parcel("parent-0"))
        pipeline.flush(30)
        pipeline.put(Parcel("parent-1"))
        while not pipeline._workers._idle:  # What a busy one holds stays held.
            threading.Event().wait(0.01)
        child = ctypes.PyDLL(None).fork()
        if not child:
            pipeline.put(Parcel("child-0"))
            os._exit(0 if pipeline.flush(30) else 7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(("parent", 2), ("child", 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_pool_process(run, backend):
    """A process of Celery's pool delivers at its goodbye: after that it is cut off,
    without exit handlers and finalizers."""
    run("""
        import types
        class Signal:
            def connect(self, receiver, weak=True):
                self.receiver = receiver
        goodbye = Signal()
        sys.modules["celery.signals"] = types.ModuleType("celery.signals")
        sys.modules["celery.signals"].worker_process_shutdown = goodbye
        pipeline = start()
        children = []
        for number in range(2):
            child = os.fork()
            if not child:
                for n in range(20):
                    pipeline.put(Parcel(f"child{number}-{n}"))
                goodbye.receiver(sender=None, pid=os.getpid(), exitcode=0)
                os._exit(0)
            children.append(child)
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(("child0", 20), ("child1", 20))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_during_a_slow_hook(run, backend):
    """A fork does not wait for a hook that takes its time."""
    done = run("""
        from time import monotonic
        began, go_on = threading.Event(), threading.Event()
        parent = os.getpid()
        def be_slow(parcel):
            if os.getpid() == parent:
                began.set()
                go_on.wait()
            return prepare(parcel)
        pipeline = start(be_slow)
        pipeline.put(Parcel("parent-0"))
        began.wait()
        started = monotonic()
        child = os.fork()
        if not child:
            pipeline.put(Parcel("child-0"))
            os._exit(0 if pipeline.flush() else 7)
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
        pipeline = start(import_late)
        pipeline.put(Parcel("parent-0"))
        began.wait()
        child = os.fork()
        if not child:
            pipeline.put(Parcel("child-0"))
            os._exit(0 if pipeline.flush(20) else 7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """)
    assert ids(backend) == expected(("parent", 1), ("child", 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_preload(run, backend):
    """A parent that configures and forks, as gunicorn does with preload, costs its
    workers nothing."""
    run("""
        pipeline = start()
        pipeline.put(Parcel("parent-0"))
        pipeline.flush()
        children = []
        for number in range(3):
            child = os.fork()
            if not child:
                pipeline.put(Parcel(f"child{number}-0"))
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
        pipeline = start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: pipeline.put(Parcel(f"pool-{n}")), range(200)))
    """)
    assert ids(backend) == expected(("pool", 200))
