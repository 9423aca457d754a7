"""Streams, async: the same life cycle, and cancellation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, USAGE, chunk, chunks, no_choices
from support.kept import Kept
from support.scripted import CUT_OFF, ScriptedModel, Wire
from support.versions import needs_aclose

import libretto_instrument as libretto
from libretto_instrument import _capture


async def ask(client: openai.AsyncOpenAI, **more: Any) -> Any:
    """Ask the usual question and return the stream."""
    return await client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True, **more
    )


def said(piece: Any) -> str:
    """Return the text that a chunk brings."""
    return str(piece.choices[0].delta.content or "")


async def rest(stream: Any) -> str:
    """Return all the text that a stream still brings."""
    return "".join([said(piece) async for piece in stream])


async def test_a_chunk_arrives_before_the_next_is_sent(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """Chunk k reaches the caller before chunk k+1 is on the wire."""
    wire = server.wire()
    texts = []
    wire.send(chunk("0"))
    async for piece in await ask(ascripted):
        texts.append(said(piece))
        if len(texts) < 5:
            wire.send(chunk(str(len(texts))))
        else:
            wire.done()
    assert texts == ["0", "1", "2", "3", "4"]
    assert kept.event["response"] == "01234"


async def test_a_recorded_stream_is_openais(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """It is an openai.AsyncStream to isinstance, with its response."""
    server.stream(*chunks("a"), times=2)
    recorded = await ask(ascripted)
    _capture.unpatch()
    bare = await ask(ascripted)
    assert isinstance(recorded, openai.AsyncStream)
    assert recorded.__class__ is bare.__class__
    assert recorded.response.headers["content-type"] == "text/event-stream"
    assert libretto.feedback_key(recorded)
    assert [piece async for piece in recorded] == [piece async for piece in bare]


# How a stream ends


async def use_up(stream: Any, wire: Wire) -> None:
    wire.send(chunk("!"))
    wire.done()
    assert await rest(stream) == "!"


async def use_up_by_anext(stream: Any, wire: Wire) -> None:
    wire.send(chunk("!"))
    wire.done()
    while await anext(stream, None) is not None:
        pass


async def use_up_inside_with(stream: Any, wire: Wire) -> None:
    async with stream as entered:
        assert entered is stream
        await use_up(entered, wire)


async def use_up_then_close(stream: Any, wire: Wire) -> None:
    await use_up(stream, wire)
    await stream.close()


async def close(stream: Any, wire: Wire) -> None:
    await stream.close()


async def close_twice(stream: Any, wire: Wire) -> None:
    await stream.close()
    await stream.close()


async def leave_with(stream: Any, wire: Wire) -> None:
    async with stream:
        pass


async def close_the_response(stream: Any, wire: Wire) -> None:
    await stream.response.aclose()


async def raise_inside_with(stream: Any, wire: Wire) -> None:
    with pytest.raises(KeyError):
        async with stream:
            raise KeyError("the caller's own")


async def be_cut(stream: Any, wire: Wire) -> None:
    wire.cut()
    with pytest.raises(Exception, match=CUT_OFF):
        await rest(stream)


async def be_cut_by_anext(stream: Any, wire: Wire) -> None:
    wire.cut()
    with pytest.raises(Exception, match=CUT_OFF):
        await anext(stream)


async def be_told_of_an_error(stream: Any, wire: Wire) -> None:
    wire.send({"error": {"message": "overloaded", "type": "server_error"}})
    with pytest.raises(openai.APIError, match="overloaded"):
        await rest(stream)


async def be_cancelled(stream: Any, wire: Wire) -> None:
    await _cancel(asyncio.ensure_future(rest(stream)))


async def be_cancelled_in_anext(stream: Any, wire: Wire) -> None:
    await _cancel(asyncio.ensure_future(anext(stream)))


async def run_out_of_time(stream: Any, wire: Wire) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(rest(stream), timeout=0.01)


async def _cancel(reading: asyncio.Future[Any]) -> None:
    await asyncio.sleep(0)  # Let it begin to read.
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


COURSES: list[tuple[Callable[[Any, Wire], Awaitable[None]], str | None]] = [
    (use_up, None),
    (use_up_by_anext, None),
    (use_up_inside_with, None),
    (use_up_then_close, None),
    (close, "closed_early"),
    (close_twice, "closed_early"),
    (leave_with, "closed_early"),
    (close_the_response, "closed_early"),
    (raise_inside_with, "closed_early"),
    (be_cut, "failed"),
    (be_cut_by_anext, "failed"),
    (be_told_of_an_error, "failed"),
    (be_cancelled, "cancelled"),
    (be_cancelled_in_anext, "cancelled"),
    (run_out_of_time, "cancelled"),
]


@pytest.mark.parametrize(("course", "status"), COURSES)
async def test_each_end_is_one_event_at_once(
    course: Callable[[Any, Wire], Awaitable[None]],
    status: str | None,
    kept: Kept,
    server: ScriptedModel,
    ascripted: openai.AsyncOpenAI,
) -> None:
    """However a stream ends, one event tells what came and how it ended."""
    wire = server.wire()
    wire.send(chunk("he"), chunk("llo"))
    stream = await ask(ascripted)
    assert said(await anext(stream)) == "he"
    assert said(await anext(stream)) == "llo"
    assert kept.calls == []
    await course(stream, wire)
    assert kept.event["response"] == ("hello!" if status is None else "hello")
    assert kept.event["responseMetrics"].get("stream_status") == status
    went_wrong = status in ("failed", "cancelled")
    assert bool(kept.event.get("responseErrors")) == went_wrong


@needs_aclose
async def test_the_other_name_of_close(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """aclose(), where openai has it, ends the stream as close() does."""
    server.wire().send(chunk("he"))
    stream = await ask(ascripted)
    await anext(stream)
    await stream.aclose()
    assert stream.response.is_closed
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"


# Where


async def test_a_stream_read_in_another_task_keeps_its_scope(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A stream made in a scope and read elsewhere has that scope."""
    server.stream(*chunks("a"))
    with libretto.scope(chat_id="made-here"):
        stream = await ask(ascripted)
    with libretto.scope(chat_id="read-here"):
        assert await asyncio.create_task(rest(stream)) == "a"
    assert kept.event["chatId"] == "made-here"


async def test_a_generator_over_a_stream_closed_elsewhere(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A scope inside a generator that another task closes changes no other scope."""
    server.wire().send(chunk("he"))

    async def tokens() -> Any:
        with libretto.scope(chat_id="inner"):
            async with await ask(ascripted) as stream:
                async for piece in stream:
                    yield said(piece)

    generator = tokens()
    assert await asyncio.create_task(anext(generator)) == "he"
    with libretto.scope(chat_id="outer"):
        await generator.aclose()
        server.answer({"error": {"message": "no"}}, status=400)
        with pytest.raises(openai.BadRequestError):
            await ask(ascripted)
    first, second = kept.events
    assert (first["chatId"], second["chatId"]) == ("inner", "outer")
    assert first["response"] == "he"


async def test_interleaved_streams_do_not_mix(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """Streams read at the same time are events of their own."""
    for number in range(8):
        server.stream(*chunks(f"{number}a", f"{number}b"), no_choices(usage=USAGE))

    async def read() -> str:
        texts = []
        async for piece in await ask(ascripted):
            texts.append(said(piece) if piece.choices else "")
            await asyncio.sleep(0)
        return "".join(texts)

    texts = await asyncio.gather(*(read() for _ in range(8)))
    assert sorted(event["response"] for event in kept.events) == sorted(texts)
    assert len(set(texts)) == 8
