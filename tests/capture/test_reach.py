"""One event for every call, however it is reached, before and after patching."""

import asyncio
import concurrent.futures
import functools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai._base_client import SyncAPIClient
from openai.resources.chat.completions import Completions
from pydantic import BaseModel
from support.answers import MESSAGES, chunks, completion, text_chunk, text_completion
from support.kept import Kept
from support.scripted import DEADLINE, ScriptedModel
from support.versions import HAS_DECISIONS, HAS_RESPONSES, helpers_of

import libretto_instrument as libretto
from libretto_instrument import _capture, scope
from libretto_instrument.testing import CapturedEvents


class Sport(BaseModel):
    name: str


RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-test",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": '{"name": "tennis"}', "annotations": []}
            ],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
EVENTS = [
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": {**RESPONSE, "status": "in_progress", "output": []},
    },
    {"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
]

DECISION: dict[str, Any] = {
    "model": "gpt-test",
    "answers": [
        {"type": "choice", "name": "sport", "choice": "tennis", "confidence": 0.9}
        | {"probabilities": [{"value": "tennis", "probability": 0.9}]}
    ],
    "usage": {
        "input_tokens": 3,
        "output_tokens": 1,
        "total_tokens": 4,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}

#: By resource: the path, the arguments, a whole answer, and a streamed one.
RESOURCES: dict[str, tuple[str, dict[str, Any], Any, list[Any]]] = {
    "chat.completions": (
        "/chat/completions",
        {"model": "m", "messages": MESSAGES},
        completion('{"name": "tennis"}'),
        chunks("ten", "nis"),
    ),
    "completions": (
        "/completions",
        {"model": "m", "prompt": "Which sport?"},
        text_completion("tennis"),
        [text_chunk("ten"), text_chunk("nis", finish="stop")],
    ),
    "responses": (
        "/responses",
        {"model": "m", "input": "Which sport?"},
        RESPONSE,
        EVENTS,
    ),
    "decisions": (
        "/decisions",
        {
            "model": "m",
            "input": "Which sport?",
            "questions": [{"type": "predicate", "instructions": "Is it a sport?"}],
        },
        DECISION,
        [],
    ),
}


def resource_of(client: Any, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), client)


