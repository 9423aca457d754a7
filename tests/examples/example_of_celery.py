"""The Celery example, with a broker that is a folder.

tests/compat/with_celery.py holds as much of processes that end after a few tasks.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from programs import Programs
from support.backend import Backend

#: The example's application, on this broker.
APPLICATION = """
from celery_tasks import app, summarise

app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
"""

ORDERS = """
from application import summarise

waiting = [summarise.delay(number, f"Letter {number}.") for number in range(10)]
print(*[each.get(timeout=60, interval=0.05) for each in waiting], sep="\\n")
"""


def test_each_task_is_an_event(
    programs: Programs,
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each task is one event, which names the ticket that it belongs to."""
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "application.py").write_text(APPLICATION, "utf-8")
    monkeypatch.setenv("CELERY_BROKER_URL", "filesystem://")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", f"file://{tmp_path}/results")
    command = [sys.executable, "-m", "celery", "--app=application", "worker"]
    command += ["--pool=prefork", "--concurrency=2", "--loglevel=ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = subprocess.Popen(command, cwd=tmp_path)
    try:
        said = programs.run("-c", ORDERS).splitlines()
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    tickets = Counter(event["context"]["ticket"] for event in backend.events)
    assert tickets == Counter(range(10))
    for event in backend.events:
        ticket = event["context"]["ticket"]
        assert event["apiName"] == "summary"
        assert event["params"] == {"letter": f"Letter {ticket}."}
        assert event["response"] == said[ticket]
