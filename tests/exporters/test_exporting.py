"""Reports on their way to exporters, beside Libretto and without it."""

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from time import monotonic, time
from types import coroutine
from typing import Any

import openai
import pytest
from support.backend import Backend, hang, status
from support.waiting import eventually

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._delivery import Stats
from libretto_instrument.exporters import (
    Exporter,
    ExportError,
    JsonLinesExporter,
    MemoryExporter,
)

from .faulty_exporters import Doing, Hanging, raising

ROOT = Path(__file__).parents[2]


def ask(client: openai.OpenAI, text: str = "hello", **more: Any) -> None:
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}], **more
    )


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


@pytest.fixture
def memory() -> MemoryExporter:
    return MemoryExporter()


@pytest.fixture(autouse=True)
def _counted_afresh() -> None:
    """Start without statistics, as exporters are counted by their names."""
    libretto.shutdown(0)
    from libretto_instrument._runtime.state import runtime

    runtime.deliveries.reset_after_fork()


# The ordinary course of things


def test_beside_libretto(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """The exporter gets what Libretto is sent, less the keys, and with the time."""
    libretto.install(
        LibrettoConfig("key", "name", project_key="secret", exporters=[memory])
    )
    before = time()
    ask(client)
    after = time()
    assert libretto.flush(float("inf"))
    (event,), (report,) = backend.events, memory.records
    assert event.pop("apiKey") == "key"
    assert event.pop("projectKey") == "secret"
    assert (report.kind, report.id) == ("event", event["promptEventId"])
    assert report.body == event
    assert before - 0.01 <= report.timestamp <= after + 0.01


def test_every_kind(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """Feedback and chain results reach exporters as calls do, in their order."""
    libretto.install(LibrettoConfig("key", "name", exporters=[memory]))
    with libretto.chain() as chain:
        ask(client)
        chain.result = {"all": "well"}
    libretto.send_feedback("f", rating=1)
    assert libretto.flush(20)
    event, result = (r for r in memory.records if r.kind != "feedback")
    (feedback,) = (r for r in memory.records if r.kind == "feedback")
    assert (event.kind, event.body["chainId"]) == ("event", chain.id)
    assert (result.kind, result.id) == ("chain", chain.id)
    assert result.body == {"id": chain.id, "result": {"all": "well"}}
    assert feedback.body == {"feedback_key": "f", "rating": 1}
    assert event.timestamp <= result.timestamp <= feedback.timestamp


def test_without_libretto(
    client: openai.OpenAI,
    backend: Backend,
    memory: MemoryExporter,
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """Without an API key all goes to the exporters, and Libretto hears nothing."""
    libretto.install(prompt_template_name="name", exporters=[memory])
    with libretto.chain() as chain:
        ask(client)
        chain.result = 1
    libretto.send_feedback("f", rating=1)
    assert libretto.flush(20)
    assert sorted(r.kind for r in memory.records) == ["chain", "event", "feedback"]
    assert backend.connections == 0
    assert not warnings_of.records
    stats = libretto.stats()
    assert (stats.accepted, stats.exporters["memory"].accepted) == (0, 3)


def test_a_key_for_some_calls(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """Libretto gets the calls that have a key, and counts no others."""
    libretto.install(prompt_template_name="name", exporters=[memory])
    ask(client, "without")
    ask(client, "with", libretto={"api_key": "key"})
    assert libretto.flush(20)
    assert len(memory.records) == 2
    assert len(backend.events) == 1
    stats = libretto.stats()
    assert (stats.accepted, stats.sent) == (1, 1)
    assert (stats.exporters["memory"].accepted, stats.exporters["memory"].sent) == (
        2,
        2,
    )


def test_scopes(client: openai.OpenAI, backend: Backend) -> None:
    """A scope's exporters replace those around it; an empty list ends them."""
    outer, inner = MemoryExporter("outer"), MemoryExporter("inner")
    libretto.install(LibrettoConfig("key", "name", exporters=[outer]))
    with libretto.scope(exporters=[inner]):
        ask(client)
    with libretto.scope(exporters=[]):
        ask(client)
    assert libretto.flush(20)
    assert (len(outer.records), len(inner.records), len(backend.events)) == (0, 1, 2)


def test_one_exporter_on_two_routes(client: openai.OpenAI, backend: Backend) -> None:
    """An exporter is used by one thread at a time, also where routes share it."""
    busy = threading.Lock()

    def export(reports: object) -> None:
        assert busy.acquire(blocking=False)
        threading.Event().wait(0.002)
        busy.release()

    shared = Doing(export)
    libretto.install(LibrettoConfig("key", "name", exporters=[shared]))
    for _ in range(10):
        ask(client)
        with libretto.scope(queue_max_events=500):
            ask(client)
    assert libretto.flush(20)
    stats = libretto.stats().exporters["doing"]
    assert (stats.sent, stats.retried) == (20, 0)


def test_redacted_and_hooked(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """An exporter sees what Libretto would: redacted, hooked, or not at all."""
    pytest.importorskip("phonenumbers", reason="the extra pii is not installed")
    seen: list[Any] = []

    def before_send(body: dict[str, Any]) -> dict[str, Any] | None:
        seen.append(body)
        said = body["promptTemplateChat"][0]["content"]
        return None if "withhold" in said else {**body, "context": {"hooked": True}}

    libretto.install(
        LibrettoConfig(
            "key", "n", redact_pii=True, before_send=before_send, exporters=[memory]
        )
    )
    ask(client, "write to margaret.houlihan@example.com")
    ask(client, "withhold this")
    assert libretto.flush(20)
    (report,) = memory.records
    assert "houlihan" not in str(report.body)
    assert "<EMAIL_ADDRESS>" in str(report.body)
    assert report.body["context"] == {"hooked": True}
    assert len(seen) == 2
    stats = libretto.stats()
    assert stats.dropped == stats.exporters["memory"].dropped == {"withheld": 1}
    assert total(stats) == stats.accepted == 2


def test_sampled(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """What is not sampled reaches no exporter."""
    libretto.install(LibrettoConfig("key", "n", sample_rate=0.0, exporters=[memory]))
    ask(client)
    assert libretto.flush(20)
    assert not memory.records


def test_batches_and_their_order(client: openai.OpenAI, backend: Backend) -> None:
    """A batch is as large as the exporter says; a chat's calls stay in order."""
    let_go = threading.Event()
    slow = Doing(lambda reports: let_go.wait(30), max_batch=10)
    libretto.install(LibrettoConfig("key", "name", exporters=[slow]))
    ask(client, "0", libretto={"chat_id": "chat"})
    eventually(lambda: slow.sizes)
    for n in range(1, 40):
        chat = "chat" if n % 10 == 0 else None
        with libretto.scope(chat_id=chat) if chat else libretto.scope():
            ask(client, str(n))
    backend.wait_for(40)  # Libretto's queue is filled first.
    eventually(lambda: libretto.stats().exporters["doing"].queued == 39)
    let_go.set()
    assert libretto.flush(20)
    assert max(slow.sizes) == 10
    said = [r.body["promptTemplateChat"][0]["content"] for r in slow.given]
    assert sorted(map(int, said)) == list(range(40))
    chat = [n for n in map(int, said) if n % 10 == 0]
    assert chat == [0, 10, 20, 30]


# Trouble


def test_one_down(client: openai.OpenAI, backend: Backend) -> None:
    """While one exporter is down, the other and Libretto get everything."""
    down = Doing(raising(ExportError("away")), "down")
    up = MemoryExporter("up")
    libretto.install(LibrettoConfig("key", "name", exporters=[down, up]))
    for _ in range(50):
        ask(client)
    # Each is counted once its answer was read, which is after it has arrived.
    eventually(lambda: libretto.stats().exporters["up"].sent == 50)
    eventually(lambda: libretto.stats().sent == 50)
    stats = libretto.stats()
    there, away = stats.exporters["up"], stats.exporters["down"]
    assert (there.accepted, there.sent, there.retried) == (50, 50, 0)
    assert (away.accepted, away.sent, total(away)) == (50, 0, 50)
    assert (stats.accepted, stats.sent) == (50, 50)
    assert away.retried > 0
    assert away.last_error == "away"
    assert not libretto.flush(0.2)
    down.act = lambda reports: None
    assert libretto.flush(20)
    assert libretto.stats().exporters["down"].sent == 50


def test_libretto_down(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """While Libretto is down, the exporter gets everything."""
    backend.answer(status(503))
    libretto.install(LibrettoConfig("key", "name", exporters=[memory]))
    for _ in range(50):
        ask(client)
    eventually(lambda: libretto.stats().exporters["memory"].sent == 50)
    assert not libretto.flush(0.2)
    stats = libretto.stats()
    assert len(memory.records) == 50
    assert (stats.sent, stats.queued + stats.in_flight) == (0, 50)


@pytest.mark.parametrize(
    "fault", [ValueError("a secret"), SystemExit(1), MemoryError(), ExportError()]
)
def test_raising(
    client: openai.OpenAI,
    backend: Backend,
    warnings_of: pytest.LogCaptureFixture,
    fault: BaseException,
) -> None:
    """Whatever an exporter raises is retried, logged once, and affects no other."""
    bad = Doing(raising(fault))
    libretto.install(LibrettoConfig("key", "name", exporters=[bad]))
    ask(client)
    backend.wait_for(1)
    eventually(lambda: len(bad.given) >= 2)
    bad.act = lambda reports: "garbage"
    assert libretto.flush(20)
    stats = libretto.stats().exporters["doing"]
    assert (stats.sent, stats.last_error) == (1, type(fault).__name__)
    assert stats.retried >= 2
    (record,) = warnings_of.records
    assert "doing" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.mark.usefixtures("lenient")
def test_ending_the_thread(client: openai.OpenAI, backend: Backend) -> None:
    """An exporter that ends its thread loses nothing; another one takes its place."""
    deadly = Doing(raising(GeneratorExit()), max_batch=10)
    libretto.install(LibrettoConfig("key", "name", exporters=[deadly]))
    ask(client)
    eventually(lambda: deadly.given)
    deadly.act = lambda reports: None
    ask(client)
    assert libretto.flush(20)
    stats = libretto.stats().exporters["doing"]
    assert (stats.accepted, stats.sent) == (2, 2)
    assert libretto.stats().workers_restarted >= 1


def test_a_refusal_costs_one_report(client: openai.OpenAI, backend: Backend) -> None:
    """Of a batch that is refused only those are dropped that are refused alone, too."""
    let_go = threading.Event()

    def act(reports: Any) -> None:
        let_go.wait(30)
        if any("improper" in str(report.body) for report in reports):
            raise ExportError("HTTP 400", retry=False)

    picky = Doing(act, max_batch=10)
    libretto.install(LibrettoConfig("key", "name", exporters=[picky]))
    ask(client, "first")
    eventually(lambda: picky.sizes)
    for text in ["good", "improper", "better"]:
        ask(client, text)
    backend.wait_for(4)  # Libretto's queue is filled first.
    eventually(lambda: libretto.stats().exporters["doing"].queued == 3)
    let_go.set()
    assert not libretto.flush(20)
    assert 3 in picky.sizes
    stats = libretto.stats()
    assert stats.exporters["doing"].dropped == {"rejected": 1}
    assert stats.exporters["doing"].sent == 3
    assert stats.dropped == {}
    ask(client)
    assert libretto.flush(20)


def test_asked_to_wait(client: openai.OpenAI, backend: Backend) -> None:
    """An exporter may say when to try again."""
    times: list[float] = []

    def act(reports: object) -> None:
        times.append(monotonic())
        if len(times) == 1:
            raise ExportError("busy", retry_after=0.3)

    libretto.install(LibrettoConfig("key", "name", exporters=[Doing(act)]))
    ask(client)
    eventually(lambda: len(times) == 2)
    assert 0.3 <= times[1] - times[0] < 5


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", ["coroutine", "generator", "awaitable"])
def test_an_awaitable(client: openai.OpenAI, backend: Backend, kind: str) -> None:
    """What export() leaves to be awaited was not exported: dropped, counted, told."""

    class Awaitable:
        def __await__(self) -> Any:
            yield

    returns = {
        "coroutine": export_nothing,
        "generator": coroutine(lambda records: (yield)),
        "awaitable": lambda records: Awaitable(),
    }
    libretto.install(LibrettoConfig("key", "name", exporters=[Doing(returns[kind])]))
    ask(client)
    libretto.flush(20)
    stats = libretto.stats().exporters["doing"]
    assert (stats.sent, stats.dropped) == (0, {"rejected": 1})
    assert "async" in str(stats.last_error)
    assert len(backend.events) == 1


def test_hanging(client: openai.OpenAI, backend: Backend) -> None:
    """An exporter that hangs holds up no call, no other exporter and no shutdown."""
    stuck, up = Hanging(), MemoryExporter("up")
    libretto.install(
        LibrettoConfig("key", "name", exporters=[stuck, up], queue_max_events=3)
    )
    try:
        for n in range(8):
            ask(client)
            eventually(lambda n=n: len(up.records) == n + 1)
        assert stuck.began.is_set()
        started = monotonic()
        assert not libretto.flush(0.2)
        assert not libretto.shutdown(0.2)
        assert monotonic() - started < 5
        stats = libretto.stats()
        assert stats.exporters["up"].sent == 8
        lost = stats.exporters["hanging"]
        assert total(lost) == lost.accepted == 8
        assert lost.dropped["queue_full"] == 5
        assert stuck.closed == 0
    finally:
        stuck.let_go.set()


def test_hanging_while_it_closes(client: openai.OpenAI, backend: Backend) -> None:
    """An exporter that never ends to close is left to itself."""
    let_go = threading.Event()
    stuck = Doing()
    stuck.close = lambda: let_go.wait(60)  # type: ignore[method-assign,assignment]
    libretto.install(LibrettoConfig("key", "name", exporters=[stuck]))
    ask(client)
    started = monotonic()
    assert libretto.shutdown(20)
    assert monotonic() - started < 10
    let_go.set()


def test_shutdown(client: openai.OpenAI, backend: Backend) -> None:
    """A shutdown delivers and closes; a later call starts delivery again."""
    memory = Doing()
    libretto.install(LibrettoConfig("key", "name", exporters=[memory]))
    for count in (1, 2):
        ask(client)
        assert libretto.shutdown(20)
        assert (len(memory.given), memory.closed) == (count, count)
        stats = libretto.stats().exporters["doing"]
        assert (stats.accepted, stats.sent) == (count, count)


def test_an_exporter_that_asks_a_model(client: openai.OpenAI, backend: Backend) -> None:
    """The calls that an exporter makes are not recorded, or it would never end."""
    asking = Doing(lambda reports: ask(client, "judge this"))
    libretto.install(LibrettoConfig("key", "name", exporters=[asking]))
    ask(client)
    assert libretto.flush(20)
    assert len(asking.given) == len(backend.events) == 1


def test_it_may_change_what_it_is_given(
    client: openai.OpenAI, backend: Backend, memory: MemoryExporter
) -> None:
    """An exporter may change its body; no other destination sees the change."""

    def act(reports: Any) -> None:
        reports[0].body.clear()
        if len(changing.given) == 1:
            raise ExportError

    changing = Doing(act, name="changing")
    libretto.install(LibrettoConfig("key", "name", exporters=[changing, memory]))
    ask(client)
    assert libretto.flush(20)
    assert len(changing.given) == 2
    assert memory.records[0].body["feedbackKey"]
    assert backend.events[0]["feedbackKey"]


# Mistakes


class Nameless:
    def export(self, reports: object) -> None: ...

    def close(self) -> None: ...


class AsyncExport(MemoryExporter):
    async def export(self, records: object) -> None: ...  # type: ignore[override]


class AsyncClose(MemoryExporter):
    async def close(self) -> None: ...


async def export_nothing(records: object) -> None: ...


class CallableExport:
    async def __call__(self, records: object) -> None: ...


def with_export(export: Any) -> Doing:
    """Return an exporter with another export()."""
    exporter: Any = Doing()
    exporter.export = export
    return exporter


@pytest.mark.parametrize(
    ("exporters", "error", "says"),
    [
        (MemoryExporter(), TypeError, "a list of exporters"),
        (["jsonl"], TypeError, r"str has no method export\(\)"),
        ([Nameless()], TypeError, "the name of Nameless must be a string"),
        ([MemoryExporter("")], ValueError, "printable"),
        ([MemoryExporter("a\nb")], ValueError, "printable"),
        ([MemoryExporter("libretto")], ValueError, "reserved for Libretto"),
        ([MemoryExporter(), MemoryExporter()], ValueError, "two of them"),
        ([MemoryExporter(max_batch=0)], ValueError, "max_batch"),
        ([AsyncExport()], TypeError, r"AsyncExport.export\(\) is a coroutine function"),
        ([AsyncClose()], TypeError, r"AsyncClose.close\(\) is a coroutine function"),
        ([with_export(export_nothing)], TypeError, "coroutine function"),
        ([with_export(partial(export_nothing))], TypeError, "coroutine function"),
        ([with_export(CallableExport())], TypeError, "coroutine function"),
    ],
)
def test_mistakes(exporters: Any, error: type[Exception], says: str) -> None:
    """What can't be an exporter is refused where it is set, with what to do."""
    with pytest.raises(error, match=says):
        LibrettoConfig(exporters=exporters)
    with pytest.raises(error, match=says):
        libretto.install(exporters=exporters)
    with pytest.raises(error, match=says):
        libretto.scope(exporters=exporters)


def test_what_ships_is_an_exporter(tmp_path: Path) -> None:
    """The exporters that come along keep to the protocol."""
    assert isinstance(MemoryExporter(), Exporter)
    assert isinstance(JsonLinesExporter(tmp_path / "x"), Exporter)


# In processes of their own

SCRIPT = """
import os, sys
import libretto_instrument as libretto, openai
from libretto_instrument.exporters import *

def connect():
    return openai.OpenAI(api_key="sk", base_url=os.environ["MODEL"])

client = connect()
lines = JsonLinesExporter(os.environ["LINES"])

def ask(text):
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )
"""


@pytest.fixture
def run(model: Any, tmp_path: Path, backend: Backend) -> Any:
    def run(script: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT + script],
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "MODEL": model.base_url,
                "LINES": str(tmp_path / "lines"),
                "LIBRETTO_API_PREFIX": backend.url,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_exit(run: Any, backend: Backend, tmp_path: Path) -> None:
    """What was recorded right before the end reaches everybody."""
    done = run("""
libretto.install(api_key="key", prompt_template_name="n", exporters=[lines])
for n in range(20):
    ask(str(n))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(backend.events) == 20
    assert len((tmp_path / "lines").read_text().splitlines()) == 20


@pytest.mark.parametrize("who", ["exporter", "libretto"])
def test_exit_with_one_hanging(
    run: Any, backend: Backend, tmp_path: Path, who: str
) -> None:
    """One that hangs holds the exit up for exit_timeout in all, and no other back."""
    if who == "libretto":
        backend.answer(hang)
    started = monotonic()
    done = run(f"""
import time
class Stuck:
    name = "stuck"
    def export(self, reports): time.sleep(60 if {who == "exporter"} else 0)
    def close(self): time.sleep(60)
libretto.install(
    api_key="key", prompt_template_name="n", exporters=[Stuck(), lines],
    exit_timeout=1.5,
)
ask("a")
ask("b")
""")
    assert monotonic() - started < 20
    assert done.returncode == 0
    assert "The process ends before" in done.stderr
    assert len((tmp_path / "lines").read_text().splitlines()) == 2
    if who == "exporter":
        assert "the exporter stuck" in done.stderr
        assert len(backend.events) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork(run: Any, backend: Backend, tmp_path: Path) -> None:
    """Parent and child each export their own, exactly once."""
    done = run("""
libretto.install(api_key="key", prompt_template_name="n", exporters=[lines])
for n in range(20):
    ask(f"before-{n}")
children = []
for number in range(3):
    child = os.fork()
    if not child:
        client = connect()
        now = libretto.stats()
        assert now.accepted == now.exporters["jsonl"].accepted == 0, now
        for n in range(20):
            ask(f"child{number}-{n}")
        sys.exit(0 if libretto.flush(20) else 7)
    children.append(child)
for n in range(20):
    ask(f"after-{n}")
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert libretto.flush(20), libretto.stats()
""")
    assert done.returncode == 0, done.stderr
    assert len(backend.events) == 100
    lines = (tmp_path / "lines").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 100
