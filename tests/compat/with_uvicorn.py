"""uvicorn, alone and with workers, ended by SIGTERM while Libretto is slow."""

import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from sameness import Gateway
from support.backend import Backend, slow
from workers import (
    each_once,
    environment,
    running_server,
    spool_variables,
    visit_all,
    with_and_without_spool,
)

IDENTITIES = [f"request-{number}" for number in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
@with_and_without_spool
def test_the_lifespan_delivers(
    running: Gateway, backend: Backend, workers: int, store: str, tmp_path: Path
) -> None:
    """What an application delivers in its lifespan arrives, each event once."""
    backend.answer(slow(0.2))
    variables = environment(backend, **spool_variables(store, tmp_path))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        command = [sys.executable, "-m", "uvicorn", "lifespan_app:app"]
        command += [f"--fd={listening.fileno()}", f"--workers={workers}"]
        with running_server(
            command, variables, (0, -15), descriptors=[listening.fileno()]
        ):
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            visit_all(address, IDENTITIES)
    each_once(backend, IDENTITIES)


@with_and_without_spool
def test_workers_that_are_replaced(
    running: Gateway, backend: Backend, store: str, tmp_path: Path
) -> None:
    """Workers that end after a few requests deliver what they recorded."""
    variables = environment(backend, **spool_variables(store, tmp_path))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        command = [sys.executable, "-m", "uvicorn", "lifespan_app:app", "--workers=2"]
        command += [f"--fd={listening.fileno()}", "--limit-max-requests=5"]
        with running_server(
            command, variables, (0, -15), descriptors=[listening.fileno()]
        ):
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            # A worker looks only now and then whether it has had its requests, and then
            # resets connections that it has accepted and not read from.
            visited: list[str] = []
            pids: set[str] = set()
            while len(pids) <= 2:
                identity = f"request-{len(visited)}"
                with suppress(ConnectionResetError):
                    pids.update(visit_all(address, [identity]))
                    visited.append(identity)
            each_once(backend, visited)
