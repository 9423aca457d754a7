"""Whose API was called, and what its headers say, beside each event."""

from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunks, completion
from support.kept import Kept
from support.scripted import DEADLINE, ScriptedModel

import libretto_instrument as libretto
from libretto_instrument._capture.exchange import Exchange
from libretto_instrument._capture.server import describe_exchange, name_provider
from libretto_instrument.testing import CapturedEvents

HEADERS = {
    "x-request-id": "req_abc",
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "15000",
}
SAID = {
    "request_id": "req_abc",
    "rate_limit_remaining": {"requests": 0.998, "tokens": 0.5},
    "retries": 1,
}


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/deployments/x", "azure"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.together.xyz/v1", "together"),
        ("https://API.DeepSeek.com", "deepseek"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gemini"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://ollama:8080/v1", "ollama"),
        ("http://127.0.0.1:8000/v1", "vllm"),
        ("http://my-vllm.internal/v1", "vllm"),
        ("http://127.0.0.1:9999/v1", "openai"),
        ("https://notgroq.com/v1", "openai"),
        ("https://groq.com.evil.example/v1", "openai"),
        ("https://gateway.example/groq.com", "openai"),
    ],
)
def test_providers(base_url: str, provider: str) -> None:
    """A provider is known by the host of the base URL, and by no part of it else."""
    with openai.OpenAI(api_key="k", base_url=base_url) as client:
        assert name_provider(client.base_url) == provider


def test_the_provider_can_be_set(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """`model_provider` of a client's configuration counts before the base URL."""
    libretto.attach(scripted, libretto.LibrettoConfig(model_provider="ours"))
    server.answer(completion())
    scripted.chat.completions.create(model="m", messages=MESSAGES)
    assert events[0]["modelParameters"]["modelProvider"] == "ours"


def retried(server: ScriptedModel) -> openai.OpenAI:
    """Return a client that tries again, and refuse its first request."""
    server.answer({}, status=500, headers={"retry-after-ms": "1"})
    return openai.OpenAI(
        api_key="k", base_url=server.url, max_retries=1, timeout=DEADLINE
    )


@pytest.mark.parametrize("view", ["", "with_raw_response", "with_streaming_response"])
def test_headers(view: str, server: ScriptedModel, kept: Kept) -> None:
    """Request id, retries and rate limits are kept of parsed and of raw answers."""
    with retried(server) as client:
        server.answer(completion(), headers=HEADERS)
        resource: Any = client.chat.completions
        resource = getattr(resource, view) if view else resource
        answer = resource.create(model="m", messages=MESSAGES)
        if view == "with_streaming_response":
            with answer as response:
                response.read()
    metrics = kept.event["responseMetrics"]
    assert SAID.items() <= metrics.items()
    assert metrics["server_address"] == "127.0.0.1"
    assert metrics["server_port"] == client.base_url.port


async def test_headers_async(server: ScriptedModel, kept: Kept) -> None:
    """They are kept of awaited answers, and of a method that was held, too."""
    server.answer({}, status=500, headers={"retry-after-ms": "1"})
    server.answer(completion(), headers=HEADERS)
    async with openai.AsyncOpenAI(
        api_key="k", base_url=server.url, max_retries=1
    ) as client:
        body = {"model": "m", "messages": MESSAGES}
        await client.post("/chat/completions", body=body, cast_to=object)
    assert SAID.items() <= kept.event["responseMetrics"].items()


def test_retries_of_a_stream(server: ScriptedModel, kept: Kept) -> None:
    """Retries are kept of streams."""
    with retried(server) as client:
        server.stream(*chunks("ten", "nis"))
        for _ in client.chat.completions.create(
            model="m", messages=MESSAGES, stream=True
        ):
            pass
    assert kept.event["responseMetrics"]["retries"] == 1


def test_headers_of_a_refusal(server: ScriptedModel, kept: Kept) -> None:
    """What the headers of a refusal say is kept."""
    with retried(server) as client:
        server.answer({}, status=429, headers=HEADERS)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="m", messages=MESSAGES)
    assert SAID.items() <= kept.event["responseMetrics"].items()


@pytest.mark.parametrize("limit", ["0", "nan", "inf", "many", "-1", "", "1e999"])
def test_odd_rate_limits(limit: str) -> None:
    """A header that is no limit says nothing."""
    exchange = Exchange(None)
    exchange.headers = {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": "1",
    }
    assert describe_exchange(exchange) == {}
