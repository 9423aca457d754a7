"""Streams that are open while the process forks, and in children that end early."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.backend import Backend

from libretto_instrument.demo import OfflineModel

OPEN_A_STREAM = """
import multiprocessing, os, sys
import libretto_instrument as libretto, openai

libretto.install(api_key="key", prompt_template_name="forked")
client = openai.OpenAI(api_key="sk", base_url=sys.argv[1], max_retries=0)

def begin():
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hello"}], stream=True
    )
"""

THE_PARENTS_STREAM = """
stream = begin()
first = next(stream)
child = os.fork()
if child == 0:
    sys.exit()
os.waitpid(child, 0)
rest = list(stream)
"""

A_CHILDS_STREAM = """
kept = []

def work():
    list(begin())
    kept.append(begin())
    for chunk in kept[0]:
        break

child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""

A_STREAM_ALONE = """
kept = []

def work():
    kept.append(begin())
    for chunk in kept[0]:
        break

child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""

WARNINGS = """
import logging
from libretto_instrument._util import errors

logging.basicConfig(filename=sys.argv[2], format="%(process)d")
errors.warn_once("a", "said")
errors.warn("b", "said")
errors.warn_once("a", "said")
errors.warn("b", "said")
child = os.fork()
if child == 0:
    errors.warn_once("a", "said")
    errors.warn("b", "said")
    os._exit(0)
os.waitpid(child, 0)
errors.warn_once("a", "said")
"""

A_HOOK_AT_WORK = """
import signal, threading
import pydantic

begun, lock = threading.Event(), threading.Lock()
parent = os.getpid()

def dawdle():
    if os.getpid() == parent:
        begun.set()
        threading.Event().wait(0.2)

class Slow:
    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        dawdle()
        return handler(int)

class Deferred(pydantic.BaseModel, defer_build=True):
    slow: Slow

def hold_a_lock():
    with lock:
        dawdle()

def build_a_model():
    Deferred.model_rebuild()

def import_a_module():
    import dawdling

sys.modules["program"] = sys.modules["__main__"]
sys.path.insert(0, sys.argv[3])
use = globals()[sys.argv[2]]

def hook(event):
    use()
    return event

libretto.install(api_key="key", prompt_template_name="forked", before_send=hook)
list(begin())
assert begun.wait(30)
child = os.fork()
if child == 0:
    signal.alarm(20)
    use()
    list(begin())
    sys.exit(not libretto.flush(15))
assert os.waitpid(child, 0)[1] == 0
"""

A_HOOK_THAT_HANGS = """
import threading, time

begun, held = threading.Event(), threading.Event()

def hook(event):
    begun.set()
    held.wait()

libretto.install(api_key="key", prompt_template_name="forked", before_send=hook)
list(begin())
assert begun.wait(30)
if sys.argv[2] == "frozen":
    monotonic = time.monotonic
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is monotonic and module is not threading:
                setattr(module, name, lambda: 1e3)
    assert time.monotonic() == 1e3
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""

A_UWSGI_MASTER = """
import _thread, ctypes, types

uwsgi = sys.modules["uwsgi"] = types.ModuleType("uwsgi")
uwsgi.mule_id = uwsgi.i_am_the_spooler = lambda: 0
master = os.getpid()
uwsgi.worker_id = lambda: int(os.getpid() != master)
generation = 0
uwsgi.workers = lambda: ({"respawn_count": generation},)

threads = _thread._count()
settings = {"spool_dir": sys.argv[3]} if sys.argv[2] == "spool" else {}
libretto.install(api_key="key", prompt_template_name="forked", **settings)
list(begin())
list(begin())
if sys.argv[2] == "flushed":
    assert libretto.flush(15)
assert _thread._count() == threads
for generation in (0, 1):
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        list(begin())
        os._exit(not libretto.flush(15))
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.fixture
def ran(model: OfflineModel, backend: Backend) -> Callable[..., None]:
    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                OPEN_A_STREAM + program,
                model.base_url,
                *arguments,
            ],
            check=True,
            timeout=60,
        )

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_the_parents_stream_is_the_parents(
    ran: Callable[[str], None], backend: Backend
) -> None:
    """A stream open at a fork is one event, of the process that reads it on."""
    ran(THE_PARENTS_STREAM)
    backend.wait_for(1)
    (event,) = backend.events
    assert "stream_status" not in event["responseMetrics"]
    assert event["response"].endswith('"hello"')


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_stream_left_in_a_child(ran: Callable[[str], None], backend: Backend) -> None:
    """A child of multiprocessing that has delivered records its left stream, too."""
    ran(A_CHILDS_STREAM)
    backend.wait_for(2)
    whole, left = backend.events
    assert "stream_status" not in whole["responseMetrics"]
    assert left["responseMetrics"]["stream_status"] == "abandoned"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_nothing_but_a_left_stream(
    ran: Callable[[str], None], backend: Backend
) -> None:
    """A child of multiprocessing records its left stream also as its only event."""
    ran(A_STREAM_ALONE)
    backend.wait_for(1)
    (left,) = backend.events
    assert left["responseMetrics"]["stream_status"] == "abandoned"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_warns_for_itself(ran: Callable[..., None], tmp_path: Path) -> None:
    """What a parent has said once, each of its children says once."""
    log = tmp_path / "log"
    ran(WARNINGS, str(log))
    said = Counter(log.read_text().split())
    assert list(said.values()) == [2, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("use", ["hold_a_lock", "build_a_model", "import_a_module"])
def test_a_fork_while_a_worker_prepares(
    ran: Callable[..., None], backend: Backend, use: str, tmp_path: Path
) -> None:
    """What a worker holds while another thread forks, its child can take."""
    (tmp_path / "dawdling.py").write_text("import program\nprogram.dawdle()\n")
    ran(A_HOOK_AT_WORK, use, str(tmp_path))
    backend.wait_for(2)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("time", ["running", "frozen"])
def test_a_fork_while_a_hook_hangs(ran: Callable[..., None], time: str) -> None:
    """A hook that does not return holds no fork up for good, not with frozen time."""
    ran(A_HOOK_THAT_HANGS, time)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("how", ["handed over", "flushed", "spool"])
def test_the_master_of_uwsgi(
    ran: Callable[..., None], backend: Backend, how: str, tmp_path: Path
) -> None:
    """A master that forks in C has no thread of ours, and its first worker delivers
    what it recorded."""
    ran(A_UWSGI_MASTER, how, str(tmp_path / "spool"))
    backend.wait_for(4)
    assert len({event["promptEventId"] for event in backend.events}) == 4
    assert len(backend.events) == 4
