"""Every way to call a model, on every kind of client: one right event each."""

import importlib.util
import inspect
import json
import threading
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import openai
import pytest
from attrs import frozen
from pydantic import BaseModel
from support.answers import USAGE, choice, completion
from support.kept import Kept
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument.demo import OfflineModel
from libretto_instrument.testing import CapturedEvents

from .bodies import metrics_of

PROMPT = "Which sport has a net?"
CHAT: dict[str, Any] = {
    "model": "any",
    "messages": [{"role": "user", "content": PROMPT}],
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "chat.completions": CHAT,
    "beta.chat.completions": CHAT,
    "completions": {"model": "any", "prompt": PROMPT},
    "responses": {"model": "any", "input": PROMPT},
}


class Sport(BaseModel):
    name: str


@frozen
class Ask:
    """One way to call a model.

    Attributes:
        resource: The resource, as an attribute of the client.
        method: ``create``, ``parse`` or ``stream``.
        view: Through which view of the resource; empty for the plain call.
        stream: Whether ``create`` is to stream.
    """

    resource: str
    method: str
    view: str = ""
    stream: bool = False

    def __str__(self) -> str:
        words = (self.resource, self.view, self.method, self.stream and "streamed")
        return " ".join(word for word in words if word)

    @property
    def arguments(self) -> dict[str, Any]:
        form = "text_format" if self.resource == "responses" else "response_format"
        return {
            **ARGUMENTS[self.resource],
            **({} if self.method == "create" else {form: Sport}),
            **({"stream": True} if self.stream else {}),
        }

    @property
    def is_there(self) -> bool:
        """Whether this version of openai has it."""
        client: Any = openai.OpenAI(api_key="sk-test")
        with client:
            return callable(_found(client, f"{self.resource}.{self._bound}"))

    @property
    def _bound(self) -> str:
        return f"{self.view}.{self.method}" if self.view else self.method

    def of(self, client: Any) -> Callable[..., Any]:
        """Return the method to call."""
        found: Callable[..., Any] = _found(client, f"{self.resource}.{self._bound}")
        return found


