"""Living with other libraries that patch the same methods, in any order."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import openai
import pytest
import wrapt
from openai._legacy_response import LegacyAPIResponse
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.types.chat import ChatCompletion
from support.answers import MESSAGES, chunks, completion
from support.kept import Kept
from support.scripted import ScriptedModel

from libretto_instrument import _capture

Patcher = Callable[[list[str]], Callable[[], None]]


def by_wrapt(seen: list[str]) -> Callable[[], None]:
    """Patch ``create`` as a wrapt user does; return what takes it off again."""

    def note(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append("theirs")
        return wrapped(*args, **kwargs)

    before = Completions.__dict__["create"]
    theirs = wrapt.FunctionWrapper(before, note)
    setattr(Completions, "create", theirs)  # noqa: B010
    return lambda: setattr(Completions, "create", before)


def by_function(seen: list[str]) -> Callable[[], None]:
    """Patch ``create`` with a plain function that says nothing of what it wraps."""
    before = Completions.__dict__["create"]

    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append("theirs")
        return before.__get__(self, type(self))(*args, **kwargs)

    setattr(Completions, "create", create)  # noqa: B010
    return lambda: setattr(Completions, "create", before)


@pytest.fixture(params=[by_wrapt, by_function])
def theirs(request: pytest.FixtureRequest) -> Patcher:
    """Return another library's way to patch."""
    patcher: Patcher = request.param
    return patcher


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """See to it that openai is as it was, whatever became of the test."""
    original = Completions.__dict__["create"]
    yield
    _capture.unpatch()
    assert Completions.__dict__["create"] is original


@pytest.fixture
def ask(server: ScriptedModel, scripted: openai.OpenAI) -> Callable[[], Any]:
    """Return what asks the usual question and gets an answer."""

    def ask() -> Any:
        server.answer(completion())
        return scripted.chat.completions.create(model="gpt-test", messages=MESSAGES)

    return ask


def test_theirs_on_top_survives_and_ours_sleeps_and_wakes(
    ask: Callable[[], Any],
) -> None:
    """A foreign wrapper on top stays; ours is disabled inside it, and enabled again."""
    kept, seen = Kept(), list[str]()
    _capture.patch(kept)
    take_off = by_wrapt(seen)
    on_top = Completions.__dict__["create"]
    ask()
    assert (len(kept.calls), len(seen)) == (1, 1)
    _capture.unpatch()
    assert Completions.__dict__["create"] is on_top
    ask()
    assert (len(kept.calls), len(seen)) == (1, 2)
    for awake in range(1, 4):
        _capture.patch(kept)
        assert Completions.__dict__["create"] is on_top
        ask()
        assert (len(kept.calls), len(seen)) == (1 + awake, 2 + awake)
        _capture.unpatch()
        assert Completions.__dict__["create"] is on_top
    take_off()
    _capture.unpatch()


def test_ours_first_theirs_off_first(theirs: Patcher, ask: Callable[[], Any]) -> None:
    """Ours inside, theirs removed before ours: openai is as it was."""
    kept, seen = Kept(), list[str]()
    _capture.patch(kept)
    take_off = theirs(seen)
    ask()
    take_off()
    ask()
    assert (len(kept.calls), len(seen)) == (2, 1)
    _capture.unpatch()


def test_ours_first_ours_off_first(theirs: Patcher, ask: Callable[[], Any]) -> None:
    """Ours inside and removed first: theirs still works, and ours is removed later."""
    kept, seen = Kept(), list[str]()
    original = Completions.__dict__["create"]
    _capture.patch(kept)
    take_off = theirs(seen)
    _capture.unpatch()
    ask()
    take_off()
    ask()
    assert (len(kept.calls), len(seen)) == (0, 1)
    _capture.patch(kept)
    ask()
    assert len(kept.calls) == 1
    _capture.unpatch()
    assert Completions.__dict__["create"] is original


