"""Raw responses: unchanged and unread for their caller, and recorded."""

import copy
import functools
import gc
import inspect
import json
import pickle
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any
from unittest import mock

import openai
import pytest
from support.answers import MESSAGES, USAGE, chunks, completion, no_choices
from support.kept import Kept
from support.scripted import ScriptedModel, until

from libretto_instrument import feedback_key
from libretto_instrument._capture import sse
from libretto_instrument.testing import capture_events

from .bodies import metrics_of

ASK: dict[str, Any] = {"model": "gpt-test", "messages": MESSAGES}
BODY = json.dumps(completion()).encode()

SYNC_READS: dict[str, Callable[[Any], Any]] = {
    "parse": lambda raw: raw.parse().to_json(indent=None).encode(),
    "read": lambda raw: raw.read(),
    "text": lambda raw: raw.text().encode(),
    "json": lambda raw: json.dumps(raw.json()).encode(),
    "iter_bytes": lambda raw: b"".join(raw.iter_bytes(7)),
    "iter_text": lambda raw: "".join(raw.iter_text(7)).encode(),
    "iter_lines": lambda raw: "\n".join(raw.iter_lines()).encode(),
}


async def _joined(pieces: Any) -> Any:
    found = [piece async for piece in pieces]
    return found[0][:0].join(found) if found else b""


async def _parsed(raw: Any) -> bytes:
    return (await raw.parse()).to_json(indent=None).encode()


async def _json(raw: Any) -> bytes:
    return json.dumps(await raw.json()).encode()


async def _text(raw: Any) -> bytes:
    return (await raw.text()).encode()


async def _texts(raw: Any) -> bytes:
    return (await _joined(raw.iter_text(7))).encode()


async def _lines(raw: Any) -> bytes:
    return (await _joined(raw.iter_lines())).encode()


ASYNC_READS: dict[str, Callable[[Any], Awaitable[bytes]]] = {
    "parse": _parsed,
    "read": lambda raw: raw.read(),
    "text": _text,
    "json": _json,
    "iter_bytes": lambda raw: _joined(raw.iter_bytes(7)),
    "iter_text": _texts,
    "iter_lines": _lines,
}


