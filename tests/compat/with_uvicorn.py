"""uvicorn, alone and with workers, ended by SIGTERM while Libretto is slow."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from sameness import Gateway
from support.backend import Backend, slow
from workers import each_once, environment

REQUESTS = 20


@pytest.mark.parametrize("workers", [1, 2])
def test_the_lifespan_delivers(
    running: Gateway, backend: Backend, workers: int
) -> None:
    """What an application delivers in its lifespan arrives, each event once."""
    backend.answer(slow(0.2))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "lifespan_app:app"),
                *(f"--fd={listening.fileno()}", f"--workers={workers}"),
            ],
            env=environment(backend),
            pass_fds=[listening.fileno()],
        )
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            identities = [f"request-{number}" for number in range(REQUESTS)]
            for identity in identities:
                urllib.request.urlopen(f"{address}/{identity}", timeout=60).close()
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        finally:
            server.kill()
            server.wait()
    each_once(backend, identities)