def test_theirs_first_ours_off_first(theirs: Patcher, ask: Callable[[], Any]) -> None:
    """Theirs inside: uninstalling restores the very same wrapper of theirs."""
    kept, seen = Kept(), list[str]()
    take_off = theirs(seen)
    beneath = Completions.__dict__["create"]
    _capture.patch(kept)
    ask()
    assert (len(kept.calls), len(seen)) == (1, 1)
    _capture.unpatch()
    assert Completions.__dict__["create"] is beneath
    take_off()


def test_theirs_first_theirs_off_first(theirs: Patcher, ask: Callable[[], Any]) -> None:
    """Theirs inside, removed along with ours: the client's requests are still seen."""
    kept, seen = Kept(), list[str]()
    take_off = theirs(seen)
    _capture.patch(kept)
    take_off()
    ask()
    assert (len(kept.calls), len(seen)) == (1, 0)
    _capture.patch(kept)
    ask()
    assert (len(kept.calls), len(seen)) == (2, 0)


def test_a_plain_function_on_top_and_install_again(ask: Callable[[], Any]) -> None:
    """Ours under a function that hides it is not stacked by installing again."""
    kept, seen = Kept(), list[str]()
    _capture.patch(kept)
    take_off = by_function(seen)
    _capture.patch(kept)
    ask()
    assert (len(kept.calls), len(seen)) == (1, 1)
    _capture.unpatch()
    ask()
    assert len(kept.calls) == 1
    _capture.patch(kept)
    ask()
    assert len(kept.calls) == 2
    _capture.unpatch()
    take_off()
    _capture.unpatch()


