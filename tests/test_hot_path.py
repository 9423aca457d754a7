"""What a recorded call does on the caller's thread: counted, not timed.

The bounds are a little above what is done today. Work that grows past one is either
worth it, and the bound is raised with the reason, or it belongs on the worker.
"""

import builtins
import json
import subprocess
import sys
import threading
import tracemalloc
from _thread import LockType
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunk, completion
from support.backend import Backend
from support.scripted import DEADLINE, ScriptedModel
from support.work import Work, watched

import libretto_instrument
from libretto_instrument import LibrettoConfig, TemplateChat, scope
from libretto_instrument._delivery import HttpTransport
from libretto_instrument._runtime.state import runtime
from libretto_instrument._util import ids

# Patching, recognising the client, settings, id, snapshot of the request and of the
# answer, handing over: some 17 functions, and a few for the containers in the request;
# three for the exchange, which the client's own methods know the call by; and one that
# looks for a span, if another test has OpenTelemetry imported: 26, and two to spare.
CALL = 28
#: A stream is watched by four methods of its own, and has an end: 45, and some headroom
#: for what other versions of openai ask of it.
STREAM = 50
#: `libretto=` makes a checked `LibrettoCreateParams`, a function for each field.
ARGUMENT = 54
#: Taking `libretto=` out, finding that nothing is to be recorded, and that the client's
#: own methods have nothing to record, either.
OFF = 18
#: Delivery's side of the caller: into the inbox,
INBOX = 5
#: and if no worker is about to look, one is woken, or a thread is started.
WAKE = 10
#: With a spool, the event and its JSON are made, and appended to a file.
PERSIST = 110
#: Each further message is copied and weighed.
MESSAGE = 3


@pytest.fixture
def recorded() -> Iterator[list[Any]]:
    """Record every client's calls into a list, with nothing done to them there."""
    records: list[Any] = []
    config = LibrettoConfig(api_key="key", prompt_template_name="hot")
    libretto_instrument.install(config)
    with runtime.borrowed(config, records.append):
        yield records


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """Record every client's calls and deliver them to a real server."""
    with Backend() as backend:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", backend.url)
        libretto_instrument.install(api_key="key", prompt_template_name="hot")
        yield backend
        libretto_instrument.shutdown(DEADLINE)


def ask(client: Any, **more: Any) -> Any:
    """Ask a question; with an async client, the answer is to be awaited."""
    return client.chat.completions.create(
        model="gpt-test", **{"messages": MESSAGES, **more}
    )


def work_of_second_call(
    server: ScriptedModel, client: openai.OpenAI, **more: Any
) -> Work:
    """Return the work of a call that is not the first of its kind."""
    server.answer(completion(), times=2)
    ask(client, **more)
    with watched() as work:
        ask(client, **more)
    return work


def test_call(server, scripted, recorded):
    """A recorded call runs few functions of ours, and encodes twice at most."""
    work = work_of_second_call(server, scripted)
    assert len(recorded) == 2
    assert 0 < work.total <= CALL, work
    assert work.heavy.total() <= 2, work


async def test_async_call(server, ascripted, recorded):
    """An awaited call does no more than one that is not, but for its coroutine."""
    server.answer(completion(), times=2)
    await ask(ascripted)
    with watched() as work:
        await ask(ascripted)
    assert len(recorded) == 2
    assert 0 < work.total <= CALL + 1, work
    assert work.heavy.total() <= 2, work


def test_scope(server, scripted, recorded):
    """The settings of a scope are worked out once, not by each call inside."""
    with scope(chat_id="chat", context={"user": "u1"}):
        work = work_of_second_call(server, scripted)
    assert recorded[-1].settings.chat_id == "chat"
    assert "settings.merge_layers" not in work.calls
    assert work.total <= CALL + 4, work  # The context is copied, too.


def test_argument(server, scripted, recorded):
    """A call with `libretto=` pays for checking it, and for nothing else."""
    work = work_of_second_call(server, scripted, libretto={"chat_id": "chat"})
    assert recorded[-1].settings.chat_id == "chat"
    assert work.total <= ARGUMENT, work
    assert work.heavy.total() <= 2, work


def test_template(server, scripted, recorded):
    """A template object costs what its parts cost to copy; it is not rendered."""
    messages = TemplateChat([{"role": "user", "content": "Hi {name}"}], {"name": "Ann"})
    work = work_of_second_call(server, scripted, messages=messages)
    assert recorded[-1].params == {"name": "Ann"}
    assert not [name for name in work.calls if "render" in name]
    assert work.total <= CALL + 6, work


