"""The offline model as a server: what it refuses, how it fails, that it stops."""

import http.client
import json
import socket
import threading
from contextlib import closing
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libretto_instrument.demo import OfflineModel, offline_model

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
PATHS = ("chat/completions", "completions", "responses")


def post(model: OfflineModel, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Post raw bytes, as no client would."""
    host = model.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        connection.request("POST", f"/v1/{path}", body)
        response = connection.getresponse()
        raw = response.read()
        if response.headers["content-type"].startswith("text/event-stream"):
            return response.status, {}
        return response.status, json.loads(raw)


def test_it_says_what_it_is(model: OfflineModel) -> None:
    """The front page says that this is not a language model, and how to steer it."""
    host = model.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
    assert "is not a language model" in page
    assert "offline-error-429" in page


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    """There is one model in the list, and any name but a missing one is a model."""
    assert [model.id for model in client.models.list()] == ["offline-model"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


async def test_the_async_client(model: OfflineModel) -> None:
    """The async client reads an answer and a stream alike."""
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="k") as client:
        whole = await client.chat.completions.create(model="any", messages=HELLO)
        stream = await client.chat.completions.create(
            model="any", messages=HELLO, stream=True
        )
        text = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(text) == whole.choices[0].message.content


def test_the_azure_client(model: OfflineModel) -> None:
    """The Azure client's paths, with the deployment in them, are answered."""
    with openai.AzureOpenAI(
        azure_endpoint=model.url, api_key="k", api_version="2024-10-21"
    ) as client:
        chat = client.chat.completions.create(model="deployed", messages=HELLO)
        text = client.completions.create(model="deployed", prompt="Hello")
    assert chat.model == text.model == "offline-model"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (599, openai.InternalServerError),
    ],
)
def test_an_error_can_be_ordered(
    client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    """A model's name orders a status, which the client raises as its own error."""
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            model=f"offline-error-{status}", messages=HELLO, stream=True
        )
    assert caught.value.status_code == status
    assert f"offline-error-{status}" in caught.value.message


def test_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    """A missing model is a 404 with OpenAI's code for it."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.completions.create(model="a-no-such-model", prompt="Hello")
    assert caught.value.code == "model_not_found"


def test_a_stream_that_fails_half_way(client: openai.OpenAI) -> None:
    """A broken stream gives its first chunks, then the client's error."""
    stream = client.chat.completions.create(
        model="offline-stream-error", messages=HELLO, stream=True
    )
    got: list[str] = []
    with pytest.raises(openai.APIError, match="requested by the model name"):
        got.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(got).startswith("The offline")


def test_a_stream_whose_connection_breaks(client: openai.OpenAI) -> None:
    """A cut stream gives its first chunks, then a failure of the connection."""
    stream = client.chat.completions.create(
        model="offline-stream-cut", messages=HELLO, stream=True
    )
    got: list[str] = []
    # Older clients let their HTTP library's error through.
    with pytest.raises(Exception, match=r"Connection error|peer closed connection"):
        got.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(got).startswith("The offline")


def test_a_slow_stream_can_be_left() -> None:
    """With an hour between chunks the first one comes, and the model still stops."""
    with offline_model(pause=3600) as slow:
        client = openai.OpenAI(base_url=slow.base_url, api_key="k")
        with client.chat.completions.create(
            model="any", messages=HELLO, stream=True
        ) as stream:
            assert next(stream).choices[0].delta.role == "assistant"
        client.close()


