"""What servers that fork are tried with: a model, a Libretto, and an account."""

import os
import signal
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

import pytest
from support.backend import Backend

_HERE = Path(__file__).parent
#: Seconds until a server that was told to stop is given up.
STOP_TIMEOUT = 60

#: As many requests are made one after the other, at least.
BATCH = 60

#: Where events wait: each server is tried with both.
with_and_without_spool = pytest.mark.parametrize("store", ["in memory", "with a spool"])


def environment(backend: Backend, **more: str) -> dict[str, str]:
    """Return a server's variables: it finds the applications and reports to a backend.

    The model's address is in the environment already.
    """
    path = os.pathsep.join([str(_HERE), str(_HERE.parents[1])])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "LIBRETTO_API_PREFIX": backend.url,
        **more,
    }


def spool_variables(store: str, folder: Path) -> dict[str, str]:
    """Return the variables that give a server its spool, if it is to have one."""
    if store == "in memory":
        return {}
    return {"LIBRETTO_SPOOL_DIR": str(folder / "spool")}


@contextmanager
def running_server(
    command: Sequence[str],
    variables: dict[str, str],
    returns: Sequence[int] = (0,),
    descriptors: Sequence[int] = (),
) -> Iterator[Popen[bytes]]:
    """Run a server for the length of a block, then stop it by SIGTERM.

    Args:
        command: The command.
        variables: Its environment.
        returns: The statuses that it may end with.
        descriptors: What it inherits.
    """
    server = Popen(
        command,
        env=variables,
        pass_fds=descriptors,
        start_new_session=True,
    )
    try:
        yield server
        server.terminate()
        assert server.wait(STOP_TIMEOUT) in returns
    finally:
        with suppress(ProcessLookupError):  # It and its children, if any are left.
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def free_port() -> int:
    """Return a free port of loopback, for servers that bind it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def wait_for_port(port: int) -> None:
    """Wait until a server listens there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def visit_all(address: str, identities: Iterable[str]) -> list[str]:
    """Request each path, four at a time; return the answers: ids of processes."""

    def visit(identity: str) -> str:
        with urllib.request.urlopen(f"{address}/{identity}", timeout=60) as answer:
            return str(answer.read(), "ascii")

    with ThreadPoolExecutor(4) as visitors:
        return list(visitors.map(visit, identities))


def visit_until_recycled(address: str, workers: int, is_recycled: bool) -> list[str]:
    """Make requests, until others than the first workers answer if there shall be any.

    Returns:
        The ids of the requests, which are those of their events.
    """
    identities: list[str] = []
    pids: set[str] = set()
    while not identities or (is_recycled and len(pids) <= workers):
        assert len(identities) < 20 * BATCH, "no worker was replaced"
        more = [f"request-{len(identities) + n}" for n in range(BATCH)]
        pids.update(visit_all(address, more))
        identities += more
    assert is_recycled or len(pids) <= workers
    return identities


def each_once(backend: Backend, identities: Iterable[str], repeated: int = 0) -> None:
    """Hold that these events and no others arrive, each exactly once.

    Args:
        backend: Where they arrive.
        identities: Their ids.
        repeated: After a kill, at most this many of them may come twice.
    """
    expected = Counter(identities)
    arrived = Counter[str]()

    def has_all() -> bool:
        nonlocal arrived
        arrived = Counter(event["promptEventId"] for event in backend.events)
        return arrived.keys() >= expected.keys()

    backend.wait_until(has_all, timeout=30)
    twice = arrived - expected
    assert twice.keys() <= expected.keys()
    assert max(twice.values(), default=0) <= 1
    assert len(twice) <= repeated
