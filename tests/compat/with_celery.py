"""Celery's prefork and gevent workers, with a broker that is a folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from sameness import Gateway
from support.backend import Backend
from workers import (
    each_once,
    environment,
    running_server,
    spool_variables,
    with_and_without_spool,
)

PROCESSES = 2
TASKS = 60

#: Queues the tasks, waits for their results, and prints which processes did them.
ORDERS = """
import sys
from worked_app import ask
waiting = [ask.delay(f"task-{number}") for number in range(int(sys.argv[1]))]
print(*{each.get(timeout=90, interval=0.05) for each in waiting})
"""


@pytest.mark.parametrize("pool", ["prefork", "recycled prefork", "gevent"])
@with_and_without_spool
def test_each_event_once(
    running: Gateway, backend: Backend, tmp_path: Path, pool: str, store: str
) -> None:
    """The worker's processes deliver what they recorded, also those that end after a
    few tasks."""
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    variables = environment(
        backend, CELERY_FOLDER=str(tmp_path), **spool_variables(store, tmp_path)
    )
    command = [sys.executable, "-m", "celery", "--app=worked_app", "worker"]
    command += [
        f"--pool={pool.removeprefix('recycled ')}",
        f"--concurrency={PROCESSES}",
    ]
    # None of these matters to one worker alone, and each takes time to start.
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command.append("--loglevel=ERROR")
    if pool == "recycled prefork":
        command.append("--max-tasks-per-child=5")
    with running_server(command, variables) as worker:
        done = subprocess.run(
            [sys.executable, "-c", ORDERS, str(TASKS)],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
    pids = set(done.stdout.split())
    if pool == "gevent":
        assert pids == {str(worker.pid)}
    else:
        assert str(worker.pid) not in pids
        assert (len(pids) > PROCESSES) is (pool == "recycled prefork")
    each_once(backend, [f"task-{number}" for number in range(TASKS)])
