"""Courses that a call can take, for faults to strike in.

Each has the model answer, makes its calls, and returns what openai gave the caller (or
None where that is not the point) and all that the caller can tell of it.
"""

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunk, chunks, completion, text_completion
from support.scripted import CUT_OFF, ScriptedModel
from support.versions import helpers_of

from libretto_instrument import LibrettoCreateParams, TemplateChat

Course = Callable[[ScriptedModel, openai.OpenAI], Any]
AsyncCourse = Callable[[ScriptedModel, openai.AsyncOpenAI], Any]

SECRET = "my secret"
ASK: dict[str, Any] = {"model": "gpt-test", "messages": MESSAGES}
TEMPLATE = TemplateChat([{"role": "user", "content": "{a}"}], {"a": SECRET})
PARAMS = LibrettoCreateParams(chat_id="c", context={"user": {1}})


def told(pieces: Any) -> list[Any]:
    """Return models as JSON, without the feedback key."""
    said = [json.loads(piece.to_json()) for piece in pieces]
    for piece in said:
        piece.pop("libretto_feedback_key", None)
    return said


def plain(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer(completion())
    create: Any = client.chat.completions.create
    answer = create(**ASK, tools=[], seed=openai.NOT_GIVEN)
    return answer, told([answer])


def template(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer(completion())
    create: Any = client.chat.completions.create
    answer = create(model="m", messages=TEMPLATE, libretto=PARAMS)
    return answer, told([answer])


def refused(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer({"error": {"message": SECRET}}, status=400)
    with pytest.raises(openai.BadRequestError, match=SECRET) as caught:
        client.chat.completions.create(**ASK)
    return None, str(caught.value)


def plain_text(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer(b"busy")
    answer = client.chat.completions.create(**ASK)
    return answer, answer


def streamed(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = client.chat.completions.create(**ASK, stream=True)
    return stream, told(stream)


def streamed_by_next(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = client.chat.completions.create(**ASK, stream=True)
    with stream as entered:
        return stream, told(iter(lambda: next(entered, None), None))


def stream_left_and_closed(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = client.chat.completions.create(**ASK, stream=True)
    pieces = [next(stream)]
    for piece in stream:
        pieces.append(piece)
        break
    stream.close()
    return stream, [*told(pieces), stream.response.is_closed]


def stream_cut(server: ScriptedModel, client: openai.OpenAI) -> Any:
    wire = server.wire()
    wire.send(chunk("a"))
    wire.cut()
    stream = client.chat.completions.create(**ASK, stream=True)
    pieces = [next(stream)]
    with pytest.raises(Exception, match=CUT_OFF) as caught:
        pieces.extend(stream)
    return stream, [*told(pieces), str(caught.value)]


def raw(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer(completion())
    answer = client.chat.completions.with_raw_response.create(**ASK)
    return answer, [answer.headers["content-type"], *told([answer.parse()])]


def raw_streaming(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.stream(*chunks("a"))
    with client.chat.completions.with_streaming_response.create(
        **ASK, stream=True
    ) as answer:
        return answer, [line for line in answer.iter_lines() if line]


def text(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.answer(text_completion("a", "b"))
    answer = client.completions.create(model="m", prompt=["a", "b"])
    return None, told([answer])


def helper(server: ScriptedModel, client: openai.OpenAI) -> Any:
    server.stream(*chunks("a"))
    with helpers_of(client).stream(**ASK) as stream:
        return None, told([event.chunk for event in stream if event.type == "chunk"])


async def aplain(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.answer(completion())
    answer = await client.chat.completions.create(**ASK, user="u")
    return answer, told([answer])


async def arefused(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.answer({"error": {"message": SECRET}}, status=400)
    with pytest.raises(openai.BadRequestError, match=SECRET) as caught:
        await client.chat.completions.create(**ASK)
    return None, str(caught.value)


async def astreamed(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = await client.chat.completions.create(**ASK, stream=True)
    return stream, told([piece async for piece in stream])


async def astreamed_by_anext(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = await client.chat.completions.create(**ASK, stream=True)
    async with stream as entered:
        pieces = []
        while (piece := await anext(entered, None)) is not None:
            pieces.append(piece)
    return stream, told(pieces)


async def astream_closed(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.stream(*chunks("a", "b"))
    stream = await client.chat.completions.create(**ASK, stream=True)
    pieces = [await anext(stream)]
    await stream.close()
    return stream, [*told(pieces), stream.response.is_closed]


async def astream_cut(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    wire = server.wire()
    wire.send(chunk("a"))
    wire.cut()
    stream = await client.chat.completions.create(**ASK, stream=True)
    pieces = [await anext(stream)]
    with pytest.raises(Exception, match=CUT_OFF) as caught:
        await anext(stream)
    return stream, [*told(pieces), str(caught.value)]


async def araw_streaming(server: ScriptedModel, client: openai.AsyncOpenAI) -> Any:
    server.stream(*chunks("a"))
    async with client.chat.completions.with_streaming_response.create(
        **ASK, stream=True
    ) as answer:
        return answer, [line async for line in answer.iter_lines() if line]


COURSES: list[Course] = [
    plain,
    template,
    refused,
    plain_text,
    streamed,
    streamed_by_next,
    stream_left_and_closed,
    stream_cut,
    raw,
    raw_streaming,
    text,
    helper,
]
ASYNC_COURSES: list[AsyncCourse] = [
    aplain,
    arefused,
    astreamed,
    astreamed_by_anext,
    astream_closed,
    astream_cut,
    araw_streaming,
]
