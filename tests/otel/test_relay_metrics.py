"""A relay's metrics for Prometheus."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.backend import Backend, status
from support.spooling import append, make_message
from support.waiting import eventually

from libretto_instrument._spool import Spool

ROOT = Path(__file__).parents[2]
RELAY = (sys.executable, "-m", "libretto_instrument", "relay", "--spool")


@pytest.fixture
def start(backend: Backend, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Yield what starts a relay and returns the address that it says."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        process = subprocess.Popen(
            [*RELAY, str(tmp_path), "--api-prefix", backend.url, *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        said = "".join(process.stderr.readline() for _ in range(2))
        return re.search(r"http://127\S+/metrics$", said, re.MULTILINE)[0]

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stderr.close()


def told(url: str) -> dict[tuple[str, str], float]:
    """Return what Prometheus reads of Libretto and the spool, by name and reason."""
    with urlopen(url, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, sample.labels.get("reason", "")): sample.value
            for family in families
            for sample in family.samples
            if sample.labels.get("destination", "libretto") == "libretto"
        }


def test_a_relays_figures(start, backend: Backend, tmp_path: Path) -> None:
    """What a relay sent and dropped, and what is in its spool, is read by the official
    parser from an address on loopback."""
    url = start("--metrics-port", "0")
    empty = told(url)
    assert empty["libretto_sent_total", ""] == empty["libretto_spool_waiting", ""] == 0
    with closing(Spool(tmp_path)) as spool:
        append(spool, "good")
        backend.wait_for(1)
        backend.answer(status(400))
        append(spool, "bad")
        eventually(lambda: told(url)["libretto_spool_refused", ""] == 1)
    full = told(url)
    assert full["libretto_sent_total", ""] == 1
    assert full["libretto_dropped_total", "rejected_400"] == 1
    assert full["libretto_spool_bytes", ""] > 0


def test_each_exporter_apart(start, backend: Backend, tmp_path: Path) -> None:
    """What an exporter got, and what waits for it, is told apart from Libretto's."""
    url = start("--metrics-port", "0", "--exporter", f"jsonl:{tmp_path / 'lines'}")
    with closing(Spool(tmp_path)) as spool:
        spool.append(make_message("one"), ("libretto", "jsonl", "nobody"))
        backend.wait_for(1)

    def of(name: str) -> set[str]:
        with urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {line.removeprefix(name) for line in lines if line.startswith(name)}

    sent = {'{destination="libretto"} 1.0', '{destination="jsonl"} 1.0'}
    eventually(lambda: of("libretto_sent_total") == sent)
    assert of("libretto_spool_backlog") == {'{destination="nobody"} 1.0'}


def test_a_port_that_is_taken(backend: Backend, tmp_path: Path) -> None:
    """A port in use is reported in one line, and nothing is relayed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*RELAY, str(tmp_path), "--metrics-port", port],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_client_is_missing(backend: Backend, tmp_path: Path) -> None:
    """Without Prometheus's client the command says what to install."""
    code = """
import importlib.util, sys
from libretto_instrument._cli import main as cli
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if "prom" in name else find(name)
sys.exit(cli.main(["relay", "--spool", sys.argv[1], "--metrics-port", "0"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "libretto-instrument[metrics]" in done.stderr
