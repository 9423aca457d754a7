"""Async streams that are not read to their end: left, dropped, read on."""

import asyncio
import gc
from contextlib import nullcontext
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunk, chunks
from support.kept import Kept
from support.scripted import ScriptedModel, until

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


async def settled(kept: Kept) -> None:
    """Settle streams until a call has ended.

    The event loop closes the generator of a left loop in a turn of its own.
    """

    def settle() -> list[Any]:
        _capture.finalize_streams()
        return kept.calls

    await until(settle)


async def test_a_left_loop_is_settled_by_a_flush(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """``break`` alone ends nothing; settling does, with the partial text."""
    server.wire().send(chunk("he"), chunk("llo"))
    stream = await ask(ascripted)
    async for piece in stream:
        assert said(piece) == "he"
        break
    assert kept.calls == []
    await settled(kept)
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"
    await stream.close()
    assert len(kept.calls) == 1


async def test_a_stream_read_on_after_its_loop_was_left(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A second loop reads on, and all of it is one event."""
    server.stream(*chunks("a", "b", "c"))
    stream = await ask(ascripted)
    texts = []
    async for piece in stream:
        texts.append(said(piece))
        if texts[-1] == "a":
            break
    texts += [said(await anext(stream)), await rest(stream)]
    assert texts == ["", "a", "b", "c"]
    assert kept.event["response"] == "abc"
    assert "stream_status" not in kept.event["responseMetrics"]


async def test_a_second_loop_is_not_taken_for_a_left_one(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """The late end of the first loop's generator does not end the second loop."""
    wire = server.wire()
    wire.send(*chunks("a", "b"))
    stream = await ask(ascripted)
    async for _ in stream:
        break
    texts = []
    async for piece in stream:
        texts.append(said(piece))
        for _ in range(3):
            await asyncio.sleep(0)  # The first loop's generator is closed meanwhile.
        _capture.finalize_streams()
        if len(texts) == 3:
            wire.done()
    assert "".join(texts) == "ab"
    assert kept.event["response"] == "ab"
    assert "stream_status" not in kept.event["responseMetrics"]


async def test_the_callers_exception_in_the_loop(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """The caller's own exception passes; the stream is recorded as left."""
    server.wire().send(chunk("he"))
    stream = await ask(ascripted)

    async def loop() -> None:
        async for _ in stream:
            raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="own"):
        await loop()
    await settled(kept)
    assert kept.event["response"] == "he"
    assert "responseErrors" not in kept.event
    await stream.close()


@pytest.mark.usefixtures("collect")
async def test_a_forgotten_stream_is_told_of_by_the_garbage_collector(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A stream lost in a cycle is one event once it is collected."""
    server.wire().send(chunk("he"))
    stream = await ask(ascripted)
    await anext(stream)
    cycle = [stream]
    cycle.append(cycle)
    del stream, cycle
    assert kept.calls == []
    gc.collect()
    await until(lambda: kept.calls)
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "abandoned"


@pytest.mark.parametrize("is_held", [True, False])
def test_a_loop_left_as_the_event_loop_ends(
    kept: Kept, server: ScriptedModel, is_held: bool
) -> None:
    """A stream still open when asyncio.run() ends is one event with what came.

    That the event loop cancels what would close it is not an error of the call.
    """
    server.wire().send(chunk("he"))

    async def main() -> None:
        client = openai.AsyncOpenAI(api_key="sk-test", base_url=server.url)
        async with client if is_held else nullcontext():
            async for _ in await ask(client):
                break

    asyncio.run(main())
    _capture.finalize_streams()
    assert kept.event["response"] == "he"
    assert "responseErrors" not in kept.event
