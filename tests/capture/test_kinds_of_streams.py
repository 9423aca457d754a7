"""A recorded stream is of the kinds that the bare one is of, and of no other."""

import contextlib
import copy
import pickle
from collections import abc
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import Completions
from support.answers import MESSAGES, chunks
from support.kept import Kept
from support.scripted import ScriptedModel
from support.versions import helpers_of

from libretto_instrument import _capture

ASK: dict[str, Any] = {"model": "gpt-test", "messages": MESSAGES}

KINDS = (
    # Python 3.12 and 3.13 warn of the one that 3.14 has no more.
    *(getattr(abc, name) for name in abc.__all__ if name != "ByteString"),
    contextlib.AbstractContextManager,
    contextlib.AbstractAsyncContextManager,
)

#: How a class is made, which says nothing of what its objects can do.
MADE = {
    "__abstractmethods__",
    "__annotations__",
    "__class_getitem__",
    "__dict__",
    "__firstlineno__",
    "__module__",
    "__slots__",
    "__static_attributes__",
    "__weakref__",
}

#: Every special method that a class of the standard library has.
SPECIAL = {
    name
    for kind in (*KINDS, int, str, dict, list, bytearray, Iterator)
    for name in dir(kind)
    if name.startswith("__") and name.endswith("__") and name not in MADE
}


def described(value: Any) -> dict[str, Any]:
    """Return what can be asked of an object without using it."""
    kinds = [kind.__name__ for kind in KINDS if isinstance(value, kind)]
    methods = {name for name in SPECIAL if hasattr(value, name)}
    public = {name for name in dir(value) if not name.startswith("_")}
    return {
        "kinds": kinds,
        "methods": methods,
        "on the class": {name for name in methods if hasattr(type(value), name)},
        "public": public,
        "callable": callable(value),
        "truth": bool(value),
        "doc": value.__doc__,
        "class": value.__class__,
        "aclose": hasattr(value, "aclose"),
    }


def way_to_read(value: Any) -> str:
    """Return how code that takes either kind of stream would read it."""
    return "for" if isinstance(value, abc.Iterable) else "async for"


def stream(client: openai.OpenAI, server: ScriptedModel, **more: Any) -> Any:
    """Return a stream that was just begun."""
    server.stream(*chunks("a"))
    return client.chat.completions.create(**ASK, stream=True, **more)


def test_a_stream(server: ScriptedModel, scripted: openai.OpenAI, kept: Kept) -> None:
    """A recorded stream looks as the bare one does."""
    ours = stream(scripted, server)
    _capture.unpatch()
    bare = stream(scripted, server)
    assert described(ours) == described(bare)
    assert way_to_read(ours) == "for"
    assert len(list(ours)) == len(list(bare)) == 3
    assert kept.event["response"] == "a"


async def test_an_async_stream(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, kept: Kept
) -> None:
    """A recorded async stream looks as the bare one does: as no sync one."""
    server.stream(*chunks("a"), times=2)
    ours = await ascripted.chat.completions.create(**ASK, stream=True)
    _capture.unpatch()
    bare = await ascripted.chat.completions.create(**ASK, stream=True)
    assert described(ours) == described(bare)
    assert way_to_read(ours) == "async for"
    with pytest.raises(TypeError):
        iter(ours)
    assert len([chunk async for chunk in ours]) == 3
    assert len([chunk async for chunk in bare]) == 3
    assert kept.event["response"] == "a"


def test_a_helpers_manager(
    server: ScriptedModel, scripted: openai.OpenAI, ascripted: openai.AsyncOpenAI
) -> None:
    """The managers of both helpers, given settings, look as the bare ones do."""
    for client in (scripted, ascripted):
        bare = helpers_of(client).stream(**ASK)
        _capture.patch(Kept())
        ours = helpers_of(client).stream(**ASK, libretto={"context": {"a": 1}})
        assert type(ours) is not type(bare)
        assert described(ours) == described(bare)
        _capture.unpatch()
        for manager in (bare, ours):  # Theirs is made when it is entered, or now.
            for held in vars(manager).values():
                if hasattr(held, "close") and hasattr(held, "cr_frame"):
                    held.close()


class _Counted:
    """A stream as a patcher could make it: with a length and items."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items
        self.at = iter(items)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self.at)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def __call__(self) -> str:
        return "called"


class _OnlyNext:
    """A stream that can be asked for the next chunk, and nothing else."""

    def __init__(self, items: list[Any]) -> None:
        self.at = iter(items)

    def __next__(self) -> Any:
        return next(self.at)


def _generated(items: list[Any]) -> Any:
    yield from items


@pytest.mark.parametrize("made", [_Counted, _OnlyNext, _generated, iter])
def test_a_patchers_stream(
    made: Any,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a patcher made of a stream keeps the methods that it gave it."""
    before = Completions.create

    def create(self: Any, **kwargs: Any) -> Any:
        return made(list(before(self, **kwargs)))

    monkeypatch.setattr(Completions, "create", create)
    bare = stream(scripted, server)
    kept = Kept()
    _capture.patch(kept)
    ours = stream(scripted, server)
    assert described(ours) == described(bare)
    if made is _Counted:
        assert (len(ours), ours[0].id, ours()) == (3, "chatcmpl-1", "called")
    seen = 0
    with contextlib.suppress(StopIteration):
        while True:
            next(ours)
            seen += 1
    _capture.unpatch()
    assert seen == 3
    assert kept.event["response"] == "a"


def test_attributes_are_the_streams(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """What is set on a recorded stream is set on the stream itself."""
    ours = stream(scripted, server)
    ours.mark = 7
    assert ours.__wrapped__.mark == ours.mark == vars(ours)["mark"] == 7
    del ours.mark
    assert not hasattr(ours, "mark")
    assert {ours: 1}[ours] == 1
    assert ours == ours.__wrapped__
    assert ours != stream(scripted, server)
    assert repr(ours) == repr(ours.__wrapped__)
    assert len(list(ours)) == 3


# openai's client, copied in part, complains as it is dropped.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_copies(server: ScriptedModel, scripted: openai.OpenAI, kept: Kept) -> None:
    """A stream is copied, or cannot be, as the bare one."""
    ours = stream(scripted, server)
    assert isinstance(copy.copy(ours), openai.Stream)
    for refused in (copy.deepcopy, pickle.dumps):
        with pytest.raises(Exception) as bare:  # noqa: PT011
            refused(ours.__wrapped__)
        with pytest.raises(bare.type):
            refused(ours)
    assert len(list(ours)) == 3
