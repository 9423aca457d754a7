"""gunicorn, with the application loaded before its workers are forked, and after."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sameness import Gateway
from support.backend import Backend
from workers import (
    BATCH,
    each_once,
    environment,
    running_server,
    spool_variables,
    visit_all,
    visit_until_recycled,
    with_and_without_spool,
)

WORKERS = 2
KINDS = ["sync", "gthread", "gevent"]


@contextmanager
def served(variables: dict[str, str], *options: str) -> Iterator[str]:
    """Serve the application for the length of a block, and yield its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
        command += [f"--workers={WORKERS}", f"--bind=fd://{listening.fileno()}"]
        # A worker that is told to go before it has begun to listen for that goes only
        # when this is over.
        command.append("--graceful-timeout=10")
        with running_server(
            [*command, *options, "served_app:application"],
            variables,
            descriptors=[listening.fileno()],
        ):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_recycled", [False, True], ids=["steady", "recycled"])
@with_and_without_spool
def test_each_event_once(
    running: Gateway,
    backend: Backend,
    kind: str,
    is_recycled: bool,
    store: str,
    tmp_path: Path,
) -> None:
    """Workers deliver their own events and the parent its own, also as they are
    replaced."""
    variables = environment(backend, **spool_variables(store, tmp_path))
    options = ["--preload", "--worker-class", kind]
    options += ["--max-requests=10"] if is_recycled else []
    with served(variables, *options) as address:
        identities = visit_until_recycled(address, WORKERS, is_recycled)
    each_once(backend, ["preloaded", *identities])


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_worker(
    running: Gateway, backend: Backend, kind: str, tmp_path: Path
) -> None:
    """What a killed worker had written to the spool arrives; what it was sending may
    come twice."""
    variables = environment(
        backend, SERVED_ALONE="1", **spool_variables("with a spool", tmp_path)
    )
    identities = [f"request-{number}" for number in range(BATCH)]
    half = BATCH // 2
    with served(variables, "--worker-class", kind) as address:
        first = visit_all(address, identities[:half])
        os.kill(int(first[-1]), signal.SIGKILL)
        visit_all(address, identities[half:])
    each_once(backend, identities, repeated=half)