@pytest.mark.parametrize("config", [{"enabled": False}, {"prompt_template_name": ""}])
def test_off(server, scripted, config):
    """A call that is not to be recorded costs a look at the settings."""
    libretto_instrument.install(
        **{"api_key": "key", "prompt_template_name": "hot", **config}
    )
    before = libretto_instrument.stats().accepted
    work = work_of_second_call(server, scripted)
    assert libretto_instrument.stats().accepted == before
    assert work.total <= OFF, work
    assert not work.heavy


def test_uninstalled(server, scripted):
    """After `uninstall()`, a call runs nothing of ours."""
    libretto_instrument.install(api_key="key", prompt_template_name="hot")
    libretto_instrument.uninstall()
    work = work_of_second_call(server, scripted)
    assert not work.calls


def test_stream(server, scripted, recorded):
    """A chunk costs two turns of generators, two appends and a look at the clock.

    Bytes are kept beneath openai's reading of them, chunks counted above it. To keep
    the models would save one of the turns, and cost more in memory to look after.
    """
    few, many = (work_of_stream(server, scripted, count) for count in (10, 110))
    assert [record.chunks_consumed for record in recorded] == [10, 10, 110, 110]
    assert few.total <= STREAM + 20, few
    assert many.total - few.total <= 200
    assert many.small - few.small <= 300
    assert not many.heavy


def work_of_stream(server: ScriptedModel, client: openai.OpenAI, chunks: int) -> Work:
    """Return the work of a stream that is not the first."""
    server.stream(*(chunk("word") for _ in range(chunks)), times=2)
    for _ in ask(client, stream=True):
        pass
    with watched() as work:
        for _ in ask(client, stream=True):
            pass
    return work


async def test_async_stream(server, ascripted, recorded):
    """A chunk of an async stream costs what one of a sync stream costs."""
    works = []
    for count in (10, 10, 110):
        server.stream(*(chunk("word") for _ in range(count)))
        with watched() as work:
            async for _ in await ask(ascripted, stream=True):
                pass
        works.append(work)
    _, few, many = works
    assert [record.chunks_consumed for record in recorded] == [10, 10, 110]
    assert many.total <= few.total + 10
    assert many.small - few.small <= 300
    assert not many.heavy


def test_text_is_shared(server, scripted, recorded):
    """A megabyte of text is neither copied nor looked through."""
    small = work_of_second_call(server, scripted)
    large = [{"role": "user", "content": "x" * 1_000_000}]
    server.answer(completion())
    tracemalloc.start()
    try:
        with watched() as work:
            ask(scripted, messages=large)
        ours = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.Filter(True, f"{Path(libretto_instrument.__file__).parent}/*")]
        )
    finally:
        tracemalloc.stop()
    assert work.calls == small.calls
    assert recorded[-1].request["messages"][0]["content"] is large[0]["content"]
    assert sum(trace.size for trace in ours.traces) < 50_000


def test_messages_cost_alike(server, scripted, delivered):
    """Each further message costs a few steps, however many there are."""
    few, many = (
        work_of_second_call(server, scripted, messages=MESSAGES * count)
        for count in (10, 110)
    )
    assert many.total - few.total <= 100 * MESSAGE + WAKE, many
    assert many.heavy == few.heavy


def test_ids():
    """An id costs one function and two calls of built-in ones."""
    with watched() as work:
        for _ in range(320):
            ids.new_id()
    assert work.total <= 320 * 1.1
    assert work.small <= 320 * 6


def test_imports(server, scripted, recorded, monkeypatch):
    """After the first call of its kind, a call imports nothing."""
    imported: list[str] = []
    real = builtins.__import__

    def importing(name: str, scope: Any = None, *rest: Any) -> Any:
        if scope and str(scope.get("__name__")).startswith("libretto_"):
            imported.append(f"{name} by {scope['__name__']}")
        return real(name, scope, *rest)

    server.answer(completion(), times=2)
    ask(scripted)
    monkeypatch.setattr(builtins, "__import__", importing)
    ask(scripted)
    assert len(recorded) == 2
    assert imported == []


def test_put(server, scripted, delivered):
    """Handing a call over costs a few steps, whatever the worker is at."""
    server.answer(completion(), times=20)
    works = []
    for _ in range(20):
        with watched() as work:
            ask(scripted)
        works.append(work)
    assert libretto_instrument.flush(DEADLINE)
    assert len(delivered.events) == 20
    # The first imports delivery, and starts a thread.
    assert max(work.total for work in works[1:]) <= CALL + INBOX + WAKE, works