def test_a_patcher_that_returns_a_generator(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A stream that theirs turned into a plain generator is recorded, with no log."""
    before = Completions.__dict__["create"]

    def create(self: Any, **kwargs: Any) -> Any:
        return (piece for piece in before(self, **kwargs))

    setattr(Completions, "create", create)  # noqa: B010
    kept = Kept()
    _capture.patch(kept)
    server.stream(*chunks("a"))
    stream = scripted.chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True
    )
    assert len(list(stream)) == 3
    _capture.unpatch()
    setattr(Completions, "create", before)  # noqa: B010
    assert kept.event["response"] == "a"


class _BothWays:
    """A stream as some patchers make it: of one kind, and read in either way."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._stream)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._stream)


def test_a_patcher_whose_stream_can_be_read_both_ways(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """What a plain call returned is recorded as it is read: without an await."""
    before = Completions.__dict__["create"]

    def create(self: Any, **kwargs: Any) -> Any:
        return _BothWays(before(self, **kwargs))

    setattr(Completions, "create", create)  # noqa: B010
    kept = Kept()
    _capture.patch(kept)
    server.stream(*chunks("a"))
    stream = scripted.chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True
    )
    assert len(list(stream)) == 3
    _capture.unpatch()
    setattr(Completions, "create", before)  # noqa: B010
    assert kept.event["response"] == "a"


class _EitherWay(_BothWays):
    """A stream that can be read in both ways."""

    async def __anext__(self) -> Any:
        for chunk in self._stream:
            return chunk
        raise StopAsyncIteration


class _Response:
    """What another library's stream keeps of its response."""


class _Closes(_Response):
    def close(self) -> None:
        """Close nothing."""


class _ClosesAsync(_Response):
    async def aclose(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize("kind", [_Response, _Closes, _ClosesAsync])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_patcher_whose_stream_has_a_response_of_its_own(
    kind: type[Any],
    is_async: bool,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A foreign stream is recorded however it is read, whatever its response can do."""
    before = Completions.__dict__["create"]

    def create(self: Any, **kwargs: Any) -> Any:
        stream = _EitherWay(before(self, **kwargs))
        stream.response = kind()  # type: ignore[attr-defined]
        return stream

    setattr(Completions, "create", create)  # noqa: B010
    kept = Kept()
    _capture.patch(kept)
    server.stream(*chunks("a"))
    stream: Any = scripted.chat.completions.create(**ASK, stream=True)
    read = [each async for each in stream] if is_async else list(stream)
    _capture.unpatch()
    setattr(Completions, "create", before)  # noqa: B010
    assert len(read) == 3
    assert kept.event["response"] == "a"
    assert not warnings_of.records


class _Cursor:
    """What reads one by one, and is not a stream of a model."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise StopIteration

    def close(self) -> None:
        """Close nothing."""


ASK: dict[str, Any] = {"model": "gpt-test", "messages": MESSAGES}

#: What a test, or a cache, may put in place of an answer.
STAND_INS: dict[str, Callable[[], Any]] = {
    "mock": mock.Mock,
    "magic mock": mock.MagicMock,
    "async mock": mock.AsyncMock,
    "mock of a stream": lambda: mock.MagicMock(spec=openai.Stream),
    "mock of an async stream": lambda: mock.MagicMock(spec=openai.AsyncStream),
    "mock of an answer": lambda: mock.Mock(spec=ChatCompletion),
    "mock of a raw answer": lambda: mock.Mock(spec=LegacyAPIResponse),
    "subclass of a mock": type("Fake", (mock.MagicMock,), {}),
    "cursor": _Cursor,
    "iterator": lambda: iter([1, 2]),
    "generator": lambda: (number for number in (1, 2)),
    "nothing": lambda: None,
    "dict": lambda: {"choices": []},
    "text": lambda: "an answer",
    "namespace": lambda: SimpleNamespace(choices=[]),
}


@pytest.mark.parametrize("kind", STAND_INS)
async def test_a_stand_in_comes_back_as_it_is(
    kind: str, scripted: openai.OpenAI, ascripted: openai.AsyncOpenAI
) -> None:
    """What is not a model's answer is handed back, the very object, untouched."""
    stand_in = STAND_INS[kind]()
    before = dict(getattr(stand_in, "__dict__", {}))
    calls = getattr(stand_in, "mock_calls", None)

    def create(self: Any, **kwargs: Any) -> Any:
        return stand_in

    async def acreate(self: Any, **kwargs: Any) -> Any:
        return stand_in

    kept = Kept()
    with (
        mock.patch.object(Completions, "create", new=create),
        mock.patch.object(AsyncCompletions, "create", new=acreate),
    ):
        _capture.patch(kept)
        answer: Any = scripted.chat.completions.create(**ASK)
        awaited: Any = await ascripted.chat.completions.create(**ASK)
        _capture.unpatch()
    assert answer is stand_in
    assert awaited is stand_in
    assert len(kept.calls) == 2
    assert dict(getattr(stand_in, "__dict__", {})) == before
    assert getattr(stand_in, "mock_calls", None) == calls


@pytest.mark.parametrize("kind", [mock.Mock, mock.MagicMock, mock.AsyncMock])
def test_a_mock_in_place_of_a_stream(kind: Any, scripted: openai.OpenAI) -> None:
    """Though a stream was asked for, a mock is none."""
    answer = kind()
    with mock.patch.object(Completions, "create", return_value=answer):
        _capture.patch(Kept())
        got = scripted.chat.completions.create(
            model="gpt-test", messages=MESSAGES, stream=True
        )
        _capture.unpatch()
    assert got is answer


@pytest.mark.parametrize("answer", [mock.MagicMock(), "an answer", None])
def test_an_async_method_that_does_not_wait(
    answer: Any, ascripted: openai.AsyncOpenAI
) -> None:
    """A stand-in that answers without being awaited is not to be awaited with us."""
    stand_in = mock.MagicMock(return_value=answer)
    with mock.patch.object(AsyncCompletions, "create", new=stand_in):
        _capture.patch(Kept())
        got = ascripted.chat.completions.create(model="gpt-test", messages=MESSAGES)
        _capture.unpatch()
    assert got is answer
