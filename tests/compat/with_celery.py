"""Celery's prefork worker, with a broker that is a folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from sameness import Gateway
from support.backend import Backend
from workers import each_once, environment

PROCESSES = 2
TASKS = 60

#: Queues the tasks, waits for their results, and prints which processes did them.
ORDERS = """
import sys
from worked_app import ask
waiting = [ask.delay(f"task-{number}") for number in range(int(sys.argv[1]))]
print(*{each.get(timeout=90, interval=0.05) for each in waiting})
"""


@pytest.mark.parametrize("recycled", [False, True], ids=["steady", "recycled"])
def test_each_event_once(
    running: Gateway, backend: Backend, tmp_path: Path, recycled: bool
) -> None:
    """The worker's processes deliver what they recorded, also those that end after a
    few tasks."""
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    variables = environment(backend, CELERY_FOLDER=str(tmp_path))
    command = [sys.executable, "-m", "celery", "--app=worked_app", "worker"]
    command += ["--pool=prefork", f"--concurrency={PROCESSES}", "--loglevel=ERROR"]
    # None of these matters to one worker alone, and each takes time to start.
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    if recycled:
        command.append("--max-tasks-per-child=5")
    worker = subprocess.Popen(command, env=variables, cwd=tmp_path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ORDERS, str(TASKS)],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    pids = set(done.stdout.split())
    assert str(worker.pid) not in pids
    assert len(pids) > PROCESSES if recycled else len(pids) == PROCESSES
    each_once(backend, [f"task-{number}" for number in range(TASKS)])
