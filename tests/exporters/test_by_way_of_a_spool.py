"""Reports on disk, on their way to several destinations."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from support.backend import Backend, hang, status
from support.parcels import ScriptedSender
from support.waiting import eventually

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._cli import main
from libretto_instrument._processing.serialize import FINISHERS
from libretto_instrument._runtime.exporter_transport import ExporterSender
from libretto_instrument.delivery import HttpSender, Message, Stats
from libretto_instrument.delivery._relay import Relay
from libretto_instrument.delivery._spool_file import APPLICATION, FORMER_FILE
from libretto_instrument.delivery.durable import Spool
from libretto_instrument.delivery.inspection import is_relayed, look
from libretto_instrument.exporters import ExportError, MemoryExporter

from .misbehaving import Doing, Hanging, raising

ROOT = Path(__file__).parents[2]


def ask(client: openai.OpenAI, text: str = "hello") -> None:
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )


def total(stats: Stats) -> int:
    dropped = sum(stats.dropped.values())
    return stats.sent + stats.queued + stats.in_flight + stats.spooled + dropped


def message(name: str, key: str | None = None) -> Message:
    body = json.dumps({"promptEventId": name, "apiKey": "key"}).encode()
    return Message("event", name, body, key, 1_700_000_000.5)


def fill(spool: Spool, names: Any, to: tuple[str, ...] | None = None) -> None:
    for name in names:
        key = f"chat {int(name) % 3}" if int(name) % 2 else None
        assert spool.add(message(str(name), key), to)


def waiting(directory: Path) -> dict[str, int]:
    with Spool(directory) as spool:
        return spool.stats().waiting_for


def arrived(backend: Backend) -> Counter[str]:
    return Counter(event["promptEventId"] for event in backend.events)


@pytest.fixture(autouse=True)
def _counted_afresh() -> None:
    """Count from nought, as exporters are counted by their names."""
    from libretto_instrument._runtime.state import runtime

    libretto.shutdown(0)
    runtime.deliveries.renew_lock()


@pytest.fixture
def spool(tmp_path: Path) -> Any:
    with Spool(tmp_path / "spool", busy_timeout=5) as spool:
        yield spool


def relay_to(spool: Spool, sender: Any, *exporters: Any) -> Relay:
    others = {each.name: ExporterSender(each) for each in exporters}
    return Relay(spool, sender, others=others)


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
    assert len(backend.events) == len(memory.reports) == 20
    assert arrived(backend) == Counter(report.id for report in memory.reports)
    assert "apiKey" not in memory.reports[0].body
    assert waiting(tmp_path) == {}
    stats = libretto.stats()
    for its in (stats, stats.exporters["memory"]):
        assert (its.recorded, its.spooled, its.relayed) == (20, 20, 20)
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
    eventually(lambda: len(up.reports) == 20)
    assert not libretto.flush(0.3)
    assert not libretto.shutdown(0.3)
    assert waiting(tmp_path) == {"libretto": 20, "down": 20}
    backend.recover()
    down.act = lambda reports: None
    libretto.install(
        LibrettoConfig("key", "name", spool_dir=tmp_path, exporters=[up, down])
    )
    backend.wait_for(20, timeout=30)
    eventually(lambda: waiting(tmp_path) == {})
    assert len(up.reports) == len(arrived(backend)) == 20
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
    assert len(memory.reports) == 1
    assert backend.connections == 0
    stats = libretto.stats()
    assert (stats.recorded, stats.exporters["memory"].recorded) == (0, 1)


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
    assert not memory.reports
    with Spool(tmp_path, finishers=FINISHERS) as spool:
        relay = relay_to(spool, HttpSender(backend.urls))
        assert relay.drain(20)
        relay.close()
    assert len(backend.events) == 1
    assert waiting(tmp_path) == {"memory": 1}


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
    assert "houlihan" not in str(memory.reports[0].body)
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
    eventually(lambda: len(memory.reports) == 5)
    backend.wait_for(5)
    eventually(lambda: libretto.stats().exporters["memory"].sent == 5)
    stats = libretto.stats().exporters["memory"]
    assert (stats.recorded, stats.spooled, total(stats)) == (5, 0, 5)


# In the relay


def test_each_gets_each_once(spool: Spool, backend: Backend) -> None:
    """A relay delivers to whom a message names, or else to all that it knows."""
    fill(spool, range(100))
    fill(spool, range(100, 150), ("libretto",))
    fill(spool, range(150, 200), ("memory",))
    memory = MemoryExporter()
    relay = relay_to(spool, HttpSender(backend.urls), memory)
    assert relay.drain(60)
    relay.close()
    assert arrived(backend) == Counter(str(n) for n in range(150))
    assert Counter(r.id for r in memory.reports) == Counter(
        str(n) for n in [*range(100), *range(150, 200)]
    )
    assert {report.at for report in memory.reports} == {1_700_000_000.5}
    assert spool.stats().waiting == 0
    for chat in range(3):
        numbers = [int(r.id) for r in memory.reports if int(r.id) % 2]
        of_chat = [n for n in numbers if n % 3 == chat]
        assert of_chat == sorted(of_chat)


def test_one_down_holds_its_own(spool: Spool, backend: Backend) -> None:
    """However much waits for one that is down, the other gets all that comes."""
    fill(spool, range(1000))
    backend.answer(hang)
    memory = MemoryExporter()
    relay = relay_to(spool, HttpSender(backend.urls), memory)
    assert not relay.drain(3)
    assert len(memory.reports) == 1000
    assert spool.stats().waiting_for == {"libretto": 1000}
    backend.recover()
    assert relay.drain(60)
    relay.close()
    assert arrived(backend) >= Counter(str(n) for n in range(1000))
    assert len(memory.reports) == 1000
    assert spool.stats().waiting == 0


def test_hanging(spool: Spool, backend: Backend) -> None:
    """An exporter that hangs keeps the relay from nothing, nor from its end."""
    fill(spool, range(50))
    stuck = Hanging()
    relay = relay_to(spool, HttpSender(backend.urls), stuck)
    try:
        assert not relay.drain(2)
        relay.close()
        assert len(arrived(backend)) == 50
        assert spool.stats().waiting_for == {"hanging": 50}
    finally:
        stuck.let_go.set()


def test_refused_by_one(spool: Spool, capsys: pytest.CaptureFixture[str]) -> None:
    """What an exporter refuses is set aside for it alone, and sent once more to it."""
    fill(spool, range(3))
    picky = Doing(raising(ExportError("too odd", retry=False)), "picky", max_batch=10)
    sender = ScriptedSender()
    relay = relay_to(spool, sender, picky)
    assert relay.drain(20)
    relay.close()
    assert [refused.destination for refused in spool.refused()] == ["picky"] * 3
    assert main.main(["spool", "ls", "--spool", str(spool.directory)]) == 0
    assert capsys.readouterr().out.count("picky: too odd") == 3
    assert spool.retry() == 3
    assert spool.stats().waiting_for == {"picky": 3}
    picky.act = lambda reports: None
    again = relay_to(spool, sender, picky)
    assert again.drain(20)
    again.close()
    assert len(sender.delivered) == 3
    assert spool.stats().waiting == 0


def test_delivered_but_not_struck_off(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that could not be struck off is not exported a second time."""
    fill(spool, range(0, 20, 2))
    failures, remove = [OSError(), OSError()], spool.remove

    def fail_at_first(*stored: Any) -> None:
        if failures:
            raise failures.pop()
        remove(*stored)

    memory = MemoryExporter()
    relay = relay_to(spool, ScriptedSender(), memory)
    monkeypatch.setattr(spool, "remove", fail_at_first)
    assert relay.drain(20)
    relay.close()
    assert len(memory.reports) == 10
    assert spool.stats().waiting == 0


