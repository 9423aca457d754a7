"""A relay, which delivers what other processes write."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.backend import Backend
from support.deliveries import MemoryTransport
from support.spooling import (
    TO_LIBRETTO,
    append,
    make_message,
    program,
    segments,
)
from support.waiting import eventually

from libretto_instrument._delivery import Message, Outcome, Transport
from libretto_instrument._spool import Spool, is_relay_running, run_relay
from libretto_instrument._spool.dead_letters import iter_dead_letters

_Open = Callable[..., Spool]


class _Failing(MemoryTransport):
    """Fails until it is told to work."""

    outcome: Outcome | None = Outcome(delivered=False, retry=True, error="HTTP 503")

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        if self.outcome is not None:
            return [self.outcome] * len(messages)
        return super().send(messages, timeout)


def _ids(transport: MemoryTransport) -> list[str]:
    return [message.id for message in transport.messages]


@contextmanager
def relaying(
    spool: Spool, destinations: Mapping[str, Transport], *, drain_timeout: float = 5.0
) -> Iterator[Callable[[], bool]]:
    """Run a relay on a thread; what is yielded ends it and returns what it did."""
    stop, results = threading.Event(), list[bool]()

    def relay() -> None:
        results.append(
            run_relay(spool, destinations, stop, drain_timeout=drain_timeout)
        )

    thread = threading.Thread(target=relay)
    thread.start()

    def end() -> bool:
        stop.set()
        thread.join(30)
        return results[0]

    try:
        yield end
    finally:
        stop.set()
        thread.join(30)


def test_delivers_what_is_there_and_what_comes(
    open_spool: _Open, directory: Path
) -> None:
    """What was written before a relay began, and what comes, arrives in order."""
    writer, transport = open_spool(), MemoryTransport()
    append(writer, *map(str, range(600)))
    with relaying(open_spool(), {"libretto": transport}) as end:
        eventually(lambda: len(transport.messages) == 600)
        append(writer, *map(str, range(600, 700)))
        eventually(lambda: len(transport.messages) == 700)
        writer.close()
        eventually(lambda: not segments(directory))
        assert end()
    assert sorted(map(int, _ids(transport))) == list(range(700))
    assert transport.is_closed


def test_order_within_a_key(open_spool: _Open) -> None:
    """The messages of one chat are delivered in the order of the writes."""
    writer, transport = open_spool(), MemoryTransport()
    for number in range(300):
        writer.append(make_message(str(number), key=f"chat {number % 3}"), TO_LIBRETTO)
    with relaying(open_spool(), {"libretto": transport}):
        eventually(lambda: len(transport.messages) == 300)
    for chat in range(3):
        mine = [int(one) for one in _ids(transport) if int(one) % 3 == chat]
        assert mine == sorted(mine)


def test_rejected(open_spool: _Open) -> None:
    """What is refused is a dead letter, with the reason."""
    spool, transport = open_spool(), _Failing()
    transport.outcome = Outcome(delivered=False, status=413, error="HTTP 413")
    append(spool, "a")
    with relaying(open_spool(), {"libretto": transport}) as end:
        eventually(lambda: spool.stats().dead_letters == 1)
        assert end()
    assert [letter.reason for letter in iter_dead_letters(spool.directory)] == [
        "HTTP 413"
    ]


def test_drains_at_the_end(open_spool: _Open) -> None:
    """Told to stop, a relay goes on for a time, and leaves the rest in the spool."""
    writer, transport = open_spool(), _Failing()
    append(writer, "a", "b")
    with relaying(open_spool(), {"libretto": transport}, drain_timeout=0.3) as end:
        eventually(lambda: is_relay_running(writer.directory.path))
        assert not end()
    assert writer.stats().pending == 2
    working = MemoryTransport()
    with relaying(open_spool(), {"libretto": working}) as end:
        assert end()
    assert _ids(working) == ["a", "b"]


def test_one_that_is_down_holds_up_no_other(open_spool: _Open) -> None:
    """With one destination down, however much waits for it, another has everything."""
    writer, down, up = open_spool(), _Failing(), MemoryTransport()
    for number in range(1000):
        writer.append(make_message(str(number)), ("libretto", "files"))
    with relaying(open_spool(), {"libretto": down, "files": up}, drain_timeout=0):
        eventually(lambda: len(up.messages) == 1000)
    assert not down.messages


def test_standing_by(open_spool: _Open, directory: Path) -> None:
    """Of two relays one works; killed, the other takes over within two seconds."""
    writer, transport = open_spool(), MemoryTransport()
    code = """
    import threading
    from support.deliveries import MemoryTransport
    from libretto_instrument._spool import run_relay
    run_relay(spool, {"libretto": MemoryTransport()}, threading.Event())
    """
    with program(directory, code) as other:
        eventually(lambda: is_relay_running(directory))
        append(writer, "theirs")
        eventually(lambda: writer.own_pending(TO_LIBRETTO) == 0)
        with relaying(open_spool(), {"libretto": transport}):
            append(writer, "also theirs")
            eventually(lambda: writer.own_pending(TO_LIBRETTO) == 0)
            other.kill()
            other.wait()
            append(writer, "ours")
            eventually(lambda: _ids(transport) == ["ours"], timeout=2)


def test_statistics(open_spool: _Open) -> None:
    """A relay's statistics and the spool's can be read while it runs."""
    spool, stop = open_spool(), threading.Event()
    append(open_spool(), "a")
    looks = []

    def on_start(look: Callable[[], object]) -> None:
        looks.append(look)
        stop.set()

    assert run_relay(spool, {"libretto": MemoryTransport()}, stop, on_start=on_start)
    stats, its_spool = looks[0]()
    assert (stats.accepted, stats.sent, its_spool.pending) == (1, 1, 0)


def test_drains_to_all_it_delivers_to(open_spool: _Open) -> None:
    """At its end a relay goes on until the slowest of its destinations has all."""
    writer, fast, slow = open_spool(), MemoryTransport(), _Failing()
    for number in range(100):
        writer.append(make_message(str(number)), None)
    with relaying(open_spool(), {"libretto": fast, "slow": slow}) as end:
        eventually(lambda: len(fast.messages) == 100)
        threading.Timer(0.3, setattr, (slow, "outcome", None)).start()
        assert end()
    assert len(slow.messages) == 100


@pytest.mark.parametrize("override", [False, True])
def test_recorded_addresses(tmp_path: Path, override: bool) -> None:
    """Each message goes to the address it was recorded for, with its own key.

    The relay's own environment does not matter; its command line does.
    """
    spool = Spool(tmp_path / "spool")
    with Backend() as production, Backend() as staging, Backend() as relays_own:
        for backend, name in ((production, "production"), (staging, "staging")):
            body = json.dumps({"promptEventId": name, "apiKey": name}).encode()
            url = backend.urls["event"]
            message = Message("event", name, body, endpoint=url)
            assert spool.append(message, TO_LIBRETTO)
        spool.close()
        options = ["--api-prefix", relays_own.url] if override else []
        command = ["relay", "--spool", str(tmp_path / "spool"), *options]
        relay = subprocess.Popen(
            [sys.executable, "-m", "libretto_instrument", *command],
            env=os.environ | {"LIBRETTO_API_PREFIX": relays_own.url},
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: spool.stats().pending == 0, timeout=30)
        finally:
            relay.terminate()
            assert relay.wait(30) == 0
        found = [
            [event["apiKey"] for event in backend.events]
            for backend in (production, staging, relays_own)
        ]
    if override:
        assert found == [[], [], ["production", "staging"]]
    else:
        assert found == [["production"], ["staging"], []]


def test_hands_over_without_repeating(open_spool: _Open) -> None:
    """What a relay sends as it is told to end, the next one does not send again."""

    class Slow(MemoryTransport):
        def send(
            self, messages: Sequence[Message], timeout: float | None = None
        ) -> Sequence[Outcome]:
            pause.wait(0.02)
            return super().send(messages, timeout)

    writer, pause = open_spool(), threading.Event()
    transports = [Slow() for _ in range(4)]
    for number, transport in enumerate(transports):
        with relaying(open_spool(), {"libretto": transport}) as end:
            append(writer, *(f"{number}-{one}" for one in range(200)))
            eventually(lambda transport=transport: transport.messages)
            append(writer, *(f"{number}-{one}" for one in range(200, 400)))
            assert end()
    found = [one for transport in transports for one in _ids(transport)]
    assert len(found) == len(set(found)) == 1600
