"""Reports on disk, on their way to several destinations."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from support.backend import Backend, hang, status
from support.deliveries import MemoryTransport
from support.waiting import eventually

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._cli import main
from libretto_instrument._delivery import (
    HttpTransport,
    Message,
    Stats,
    Transport,
)
from libretto_instrument._runtime.exporter_transport import ExporterTransport
from libretto_instrument._spool import Spool, is_relay_running, run_relay
from libretto_instrument._spool.dead_letters import iter_dead_letters
from libretto_instrument.exporters import ExportError, MemoryExporter

from .faulty_exporters import Doing, Hanging, raising

ROOT = Path(__file__).parents[2]


def ask(client: openai.OpenAI, text: str = "hello") -> None:
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def fill(
    spool: Spool, names: Any, to: tuple[str, ...] | None, url: str | None = None
) -> None:
    for name in names:
        key = f"chat {int(name) % 3}" if int(name) % 2 else None
        body = json.dumps({"promptEventId": str(name), "apiKey": "key"}).encode()
        message = Message("event", str(name), body, key, 1_700_000_000.5, url)
        assert spool.append(message, to)


def pending(directory: Path) -> dict[str, int]:
    return Spool(directory).stats().pending_by_destination


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


@pytest.fixture(autouse=True)
def _counted_afresh() -> None:
    """Start without statistics, as exporters are counted by their names."""
    from libretto_instrument._runtime.state import runtime

    libretto.shutdown(0)
    runtime.deliveries.reset_after_fork()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool")) as spool:
        yield spool


@contextmanager
def relaying(
    spool: Spool, transport: Transport, *exporters: Any, drain_timeout: float = 30.0
) -> Iterator[Callable[[], bool]]:
    """Run a relay on a thread; what is yielded ends it and returns what it did."""
    destinations: dict[str, Transport] = {"libretto": transport}
    destinations |= {each.name: ExporterTransport(each) for each in exporters}
    stop, results = threading.Event(), list[bool]()
    thread = threading.Thread(
        target=lambda: results.append(
            run_relay(spool, destinations, stop, drain_timeout=drain_timeout)
        )
    )
    thread.start()

    def end() -> bool:
        stop.set()
        thread.join(60)
        return results[0]

    try:
        yield end
    finally:
        end()


# In the process that records


def test_written_and_delivered(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """With a spool, Libretto and exporters get each event once, and are counted."""
    memory = MemoryExporter()
    libretto.install(
        LibrettoConfig("key", "name", spool_dir=tmp_path, exporters=[memory])
    )
    for n in range(20):
        ask(client, str(n))
    assert libretto.flush(20)
    assert len(backend.events) == len(memory.records) == 20
    assert arrived(backend) == Counter(report.id for report in memory.records)
    assert "apiKey" not in memory.records[0].body
    assert pending(tmp_path) == {}
    stats = libretto.stats()
    for its in (stats, stats.exporters["memory"]):
        assert (its.accepted, its.spooled, its.relayed) == (20, 20, 20)
        assert total(its) == 20


def test_one_down(client: openai.OpenAI, backend: Backend, tmp_path: Path) -> None:
    """What one destination lacks waits on disk; the others have it, once."""
    backend.answer(status(503))
    up, down = MemoryExporter("up"), Doing(raising(ExportError("away")), "down")
    libretto.install(
        LibrettoConfig("key", "name", spool_dir=tmp_path, exporters=[up, down])
    )
    for n in range(20):
        ask(client, str(n))
    eventually(lambda: len(up.records) == 20)
    assert not libretto.flush(0.3)
    assert not libretto.shutdown(0.3)
    assert pending(tmp_path) == {"libretto": 20, "down": 20}
    backend.recover()
    down.act = lambda reports: None
    libretto.install(
        LibrettoConfig("key", "name", spool_dir=tmp_path, exporters=[up, down])
    )
    assert libretto.flush(30)
    eventually(lambda: pending(tmp_path) == {})
    assert len(up.records) == len(arrived(backend)) == 20
    delivered = down.given[-20:]
    assert len({report.id for report in delivered}) == 20


def test_without_libretto(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """Without a key, what is on disk goes to the exporters alone."""
    memory = MemoryExporter()
    libretto.install(
        prompt_template_name="name", spool_dir=tmp_path, exporters=[memory]
    )
    ask(client)
    assert libretto.flush(20)
    assert len(memory.records) == 1
    assert backend.connections == 0
    stats = libretto.stats()
    assert (stats.accepted, stats.exporters["memory"].accepted) == (0, 1)


def test_left_to_a_relay(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """With spool_only the process exports nothing; the names are on disk."""
    memory = MemoryExporter()
    libretto.install(
        LibrettoConfig(
            "key", "n", spool_dir=tmp_path, spool_only=True, exporters=[memory]
        )
    )
    ask(client)
    assert libretto.flush(20)
    assert not memory.records
    with closing(Spool(tmp_path)) as spool, relaying(spool, HttpTransport()) as end:
        assert end()
    assert len(backend.events) == 1
    assert pending(tmp_path) == {"memory": 1}


def test_redacted_on_the_way(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """With redaction, neither the disk nor the exporter sees the text in clear."""
    pytest.importorskip("phonenumbers", reason="the extra pii is not installed")
    memory = MemoryExporter()
    libretto.install(
        LibrettoConfig(
            "key", "n", redact_pii=True, spool_dir=tmp_path, exporters=[memory]
        )
    )
    ask(client, "write to margaret.houlihan@example.com")
    assert libretto.flush(20)
    assert "houlihan" not in str(memory.records[0].body)
    assert len(backend.events) == 1


def test_no_spool_to_be_had(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """Where nothing can be written, everybody still gets everything, from memory."""
    (tmp_path / "file").write_text("in the way")
    memory = MemoryExporter()
    libretto.install(
        LibrettoConfig(
            "key", "n", spool_dir=tmp_path / "file" / "spool", exporters=[memory]
        )
    )
    for _ in range(5):
        ask(client)
    eventually(lambda: len(memory.records) == 5)
    backend.wait_for(5)
    eventually(lambda: libretto.stats().exporters["memory"].sent == 5)
    stats = libretto.stats().exporters["memory"]
    assert (stats.accepted, stats.spooled, total(stats)) == (5, 0, 5)


# In the relay


def test_each_gets_each_once(spool: Spool, backend: Backend) -> None:
    """A relay delivers to whom a message names, or else to all that it knows."""
    url = backend.urls["event"]
    fill(spool, range(100), None, url)
    fill(spool, range(100, 150), ("libretto",), url)
    fill(spool, range(150, 200), ("memory",), url)
    memory = MemoryExporter()
    with relaying(spool, HttpTransport(), memory) as end:
        assert end()
    assert arrived(backend) == Counter(str(n) for n in range(150))
    assert Counter(r.id for r in memory.records) == Counter(
        str(n) for n in [*range(100), *range(150, 200)]
    )
    assert {report.timestamp for report in memory.records} == {1_700_000_000.5}
    assert spool.stats().pending == 0
    for chat in range(3):
        numbers = [int(r.id) for r in memory.records if int(r.id) % 2]
        of_chat = [n for n in numbers if n % 3 == chat]
        assert of_chat == sorted(of_chat)


def test_one_down_holds_its_own(spool: Spool, backend: Backend) -> None:
    """However much waits for one that is down, the other gets all that comes."""
    fill(spool, range(1000), ("libretto", "memory"), backend.urls["event"])
    backend.answer(hang)
    memory = MemoryExporter()
    with relaying(spool, HttpTransport(), memory, drain_timeout=0) as end:
        eventually(lambda: len(memory.records) == 1000, timeout=30)
        assert not end()
    assert pending(spool.directory.path) == {"libretto": 1000}
    backend.recover()
    with relaying(spool, HttpTransport(), memory) as end:
        assert end()
    assert arrived(backend) >= Counter(str(n) for n in range(1000))
    assert len(memory.records) == 1000
    assert spool.stats().pending == 0


def test_hanging(spool: Spool, backend: Backend) -> None:
    """An exporter that hangs keeps the relay from nothing, nor from its end."""
    fill(spool, range(50), ("libretto", "hanging"), backend.urls["event"])
    stuck = Hanging()
    try:
        with relaying(spool, HttpTransport(), stuck, drain_timeout=0.5) as end:
            backend.wait_for(50, timeout=30)
            assert not end()
        assert pending(spool.directory.path) == {"hanging": 50}
    finally:
        stuck.let_go.set()


def test_refused_by_one(spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    """What an exporter refuses is a dead letter for it alone, and sent again to it."""
    fill(spool, range(3), ("libretto", "picky"))
    picky = Doing(raising(ExportError("too odd", retry=False)), "picky", max_batch=10)
    transport = MemoryTransport()
    with relaying(spool, transport, picky) as end:
        assert end()
    letters = list(iter_dead_letters(spool.directory))
    assert [letter.destination for letter in letters] == ["picky"] * 3
    path = str(spool.directory.path)
    assert main.main(["spool", "ls", "--spool", path]) == 0
    assert capsys.readouterr().out.count("picky: too odd") == 3
    assert main.main(["spool", "retry", "--spool", path]) == 0
    assert pending(spool.directory.path) == {"picky": 3}
    picky.act = lambda reports: None
    with relaying(spool, transport, picky) as end:
        assert end()
    assert len(transport.messages) == 3
    assert spool.stats().pending == 0


# The command


def test_relay_command(client: openai.OpenAI, backend: Backend, tmp_path: Path) -> None:
    """The relay takes its exporters from the command line, one's own among them."""
    (tmp_path / "mine.py").write_text(
        "from libretto_instrument.exporters import JsonLinesExporter\n"
        "def make(): return JsonLinesExporter('mine.jsonl', name='mine')\n"
    )
    spool = tmp_path / "spool"
    libretto.install(LibrettoConfig("key", "name", spool_dir=spool, spool_only=True))
    ask(client)
    relay = subprocess.Popen(
        [
            *(sys.executable, "-m", "libretto_instrument", "relay", "--spool", spool),
            *("--exporter", f"first=jsonl:{tmp_path / 'first.jsonl'}"),
            *("--exporter", "mine:make"),
        ],
        env={
            **os.environ,
            "LIBRETTO_API_PREFIX": backend.url,
            "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    try:
        backend.wait_for(1, timeout=30)
        relay.send_signal(signal.SIGTERM)
        _, said = relay.communicate(timeout=30)
    finally:
        relay.kill()
        relay.wait()
    assert relay.returncode == 0
    assert b"first, mine" in said
    for name in ("first", "mine"):
        [line] = (tmp_path / f"{name}.jsonl").read_text().splitlines()
        assert json.loads(line)["id"] == backend.events[0]["promptEventId"]
    assert pending(spool) == {}


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (["jsonl"], "give"),
        (["jsonl:"], "give"),
        (["=jsonl:x"], "give"),
        (["jsonl:a", "jsonl:b"], "two of them"),
        (["libretto=jsonl:a"], "reserved for Libretto"),
        (["nosuchmodule:x"], "nosuchmodule"),
        (["json:nothing"], "nothing"),
        (["json:dumps.__name__"], "export"),
        (["mine=json:dumps"], "has a name already"),
    ],
)
def test_exporters_that_are_none(
    named: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not an exporter is reported in a line, with status 2."""
    options = [part for each in named for part in ("--exporter", each)]
    assert main.main(["relay", "--spool", str(tmp_path / "s"), *options]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


# A load


WRITER = """
import os, sys
import libretto_instrument as libretto, openai
libretto.install(
    api_key="key", prompt_template_name="load", spool_dir=sys.argv[1],
    spool_only=True,
)
client = openai.OpenAI(api_key="sk", base_url=sys.argv[2])
for n in range(int(sys.argv[4])):
    with libretto.scope(chat_id=f"{sys.argv[3]}-{n % 5}", context={"n": n}):
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"{sys.argv[3]}-{n}"}]
        )