def test_dropped_for_everybody(tmp_path: Path) -> None:
    """What the bounds push out is forgotten, with all that was to be done with it."""
    with Spool(tmp_path / "spool", max_bytes=200_000) as spool:
        for n in range(600):
            spool.add(Message("event", str(n), b"x" * 1000), ("a", "b"))
            if n == 100:
                spool.claim(1, destination="a")
        stats = spool.stats()
        assert stats.lost["spool_full"] == 600 - stats.waiting > 0
        assert stats.waiting_for == {"a": stats.waiting, "b": stats.waiting}


# The form of the file before this one

FORMER_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, message_id TEXT NOT NULL,
    order_key TEXT, writer TEXT NOT NULL, stored_at REAL NOT NULL, owner TEXT,
    leased_until REAL NOT NULL DEFAULT 0, body BLOB NOT NULL
);
CREATE INDEX leases ON messages (leased_until) WHERE leased_until > 0;
CREATE TABLE aside (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, message_id TEXT NOT NULL,
    order_key TEXT, writer TEXT NOT NULL, stored_at REAL NOT NULL,
    refused_at REAL NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE losses (reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""


@pytest.fixture
def former(spool: Spool) -> Any:
    """Yield a connection to a file of the version before, with a few messages."""
    spool.directory.mkdir(mode=0o700)
    path = spool.directory / FORMER_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FORMER_TABLES)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.executemany(
            "INSERT INTO messages (kind, message_id, writer, stored_at, body)"
            " VALUES ('event', ?, 'w', 1000.5, ?)",
            [(str(n), message(str(n)).body) for n in range(2500)],
        )
        connection.execute(
            "INSERT INTO aside VALUES"
            " (NULL, 'event', 'refused', NULL, 'w', 1, 2, 'HTTP 413', x'7b7d')"
        )
        yield connection


def test_the_version_before(spool: Spool, former: Any) -> None:
    """What the version before left is delivered, once, to all that the relay knows."""
    spool.add(message("new"))
    former.execute(
        "UPDATE messages SET owner = 'other', leased_until = 1e300 WHERE id = 2500"
    )
    memory, sender = MemoryExporter(), ScriptedSender()
    with Spool(spool.directory, max_age=1e10) as patient:
        relay = relay_to(patient, sender, memory)
        assert relay.drain(60)
        relay.close()
    everything = {"new", *map(str, range(2500))}
    assert Counter(sender.delivered) == Counter(everything)
    assert Counter(r.id for r in memory.reports) == Counter(everything)
    assert {report.at for report in memory.reports} == {1000.5, 1_700_000_000.5}
    assert former.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    [refused] = spool.refused()
    assert (refused.message.id, refused.reason) == ("refused", "HTTP 413")


def test_what_others_still_send(spool: Spool, former: Any) -> None:
    """What a process of the version before has claimed is left to it."""
    from time import monotonic

    former.execute("UPDATE messages SET leased_until = ?", (monotonic() + 50,))
    spool.adopt()
    assert former.execute("SELECT count(*) FROM messages").fetchone() == (2500,)
    assert spool.stats().waiting == 0


def test_looking_at_the_version_before(
    spool: Spool, former: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it left is seen without being touched, and counted by who uses the spool."""
    seen = look(spool.directory)
    assert (seen.state, seen.is_former) == ("absent", True)
    assert former.execute("SELECT count(*) FROM messages").fetchone() == (2500,)
    assert main.main(["spool", "ls", "--spool", str(spool.directory)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2500 waiting (0 being sent), 1 refused")
    assert look(spool.directory).state == "ours"


def test_a_foreign_file_in_its_place(spool: Spool) -> None:
    """Who only looks does not move it."""
    assert spool.add(message("0"))
    path = spool.directory / FORMER_FILE
    path.write_bytes(b"no database at all " * 1000)
    assert look(spool.directory).is_former is False
    assert main.main(["spool", "ls", "--spool", str(spool.directory)]) == 0
    assert path.exists()


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
    assert waiting(spool) == {}


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (["jsonl"], "is named"),
        (["jsonl:"], "is named"),
        (["=jsonl:x"], "is named"),
        (["jsonl:a", "jsonl:b"], "two of them"),
        (["libretto=jsonl:a"], "Libretto's own"),
        (["nosuchmodule:x"], "nosuchmodule"),
        (["json:nothing"], "nothing"),
        (["json:dumps.__name__"], "export"),
        (["mine=json:dumps"], "has a name already"),
    ],
)
def test_exporters_that_are_none(
    named: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no exporter is told in a line, with status 2."""
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
    spool_only=True, spool_busy_timeout=5,
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
    relaying = [sys.executable, "-c", RELAY, "relay", "--spool", str(spool)]
    relaying += ["--exporter", f"jsonl:{lines}"]
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    try:
        first = start(relaying)
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
        second = start(relaying)
        # A signal that comes before it listens would end it without a word.
        eventually(lambda: is_relayed(spool), timeout=60)
        assert [writer.wait(120) for writer in writers] == [0, 0, 0]
        eventually(lambda: waiting(spool) == {}, timeout=60)
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


#: A relay whose claims run out soon once it has been killed.
RELAY = """
import sys
from libretto_instrument._cli import main as cli
from libretto_instrument.delivery import _relay, _spool
_spool.LEASE = _relay.LEASE = 4.0
_relay.HOUSEKEEPING = 1.0
sys.exit(cli.main(sys.argv[1:]))
"""
