"""uWSGI, which forks in C: after the application was loaded, or before."""

import json
import socket
import sys
import time
from pathlib import Path

import pytest
from sameness import Gateway
from support.backend import Backend
from workers import (
    each_once,
    environment,
    free_port,
    running_server,
    spool_variables,
    visit_until_recycled,
    wait_for_port,
    with_and_without_spool,
)

WORKERS = 2


def wait_until_idle(port: int) -> None:
    """Wait until each worker waits for a request, by what uWSGI says of itself.

    One that is stopped between its answer and the end of the request runs nothing at
    its exit, and what it has in memory is lost. One that is stopped as it loads the
    application has uWSGI end with an error.
    """
    deadline = time.monotonic() + 60
    while True:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            workers = json.load(connection.makefile())["workers"]
        if all(each["status"] == "idle" and each["apps"] for each in workers):
            return
        assert time.monotonic() < deadline, workers
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ["prefork", "lazy-apps"])
@pytest.mark.parametrize("threads", ["threads", "no threads"])
@pytest.mark.parametrize("is_recycled", [False, True], ids=["steady", "recycled"])
@with_and_without_spool
def test_each_event_once(
    running: Gateway,
    backend: Backend,
    mode: str,
    threads: str,
    is_recycled: bool,
    store: str,
    tmp_path: Path,
) -> None:
    """Workers deliver their own events, the first one the master's, too; also as they
    are replaced, and whether or not uWSGI lets the application have threads."""
    port, stats, bin_ = free_port(), free_port(), Path(sys.executable).parent
    command = [str(bin_ / "uwsgi"), f"--http-socket=127.0.0.1:{port}", "--master"]
    command += [f"--processes={WORKERS}", "--module=served_app:application"]
    command.append(f"--stats=127.0.0.1:{stats}")
    command += ["--need-app", "--die-on-term", f"--virtualenv={bin_.parent}"]
    command += ["--lazy-apps"] if mode == "lazy-apps" else []
    command += ["--enable-threads"] if threads == "threads" else []
    command += ["--max-requests=10", "--min-worker-lifetime=0"] if is_recycled else []
    # One that is told to stop as it loads the application may never do so.
    command.append("--worker-reload-mercy=10")
    variables = environment(backend, **spool_variables(store, tmp_path))
    expected = ["preloaded"]
    if mode == "lazy-apps":  # Each worker loads it.
        variables["SERVED_ALONE"] = "1"
        expected = []
    with running_server(command, variables):
        wait_for_port(port)
        address = f"http://127.0.0.1:{port}"
        expected += visit_until_recycled(address, WORKERS, is_recycled)
        if is_recycled:  # A worker that is just then replaced is killed by the stop.
            each_once(backend, expected)
        else:
            wait_until_idle(stats)
    each_once(backend, expected)
