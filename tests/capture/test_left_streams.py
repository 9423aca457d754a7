"""Streams that are not read to their end: left, dropped, flushed, read on."""

import gc
import sys
import threading
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, chunk, chunks
from support.kept import Kept
from support.scripted import DEADLINE, ScriptedModel

from libretto_instrument import _capture
from libretto_instrument._capture.call import Call
from libretto_instrument._capture.endpoints.table import CHAT
from libretto_instrument._capture.record import CallRecord
from libretto_instrument._capture.stream_state import StreamState
from libretto_instrument._config.settings import CallSettings

from .bodies import metrics_of


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """Ask the usual question and return the stream."""
    return client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True, **more
    )


def said(piece: Any) -> str:
    """Return the text that a chunk brings."""
    return str(piece.choices[0].delta.content or "")


def test_a_left_loop_is_settled_by_a_flush(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """``break`` alone ends nothing; settling does, with the partial text."""
    server.wire().send(chunk("he"), chunk("llo"))
    stream = ask(scripted)
    for piece in stream:
        assert said(piece) == "he"
        break
    assert kept.calls == []
    _capture.finalize_streams()
    _capture.finalize_streams()
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"
    stream.close()
    assert len(kept.calls) == 1


def test_a_flush_leaves_a_stream_in_use_alone(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream whose loop goes on, or has not begun, outlives a flush."""
    server.stream(*chunks("a", "b"), times=2)
    waiting = ask(scripted)
    for _ in ask(scripted):
        _capture.finalize_streams()
    assert [event["response"] for event in kept.events] == ["ab"]
    assert "".join(map(said, waiting)) == "ab"
    assert "stream_status" not in kept.events[1]["responseMetrics"]


def test_the_end_of_the_program_ends_every_stream(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The end of the program ends even a stream whose loop was not left."""
    server.wire().send(chunk("he"))
    stream = ask(scripted)
    next(stream)
    _capture.finalize_streams(everything=True)
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "abandoned"
    stream.close()


def test_a_stream_read_on_after_its_loop_was_left(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A second loop reads on, and all of it is one event."""
    server.stream(*chunks("a", "b", "c"))
    stream = ask(scripted)
    texts = []
    for piece in stream:
        texts.append(said(piece))
        if texts[-1] == "a":
            break
    texts += [said(next(stream)), *map(said, stream)]
    assert texts == ["", "a", "b", "c", ""]
    assert kept.event["response"] == "abc"
    assert "stream_status" not in kept.event["responseMetrics"]


def test_a_peek_leaves_the_stream_open(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """``next(iter(stream))`` is a peek: the stream is read on, and recorded once."""
    server.stream(*chunks("a"))
    stream = ask(scripted)
    assert said(next(iter(stream))) == ""
    assert kept.calls == []
    assert "".join(map(said, stream)) == "a"
    assert kept.event["response"] == "a"


def test_reading_on_after_a_flush_changes_no_event(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The caller gets the rest of a settled stream; its event stays as it was."""
    server.stream(*chunks("a", "b"))
    stream = ask(scripted, libretto={"event_id": "e1"})
    for piece in stream:
        if said(piece) == "a":
            break
    _capture.finalize_streams()
    before = kept.event
    assert "".join(map(said, stream)) == "b"
    assert kept.event == before


def test_the_callers_exception_in_the_loop(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The caller's own exception passes; the stream is recorded as left."""
    server.wire().send(chunk("he"))

    def loop() -> None:
        for _ in ask(scripted):
            raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="own") as caught:
        loop()
    # The traceback holds the loop's frame, and that holds the stream.
    caught.value.__traceback__ = None
    del caught
    gc.collect()
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"
    assert "responseErrors" not in kept.event


def test_a_stream_dropped_after_its_loop_was_left(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Left and dropped in one go is closed early, as it is when it is flushed."""
    server.wire().send(chunk("he"))
    for _ in ask(scripted):
        break
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"


@pytest.mark.usefixtures("collect")
def test_a_forgotten_stream_is_told_of_by_the_garbage_collector(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream lost in a cycle is one event once it is collected."""
    server.wire().send(chunk("he"))
    stream = ask(scripted)
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
    del stream, cycle
    assert kept.calls == []
    gc.collect()
    assert kept.event["response"] == "he"
    assert kept.event["responseMetrics"]["stream_status"] == "abandoned"


def test_a_stream_that_nobody_read(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream dropped unread is an event without a response."""
    server.wire()
    ask(scripted)
    assert "response" not in kept.event
    assert metrics_of(kept.event) == {"stream_status": "abandoned"}


def test_a_flush_while_another_thread_makes_streams(
    kept: Kept,
) -> None:
    """Settling is safe while other threads begin and drop streams."""
    begun, over = threading.Event(), threading.Event()
    call = Call(CallRecord(CHAT, CallSettings(), "key"), kept, {})
    call.record.start_streaming("events")

    def make() -> None:
        while not over.is_set():
            for _ in [StreamState(call) for _ in range(200)]:
                pass
            begun.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=make)
    thread.start()
    try:
        assert begun.wait(DEADLINE)
        for _ in range(300):
            _capture.finalize_streams()
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert len(kept.calls) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_thrown_through_yield_from(
    kept: Kept,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    error: type[BaseException],
) -> None:
    """What a caller throws into a generator that yields the chunks is not a failure."""
    server.wire().send(chunk("he"))
    stream = ask(scripted)

    def pieces() -> Any:
        yield from stream

    generator = pieces()
    next(generator)
    with pytest.raises(error):
        generator.throw(error())
    stream.close()
    assert kept.event["response"] == "he"
    assert "responseErrors" not in kept.event
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"
