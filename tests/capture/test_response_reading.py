"""Streams whose response is read past the stream."""

import gc
from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunks
from support.kept import Kept
from support.scripted import ScriptedModel


def open_stream(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=MESSAGES, stream=True)


WAYS: dict[str, Callable[[Any], Any]] = {
    "iter_lines": lambda stream: list(stream.response.iter_lines()),
    "iter_bytes": lambda stream: list(stream.response.iter_bytes()),
    "iter_bytes in small pieces": lambda stream: list(stream.response.iter_bytes(3)),
    "iter_text": lambda stream: list(stream.response.iter_text()),
    "read": lambda stream: stream.response.read(),
    "_iterator": lambda stream: list(stream._iterator),
    "_iterator, one by one": lambda stream: list(iter_one_by_one(stream)),
    "read, and then the stream": lambda stream: (stream.response.read(), list(stream)),
}


def iter_one_by_one(stream: Any) -> Any:
    while True:
        chunk = next(stream._iterator, None)
        if chunk is None:
            return
        yield chunk


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_closed", [True, False])
def test_what_was_read_is_recorded(
    way: str,
    is_closed: bool,
    kept: Kept,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """Whichever way a stream is read to its end, its event has all of it, once."""
    server.stream(*chunks("a", "b"))
    stream = open_stream(scripted)
    assert WAYS[way](stream)
    if is_closed:
        stream.close()
    assert kept.event["response"] == "ab"
    assert "stream_status" not in kept.event["responseMetrics"]
    assert "time_to_first_token" in kept.event["responseMetrics"]


@pytest.mark.parametrize("way", ["iter_lines", "iter_bytes", "iter_text", "read"])
def test_a_response_that_outlives_its_stream(
    way: str, kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A program that passes the response on need not hold the stream."""
    server.stream(*chunks("a", "b"))
    response = open_stream(scripted).response
    gc.collect()
    found = getattr(response, way)()
    assert found if way == "read" else list(found)
    assert kept.event["response"] == "ab"
    assert "stream_status" not in kept.event["responseMetrics"]


async def read_lines(stream: Any) -> Any:
    return [line async for line in stream.response.aiter_lines()]


async def read_bytes(stream: Any) -> Any:
    return [data async for data in stream.response.aiter_bytes()]


async def read_iterator(stream: Any) -> Any:
    return [chunk async for chunk in stream._iterator]


@pytest.mark.parametrize(
    "read",
    [
        read_lines,
        read_bytes,
        read_iterator,
        lambda stream: stream.response.aread(),
    ],
)
async def test_what_was_read_of_an_async_stream_is_recorded(
    read: Any, kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """The same holds for async streams."""
    server.stream(*chunks("a", "b"))
    async with await open_stream(ascripted) as stream:
        assert await read(stream)
    assert kept.event["response"] == "ab"
    assert "stream_status" not in kept.event["responseMetrics"]


def test_what_was_not_read_is_not_recorded(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream that is closed unread, or read in part, says so."""
    for read in (lambda stream: None, lambda stream: next(stream._iterator)):
        server.stream(*chunks("a", "b"))
        with open_stream(scripted) as stream:
            read(stream)
    unread, partly_read = kept.events
    assert "response" not in unread
    assert partly_read.get("response") in (None, "", "a")
    for event in (unread, partly_read):
        assert event["responseMetrics"]["stream_status"] == "closed_early"


def test_an_iterator_that_somebody_else_replaced(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A patcher on top may read from the iterator and put its own in place."""
    server.stream(*chunks("a", "b"))
    stream = open_stream(scripted)
    inner, seen = stream._iterator, []

    def watched() -> Any:
        for chunk in inner:
            seen.append(chunk)
            yield chunk

    stream._iterator = watched()
    assert list(stream) == seen
    assert len(seen) > 1
    assert kept.event["response"] == "ab"
