"""How reports travel: one delivery for each route, in memory or by way of a spool."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import openai
import pytest
from support.backend import Backend
from support.waiting import eventually

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._cli import main
from libretto_instrument._config.settings import CallSettings, DeliveryOptions
from libretto_instrument._events import Feedback
from libretto_instrument._processing import process
from libretto_instrument._runtime.state import runtime
from libretto_instrument._spool import Spool
from libretto_instrument.exporters import MemoryExporter

NOT_THE_DEFAULT = {
    "spool_dir": "/somewhere",
    "spool_only": True,
    "spool_max_bytes": 1,
    "spool_max_age": 2.0,
    "queue_max_events": 4,
    "queue_max_bytes": 5,
    "exit_timeout": 6.0,
    "exporters": (MemoryExporter(),),
}


def ask(client: openai.OpenAI, text: str = "hello") -> None:
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}]
    )


def waiting(directory: Path) -> int:
    return Spool(directory).stats().pending


def counted_since(before: libretto.Stats) -> dict[str, int]:
    now = libretto.stats()
    return {
        name: getattr(now, name) - getattr(before, name)
        for name in ("accepted", "sent", "spooled")
    }


class Unchanging:
    """A redactor that finds nothing, and counts as false."""

    def redact(self, text: str) -> str:
        return text

    def analyze(self, text: str) -> list[Any]:
        return []

    def __len__(self) -> int:
        return 0


def test_every_field_reaches_the_route() -> None:
    """What a configuration says of the delivery arrives there, field by field."""
    assert {field.name for field in attrs.fields(DeliveryOptions)} == set(
        NOT_THE_DEFAULT
    )
    for name, value in NOT_THE_DEFAULT.items():
        settings = runtime.settings_here(LibrettoConfig("key", **{name: value}))
        assert settings.delivery == DeliveryOptions(**{name: value})
        with libretto.scope(**{name: value}):
            assert runtime.settings_here(None).delivery == DeliveryOptions(
                **{name: value}
            )


def test_spool_dir_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """LIBRETTO_SPOOL_DIR switches the spool on."""
    monkeypatch.setenv("LIBRETTO_SPOOL_DIR", str(tmp_path))
    libretto.install(api_key="key", spool_only=True)
    assert runtime.settings_here(None).delivery.spool_dir == str(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("spool_dir", 1, TypeError),
        ("spool_max_bytes", 0, ValueError),
        ("spool_max_age", "a week", TypeError),
        ("spool_max_age", 0, ValueError),
        ("spool_max_age", float("nan"), ValueError),
        ("queue_max_events", 0, ValueError),
        ("exit_timeout", -0.1, ValueError),
        ("exit_timeout", float("inf"), ValueError),
    ],
)
def test_bounds_that_cannot_be_kept(field: str, value: object, error: type) -> None:
    """A wrong bound is refused where it is set, by name."""
    with pytest.raises(error, match=field):
        LibrettoConfig(**{field: value})
    with pytest.raises(error, match=field):
        libretto.install(**{field: value})
    assert not runtime.records_all_clients


def test_on_disk_before_the_call_returns(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """With a spool and a relay declared, nothing is sent and all of it is on disk."""
    before = libretto.stats()
    libretto.install(
        LibrettoConfig("key", "name", spool_dir=tmp_path / "spool", spool_only=True)
    )
    ask(client)
    assert waiting(tmp_path / "spool") == 1
    assert libretto.flush()
    assert backend.connections == 0
    assert counted_since(before) == {"accepted": 1, "sent": 0, "spooled": 1}
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_the_spool_is_drained_by_its_own_process(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """Without a relay the process that writes also delivers."""
    libretto.install(LibrettoConfig("key", "name", spool_dir=tmp_path))
    ask(client)
    assert libretto.flush(timeout=20)
    backend.wait_for(1)
    assert waiting(tmp_path) == 0


def test_what_an_earlier_process_left_is_delivered(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """After install() a flush delivers what waits in the spool, without a call."""
    libretto.install(LibrettoConfig("key", "old", spool_dir=tmp_path, spool_only=True))
    ask(client)
    libretto.shutdown()
    libretto.install(LibrettoConfig("key", "new", spool_dir=tmp_path))
    assert libretto.flush(20)
    backend.wait_for(1, timeout=20)
    assert backend.events[0]["apiName"] == "old"


def test_redacted_before_it_touches_the_disk(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """With redaction on, the spool never holds the text in clear."""
    pytest.importorskip("phonenumbers", reason="the extra pii is not installed")
    libretto.install(
        LibrettoConfig("key", "n", redact_pii=True, spool_dir=tmp_path, spool_only=True)
    )
    ask(client, "write to margaret.houlihan@example.com")
    assert libretto.flush(timeout=20)
    assert waiting(tmp_path) == 1
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*.seg"))
    assert b"<EMAIL_ADDRESS>" in held
    assert b"houlihan" not in held


def test_a_configuration_each(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """Scopes that travel by another route are delivered by it, and counted together."""
    before = libretto.stats()
    libretto.install(LibrettoConfig("key", "by memory"))
    ask(client)
    with libretto.scope(
        prompt_template_name="by disk", spool_dir=tmp_path, spool_only=True
    ):
        ask(client)
    assert libretto.flush(timeout=20)
    assert [event["apiName"] for event in backend.events] == ["by memory"]
    assert waiting(tmp_path) == 1
    assert counted_since(before) == {"accepted": 2, "sent": 1, "spooled": 1}


def test_another_address_holds_for_what_comes_after(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events go to the address that held when they were recorded; none is lost."""
    libretto.install(LibrettoConfig("key", "first"))
    ask(client)
    with Backend() as other:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", other.url)
        libretto.install(LibrettoConfig("key", "second"))
        ask(client)
        assert libretto.flush(timeout=20)
        assert [event["apiName"] for event in other.events] == ["second"]
    assert [event["apiName"] for event in backend.events] == ["first"]