def _found(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


VIEWS = ("", "with_raw_response", "with_streaming_response")
ASKS = [
    *(
        Ask(resource, "create", view, stream)
        for resource in ARGUMENTS
        for view in VIEWS
        for stream in (False, True)
    ),
    *(
        Ask(resource, "parse", view)
        for resource in ARGUMENTS
        if resource != "completions"
        for view in VIEWS
    ),
    *(Ask(name, "stream") for name in ARGUMENTS if name != "completions"),
]
ASKS = [ask for ask in ASKS if ask.is_there]

each_ask = pytest.mark.parametrize("ask", ASKS, ids=str)


class OurOpenAI(openai.OpenAI):
    """A subclass, as programs and frameworks have them."""


class OurAsyncOpenAI(openai.AsyncOpenAI):
    """The same, async."""


def _azure(kind: Any, model: OfflineModel) -> Any:
    return kind(
        azure_endpoint=model.url, api_version="2025-03-01-preview", **_options()
    )


def _options() -> dict[str, Any]:
    return {"api_key": "sk-test", "max_retries": 0}


SYNC: dict[str, Callable[[OfflineModel], Any]] = {
    "OpenAI": lambda m: openai.OpenAI(base_url=m.base_url, **_options()),
    "AzureOpenAI": lambda m: _azure(openai.AzureOpenAI, m),
    "a subclass": lambda m: OurOpenAI(base_url=m.base_url, **_options()),
    "http_client=": lambda m: openai.OpenAI(
        base_url=m.base_url, http_client=openai.DefaultHttpxClient(), **_options()
    ),
    "with_options()": lambda m: openai.OpenAI(
        base_url="http://127.0.0.1:9/v1", **_options()
    ).with_options(base_url=m.base_url),
}
ASYNC: dict[str, Callable[[OfflineModel], Any]] = {
    "AsyncOpenAI": lambda m: openai.AsyncOpenAI(base_url=m.base_url, **_options()),
    "AsyncAzureOpenAI": lambda m: _azure(openai.AsyncAzureOpenAI, m),
    "a subclass": lambda m: OurAsyncOpenAI(base_url=m.base_url, **_options()),
    "http_client=": lambda m: openai.AsyncOpenAI(
        base_url=m.base_url, http_client=openai.DefaultAsyncHttpxClient(), **_options()
    ),
    "aiohttp": lambda m: openai.AsyncOpenAI(
        base_url=m.base_url, http_client=openai.DefaultAioHttpClient(), **_options()
    ),
}


@pytest.fixture(params=[*SYNC, "the module"])
def any_client(
    request: pytest.FixtureRequest, model: OfflineModel, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Yield a client of the offline model, of each kind."""
    if request.param != "the module":
        with SYNC[request.param](model) as made:
            yield made
        return
    openai._reset_client()
    for name, value in _options().items():
        monkeypatch.setattr(openai, name, value)
    monkeypatch.setattr(openai, "base_url", f"{model.base_url}/")
    with openai.DefaultHttpxClient() as http_client:
        monkeypatch.setattr(openai, "http_client", http_client)
        yield openai
    openai._reset_client()


@pytest.fixture(params=ASYNC)
async def any_async_client(
    request: pytest.FixtureRequest, model: OfflineModel
) -> AsyncIterator[Any]:
    """Yield an async client of the offline model, of each kind."""
    if request.param == "aiohttp" and not _has_aiohttp():
        pytest.skip("openai[aiohttp] is not installed, or not in this openai")
    async with ASYNC[request.param](model) as made:
        yield made


def _has_aiohttp() -> bool:
    if not hasattr(openai, "DefaultAioHttpClient"):
        return False
    needs = ("aiohttp",) if int(openai.__version__[0]) > 2 else ("httpx_aiohttp",)
    return all(importlib.util.find_spec(name) for name in needs)


def call(ask: Ask, client: Any) -> str:
    """Make the call and return the text that its caller reads."""
    if ask.method == "stream":
        with ask.of(client)(**ask.arguments) as stream:
            for _ in stream:
                pass
            return text_of(final_of(stream))
    if ask.view == "with_streaming_response":
        with ask.of(client)(**ask.arguments) as raw:
            return read(raw.parse())
    answer = ask.of(client)(**ask.arguments)
    return read(answer.parse() if ask.view else answer)


async def acall(ask: Ask, client: Any) -> str:
    """Make the call with an async client and return the text that its caller reads."""
    if ask.method == "stream":
        async with ask.of(client)(**ask.arguments) as stream:
            async for _ in stream:
                pass
            return text_of(await final_of(stream))
    if ask.view == "with_streaming_response":
        async with ask.of(client)(**ask.arguments) as raw:
            return await aread(await raw.parse())
    answer = await ask.of(client)(**ask.arguments)
    parsed = answer.parse() if ask.view else answer
    return await aread(await parsed if inspect.isawaitable(parsed) else parsed)


def final_of(stream: Any) -> Any:
    if hasattr(stream, "get_final_response"):
        return stream.get_final_response()
    return stream.get_final_completion()


def read(answer: Any) -> str:
    if isinstance(answer, openai.Stream):
        return "".join(text_of(piece) for piece in answer)
    return text_of(answer)


async def aread(answer: Any) -> str:
    if isinstance(answer, openai.AsyncStream):
        return "".join([text_of(piece) async for piece in answer])
    return text_of(answer)


def text_of(piece: Any) -> str:
    """Return the text in a response, or in a chunk of a streamed one."""
    if hasattr(piece, "output_text"):
        return str(piece.output_text)
    if hasattr(piece, "choices"):
        choice = piece.choices[0]
        said = getattr(choice, "message", None) or getattr(choice, "delta", None)
        return (choice.text if said is None else said.content) or ""
    is_delta = piece.type == "response.output_text.delta"
    return str(piece.delta) if is_delta else ""


@each_ask
def test_one_event_for_each_way_to_ask(
    ask: Ask, any_client: Any, events: CapturedEvents
) -> None:
    """Whatever the method, the view and the client, there is one event, and it has the
    text that the caller read.
    """
    text = call(ask, any_client)
    right(ask, events, text)


@each_ask
async def test_one_event_for_each_async_way_to_ask(
    ask: Ask, any_async_client: Any, events: CapturedEvents
) -> None:
    """So it is with the async clients."""
    text = await acall(ask, any_async_client)
    right(ask, events, text)


def right(ask: Ask, events: CapturedEvents, text: str) -> None:
    (event,) = events
    assert text
    assert event["response"] == text
    assert event["rawResponse"]["model"] == "offline-model"
    assert "responseErrors" not in event
    assert "stream_status" not in event.get("responseMetrics", {})
    parameters = event["modelParameters"]
    assert parameters["model"] == "any"
    if ask.resource == "completions":
        assert event["promptTemplateText"] == PROMPT
        assert parameters["modelType"] == "completion"
    else:
        (asked,) = event["promptTemplateChat"]
        assert (asked["role"], asked["content"]) == ("user", PROMPT)
        assert parameters["modelType"] == "chat"
    # No tokenizer is asked: what the provider does not say, the event does not say.
    is_chunked = ask.stream or (ask.method == "stream" and ask.resource != "responses")
    usage = event.get("responseMetrics", {}).get("usage")
    assert bool(usage) is (not is_chunked or ask.resource == "responses")
    if usage:
        assert usage["total_tokens"] > 0


def test_calls_that_ask_no_model_are_not_recorded(
    client: openai.OpenAI, events: CapturedEvents, caplog: pytest.LogCaptureFixture
) -> None:
    """Listing models is neither recorded nor logged about."""
    assert list(client.models.list())
    assert client.models.with_raw_response.retrieve("any").status_code == 200
    assert len(events) == 0
    assert not [r for r in caplog.records if r.name.startswith("libretto")]


SESSIONS = [
    path
    for path in ("responses.connect", "realtime.connect", "beta.realtime.connect")
    if callable(_found(openai.OpenAI(api_key="sk-test"), path))
]


@pytest.mark.parametrize("path", SESSIONS)
def test_a_web_socket_session_is_left_alone(
    path: str, events: CapturedEvents, model: OfflineModel
) -> None:
    """A session over a web socket works as ever and is not recorded."""
    server = pytest.importorskip("websockets.sync.server")
    said = {"type": "response.create"}
    event = {"type": "error", "error": {"type": "x", "message": "no"}, "event_id": "1"}

    def answer(connection: Any) -> None:
        assert json.loads(connection.recv())["type"] == said["type"]
        connection.send(json.dumps(event))

    with server.serve(answer, "127.0.0.1", 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        host, port = serving.socket.getsockname()
        address = f"ws://{host}:{port}/v1"
        with openai.OpenAI(websocket_base_url=address, **_options()) as client:
            connect = _found(client, path)
            asked = {} if path.startswith("responses") else {"model": "any"}
            with connect(**asked) as session:
                session.send(said)
                assert session.recv().type == "error"
        serving.shutdown()
    assert len(events) == 0


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_answer_cut_at_its_limit_is_recorded(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    ascripted: openai.AsyncOpenAI,
    kept: Kept,
    is_async: bool,
) -> None:
    """parse() raises if the answer was cut; the event has the answer and the error."""
    cut = {**completion(), "choices": [choice('{"na', finish="length")]}
    server.answer(cut)
    ask = next(ask for ask in ASKS if ask.method == "parse")
    with pytest.raises(openai.LengthFinishReasonError) as raised:
        await (acall(ask, ascripted) if is_async else to_thread(call, ask, scripted))
    event = kept.event
    assert event["response"] == '{"na'
    assert metrics_of(event) == {"finish_reason": "length", "usage": USAGE}
    assert event["rawResponse"]["id"] == cut["id"]
    assert event["responseErrors"][0].startswith("LengthFinishReasonError: ")
    assert libretto.feedback_key(raised.value.completion) == event["feedbackKey"]
