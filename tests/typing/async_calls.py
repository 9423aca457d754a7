"""Calls of the async client: what is awaited, and what is not."""

from openai import AsyncStream
from openai.lib.streaming.chat import AsyncChatCompletionStreamManager
from openai.lib.streaming.responses import AsyncResponseStreamManager
from openai.types import Completion
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ParsedChatCompletion,
)
from openai.types.responses import ParsedResponse, Response, ResponseStreamEvent
from pydantic import BaseModel
from typing_extensions import assert_type

from libretto_openai import AsyncClient, LibrettoCreateParams

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
ASKED = LibrettoCreateParams(prompt_template_name="name")

client = AsyncClient()
chat = client.chat.completions
responses = client.responses


class Answer(BaseModel):
    """What a model is to answer with."""

    text: str


async def of_chat(streamed: bool) -> None:
    """What is awaited depends on `stream`; `stream()` is not awaited at all."""
    whole = await chat.create(model="m", messages=MESSAGES, libretto={"chat_id": "c"})
    assert_type(whole, ChatCompletion)
    stream = await chat.create(
        model="m", messages=MESSAGES, stream=True, libretto=ASKED
    )
    assert_type(stream, AsyncStream[ChatCompletionChunk])
    either = await chat.create(
        model="m", messages=MESSAGES, stream=streamed, libretto=None
    )
    assert_type(either, ChatCompletion | AsyncStream[ChatCompletionChunk])
    parsed = await chat.parse(
        model="m", messages=MESSAGES, response_format=Answer, libretto=ASKED
    )
    assert_type(parsed, ParsedChatCompletion[Answer])
    streaming = chat.stream(
        model="m", messages=MESSAGES, response_format=Answer, libretto=ASKED
    )
    assert_type(streaming, AsyncChatCompletionStreamManager[Answer])
    async for chunk in stream:
        assert_type(chunk, ChatCompletionChunk)


async def of_the_others() -> None:
    """Completions and the Responses API."""
    text = await client.completions.create(model="m", prompt="Hi", libretto=ASKED)
    assert_type(text, Completion)
    whole = await responses.create(model="m", input="Hi", libretto=ASKED)
    assert_type(whole, Response)
    events = await responses.create(model="m", input="Hi", stream=True, libretto=ASKED)
    assert_type(events, AsyncStream[ResponseStreamEvent])
    parsed = await responses.parse(
        model="m", input="Hi", text_format=Answer, libretto=ASKED
    )
    assert_type(parsed, ParsedResponse[Answer])
    streaming = responses.stream(
        model="m", input="Hi", text_format=Answer, libretto=ASKED
    )
    assert_type(streaming, AsyncResponseStreamManager[Answer])


async def wrong() -> None:
    """A wrong field, a call that is not awaited, and a stream read as a sync one."""
    # error: call-overload, reportArgumentType
    await chat.create(model="m", messages=MESSAGES, libretto={"chat": "c"})
    # error: call-overload, reportArgumentType
    await responses.create(model="m", input="", libretto={"event_id": 7})
    # error: attr-defined, reportAttributeAccessIssue
    print(chat.create(model="m", messages=MESSAGES, libretto=ASKED).choices)
    stream = await responses.create(model="m", input="", stream=True, libretto=ASKED)
    # error: call-overload, reportArgumentType
    print(list(stream))