sys.exit(0 if libretto.flush(30) else 5)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_three_processes_and_a_relay(
    model: Any, backend: Backend, tmp_path: Path, end: signal.Signals
) -> None:
    """Each event of three processes reaches both destinations, once if the relay is
    told to end and another one goes on; if it is killed, at least once."""
    count = 60
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LIBRETTO_API_PREFIX": backend.url,
    }
    spool, lines = tmp_path / "spool", tmp_path / "lines.jsonl"
    command = [sys.executable, "-m", "libretto_instrument", "relay"]
    command += ["--spool", str(spool), "--exporter", f"jsonl:{lines}"]
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    try:
        first = start(command)
        writers = [
            start(
                [
                    *(sys.executable, "-c", WRITER),
                    *(str(spool), model.base_url, f"w{n}", str(count)),
                ]
            )
            for n in range(3)
        ]
        backend.wait_for(count // 2, timeout=60)
        first.send_signal(end)
        first.wait(30)
        second = start(command)
        # A signal that comes before it listens would end it without a word.
        eventually(lambda: is_relay_running(spool), timeout=60)
        assert [writer.wait(120) for writer in writers] == [0, 0, 0]
        eventually(lambda: pending(spool) == {}, timeout=60)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    finally:
        for process in started:
            process.kill()
            process.wait()
    expected = {f"w{w}-{n}" for w in range(3) for n in range(count)}
    bodies = [json.loads(line)["body"] for line in lines.read_text().splitlines()]
    for events in (backend.events, bodies):
        said = [event["promptTemplateChat"][0]["content"] for event in events]
        assert set(said) == expected
        if end == signal.SIGTERM:
            assert len(said) == 3 * count
            of_one = [e["context"]["n"] for e in events if e["chatId"] == "w1-2"]
            assert of_one == sorted(of_one)
    assert {e["promptEventId"] for e in backend.events} == {
        body["promptEventId"] for body in bodies
    }
