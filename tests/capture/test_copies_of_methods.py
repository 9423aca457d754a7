"""Patched methods are copied and pickled as the bare ones are."""

import contextlib
import copy
import functools
import pickle
from collections import abc
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.completions import Completions as TextCompletions
from support.answers import MESSAGES, completion
from support.kept import Kept
from support.scripted import ScriptedModel

from libretto_instrument import _capture


class Ours(Completions):
    """A class of the program's own."""


class Agent:
    """What a program keeps a method in."""

    def __init__(self, ask: Any) -> None:
        self.ask = ask


def resource(owner: type) -> Any:
    """Return a resource without a client, which can be copied."""
    return owner.__new__(owner)


def client() -> openai.OpenAI:
    """Return a client, which cannot."""
    return openai.OpenAI(api_key="sk-test")


METHODS: dict[str, Callable[[], Any]] = {
    "function": lambda: Completions.create,
    "async function": lambda: AsyncCompletions.create,
    "text function": lambda: TextCompletions.create,
    "function of a subclass": lambda: Ours.create,
    "in the class": lambda: Completions.__dict__["create"],
    "bound": lambda: resource(Completions).create,
    "async bound": lambda: resource(AsyncCompletions).create,
    "bound to a subclass": lambda: resource(Ours).create,
    "bound to a client's": lambda: client().chat.completions.create,
    "raw": lambda: client().chat.completions.with_raw_response.create,
    "streaming": lambda: client().chat.completions.with_streaming_response.create,
    "held": lambda: Agent(Completions.create),
    "held in a list": lambda: [resource(Completions).create],
    "partial": lambda: functools.partial(resource(Completions).create, model="m"),
}
if hasattr(Completions, "stream"):
    METHODS["helper"] = lambda: Completions.stream
    METHODS["bound helper"] = lambda: resource(Completions).stream
    METHODS["async helper"] = lambda: resource(AsyncCompletions).stream

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda value, protocol=protocol: pickle.loads(
            pickle.dumps(value, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def told(value: Any) -> Any:
    """Return a description of a method or of what holds one."""
    if isinstance(value, Agent):
        return told(value.ask)
    if isinstance(value, list):
        return told(value[0])
    if isinstance(value, functools.partial):
        return told(value.func), value.keywords
    bound = getattr(value, "__self__", None)
    return value.__class__, value.__qualname__, type(bound)


def outcome(value: Any, way: str) -> Any:
    """Return the result of copying: a description of the copy, or the error."""
    try:
        copied = WAYS[way](value)
    except Exception as exc:
        return type(exc)
    own = getattr(value, "__self__", None)
    return told(copied), getattr(copied, "__self__", None) is own


# openai's client, copied in part, complains as it is dropped.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", METHODS)
def test_a_copy_comes_to_the_same(kind: str, way: str) -> None:
    """A method can be copied and pickled, or cannot, as the bare one."""
    bare = outcome(METHODS[kind](), way)
    _capture.patch(Kept())
    ours = outcome(METHODS[kind](), way)
    _capture.unpatch()
    assert ours == bare


@pytest.mark.parametrize("way", WAYS)
def test_a_copied_function_is_recorded(
    way: str, server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Calls of a copy are recorded."""
    server.answer(completion(), times=2)
    create = WAYS[way](Completions.create)
    create(scripted.chat.completions, model="gpt-test", messages=MESSAGES)
    bound = copy.copy(scripted.chat.completions.create)
    bound(model="gpt-test", messages=MESSAGES)
    assert len(kept.calls) == 2


def test_what_was_pickled_is_openais(kept: Kept) -> None:
    """A pickled method names nothing of ours, and is loaded where we are not."""
    for method in (Completions.create, resource(AsyncCompletions).create):
        assert b"libretto" not in pickle.dumps(method)


@pytest.mark.parametrize("kind", ["function", "in the class", "bound"])
def test_a_method_is_no_container(kind: str, kept: Kept) -> None:
    """A patched method is callable, and passes for nothing else."""
    method = METHODS[kind]()
    # Python 3.12 and 3.13 warn of the one that 3.14 has no more.
    names = [name for name in abc.__all__ if name != "ByteString"]
    found = [name for name in names if isinstance(method, getattr(abc, name))]
    assert found == ["Hashable", "Callable"]
    assert not isinstance(method, contextlib.AbstractContextManager)
    assert not isinstance(method, contextlib.AbstractAsyncContextManager)
    assert bool(method)
