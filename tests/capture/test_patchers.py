"""Living with other libraries that patch the same methods, in any order."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import wrapt
from openai.resources.chat.completions import Completions
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
    """A foreign wrapper on top stays; ours sleeps beneath it, and wakes again.

    (failure-modes 35)
    """
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
    """Ours beneath, theirs removed before ours: openai is as it was.

    (failure-modes 35)
    """
    kept, seen = Kept(), list[str]()
    _capture.patch(kept)
    take_off = theirs(seen)
    ask()
    take_off()
    ask()
    assert (len(kept.calls), len(seen)) == (2, 1)
    _capture.unpatch()


def test_ours_first_ours_off_first(theirs: Patcher, ask: Callable[[], Any]) -> None:
    """Ours beneath, removed first: theirs works on, and ours still leaves.

    (failure-modes 35)
    """
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
    """Theirs beneath: uninstalling puts their wrapper back, the very one.

    (failure-modes 35)
    """
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
    """Theirs beneath, taking ours off with it: installing again helps.

    (failure-modes 35)
    """
    kept, seen = Kept(), list[str]()
    take_off = theirs(seen)
    _capture.patch(kept)
    take_off()
    ask()
    assert (len(kept.calls), len(seen)) == (0, 0)
    _capture.patch(kept)
    ask()
    assert (len(kept.calls), len(seen)) == (1, 0)


def test_a_plain_function_on_top_and_install_again(ask: Callable[[], Any]) -> None:
    """Ours under a function that hides it is not stacked by installing again.

    (failure-modes 33)
    """
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
