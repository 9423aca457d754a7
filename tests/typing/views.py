"""Raw and streaming responses take `libretto=`, too, by every way that leads there."""

from openai import APIResponse, AsyncAPIResponse, AsyncStream, Stream
from openai._legacy_response import LegacyAPIResponse
from openai.types import Completion
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
)
from openai.types.responses import Response, ResponseStreamEvent
from typing_extensions import assert_type

from libretto_openai import AsyncClient, AzureOpenAI, Client, LibrettoCreateParams

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
ASKED = LibrettoCreateParams(prompt_template_name="name")

client = Client()
waiting = AsyncClient()


def of_raw_responses() -> None:
    """What the raw response holds depends on `stream`."""
    chat = client.chat.completions.with_raw_response
    whole = chat.create(model="m", messages=MESSAGES, libretto=ASKED)
    assert_type(whole, LegacyAPIResponse[ChatCompletion])
    stream = chat.create(model="m", messages=MESSAGES, stream=True, libretto=ASKED)
    assert_type(stream, LegacyAPIResponse[Stream[ChatCompletionChunk]])
    text = client.completions.with_raw_response.create(
        model="m", prompt="Hi", libretto={"chat_id": "c"}
    )
    assert_type(text, LegacyAPIResponse[Completion])
    answer = client.with_raw_response.responses.create(
        model="m", input="Hi", libretto=ASKED
    )
    assert_type(answer, LegacyAPIResponse[Response])


def of_streaming_responses() -> None:
    """A streaming response is a context, whichever way one gets to it."""
    ways = (
        client.chat.completions.with_streaming_response,
        client.chat.with_streaming_response.completions,
        client.with_streaming_response.chat.completions,
    )
    for way in ways:
        with way.create(model="m", messages=MESSAGES, libretto=ASKED) as response:
            assert_type(response, APIResponse[ChatCompletion])


async def of_async_views() -> None:
    """The same, awaited."""
    raw = waiting.with_raw_response.chat.completions
    whole = await raw.create(model="m", messages=MESSAGES, libretto=ASKED)
    assert_type(whole, LegacyAPIResponse[ChatCompletion])
    streaming = waiting.responses.with_streaming_response
    context = streaming.create(model="m", input="Hi", stream=True, libretto=ASKED)
    async with context as response:
        assert_type(response, AsyncAPIResponse[AsyncStream[ResponseStreamEvent]])


def wrong(azure: AzureOpenAI) -> None:
    """A wrong field is an error behind a view, too."""
    raw = azure.chat.completions.with_raw_response
    # error: call-overload, reportArgumentType
    raw.create(model="m", messages=MESSAGES, libretto={"chat": "c"})
    streaming = waiting.responses.with_streaming_response
    # error: call-overload, reportArgumentType
    streaming.create(model="m", input="Hi", libretto={"chat_id": 7})
    # error: call-arg, reportCallIssue
    raw.list(libretto=ASKED)
