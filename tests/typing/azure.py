"""The Azure pair: the same calls, and arguments of their own when they are made."""

from openai import AsyncStream, Stream
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
)
from openai.types.responses import Response
from typing_extensions import assert_type

from libretto_openai import AsyncAzureOpenAI, AzureOpenAI, LibrettoConfig

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
CONFIG = LibrettoConfig(api_key="key")

client = AzureOpenAI(
    azure_endpoint="https://example.test",
    azure_deployment="deployed",
    api_version="2024-10-21",
    libretto=CONFIG,
)
waiting = AsyncAzureOpenAI(base_url="https://example.test", libretto=CONFIG)


def of_calls() -> None:
    """Overloads as with the plain client."""
    whole = client.chat.completions.create(
        model="m", messages=MESSAGES, libretto={"chat_id": "c"}
    )
    assert_type(whole, ChatCompletion)
    stream = client.chat.completions.create(
        model="m", messages=MESSAGES, stream=True, libretto={"chat_id": "c"}
    )
    assert_type(stream, Stream[ChatCompletionChunk])
    answer = client.responses.create(model="m", input="Hi", libretto={})
    assert_type(answer, Response)


async def of_async_calls() -> None:
    """Overloads as with the async client."""
    stream = await waiting.chat.completions.create(
        model="m", messages=MESSAGES, stream=True, libretto={"chat_id": "c"}
    )
    assert_type(stream, AsyncStream[ChatCompletionChunk])
    answer = await waiting.responses.create(model="m", input="Hi", libretto={})
    assert_type(answer, Response)


def of_copies() -> None:
    """A copy is of the same class, and may be given another configuration."""
    assert_type(client.copy(api_version="2025-01-01", libretto=CONFIG), AzureOpenAI)
    assert_type(client.with_options(azure_ad_token="token"), AzureOpenAI)
    assert_type(waiting.with_options(libretto=CONFIG), AsyncAzureOpenAI)
    client.send_feedback("key", rating=1)


def wrong() -> None:
    """What Azure's own overloads refuse, a wrong configuration, and a wrong field."""
    # error: call-overload, reportCallIssue
    AzureOpenAI(azure_endpoint="https://e.test", base_url="https://e.test")
    # error: call-overload, reportArgumentType
    AsyncAzureOpenAI(base_url="https://e.test", libretto={"api_key": "key"})
    completions = client.chat.completions
    # error: call-overload, reportArgumentType
    completions.create(model="m", messages=MESSAGES, libretto={"chat": "c"})