def test_put_beside_a_worker(server, scripted, delivered, monkeypatch):
    """And fewer while a worker is at work, but for the one that wakes another."""
    interval = "libretto_instrument._delivery.workers.FLUSH_INTERVAL"
    monkeypatch.setattr(interval, DEADLINE)
    at_work, let_go = threading.Event(), threading.Event()

    def send_later(self: HttpTransport, *args: Any) -> Any:
        at_work.set()
        let_go.wait(DEADLINE)
        return send(self, *args)

    send = HttpTransport.send
    monkeypatch.setattr(HttpTransport, "send", send_later)
    server.answer(completion(), times=20)
    ask(scripted)
    assert at_work.wait(DEADLINE)
    works = []
    for _ in range(19):
        with watched() as work:
            ask(scripted)
        works.append(work)
    let_go.set()
    assert libretto_instrument.flush(DEADLINE)
    assert len(delivered.events) == 20
    *others, most = sorted(work.total for work in works)
    assert max(others) <= CALL + INBOX, works
    assert most <= CALL + INBOX + WAKE, works


def test_on_disk(server, scripted, delivered, tmp_path):
    """With a spool, the event is made and written in a bounded number of steps."""
    server.answer(completion(), times=10)
    libretto_instrument.install(
        api_key="key",
        prompt_template_name="hot",
        spool_dir=tmp_path / "spool",
        spool_only=True,
    )
    before = libretto_instrument.stats().spooled
    works = []
    for _ in range(10):
        with watched() as work:
            ask(scripted)
        works.append(work)
    assert libretto_instrument.stats().spooled == before + 10
    # The first imports delivery, and opens files. During another one Python may collect
    # garbage, whose finalizers count, too.
    *others, most = sorted(work.total for work in works[1:])
    assert max(others) <= CALL + PERSIST, works
    assert most <= CALL + 2 * PERSIST, works


def locks_of(value: Any, seen: dict[int, Any]) -> Iterator[Any]:
    """Yield the locks that a value of ours holds, however deep."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, (LockType, type(threading.RLock()))):
        yield value
    elif type(value).__module__.startswith("libretto_instrument"):
        names = {
            name
            for kind in type(value).__mro__
            for name in getattr(kind, "__slots__", ())
            if isinstance(name, str)
        }
        for name in names | vars(type(value)).keys() & {"__dict__"}:
            yield from locks_of(getattr(value, name, None), seen)
        for held in getattr(value, "__dict__", {}).values():
            yield from locks_of(held, seen)


def all_locks() -> list[Any]:
    """Return every lock that the library's modules hold, directly or not."""
    seen: dict[int, Any] = {}
    return [
        lock
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "libretto_instrument"
        for value in list(vars(module).values())
        for lock in locks_of(value, seen)
    ]


def test_locks(server, scripted, delivered):
    """A call is recorded while another thread holds every lock of the library."""
    server.answer(completion(), times=2)
    ask(scripted)
    assert libretto_instrument.flush(DEADLINE)
    locks = all_locks()
    assert len(locks) >= 4, "the search finds those of patching, runtime and delivery"
    call = threading.Thread(target=ask, args=[scripted], daemon=True)
    for lock in locks:
        assert lock.acquire(timeout=DEADLINE)
    try:
        call.start()
        call.join(DEADLINE)
        assert not call.is_alive(), "the call waits for a lock"
    finally:
        for lock in locks:
            lock.release()
    assert libretto_instrument.flush(DEADLINE)
    assert len(delivered.events) == 2


def test_the_other_httpx():
    """Delivering never loads the edition of httpx that openai does not use."""
    # openai 3 looks for `httpx` in each call, and breaks if it is half loaded.
    script = """
import json, sys, openai, libretto_instrument
libretto_instrument.install(api_key="key", prompt_template_name="hot")
client = openai.OpenAI(api_key="sk-test", base_url=sys.argv[1], max_retries=0)
client.chat.completions.create(model="gpt-test", messages=[])
assert libretto_instrument.flush(10)
print(json.dumps([name for name in ("httpx", "httpx2") if name in sys.modules]))
"""
    with ScriptedModel() as server, Backend() as backend:
        server.answer(completion())
        done = subprocess.run(
            [sys.executable, "-c", script, server.url],
            env={"LIBRETTO_API_PREFIX": backend.url, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert len(backend.events) == 1
    edition = "httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx"
    assert json.loads(done.stdout) == [edition]