def test_a_slow_model(client: openai.OpenAI) -> None:
    """The slow model says as much as any other."""
    stream = client.completions.create(model="offline-slow", prompt="Hi", stream=True)
    assert 'heard: "Hi"' in "".join(chunk.choices[0].text for chunk in stream)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("chat/completions", "{", "could not parse the JSON body"),
        ("chat/completions", [], "could not parse the JSON body"),
        ("chat/completions", {}, "must provide a model"),
        ("chat/completions", {"model": 1}, "must provide a model"),
        ("chat/completions", {"model": "a"}, "Invalid 'messages'"),
        ("chat/completions", {"model": "a", "messages": []}, "minimum length 1"),
        ("chat/completions", {"model": "a", "messages": [1]}, "messages[0]"),
        (
            "chat/completions",
            {"model": "a", "messages": [{"role": "chat_history", "content": "{a}"}]},
            "'messages[0]': the role is 'chat_history'",
        ),
        (
            "chat/completions",
            {"model": "a", "messages": HELLO, "libretto": {}},
            "Unrecognized request argument supplied: libretto",
        ),
        (
            "chat/completions",
            {
                "model": "a",
                "messages": HELLO,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"$ref": "#/$defs/Missing"}},
                },
            },
            "KeyError('$defs')",
        ),
        ("completions", {"model": "a"}, "'prompt'"),
    ],
)
def test_a_wrong_request_is_refused(
    model: OfflineModel, path: str, body: object, message: str
) -> None:
    """A request that OpenAI would refuse is a 400 in its shape that says why."""
    raw = body if isinstance(body, str) else json.dumps(body)
    status, answer = post(model, path, raw.encode())
    assert status == 400
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert message in answer["error"]["message"]


def test_an_unknown_address(model: OfflineModel) -> None:
    """An address that is not there is reported in OpenAI's shape."""
    status, answer = post(model, "embeddings", b"{}")
    assert status == 404
    assert "Unknown request URL: POST /v1/embeddings" in answer["error"]["message"]


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "function", "name", "$ref", "anyOf"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
NAMES = [
    *("messages", "prompt", "input", "instructions", "tools", "functions"),
    *("tool_choice", "function_call", "response_format", "text", "stream"),
    *("stream_options", "n", "logprobs", "echo", "max_tokens"),
]


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    body=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    valid=st.booleans(),
)
def test_no_request_breaks_it(
    model: OfflineModel, path: str, body: dict[str, Any], valid: bool
) -> None:
    """Whatever JSON is sent, the answer is a success or a 400, never a 5xx."""
    body["model"] = "any"
    required: dict[str, dict[str, Any]] = {
        "chat/completions": {"messages": HELLO},
        "completions": {"prompt": "Hello"},
        "responses": {"input": "Hello"},
    }
    if valid:
        body |= required[path]
    status, _ = post(model, path, json.dumps(body).encode())
    assert status in (200, 400)


def test_replies_can_be_given() -> None:
    """A function decides replies from all that was said, in chats and streams."""

    def reply(text: str) -> str | None:
        return "Meow." if "You are a cat" in text and "Hello" in text else None

    with (
        offline_model(reply=reply) as model,
        openai.OpenAI(base_url=model.base_url, api_key="k") as client,
    ):
        create = client.chat.completions.create
        system = [{"role": "system", "content": "You are a cat."}]
        cat: list[Any] = [*system, *HELLO]
        whole = create(model="any", messages=cat)
        parts = [c.choices[0] for c in create(model="any", messages=cat, stream=True)]
        other = create(model="any", messages=HELLO)
    assert whole.choices[0].message.content == "Meow."
    assert "".join(part.delta.content or "" for part in parts) == "Meow."
    assert other.choices[0].message.content == 'The offline model heard: "Hello"'


def test_the_clock_may_be_used() -> None:
    """An answer carries a fixed time, unless the clock's is asked for."""
    made = []
    for options in ({}, {"created": 5}, {"created": None}):
        with (
            offline_model(**options) as model,
            openai.OpenAI(base_url=model.base_url, api_key="k") as client,
        ):
            answer = client.chat.completions.create(model="any", messages=HELLO)
            made.append(answer.created)
    assert made[:2] == [1_700_000_000, 5]
    assert made[2] > 1_700_000_000


def test_it_stops_without_a_trace() -> None:
    """After the context its thread has ended and its port is free."""
    before = set(threading.enumerate())
    with offline_model() as model:
        port = int(model.url.rsplit(":", 1)[1])
        with (
            pytest.raises(OSError, match="in use"),
            offline_model(port),
        ):
            pass
    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