def comparable(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without what differs from call to call."""
    volatile = {"promptEventId", "feedbackKey", "responseTime"}
    return {name: value for name, value in event.items() if name not in volatile}


def test_a_raw_response_is_native(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Headers, status and parse() are openai's own; the event is the plain call's."""
    server.answer(completion(), headers={"x-request-id": "req-7"}, times=3)
    plain = scripted.chat.completions.create(**ASK)
    raw = scripted.chat.completions.with_raw_response.create(**ASK)
    assert raw.headers["x-request-id"] == raw.request_id == "req-7"
    assert raw.status_code == 200
    assert raw.http_response.content == BODY
    parsed = raw.parse()
    assert parsed is raw.parse()
    plain.model_extra.pop("libretto_feedback_key")
    assert parsed == plain
    one, other = kept.events
    one["rawResponse"] = completion()
    assert comparable(other) == comparable(one)
    assert feedback_key(raw) == other["feedbackKey"]


async def test_an_async_raw_response_is_native(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, kept: Kept
) -> None:
    """So it is with the async client."""
    server.answer(completion(), headers={"x-request-id": "req-7"})
    raw = await ascripted.chat.completions.with_raw_response.create(**ASK)
    assert raw.headers["x-request-id"] == "req-7"
    parsed = raw.parse()
    if inspect.isawaitable(parsed):
        parsed = await parsed
    assert parsed.choices[0].message.content == "tennis"
    assert kept.event["rawResponse"] == completion()
    assert kept.event["responseMetrics"]["usage"] == USAGE


@pytest.mark.parametrize("way", SYNC_READS)
def test_each_way_to_read_is_one_event(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept, way: str
) -> None:
    """However a streaming response is read, its event has the whole answer."""
    server.answer(completion())
    asked = scripted.chat.completions.with_streaming_response.create(**ASK)
    with asked as raw:
        assert not raw.http_response.is_stream_consumed
        assert kept.calls == []
        assert json.loads(SYNC_READS[way](raw)) == completion()
    assert kept.event["rawResponse"] == completion()
    assert kept.event["response"] == "tennis"
    assert "stream_status" not in kept.event["responseMetrics"]


@pytest.mark.parametrize("way", ASYNC_READS)
async def test_each_async_way_to_read_is_one_event(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, kept: Kept, way: str
) -> None:
    """So it is with the async client, where they are coroutines."""
    server.answer(completion())
    asked = ascripted.chat.completions.with_streaming_response.create(**ASK)
    async with asked as raw:
        assert not raw.http_response.is_stream_consumed
        assert kept.calls == []
        assert json.loads(await ASYNC_READS[way](raw)) == completion()
    assert kept.event["rawResponse"] == completion()
    assert "stream_status" not in kept.event["responseMetrics"]


def test_the_body_is_not_waited_for(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """The caller has the headers before the first byte of the body is sent, and each
    chunk before the next.
    """
    wire = server.wire()
    asked = scripted.chat.completions.with_streaming_response.create(**ASK, stream=True)
    with asked as raw:
        assert raw.headers["content-type"] == "text/event-stream"
        stream = raw.parse()
        assert isinstance(stream, openai.Stream)
        first, *others = chunks("ten", "nis")
        wire.send(first)
        assert next(stream).choices[0].delta.role == "assistant"
        wire.send(*others)
        wire.done()
        assert len(list(stream)) == len(others)
    assert kept.event["response"] == "tennis"
    assert kept.event["responseMetrics"]["finish_reason"] == "stop"
    assert kept.event["responseMetrics"]["time_to_first_token"] > 0
    assert "stream_status" not in kept.event["responseMetrics"]


async def test_the_body_is_not_waited_for_async(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, kept: Kept
) -> None:
    """So it is with the async client."""
    wire = server.wire()
    create = ascripted.chat.completions.with_streaming_response.create
    async with create(**ASK, stream=True) as raw:
        stream = await raw.parse()
        assert isinstance(stream, openai.AsyncStream)
        first, *others = chunks("ten", "nis")
        wire.send(first)
        assert (await stream.__anext__()).choices[0].delta.role == "assistant"
        wire.send(*others)
        wire.done()
        assert len([chunk async for chunk in stream]) == len(others)
    await until(lambda: kept.calls)
    assert kept.event["response"] == "tennis"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_raw_stream_is_parsed_by_its_caller(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    ascripted: openai.AsyncOpenAI,
    kept: Kept,
    is_async: bool,
) -> None:
    """with_raw_response of a stream parses to openai's stream, and is recorded when
    that ends.
    """
    server.stream(*chunks("ten", "nis"), no_choices(usage=USAGE))
    if is_async:
        create = ascripted.chat.completions.with_raw_response.create
        araw = await create(**ASK, stream=True)
        parsed = araw.parse()
        stream = await parsed if inspect.isawaitable(parsed) else parsed
        assert type(stream) is openai.AsyncStream
        texts = [c.choices[0].delta.content async for c in stream if c.choices]
    else:
        raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
        assert kept.calls == []
        parsed = raw.parse()
        assert type(parsed) is openai.Stream
        texts = [c.choices[0].delta.content for c in parsed if c.choices]
    assert "".join(text or "" for text in texts) == "tennis"
    assert kept.event["response"] == "tennis"
    assert kept.event["responseMetrics"]["usage"] == USAGE


def test_a_response_closed_unread(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A response that is not read is recorded when it closes, without an answer."""
    server.answer(completion())
    with scripted.chat.completions.with_streaming_response.create(**ASK) as raw:
        assert raw.status_code == 200
    assert "response" not in kept.event
    assert "rawResponse" not in kept.event
    assert metrics_of(kept.event) == {"stream_status": "closed_early"}


def test_a_raw_stream_closed_early(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """What was read before the response closed is recorded."""
    wire = server.wire()
    asked = scripted.chat.completions.with_streaming_response.create(**ASK, stream=True)
    with asked as raw:
        wire.send(*chunks("ten")[:2])
        stream = raw.parse()
        next(stream)
        next(stream)
    assert kept.event["response"] == "ten"
    assert kept.event["responseMetrics"]["stream_status"] == "closed_early"


@pytest.mark.parametrize("view", ["with_raw_response", "with_streaming_response"])
def test_a_refused_request(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept, view: str
) -> None:
    """A status of error raises what it does for a bare client, and is one event."""
    error = {"error": {"message": "slow down", "code": "rate_limited"}}
    server.answer(error, status=429, headers={"retry-after": "7"})
    create = getattr(scripted.chat.completions, view).create
    ask = create if view == "with_raw_response" else lambda **g: create(**g).__enter__()
    with pytest.raises(openai.RateLimitError, match="slow down") as raised:
        ask(**ASK)
    assert raised.value.response.headers["retry-after"] == "7"
    assert "slow down" in kept.event["responseErrors"][0]


def test_an_error_inside_a_raw_stream(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """An error that the stream brings is in the event, with what came before it."""
    error = {"error": {"message": "overloaded", "code": "server_error"}}
    server.stream(*chunks("ten")[:2], error)
    raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
    with pytest.raises(openai.APIError, match="overloaded"):
        list(raw.parse())
    del raw
    gc.collect()  # Early versions of openai leave the response open.
    assert kept.event["response"] == "ten"
    assert kept.event["responseErrors"] == ["server_error: overloaded"]


def test_separators_of_unicode_inside_an_event(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """U+2028 and U+0085, which JSON may hold bare, do not break an event apart."""
    text = "one\u2028two\x85three"
    wire = server.wire()
    for said in chunks(text):
        wire.raw(
            b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\r\n\r\n"
        )
    wire.done()
    raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
    seen = [chunk.choices[0].delta.content or "" for chunk in raw.parse()]
    assert "".join(seen) == kept.event["response"] == text


def test_a_stream_that_does_not_say_that_it_is_one(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A stream sent as plain text is read as the stream that was asked for."""
    body = b"".join(b"data: %b\n\n" % json.dumps(c).encode() for c in chunks("ten"))
    server.answer(body + b"data: [DONE]\n\n")
    raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
    assert len(list(raw.parse())) == len(chunks("ten"))
    assert kept.event["response"] == "ten"


def test_an_object_where_a_stream_was_asked_for(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A gateway that does not stream answers with an object, and that is recorded."""
    server.answer(completion())
    raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
    assert list(raw.parse()) == []
    assert kept.event["response"] == "tennis"
    assert "stream_status" not in kept.event["responseMetrics"]


@pytest.mark.parametrize("view", [None, "with_raw_response", "post"])
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain"])
def test_a_stream_where_an_object_was_asked_for(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    kept: Kept,
    view: str | None,
    kind: str,
) -> None:
    """A gateway that always streams is recorded, whatever openai makes of it."""
    body = b"".join(b"data: %b\n\n" % json.dumps(c).encode() for c in chunks("ten"))
    server.answer(b": wait\n\n" + body, headers={"content-type": kind})
    if view == "post":
        scripted.post("/chat/completions", body=ASK, cast_to=str)
    else:
        api: Any = scripted.chat.completions
        (getattr(api, view) if view else api).create(**ASK)
    assert kept.event["response"] == "ten"
    assert kept.event["rawResponse"]["choices"][0]["message"]["content"] == "ten"


def test_parts_of_one_event_apart_on_the_wire(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Events cut anywhere between two packets are put together again."""
    body = b"".join(b"data: %b\n\n" % json.dumps(c).encode() for c in chunks("tén"))
    wire = server.wire()
    for byte in body:
        wire.raw(bytes([byte]))
    wire.done()
    raw = scripted.chat.completions.with_raw_response.create(**ASK, stream=True)
    assert len(list(raw.parse())) == len(chunks("tén"))
    assert kept.event["response"] == "tén"


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"], ids=ascii)
def test_events_cut_into_pieces_of_a_size(line: bytes, size: int) -> None:
    """However a body was cut, its events are the same, each with its last piece."""
    lines = [
        b"data: 1",
        b"",
        b": ping",
        b"data: [2,",
        b"data: 3]",
        b"",
        b"",
        b"data: 4",
    ]
    body = line.join(lines)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    events = sse.parse(pieces)
    assert events.data == [1, [2, 3], 4]
    ends = [body.index(line * 2) + 2 * len(line), body.index(b"3]") + 2 + 2 * len(line)]
    ends.append(len(body))
    assert events.chunk_indexes == [(end - 1) // size for end in ends]


def test_a_long_event_in_small_pieces() -> None:
    """An event of 8 MB in 500,000 pieces is read; hours, were each searched again."""
    body = b'data: "%b"\n\n' % (b"y" * 2**23)
    events = sse.parse([body[at : at + 16] for at in range(0, len(body), 16)])
    assert events.data == ["y" * 2**23]


VIEWS: dict[str, Callable[[Any], Any]] = {
    "of the resource": lambda client: client.chat.completions.with_raw_response,
    "of its parent": lambda client: client.chat.with_raw_response.completions,
    "of the client": lambda client: client.with_raw_response.chat.completions,
}


@pytest.mark.parametrize("way", VIEWS)
def test_a_view_made_before_recording_is_recorded(
    server: ScriptedModel, scripted: openai.OpenAI, way: str
) -> None:
    """A raw view that the client keeps is recorded whenever recording is on, however
    often that was, and never when it is off.
    """
    server.answer(completion(), times=7)
    view = VIEWS[way](scripted)
    before = dict(vars(type(view)))
    view.create(**ASK)
    for _ in range(3):
        with capture_events() as events:
            assert view.create(**ASK).parse().choices[0].message.content == "tennis"
            assert len(events) == 1
        view.create(**ASK)
        assert len(events) == 1
        assert dict(vars(type(view))) == before


async def test_an_async_view_made_before_recording_is_recorded(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """So it is with the async client and its streaming responses."""
    server.answer(completion(), times=2)
    view = ascripted.chat.completions.with_streaming_response
    for wanted in (0, 1):
        with capture_events() if wanted else nullcontext([]) as events:
            async with view.create(**ASK) as raw:
                await raw.read()
            assert len(events) == wanted


def by_wraps(view: Any) -> Any:
    """Return a method that says it wraps the resource's own."""

    @functools.wraps(view._completions.create)
    def create(**arguments: Any) -> str:
        return "from the cache"

    return create


def by_wraps_of_raw(view: Any) -> Any:
    """Return a method that says it wraps the view's own."""

    @functools.wraps(view.create)
    def create(**arguments: Any) -> str:
        return "from the cache"

    return create


def by_function(view: Any) -> Any:
    """Return a plain function."""
    return lambda **arguments: "from the cache"


def by_mock(view: Any) -> Any:
    """Return a mock."""
    return mock.MagicMock(return_value="from the cache")


def by_partial(view: Any) -> Any:
    """Return a partial function."""
    return functools.partial(by_function(view), extra=1)


FOREIGN = [by_wraps, by_wraps_of_raw, by_function, by_mock, by_partial]
VIEW_NAMES = ["with_raw_response", "with_streaming_response"]


@pytest.mark.parametrize("made", FOREIGN)
@pytest.mark.parametrize("name", VIEW_NAMES)
def test_somebodys_own_raw_method_stays(
    scripted: openai.OpenAI, made: Callable[[Any], Any], name: str
) -> None:
    """A method put on a view is called before, while and after calls are recorded."""
    view = getattr(scripted.chat.completions, name)
    theirs = made(view)
    view.create = theirs
    for _ in range(2):
        assert view.create is theirs
        with capture_events() as events:
            assert view.create is theirs
            assert view.create(**ASK) == "from the cache"
        assert len(events) == 0
    assert view.create(**ASK) == "from the cache"


@pytest.mark.parametrize("made", FOREIGN)
def test_a_raw_method_put_while_recorded_stays(
    server: ScriptedModel, scripted: openai.OpenAI, made: Callable[[Any], Any]
) -> None:
    """A method put on a view meanwhile stays, too, until it is taken off again."""
    server.answer(completion())
    view = scripted.chat.completions.with_raw_response
    with capture_events() as events:
        openais = view.create
        view.create = theirs = made(view)
        assert view.create is theirs
        with mock.patch.object(view, "create", new="another"):
            assert view.create == "another"
        assert view.create is theirs
        del view.create
        assert not hasattr(view, "create")
        with pytest.raises(AttributeError):
            del view.create
        view.create = openais
        view.create(**ASK)
        assert len(events) == 1
    assert vars(view)["create"] is not theirs


@pytest.mark.parametrize("made", FOREIGN)
def test_a_raw_method_of_the_class_stays(
    scripted: openai.OpenAI, made: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign method on the views' class stays while calls are recorded."""
    view = scripted.chat.completions.with_raw_response
    create = made(view)
    theirs = property(lambda self: create)
    monkeypatch.setattr(type(view), "create", theirs, raising=False)
    assert view.create is create
    with capture_events() as events:
        assert view.create is create
        assert view.create(**ASK) == "from the cache"
    assert len(events) == 0
    assert vars(type(view))["create"] is theirs


def test_a_resources_own_method_stays(scripted: openai.OpenAI) -> None:
    """A view of a resource whose method was replaced calls the replacement."""
    resource: Any = scripted.chat.completions
    resource.create = lambda **arguments: mock.MagicMock(http_response="cached")
    view = scripted.chat.completions.with_raw_response
    before = view.create
    with capture_events():
        assert view.create is before
    assert view.create is before


@pytest.mark.parametrize("way", ["raw", "streaming", "stream"])
def test_a_response_is_pickled_and_copied_once_it_is_read(
    way: str, server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A response that was read is copied and pickled as one that is not recorded."""
    completions = scripted.chat.completions
    if way == "stream":
        server.stream(*chunks("tennis"))
        stream = completions.create(**ASK, stream=True)
        assert list(stream)
        response = stream.response
    else:
        server.answer(completion())
        if way == "raw":
            response = completions.with_raw_response.create(**ASK).http_response
        else:
            with completions.with_streaming_response.create(**ASK) as raw:
                raw.read()
            response = raw.http_response
    copies = [pickle.loads(pickle.dumps(response)), copy.deepcopy(response)]
    assert [each.status_code for each in copies] == [200, 200]
    if way != "stream":
        assert [each.content for each in copies] == [response.content] * 2
    assert kept.event["response"] == "tennis"
