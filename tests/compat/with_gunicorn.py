"""gunicorn, with the application loaded before its workers are forked."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sameness import Gateway
from support.backend import Backend
from workers import each_once, environment

WORKERS = 2
REQUESTS = 120


@contextmanager
def served(backend: Backend, *options: str) -> Iterator[str]:
    """Serve the application for the length of a block, and yield its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        command = [sys.executable, "-m", "gunicorn", "--preload", "--no-control-socket"]
        command += [f"--workers={WORKERS}", f"--bind=fd://{listening.fileno()}"]
        # A worker that is told to go before it has begun to listen for that goes only
        # when this is over.
        command.append("--graceful-timeout=10")
        server = subprocess.Popen(
            [*command, *options, "served_app:application"],
            env=environment(backend),
            pass_fds=[listening.fileno()],
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.terminate()
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.wait()


@pytest.mark.parametrize("kind", ["sync", "gthread"])
@pytest.mark.parametrize("recycled", [False, True], ids=["steady", "recycled"])
def test_each_event_once(
    running: Gateway, backend: Backend, kind: str, recycled: bool
) -> None:
    """Workers deliver their own events and the parent its own, also as they are
    replaced."""
    options = ["--worker-class", kind, *(["--max-requests=15"] if recycled else [])]
    identities = [f"request-{number}" for number in range(REQUESTS)]
    with served(backend, *options) as address:

        def visit(identity: str) -> str:
            with urllib.request.urlopen(f"{address}/{identity}", timeout=60) as answer:
                return str(answer.read(), "ascii")

        with ThreadPoolExecutor(4) as visitors:
            pids = set(visitors.map(visit, identities))
    assert str(os.getpid()) not in pids
    assert len(pids) > WORKERS if recycled else len(pids) == WORKERS
    each_once(backend, ["preloaded", *identities])
