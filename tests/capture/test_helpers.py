"""The ``.stream()`` helpers: one event each, however they are left."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, USAGE, call_piece, chunk, chunks, no_choices
from support.kept import Kept
from support.scripted import CUT_OFF, ScriptedModel
from support.versions import helpers_of

import libretto_instrument as libretto
from libretto_instrument import _capture


def helper(client: Any, **more: Any) -> Any:
    """Return the helper's stream manager for the usual question."""
    return helpers_of(client).stream(model="gpt-test", messages=MESSAGES, **more)


def texts(events: Any) -> str:
    """Return the text that the helper's events bring."""
    return "".join(event.delta for event in events if event.type == "content.delta")


def test_a_helper_read_to_its_end(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A helper read to its end is one event with everything."""
    server.stream(*chunks("ten", "nis"), no_choices(usage=USAGE))
    with helper(scripted) as stream:
        assert texts(stream) == "tennis"
        assert stream.get_final_completion().choices[0].message.content == "tennis"
    assert kept.event["response"] == "tennis"
    assert kept.event["responseMetrics"]["usage"] == USAGE
    assert "stream_status" not in kept.event["responseMetrics"]


def leave(stream: Any) -> None:
    for event in stream:
        if event.type == "content.delta" and event.delta:
            return


def leave_and_close(stream: Any) -> None:
    leave(stream)
    stream.close()


def fail(stream: Any) -> None:
    leave(stream)
    raise KeyError("the caller's own")


@pytest.mark.parametrize("course", [leave, leave_and_close, fail])
def test_a_helper_left_early(
    course: Callable[[Any], None],
    kept: Kept,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """A helper left early is one event with the partial text."""
    server.wire().send(*chunks("ten", "nis")[:3])
    manager = helper(scripted)

    def use() -> None:
        with manager as stream:
            course(stream)

    if course is fail:
        with pytest.raises(KeyError, match="own"):
            use()
    else:
        use()
    assert kept.event["response"] == "ten"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"


async def test_an_async_helper_read_to_its_end(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """An async helper read to its end is one event with everything."""
    server.stream(*chunks("ten", "nis"))
    async with helper(ascripted) as stream:
        assert texts([event async for event in stream]) == "tennis"
    assert kept.event["response"] == "tennis"
    assert "stream_status" not in kept.event["responseMetrics"]


async def test_an_async_helper_left_early(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """An async helper left early is one event with the partial text."""
    server.wire().send(*chunks("ten", "nis")[:3])
    async with helper(ascripted) as stream:
        async for event in stream:
            if event.type == "content.delta" and event.delta:
                break
    assert kept.event["response"] == "ten"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"


def test_a_helper_whose_stream_fails(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A helper whose stream fails raises openai's error, and is one event."""
    wire = server.wire()
    wire.send(chunk("ten"))
    wire.cut()

    def use() -> None:
        with helper(scripted) as stream:
            list(stream)

    with pytest.raises(Exception, match=CUT_OFF):
        use()
    assert kept.event["response"] == "ten"
    assert kept.event["responseMetrics"]["stream_status"] == "failed"
    assert kept.event["responseErrors"]


async def test_libretto_goes_through_the_helpers(
    kept: Kept,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    ascripted: openai.AsyncOpenAI,
) -> None:
    """``libretto=`` given to a helper holds for its call alone, sync and async."""
    server.stream(*chunks("a"), times=4)
    with helper(scripted, libretto={"chat_id": "sync"}) as stream:
        list(stream)
    with helper(scripted) as stream:
        list(stream)
    async with helper(ascripted, libretto={"chat_id": "async"}) as events:
        [event async for event in events]
    async with helper(ascripted) as events:
        [event async for event in events]
    chats = [event.get("chatId") for event in kept.events]
    assert chats == ["sync", None, "async", None]


def test_a_helpers_scope_is_over_once_it_is_entered(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Calls made while a helper is open are not under its ``libretto=``."""
    server.stream(*chunks("a"), times=2)
    with helper(scripted, libretto={"chat_id": "helper"}) as stream:
        list(
            scripted.chat.completions.create(
                model="gpt-test", messages=MESSAGES, stream=True
            )
        )
        list(stream)
    assert [event.get("chatId") for event in kept.events] == [None, "helper"]


def test_a_helper_never_entered_is_no_event(
    kept: Kept, scripted: openai.OpenAI
) -> None:
    """A helper that was only made has made no call, and is not an event."""
    manager = helper(scripted, libretto={"chat_id": "c"})
    del manager
    _capture.finalize_streams(everything=True)
    assert kept.calls == []


def test_a_helpers_feedback_key(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The feedback key of a helper's stream is known before its first chunk."""
    server.stream(*chunks("a"))
    with helper(scripted) as stream:
        key = libretto.feedback_key(stream)
        list(stream)
    assert key is not None
    assert kept.event["feedbackKey"] == key


def test_a_helpers_tool_calls(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The tool calls that a helper streams are assembled."""
    server.stream(
        chunk(tool_calls=[call_piece(0, "", "c1", "look")]),
        chunk(tool_calls=[call_piece(0, '{"x"')]),
        chunk(tool_calls=[call_piece(0, ": 1}")]),
        chunk(finish="tool_calls"),
    )
    with helper(scripted) as stream:
        stream.until_done()
    assert kept.event["toolCalls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "look", "arguments": '{"x": 1}'},
        }
    ]
    assert kept.event["response"] == ""