def test_a_before_send_hook_runs_off_the_callers_thread(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """A hook may be slow, so with one the event is written to disk by the worker."""
    libretto.install(
        LibrettoConfig(
            "key",
            "name",
            before_send=lambda body: {**body, "context": {"seen": True}},
            spool_dir=tmp_path,
        )
    )
    ask(client)
    assert libretto.flush(timeout=20)
    backend.wait_for(1)
    assert backend.events[0]["context"] == {"seen": True}


def test_relay_command(client: openai.OpenAI, backend: Backend, tmp_path: Path) -> None:
    """The relay delivers what others wrote, and ends with status 0 on SIGTERM."""
    libretto.install(LibrettoConfig("key", "name", spool_dir=tmp_path, spool_only=True))
    ask(client)
    relay = subprocess.Popen(
        [sys.executable, "-m", "libretto_instrument", "relay", "--spool", tmp_path],
        env={**os.environ, "LIBRETTO_API_PREFIX": backend.url},
        stderr=subprocess.PIPE,
    )
    try:
        backend.wait_for(1, timeout=30)
        ask(client)
        backend.wait_for(2, timeout=30)
        relay.send_signal(signal.SIGTERM)
        _, said = relay.communicate(timeout=30)
    finally:
        relay.kill()
        relay.wait()
    assert relay.returncode == 0
    assert f"Relaying {tmp_path}".encode() in said
    assert waiting(tmp_path) == 0


def test_spool_command(
    client: openai.OpenAI,
    backend: Backend,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What Libretto refused is listed with its reason, sent once more, or dropped."""
    from support.backend import status

    backend.answer(status(413))
    libretto.install(LibrettoConfig("key", "name", spool_dir=tmp_path))
    ask(client, "first")
    ask(client, "second")
    assert not libretto.flush(timeout=20)
    libretto.shutdown()
    assert main.main(["spool", "--spool", str(tmp_path), "ls"]) == 0
    listed = capsys.readouterr().out
    assert "2 refused" in listed
    assert listed.count("HTTP 413") == 2
    assert "first" not in listed
    row = listed.splitlines()[1].split()[0]
    assert main.main(["spool", "--spool", str(tmp_path), "retry", row]) == 0
    assert "1 to be sent once more" in capsys.readouterr().out
    assert waiting(tmp_path) == 1
    assert main.main(["spool", "--spool", str(tmp_path), "drop"]) == 0
    assert "1 dropped" in capsys.readouterr().out


def test_a_spool_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking makes no spool: the commands say what is missing, with status 2."""
    monkeypatch.delenv("LIBRETTO_SPOOL_DIR", raising=False)
    assert main.main(["spool", "ls", "--spool", str(tmp_path / "none")]) == 2
    assert "there is no spool" in capsys.readouterr().err
    assert main.main(["spool", "ls"]) == 2
    assert "LIBRETTO_SPOOL_DIR" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_an_event_survives_sigkill(
    backend: Backend, model: object, tmp_path: Path
) -> None:
    """Killed as soon as create() has returned, a process loses nothing."""
    program = f"""
import os, signal
import libretto_instrument as libretto, openai
libretto.install(libretto.LibrettoConfig("key", "killed", spool_dir={str(tmp_path)!r}))
client = openai.OpenAI(api_key="sk", base_url={model.base_url!r})
client.chat.completions.create(model="m", messages=[{{"role": "user", "content": "x"}}])
os.kill(os.getpid(), signal.SIGKILL)
"""
    backend.refuse()
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    backend.recover()
    libretto.install(LibrettoConfig("key", "next", spool_dir=tmp_path))
    assert libretto.flush(20)
    backend.wait_for(1, timeout=40)
    assert json.dumps(backend.events).count("killed") >= 1


def test_figures_outlive_a_shutdown(client: openai.OpenAI, backend: Backend) -> None:
    """stats() counts what was recorded before shutdown(), and what comes after it."""
    before = libretto.stats()
    libretto.install(LibrettoConfig("key", "name"))
    for count in (1, 2):
        ask(client)
        assert libretto.shutdown(timeout=20)
        assert counted_since(before) == {"accepted": count, "sent": count, "spooled": 0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_figures_of_a_forked_child(client: openai.OpenAI, backend: Backend) -> None:
    """A forked child counts what it records itself, and nothing of its parent's."""
    libretto.install(LibrettoConfig("key", "name"))
    ask(client)
    assert libretto.shutdown(timeout=20)
    child = os.fork()
    if not child:
        os._exit(0 if libretto.stats() == libretto.Stats() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


LONG = "x" * 1_000_000


@pytest.mark.parametrize("given", ["context", "template_params"])
def test_a_call_weighs_what_it_was_given(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """What a call is given beside its arguments counts towards the queue's bound."""
    taken: list[Any] = []
    monkeypatch.setattr(runtime, "sink", taken.append)
    libretto.install(LibrettoConfig("key", "name"))
    fields: Any = {given: {"long": [LONG]}}
    with libretto.scope(**fields):
        ask(client)
    assert taken[0].size_bytes > len(LONG)


def test_a_statement_weighs_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """So do a better response and the result of a chain."""
    taken: list[Any] = []
    monkeypatch.setattr(runtime, "sink", taken.append)
    libretto.install(LibrettoConfig("key", "name"))
    libretto.send_feedback("key", better_response=LONG)
    libretto.update_chain("chain", {"long": LONG})
    assert [item.size_bytes > len(LONG) for item in taken] == [True, True]


def test_redactors_are_not_kept_for_ever() -> None:
    """A redactor counts though it is false, and only the last few are held on to."""
    given = [Unchanging() for _ in range(50)]
    for redactor in given:
        assert process.body_redactor(redactor).redactor is redactor
    assert len(process._body_redactors) < 10
    known = process.body_redactor(given[-1])
    assert process.body_redactor(given[-1]) is known


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_during_redaction() -> None:
    """A child forked while a worker redacts can redact itself."""
    report = Feedback(feedback_key="f", api_key="k", better_response="all well")
    settings = CallSettings(redact_pii=True, redactor=Unchanging())
    with process._redaction_lock:
        child = os.fork()
        if not child:
            signal.alarm(30)
            body = process.process(report, settings)
            os._exit(0 if body == report.to_json() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("spool", [False, True])
def test_installed_again_and_again(
    client: openai.OpenAI, backend: Backend, tmp_path: Path, spool: bool
) -> None:
    """What an earlier install() used is delivered, closed, and its threads end."""
    options = {"spool_dir": tmp_path / "spool"} if spool else {}
    exporters = [MemoryExporter() for _ in range(20)]
    before = libretto.stats().exporters.get("memory", libretto.Stats()).accepted
    for exporter in exporters:
        libretto.install(LibrettoConfig("key", "n", exporters=[exporter], **options))
        ask(client)
    assert libretto.flush(20)
    eventually(lambda: len(delivery_threads()) < 10)
    eventually(lambda: libretto.stats() and not runtime.deliveries._retired)
    assert all(len(exporter.records) == 1 for exporter in exporters) or spool
    assert sum(len(exporter.records) for exporter in exporters) == 20
    assert len(backend.events) == 20
    after = libretto.stats().exporters["memory"]
    assert after.accepted - before == 20


def delivery_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "libretto-delivery"]


async def coroutine(body: dict[str, Any]) -> dict[str, Any]:
    return body


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("result", [True, "text", b"", [1], 0])
def test_before_send_returns_something_else(
    client: openai.OpenAI,
    backend: Backend,
    result: Any,
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """An event whose hook returns no body is counted and not posted, with a warning."""
    libretto.install(LibrettoConfig("key", "n", before_send=lambda body: result))
    dropped = libretto.stats().dropped.get("prepare_failed", 0)
    ask(client)
    assert not libretto.flush(20)
    assert backend.received == []
    assert libretto.stats().dropped["prepare_failed"] == dropped + 1
    assert "before_send must return" in warnings_of.text


def test_before_send_that_nobody_awaits() -> None:
    """A coroutine function is refused where it is set."""
    with pytest.raises(TypeError, match="coroutine function"):
        libretto.install(before_send=coroutine)


WAYS = {
    "itself": lambda ask: ask(),
    "a thread": lambda ask: threading.Thread(target=ask).start(),
    "a pool of its own": lambda ask: ThreadPoolExecutor(1).submit(ask).result(),
    "a pool that was there": lambda ask: POOL.submit(ask).result(),
    "an event loop": lambda ask: asyncio.run(asyncio.to_thread(ask)),
    "its executor": lambda ask: asyncio.run(run_in_executor(ask)),
}
POOL = ThreadPoolExecutor(1)
POOL.submit(int).result()


async def run_in_executor(function: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(None, function)


@pytest.mark.parametrize("way", WAYS)
def test_a_hook_that_calls_a_model(
    client: openai.OpenAI, backend: Backend, way: str
) -> None:
    """What a hook asks of a model is not recorded, in whatever thread it does so."""
    asked = threading.Semaphore(0)

    def judge() -> None:
        ask(client, "judge")
        asked.release()

    def before_send(body: dict[str, Any]) -> dict[str, Any]:
        WAYS[way](judge)
        return body

    libretto.install(LibrettoConfig("key", "n", before_send=before_send))
    accepted = libretto.stats().accepted
    ask(client, "first")
    assert asked.acquire(timeout=20)
    assert libretto.flush(20)
    assert libretto.stats().accepted == accepted + 1
    # The threads of a pool go on to work for others.
    POOL.submit(ask, client, "last").result()
    assert asked.acquire(timeout=20)
    assert libretto.flush(20)
    assert libretto.stats().accepted == accepted + 2
