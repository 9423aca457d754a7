"""The FastAPI example, behind a real server."""

import json
import signal
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError

import pytest
from programs import Programs
from support.backend import Backend, status

pytest.importorskip("fastapi", reason="the example needs fastapi, of the extra dev")

#: uvicorn dies of the signal that it is stopped with, since 0.29.
ENDS = (0, -signal.SIGTERM)


@pytest.fixture
def service(programs: Programs) -> Callable[[], AbstractContextManager[str]]:
    """Return what runs the service; it is stopped at the end of the block."""
    command = ["uvicorn", "fastapi_app:app", "--fd={fd}", "--log-level=warning"]
    return lambda: programs.serve(*command, ends=ENDS)


def post(url: str, body: dict[str, Any]) -> HTTPResponse:
    """Post JSON, and return the answer before it is read."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=30)
    return answer


def ask(address: str) -> HTTPResponse:
    """Ask a question."""
    question = {"question": "Why does it whistle?", "session": "s-1"}
    return post(f"{address}/answers", question)


Service = Callable[[], AbstractContextManager[str]]


def test_an_answer_and_its_rating(service: Service, backend: Backend) -> None:
    """What a reader thinks of a streamed answer belongs to its event."""
    with service() as address:
        with ask(address) as answer:
            key = answer.headers["X-Feedback-Key"]
            said = answer.read().decode()
        given = {"key": key, "rating": 0.5, "better_response": "Steam."}
        with post(f"{address}/feedback", given) as accepted:
            assert accepted.status == 202
        with pytest.raises(HTTPError, match="422") as refused:
            post(f"{address}/feedback", {"key": key, "rating": 2})
        refused.value.close()
    (event,) = backend.events
    assert event["apiName"] == "answer"
    assert event["chatId"] == "s-1"
    assert event["params"] == {"question": "Why does it whistle?"}
    assert event["response"] == said
    (feedback,) = backend.stored("feedback")
    assert feedback["feedback_key"] == event["feedbackKey"] == key
    assert feedback["rating"] == 0.5
    assert feedback["better_response"] == "Steam."


def test_a_service_that_is_stopped(service: Service, backend: Backend) -> None:
    """A service that ends delivers what waits for another attempt."""
    backend.answer(status(503), times=1)
    with service() as address, ask(address) as answer:
        answer.read()
    assert len(backend.events) == 1


def test_a_reader_who_leaves(
    service: Service, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to a client that disconnected is an event that says so."""
    monkeypatch.setenv("OPENAI_MODEL", "offline-slow")
    with service() as address:
        with ask(address) as answer:
            assert answer.read(3) == b"The"
        backend.wait_for(1)
    (event,) = backend.events
    assert event["response"].startswith("The")
    assert event["responseMetrics"]["stream_status"] == "cancelled"
