"""How far things are: told on a terminal, and nowhere else."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from support.backend import Backend, slow
from support.spooling import append, read
from support.waiting import eventually

from libretto_instrument._spool import Spool

ROOT = Path(__file__).parents[2]
COMMAND = "from libretto_instrument._cli.main import main; import sys; sys.exit(main())"


class Terminal:
    """A terminal that a command has for its standard error.

    Attributes:
        process: The command.
    """

    def __init__(self, *args: object, code: str = COMMAND, **environment: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"} | environment,
        )
        os.close(theirs)
        self._shown = b""
        self._reading = threading.Thread(target=self._read, args=(ours,))
        self._reading.start()

    def _read(self, ours: int) -> None:
        with suppress(OSError), open(ours, "rb", buffering=0) as screen:
            while piece := screen.read(4096):
                self._shown += piece

    @property
    def shown(self) -> str:
        """What was written to it so far."""
        return self._shown.decode()

    def ended(self) -> tuple[int, str]:
        """Wait for the command's end; return its status and what it printed."""
        out, _ = self.process.communicate(timeout=60)
        self._reading.join(30)
        return self.process.returncode, out


@contextmanager
def terminal(*args: object, **options: str) -> Iterator[Terminal]:
    running = Terminal(*args, **options)
    try:
        yield running
    finally:
        running.process.kill()
        running.ended()


def piped(*args: object) -> "subprocess.Popen[str]":
    """Run a command whose standard error is not a terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Yield a spool with 200 messages."""
    with closing(Spool(tmp_path / "spool")) as made:
        append(made, *map(str, range(200)))
        yield made


def refuse_all(spool: Spool) -> None:
    for stored in read(spool, 5000):
        spool.reject(stored, "HTTP 413")
    spool.close()


def test_a_relay_on_a_terminal(spool: Spool, backend: Backend) -> None:
    """On a terminal a relay shows how much of what waits is delivered."""
    backend.answer(slow(0.2))
    with terminal(
        "relay", "--api-prefix", backend.url, "--spool", spool.directory.path
    ) as relay:
        backend.wait_for(200, timeout=60)
        eventually(lambda: "/200" in relay.shown)
        relay.process.send_signal(signal.SIGTERM)
        assert relay.ended() == (0, "")
        assert "Relaying: " in relay.shown
        assert "%" in relay.shown


def test_a_relay_without_a_terminal(spool: Spool, backend: Backend) -> None:
    """Into a log a relay writes one line, and nothing of its progress."""
    relay = piped("relay", "--api-prefix", backend.url, "--spool", spool.directory.path)
    try:
        backend.wait_for(200, timeout=60)
        relay.send_signal(signal.SIGTERM)
        out, err = relay.communicate(timeout=30)
    finally:
        relay.kill()
    assert (relay.returncode, out) == (0, "")
    assert err == f"Relaying {spool.directory.path} to {backend.url}\n"


@pytest.mark.parametrize(("action", "word"), [("retry", "Retrying"), ("drop", "Dropp")])
def test_refused_messages(spool: Spool, action: str, word: str) -> None:
    """To retry and to drop show how far they are on a terminal, and only there."""
    refuse_all(spool)
    with terminal("spool", action, "--spool", spool.directory.path) as shown:
        status, out = shown.ended()
        assert (status, out.split()[0]) == (0, "200")
        assert word in shown.shown
        assert "0/200" in shown.shown
    if action == "retry":
        refuse_all(spool)
    quiet = piped("spool", action, "--spool", spool.directory.path)
    out, err = quiet.communicate(timeout=30)
    assert (quiet.returncode, err) == (0, "")
    assert out.split()[0] == ("200" if action == "retry" else "0")


def test_more_than_one_part(tmp_path: Path) -> None:
    """However many messages there are, all are retried, and counted."""
    with closing(Spool(tmp_path)) as spool:
        append(spool, *map(str, range(1201)))
        refuse_all(spool)
        done = piped("spool", "retry", "--spool", tmp_path)
        out, err = done.communicate(timeout=60)
        assert (out, err) == ("1201 to be sent once more\n", "")
        assert (spool.stats().pending, spool.stats().dead_letters) == (1201, 0)


def test_the_demonstration(tmp_path: Path) -> None:
    """On a terminal the demonstration shows how much is delivered."""
    with terminal("demo") as demo:
        status, out = demo.ended()
        assert status == 0
        assert "Delivering: " in demo.shown
        assert "Delivering" not in out


@pytest.mark.parametrize("lack", ["tqdm", "terminal"])
def test_without_what_shows_it(spool: Spool, lack: str) -> None:
    """Without tqdm, or on a terminal that can do nothing, all is done in silence."""
    refuse_all(spool)
    hide = "import sys; sys.modules['tqdm'] = None\n" if lack == "tqdm" else ""
    dumb = {"TERM": "dumb"} if lack == "terminal" else {}
    args = ("spool", "retry", "--spool", spool.directory.path)
    with terminal(*args, code=hide + COMMAND, **dumb) as shown:
        assert shown.ended() == (0, "200 to be sent once more\n")
        assert shown.shown == ""
