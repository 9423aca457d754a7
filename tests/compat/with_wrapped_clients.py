"""Clients that another library wrapped before `install()`, and after it.

LIBRETTO_WRAPPER names the library: instructor, langsmith, braintrust or opik.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from sameness import Gateway, finish

from libretto_instrument.testing import capture_events

LIBRARY = os.environ.get("LIBRETTO_WRAPPER", "")
CHAT: dict[str, Any] = {
    "model": "any",
    "messages": [{"role": "user", "content": "Which sport?"}],
}
ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat.completions.create", CHAT),
    "chat, streamed": ("chat.completions.create", {**CHAT, "stream": True}),
    "raw": ("chat.completions.with_raw_response.create", CHAT),
    "text": ("completions.create", {"model": "any", "prompt": "Which sport?"}),
    "responses": ("responses.create", {"model": "any", "input": "Which sport?"}),
}


class Sport(BaseModel):
    name: str


def wrap(client: Any) -> Any:
    """Return a client as the library wraps it."""
    if LIBRARY == "instructor":
        return importlib.import_module("instructor").from_openai(client)
    if LIBRARY == "langsmith":
        return importlib.import_module("langsmith.wrappers").wrap_openai(client)
    if LIBRARY == "braintrust":
        return importlib.import_module("braintrust").wrap_openai(client)
    if LIBRARY == "opik":
        integration = importlib.import_module("opik.integrations.openai")
        return integration.track_openai(client)
    pytest.skip("LIBRETTO_WRAPPER names no library")


@pytest.fixture(autouse=True)
def _sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the library from calling its own backend."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("OPIK_TRACK_DISABLE", "true")


def found(client: Any, path: str) -> Callable[..., Any]:
    for name in path.split("."):
        client = getattr(client, name)
    method: Callable[..., Any] = client
    return method


def texts(value: Any) -> Any:
    """Return what an answer, or a chunk of one, says to its reader."""
    if hasattr(value, "choices"):
        return [
            getattr(each, "text", None)
            or getattr(getattr(each, "message", each), "content", None)
            or getattr(getattr(each, "delta", each), "content", None)
            for each in value.choices
        ]
    return getattr(value, "output_text", None)


def use(answer: Any, streamed: bool) -> Any:
    answer = answer.parse() if hasattr(answer, "parse") else answer
    return [texts(piece) for piece in answer] if streamed else texts(answer)


async def use_async(pending: Any, streamed: bool) -> Any:
    answer = await pending
    answer = answer.parse() if hasattr(answer, "parse") else answer
    if streamed:
        return [texts(piece) async for piece in answer]
    return texts(answer)


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("ask", ASKS if LIBRARY != "instructor" else ["chat"])
def test_one_event(ask: str, is_async: bool, is_before: bool, running: Gateway) -> None:
    """A call of a wrapped client is one event, and says what it says unrecorded."""
    path, arguments = ASKS[ask]
    if LIBRARY == "instructor":
        arguments = {**arguments, "response_model": Sport}
    kind = openai.AsyncOpenAI if is_async else openai.OpenAI
    client = wrap(kind())
    streamed = bool(arguments.get("stream"))

    def run(wrapped: Any) -> Any:
        answer = found(wrapped, path)(**arguments)
        if is_async:
            return finish(use_async(answer, streamed))
        return use(answer, streamed)

    bare = run(client)
    calls = running.answered()
    with capture_events() as events:
        assert run(client if is_before else wrap(kind())) == bare
        assert running.answered() == calls == len(events) == 1
    assert events[0]["promptTemplateChat" if ask != "text" else "promptTemplateText"]
    assert events[0].get("response") is not None
