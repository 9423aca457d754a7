"""Streams, sync: chunks as they come, and one event however the stream ends."""

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from support.answers import MESSAGES, USAGE, chunk, chunks, no_choices, text_chunk
from support.kept import Kept
from support.scripted import CUT_OFF, ScriptedModel, Wire

import libretto_instrument as libretto
from libretto_instrument import _capture


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """Ask the usual question and return the stream."""
    return client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True, **more
    )


def said(piece: Any) -> str:
    """Return the text that a chunk brings."""
    return str(piece.choices[0].delta.content or "")


def test_a_chunk_arrives_before_the_next_is_sent(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Chunk k reaches the caller before chunk k+1 is on the wire."""
    wire = server.wire()
    texts = []
    wire.send(chunk("0"))
    for piece in ask(scripted):
        texts.append(said(piece))
        if len(texts) < 5:
            wire.send(chunk(str(len(texts))))
        else:
            wire.done()
    assert texts == ["0", "1", "2", "3", "4"]
    assert kept.event["response"] == "01234"


def test_a_stream_is_returned_before_its_first_chunk(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The stream, and its feedback key, are there before anything is sent."""
    wire = server.wire()
    stream = ask(scripted)
    key = libretto.feedback_key(stream)
    wire.send(*chunks("a"))
    wire.done()
    assert [said(piece) for piece in stream] == ["", "a", ""]
    assert kept.event["feedbackKey"] == key


def test_a_recorded_stream_is_openais(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """It is an openai.Stream to isinstance, with a response and headers."""
    server.stream(*chunks("a"), times=2)
    recorded = ask(scripted)
    _capture.unpatch()
    bare = ask(scripted)
    assert isinstance(recorded, openai.Stream)
    assert recorded.__class__ is bare.__class__
    assert recorded.response.status_code == 200
    assert recorded.response.headers["content-type"] == "text/event-stream"
    recorded_chunks = list(recorded)
    assert recorded_chunks == list(bare)
    assert all(type(piece) is ChatCompletionChunk for piece in recorded_chunks)
    assert all(piece.model_extra == {} for piece in recorded_chunks)


# How a stream ends


def use_up(stream: Any, wire: Wire) -> None:
    wire.send(chunk("!"))
    wire.done()
    assert [said(piece) for piece in stream][-1] == "!"


def use_up_by_next(stream: Any, wire: Wire) -> None:
    wire.send(chunk("!"))
    wire.done()
    while next(stream, None) is not None:
        pass


def use_up_then_close(stream: Any, wire: Wire) -> None:
    use_up(stream, wire)
    stream.close()


def use_up_inside_with(stream: Any, wire: Wire) -> None:
    with stream as entered:
        use_up(entered, wire)


def close(stream: Any, wire: Wire) -> None:
    stream.close()


def close_twice(stream: Any, wire: Wire) -> None:
    stream.close()
    stream.close()


def leave_with(stream: Any, wire: Wire) -> None:
    with stream:
        pass


def close_the_response(stream: Any, wire: Wire) -> None:
    stream.response.close()


def raise_inside_with(stream: Any, wire: Wire) -> None:
    with pytest.raises(KeyError), stream:
        raise KeyError("the caller's own")


def be_cut(stream: Any, wire: Wire) -> None:
    wire.cut()
    with pytest.raises(Exception, match=CUT_OFF):
        list(stream)


def be_cut_by_next(stream: Any, wire: Wire) -> None:
    wire.cut()
    with pytest.raises(Exception, match=CUT_OFF):
        next(stream)


def be_told_of_an_error(stream: Any, wire: Wire) -> None:
    wire.send({"error": {"message": "overloaded", "type": "server_error"}})
    with pytest.raises(openai.APIError, match="overloaded"):
        list(stream)


def be_sent_nonsense(stream: Any, wire: Wire) -> None:
    wire.raw(b"data: {oops\n\n")
    with pytest.raises(ValueError, match="Expecting property name"):
        list(stream)


COURSES: list[tuple[Callable[[Any, Wire], None], str | None]] = [
    (use_up, None),
    (use_up_by_next, None),
    (use_up_then_close, None),
    (use_up_inside_with, None),
    (close, "closed_early"),
    (close_twice, "closed_early"),
    (leave_with, "closed_early"),
    (close_the_response, "closed_early"),
    (raise_inside_with, "closed_early"),
    (be_cut, "failed"),
    (be_cut_by_next, "failed"),
    (be_told_of_an_error, "failed"),
    (be_sent_nonsense, "failed"),
]


@pytest.mark.parametrize(("course", "status"), COURSES)
def test_each_end_is_one_event_at_once(
    course: Callable[[Any, Wire], None],
    status: str | None,
    kept: Kept,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """However a stream ends, one event tells what came and how it ended."""
    wire = server.wire()
    wire.send(chunk("he"), chunk("llo"))
    stream = ask(scripted)
    assert next(stream).choices[0].delta.content == "he"
    assert said(next(stream)) == "llo"
    assert kept.calls == []
    course(stream, wire)
    assert kept.event["response"] == ("hello!" if status is None else "hello")
    assert kept.event["responseMetrics"].get("stream_status") == status
    assert bool(kept.event.get("responseErrors")) == (status == "failed")


@pytest.mark.parametrize("course", [be_cut, be_told_of_an_error, be_sent_nonsense])
def test_a_failing_stream_raises_what_a_bare_one_does(
    course: Callable[[Any, Wire], None], server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The error is openai's own, and the event says the same."""
    raised = []
    recorder = Kept()
    for recorded in (False, True):
        if recorded:
            _capture.patch(recorder)
        wire = server.wire()
        wire.send(chunk("he"))
        stream = ask(scripted)
        next(stream)
        if course is be_cut:
            wire.cut()
        elif course is be_told_of_an_error:
            wire.send({"error": {"message": "overloaded", "type": "server_error"}})
        else:
            wire.raw(b"data: {oops\n\n")
        with pytest.raises(Exception) as caught:  # noqa: PT011 - compared below
            next(stream)
        raised.append(caught.value)
    bare, ours = raised
    assert type(ours) is type(bare)
    assert str(ours) == str(bare)
    assert recorder.event["responseErrors"] == [f"{type(bare).__name__}: {bare}"]


def test_with_yields_the_stream_that_is_recorded(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """What ``with`` hands out is recorded, not the stream beneath."""
    server.stream(*chunks("a", "b"))
    stream = ask(scripted)
    with stream as entered:
        assert entered is stream
        assert "".join(map(said, entered)) == "ab"
    assert kept.event["response"] == "ab"
    assert "stream_status" not in kept.event["responseMetrics"]


# Where and when


def test_a_stream_read_on_another_thread_keeps_its_scope(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream made in a scope and read elsewhere has that scope."""
    server.stream(*chunks("a"))
    with libretto.scope(chat_id="made-here"):
        stream = ask(scripted)
    with libretto.scope(chat_id="read-here"):
        thread = threading.Thread(target=list, args=(stream,))
        thread.start()
        thread.join()
    assert kept.event["chatId"] == "made-here"
    assert kept.event["response"] == "a"


def test_the_first_token_is_the_first_content(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The time to the first token runs to the first content delta."""
    wire = server.wire()
    wire.send(chunk(role="assistant", content=""))
    stream = ask(scripted)
    next(stream)
    before = perf_counter()
    wire.send(chunk("a"))
    next(stream)
    after = perf_counter()
    wire.send(chunk("b"))
    wire.done()
    list(stream)
    started = kept.calls[0].started
    first = kept.event["responseMetrics"]["time_to_first_token"]
    # To the rounding of milliseconds to microseconds.
    assert (
        (before - started) * 1000 - 0.001 <= first <= (after - started) * 1000 + 0.001
    )
    assert first <= kept.event["responseTime"]


def test_the_usage_of_a_chunk_without_choices(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A filter's chunk and the usage's have no choices, and lose nothing."""
    filtered = no_choices(prompt_filter_results=[{"prompt_index": 0}])
    server.stream(filtered, *chunks("a"), no_choices(usage=USAGE))
    assert len(list(ask(scripted))) == 5
    assert kept.event["response"] == "a"
    assert kept.event["responseMetrics"]["usage"] == USAGE
    assert kept.event["rawResponse"]["prompt_filter_results"] == [{"prompt_index": 0}]


def test_a_stream_of_text_completions(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Text completions stream the same way."""
    server.stream(text_chunk("ten"), text_chunk("nis"), text_chunk("", finish="stop"))
    stream = scripted.completions.create(model="m", prompt="Which?", stream=True)
    assert "".join(piece.choices[0].text for piece in stream) == "tennis"
    assert kept.event["response"] == "tennis"
    assert kept.event["responseMetrics"]["finish_reason"] == "stop"
