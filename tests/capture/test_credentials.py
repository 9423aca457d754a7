"""Credentials among a call's parameters are in no event, redaction or not."""

import json
from typing import Any

import httpx
import openai
import pytest
from support.answers import MESSAGES, chunk, completion
from support.scripted import ScriptedModel

from libretto_instrument._capture.credentials import CredentialMask
from libretto_instrument.testing import CapturedEvents, capture_events

TOKEN = "tok-7f3a9c1e5b2d4a6f8e0c"
MASKED = "<SECRET>"


def create(client: openai.OpenAI, **arguments: Any) -> Any:
    method: Any = client.chat.completions.create
    return method(model="gpt-test", messages=MESSAGES, **arguments)


def mcp(**fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "s", **fields}


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": [mcp(authorization=TOKEN)]},
        {"tools": [mcp(headers={"Authorization": f"Bearer {TOKEN}"})]},
        {"tools": [mcp(headers={"X-Anything": TOKEN})]},
        {"tools": [mcp(server_url=f"https://mcp.example.com/sse?api_key={TOKEN}&a=1")]},
        {"tools": [mcp(server_url=f"https://me:{TOKEN}@mcp.example.com/sse")]},
        {"extra_body": {"api_key": TOKEN, "top_k": 3}},
        {"extra_body": {"mcp_servers": [{"authorization_token": TOKEN}]}},
        {"extra_body": {"data_sources": [{"parameters": {
            "authentication": {"type": "api_key", "key": TOKEN}}}]}},
        {"extra_body": {"vertexCredentials": {"private_key": TOKEN, "id": [TOKEN]}}},
        {"extra_body": {"connection-string": f"AccountKey={TOKEN}"}},
        {"extra_body": {"aws_secret_access_key": TOKEN, "aws_session_token": TOKEN}},
        {"extra_body": {"deep": [{"env": {"DB_PASSWORD": TOKEN}}]}},
        {"metadata": {"access_token": TOKEN}},
        {"extra_body": {"azure_ad_token": TOKEN, "jwt": TOKEN, "exa_key": TOKEN}},
        {"extra_body": {"secrets": [{"domain": "x", "value": TOKEN}]}},
        {"extra_body": {"passwords": {"db": TOKEN}, "cookies": [TOKEN]}},
        {"extra_body": {"env": [{"name": "API_TOKEN", "value": TOKEN}]}},
        {"extra_body": {"config": json.dumps({"a": [{"api_key": TOKEN}]})}},
        {"extra_body": {"config": "\n" + json.dumps({"api_key": TOKEN}, indent=1)}},
        {"extra_body": {"properties": {"a": 1}, "api_key": TOKEN}},
        {"extra_body": {"api_key": [TOKEN]}},
        {"extra_body": {"note": f"read postgres://me:{TOKEN}@db.example.com/x"}},
        {"extra_body": {"callback": f"https://example.com/#access_token={TOKEN}"}},
        {"extra_body": {"file": f"https://example.com/a.png?sv=1&sig={TOKEN}"}},
        {"tools": [mcp(server_url=f"https://mcp.example.com/sse?key={TOKEN}")]},
    ],
    ids=json.dumps,
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("redact_pii", [False, True])
def test_credentials_are_masked(
    parameters: dict[str, Any],
    stream: bool,
    redact_pii: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """OpenAI gets them; the event of neither a request nor a stream holds them."""
    if redact_pii:
        pytest.importorskip("phonenumbers", reason="the extra pii is not installed")
    with capture_events(redact_pii=redact_pii) as events:
        if stream:
            server.stream(chunk("hello"), chunk(finish="stop"))
            list(create(scripted, stream=True, **parameters))
        else:
            server.answer(completion("hello"))
            create(scripted, **parameters)
    assert TOKEN in server.requests[0].body.decode()
    assert TOKEN not in json.dumps(events[0])
    assert MASKED in json.dumps(events[0])
    assert events[0]["response"] == "hello"


def test_an_answer_that_repeats_them(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """A token is masked wherever the answer repeats it, with its scheme or without."""
    tools = [mcp(headers={"Authorization": f"Bearer {TOKEN}"})]
    server.answer(completion(f"I used {TOKEN}.", note=[TOKEN]) | {"tools": tools})
    create(scripted, tools=tools)
    assert TOKEN not in json.dumps(events[0])
    assert events[0]["response"] == f"I used {MASKED}."
    assert events[0]["rawResponse"]["tools"] == events[0]["tools"]
    assert events[0]["tools"] == [mcp(headers={"Authorization": MASKED})]


def test_an_error_that_repeats_them(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """A token is masked in the error of the server that refused it."""
    server.answer({"error": {"message": f"bad key {TOKEN}"}}, status=400)
    with pytest.raises(openai.BadRequestError, match=TOKEN):
        create(scripted, extra_body={"upstream": {"api-key": TOKEN}})
    assert TOKEN not in json.dumps(events[0])
    assert events[0]["responseErrors"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "Cookie"])
def test_an_error_that_repeats_the_key(
    server: ScriptedModel, events: CapturedEvents, name: str, stream: bool
) -> None:
    """The client's own key is masked where a gateway repeats it."""
    message = f"refused: {name}: Bearer {TOKEN}"
    key = TOKEN if name == "authorization" else "another"
    client = openai.OpenAI(api_key=key, base_url=server.url, max_retries=0)
    if stream:
        server.stream(chunk("he"), {"error": {"message": message}})
    else:
        server.answer({"error": {"message": message}}, status=401)
    sent = {} if name == "authorization" else {name: TOKEN}
    with client, pytest.raises(openai.APIError, match=TOKEN):
        list(create(client, stream=stream, extra_headers=sent))
    assert TOKEN not in json.dumps(events[0])
    assert "refused" in events[0]["responseErrors"][0]


def test_what_only_sounds_like_credentials(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """Counts of tokens, keys of caches, schemas and plain URLs are recorded."""
    schema = {
        "type": "object",
        "properties": {"password": {"type": "string"}, "headers": {"type": "object"}},
    }
    function = {"name": "log_in", "parameters": schema}
    parameters: dict[str, Any] = {
        "tools": [
            {"type": "function", "function": function},
            mcp(server_url="https://mcp.example.com/sse?team=7"),
        ],
        "max_completion_tokens": 7,
        "extra_body": {
            "prompt_cache_key": "cache-1",
            "stop_token_ids": [1],
            "tokens": ["a"],
            "keys": ["b"],
            "note": '{"max_tokens": 1,  "key": "c"}',
            "link": "see https://example.com/a?team=7#key-results",
            "sort": {"key": "name", "value": "up"},
        },
    }
    server.answer(completion())
    create(scripted, **parameters)
    assert events[0]["tools"] == parameters["tools"]
    assert (
        parameters.items()
        >= {
            name: value
            for name, value in events[0]["modelParameters"].items()
            if name in parameters
        }.items()
    )
    assert MASKED not in json.dumps(events[0])


def test_an_error_without_its_request() -> None:
    """An error's message is kept where the HTTP library does not tell the request."""
    error = httpx.ReadError("broken")
    with pytest.raises(RuntimeError):
        _ = error.request
    assert CredentialMask().mask_sent("ReadError: broken", error) == "ReadError: broken"