def bound(client: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = resource_of(client, name).create
    return method


def partially(client: Any, name: str) -> Callable[..., Any]:
    return functools.partial(resource_of(client, name).create, timeout=DEADLINE)


def wrapped(client: Any, name: str) -> Callable[..., Any]:
    """Put a foreign wrapper on the client, and take the method from there."""
    resource = resource_of(client, name)
    held = resource.create

    @functools.wraps(held)
    def create(**kwargs: Any) -> Any:
        return held(**kwargs)

    resource.create = create
    return create


def raw(client: Any, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = resource_of(client, name).with_raw_response.create
    return method


def posted(client: Any, name: str) -> Callable[..., Any]:
    """Return what posts to the endpoint's path, as the README of openai shows."""
    path = RESOURCES[name][0]
    is_async = isinstance(client, openai.AsyncOpenAI)
    kind = openai.AsyncStream if is_async else openai.Stream

    def post(**kwargs: Any) -> Any:
        return client.post(
            path,
            body=kwargs,
            cast_to=object,  # On Python 3.10, openai 1 knows no dict[str, Any].
            stream=kwargs.get("stream", False),
            stream_cls=kind[object],
        )

    return post


WAYS = (bound, partially, wrapped, raw, posted)

each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
#: Those that this version of openai has.
HERE = [
    name
    for name in RESOURCES
    if (name != "responses" or HAS_RESPONSES) and (name != "decisions" or HAS_DECISIONS)
]

#: Each of them with each way of answering that it has.
each_answer = pytest.mark.parametrize(
    ("name", "stream"),
    [
        (name, stream)
        for name in HERE
        for stream in (False, True)
        if not (stream and name == "decisions")
    ],
)
before_or_after = pytest.mark.parametrize("is_before", [True, False])


def plain(value: Any) -> Any:
    """Return what an answer or a chunk of one says, as JSON, without our mark."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, dict):
        value.pop("libretto_feedback_key", None)
    return json.loads(json.dumps(value, default=str))


def use(answer: Any) -> Any:
    """Read an answer as its caller would."""
    if hasattr(answer, "http_response"):
        answer = answer.parse()
    if isinstance(answer, openai.Stream):
        return [plain(piece) for piece in answer]
    return plain(answer)


async def use_async(answer: Any) -> Any:
    """Read an awaited answer as its caller would."""
    if hasattr(answer, "http_response"):
        answer = answer.parse()
        answer = await answer if asyncio.iscoroutine(answer) else answer
    if isinstance(answer, openai.AsyncStream):
        return [plain(piece) async for piece in answer]
    return plain(answer)


@pytest.fixture
def patched() -> Iterator[Callable[[], Kept]]:
    """Yield what patches openai, and returns where calls are kept."""

    def patch() -> Kept:
        kept = Kept()
        _capture.patch(kept)
        return kept

    yield patch
    _capture.unpatch()


def script(server: ScriptedModel, name: str, stream: bool) -> None:
    *_, answer, events = RESOURCES[name]
    if stream:
        server.stream(*events)
    else:
        server.answer(answer)


@before_or_after
@each_answer
@each_way
def test_one_event(
    way: Callable[..., Any],
    name: str,
    stream: bool,
    is_before: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    patched: Callable[[], Kept],
) -> None:
    """Each way makes one event; bytes and answer are those of a bare call."""
    arguments = {**RESOURCES[name][1], **({"stream": True} if stream else {})}
    script(server, name, stream)
    bare = use(way(scripted.with_options(), name)(**arguments))
    held = way(scripted, name) if is_before else None
    kept = patched()
    script(server, name, stream)
    assert use((held or way(scripted, name))(**arguments)) == bare
    assert server.requests[0] == server.requests[1]
    event = kept.event
    assert "tennis" in event["response"]
    assert event["modelParameters"]["model"] == "m"
    assert "Which sport?" in json.dumps(event)


@before_or_after
@each_answer
@each_way
async def test_one_event_async(
    way: Callable[..., Any],
    name: str,
    stream: bool,
    is_before: bool,
    server: ScriptedModel,
    ascripted: openai.AsyncOpenAI,
    patched: Callable[[], Kept],
) -> None:
    """Each awaited way makes one event, and the bytes and answer are a bare call's."""
    arguments = {**RESOURCES[name][1], **({"stream": True} if stream else {})}
    script(server, name, stream)
    bare = await use_async(await way(ascripted.with_options(), name)(**arguments))
    held = way(ascripted, name) if is_before else None
    kept = patched()
    script(server, name, stream)
    assert await use_async(await (held or way(ascripted, name))(**arguments)) == bare
    assert server.requests[0] == server.requests[1]
    assert "tennis" in kept.event["response"]


@before_or_after
@pytest.mark.parametrize("name", ["chat.completions", *({"responses"} & {*HERE})])
def test_parse(
    name: str,
    is_before: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    patched: Callable[[], Kept],
) -> None:
    """A held ``parse`` makes one event, also where its answer cannot be read."""
    resource = resource_of(scripted, name)
    if not hasattr(resource, "parse"):
        resource = resource_of(scripted, f"beta.{name}")
    held = resource.parse if is_before else None
    kept = patched()
    form = "text_format" if name == "responses" else "response_format"
    arguments: Any = {**RESOURCES[name][1], form: Sport}
    script(server, name, stream=False)
    (held or resource.parse)(**arguments)
    assert len(kept.events) == 1
    if name == "chat.completions":
        cut = completion('{"na')
        cut["choices"][0]["finish_reason"] = "length"
        server.answer(cut)
        with pytest.raises(openai.LengthFinishReasonError):
            (held or resource.parse)(**arguments)
        assert kept.events[1]["response"] == '{"na'


@before_or_after
def test_stream_helper(
    is_before: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    patched: Callable[[], Kept],
) -> None:
    """A held stream helper makes one event."""
    resource = helpers_of(scripted)
    held = resource.stream if is_before else None
    kept = patched()
    server.stream(*chunks("ten", "nis"))
    with (held or resource.stream)(model="m", messages=MESSAGES) as stream:
        stream.until_done()
    assert kept.event["response"] == "tennis"


@pytest.mark.parametrize(
    ("path", "is_recorded"),
    [
        ("chat/completions", True),
        ("/chat/completions?api-version=1", True),
        ("/deployments/mine/chat/completions", True),
        ("{url}/chat/completions", True),
        ("/embeddings", False),
        ("/responses/compact", False),
        ("/surveys/1/responses", False),
        ("/moderations", False),
    ],
)
def test_paths(
    path: str,
    is_recorded: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    patched: Callable[[], Kept],
) -> None:
    """A request is a model call by its path, wherever its host or deployment is."""
    kept = patched()
    server.answer(completion())
    body = {"model": "m", "messages": MESSAGES}
    path = path.format(url=server.url)
    scripted.post(path, body=body, cast_to=object)
    assert len(kept.calls) == is_recorded


def test_a_get_is_no_call(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """Listing stored completions is a request to the same path, and no event."""
    kept = patched()
    server.answer({"data": [], "object": "list"})
    scripted.get("/chat/completions", cast_to=object)
    assert not kept.calls


def test_post_with_other_results(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """What ``post()`` is asked to make of an answer is what the caller gets."""
    kept = patched()
    response_class: Any = type(scripted._client.build_request("GET", server.url))
    response_class = __import__(response_class.__module__.partition(".")[0]).Response
    body: Any = {"model": "m", "messages": MESSAGES}
    models = openai.types.Completion, openai.types.chat.ChatCompletion
    # openai itself takes `dict[str, Any]` for a class on Python 3.10, and raises.
    mappings = (dict[str, Any],) if sys.version_info >= (3, 11) else ()
    kinds = (response_class, object, *models, str, bytes, *mappings)
    for cast_to in kinds:
        server.answer(completion())
        answer: Any = scripted.post(
            "/chat/completions",
            body=body,
            cast_to=cast_to,
            options={"extra_json": {"top_k": 3}},
        )
        if cast_to is response_class:
            assert answer.json() == completion()
    assert [event["response"] for event in kept.events] == ["tennis"] * len(kinds)
    raw = [event["rawResponse"] for event in kept.events]
    assert raw == [completion()] * len(kinds)
    extra = kept.events[0]["modelParameters"]["extra_body"]
    assert extra == {"top_k": 3}


def test_an_error_of_a_held_method(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """A refused request of a held method is one event that says so, after retries."""
    held = scripted.with_options(max_retries=1).chat.completions.create
    kept = patched()
    server.answer({}, status=500, headers={"retry-after-ms": "1"}, times=2)
    with pytest.raises(openai.InternalServerError):
        held(model="m", messages=MESSAGES)
    assert "InternalServerError" in kept.event["responseErrors"][0]


def test_not_sampled_is_not_recorded(
    server: ScriptedModel, scripted: openai.OpenAI, events: CapturedEvents
) -> None:
    """What a patched method has decided not to record is not decided again."""
    libretto.install(api_key="k", allow_unnamed_prompts=True, sample_rate=0.5)
    server.answer(completion(), times=400)
    for _ in range(400):
        scripted.chat.completions.create(model="m", messages=MESSAGES)
    assert 140 < len(events) < 260


async def test_not_recorded_where_it_was_made(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, events: CapturedEvents
) -> None:
    """A call made where recording is off, and awaited elsewhere, is not recorded."""
    libretto.install(api_key="k", allow_unnamed_prompts=True)
    server.answer(completion())
    with scope(enabled=False):
        pending = ascripted.chat.completions.create(model="m", messages=MESSAGES)
    await pending
    assert not events


def threaded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs another one on a thread without its context."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *args, **kwargs).result(DEADLINE)

    return run


class ThreadedClient(openai.OpenAI):
    """A client that sends its requests from threads of its own."""

    request = threaded(openai.OpenAI.request)  # type: ignore[assignment]


@pytest.mark.parametrize("where", ["method", "client"])
def test_never_twice_by_another_thread(
    where: str,
    server: ScriptedModel,
    monkeypatch: pytest.MonkeyPatch,
    patched: Callable[[], Kept],
) -> None:
    """A wrapper inside ours that sends the request from another thread: one event."""
    client = openai.OpenAI
    if where == "method":
        monkeypatch.setattr(Completions, "create", threaded(Completions.create))
    else:
        client = ThreadedClient
    kept = patched()
    server.answer(completion())
    with client(api_key="k", base_url=server.url, timeout=DEADLINE) as made:
        made.chat.completions.create(model="m", messages=MESSAGES)
    assert len(kept.calls) == 1
    _capture.unpatch()


def test_held_and_patched_at_once(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """Equal calls by a held and by the patched method, at once, are events each."""
    held = scripted.chat.completions.create
    kept = patched()
    server.answer(completion(), times=60)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = [
            pool.submit(method, model="m", messages=MESSAGES)  # type: ignore[arg-type]
            for _ in range(30)
            for method in (held, scripted.chat.completions.create)
        ]
        for each in made:
            each.result(DEADLINE)
    assert len(kept.calls) == 60


def test_a_request_wrapped_by_others(
    server: ScriptedModel, scripted: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign wrapper on the client's request() stays, and a call is one event."""
    kept, seen = Kept(), []
    before = SyncAPIClient.request
    _capture.patch(kept)
    ours = SyncAPIClient.request

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(SyncAPIClient, "request", theirs)
    server.answer(completion(), times=2)
    scripted.chat.completions.create(model="m", messages=MESSAGES)
    assert (len(kept.calls), len(seen)) == (1, 1)
    _capture.unpatch()
    assert SyncAPIClient.request is theirs
    scripted.chat.completions.create(model="m", messages=MESSAGES)
    assert (len(kept.calls), len(seen)) == (1, 2)
    monkeypatch.setattr(SyncAPIClient, "request", before)


def test_a_raw_method_of_somebody_elses(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """A foreign raw method on a view stays, during recording and afterwards."""
    from openai import _legacy_response

    view = scripted.chat.completions.with_raw_response
    held = scripted.chat.completions.create

    @functools.wraps(held)
    def from_cache(**arguments: Any) -> Any:
        return "from the cache"

    @_legacy_response.to_raw_response_wrapper
    def by_openais(**arguments: Any) -> Any:
        return "from another cache"

    for theirs in (from_cache, by_openais, functools.partial(from_cache)):
        view.create = theirs
        patched()
        assert view.create is theirs
        _capture.unpatch()
        assert view.create is theirs
    own = functools.partial(Completions.create, scripted.chat.completions)
    view.create = own  # type: ignore[assignment]
    kept = patched()
    server.answer(completion())
    view.create(model="m", messages=MESSAGES)  # type: ignore[call-overload]
    assert len(kept.calls) == 1


def test_a_view_is_as_it_was_afterwards(
    server: ScriptedModel, scripted: openai.OpenAI, patched: Callable[[], Kept]
) -> None:
    """A raw view made before patching has its own method again after unpatching."""
    view = scripted.chat.completions.with_raw_response
    before = view.create
    patched()
    assert view.create is not before
    assert view.create is view.create
    _capture.unpatch()
    assert view.create is before


@pytest.mark.skipif(
    not hasattr(getattr(openai.OpenAI(api_key="k"), "responses", None), "connect"),
    reason="this version of openai has no responses.connect()",
)
def test_warns_of_a_websocket(
    scripted: Any,
    warnings_of: pytest.LogCaptureFixture,
    patched: Callable[[], Kept],
) -> None:
    """That responses over a WebSocket are not recorded is said once."""
    bare = type(scripted.responses.connect())
    patched()
    for _ in range(2):
        assert type(scripted.responses.connect()) is bare
    assert warnings_of.text.count("WebSocket") == 1


def test_warns_of_what_cannot_be_seen(
    monkeypatch: pytest.MonkeyPatch,
    warnings_of: pytest.LogCaptureFixture,
    patched: Callable[[], Kept],
) -> None:
    """A version of openai without ``request()`` is reported once."""
    monkeypatch.delattr(SyncAPIClient, "request")
    patched()
    patched()
    assert warnings_of.text.count("were taken before install()") == 1
    assert not _capture.sees_requests()
