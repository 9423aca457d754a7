"""The gunicorn example, its workers forked after it was loaded.

tests/compat/with_gunicorn.py holds as much under load, of workers that are replaced,
and of an application that calls the model before the fork.
"""

import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import Programs
from support.backend import Backend, status

pytest.importorskip("gunicorn", reason="the example needs gunicorn, of the extra dev")


def test_each_worker_delivers_its_own(programs: Programs, backend: Backend) -> None:
    """Each request is one event, also those that wait when the server ends."""
    backend.answer(status(503), times=2)
    names = [f"guest-{number}" for number in range(12)]
    # The control socket would be a file in the home of who runs this.
    command = ["gunicorn", "--preload", "--no-control-socket", "--log-level=warning"]
    command += ["--workers=2", "--bind=fd://{fd}", "gunicorn_app:application"]
    with programs.serve(*command) as address:

        def visit(name: str) -> str:
            with urllib.request.urlopen(f"{address}/{name}", timeout=30) as answer:
                return str(answer.read(), "utf-8")

        with ThreadPoolExecutor(4) as visitors:
            said = dict(zip(names, visitors.map(visit, names), strict=True))
    assert Counter(e["params"]["name"] for e in backend.events) == Counter(names)
    for event in backend.events:
        assert event["apiName"] == "greeting"
        assert event["response"] == said[event["params"]["name"]]
        assert isinstance(event["context"]["worker"], int)
