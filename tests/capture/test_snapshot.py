"""What is kept of a request: as it was at the call, cheaply, and nothing secret."""

import asyncio
import json
import threading
from collections import UserDict, deque
from collections.abc import Callable, Iterator
from datetime import date
from enum import Enum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import NOT_GIVEN
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from support.answers import MESSAGES, chunks, completion
from support.kept import Kept
from support.scripted import ScriptedModel
from typing_extensions import TypedDict

import libretto_instrument as libretto
from libretto_instrument import TemplateChat, TemplateText
from libretto_instrument._capture.build_event import build_event
from libretto_instrument._capture.endpoints.table import CHAT
from libretto_instrument._capture.record import CallRecord
from libretto_instrument._capture.snapshot import CopyBudget, snapshot
from libretto_instrument._config.settings import CallSettings
from libretto_instrument._util.json import encode
from libretto_instrument.testing import CapturedEvents


@pytest.fixture
def ask(server: ScriptedModel, scripted: openai.OpenAI) -> Callable[..., Any]:
    """Return what makes a call that is answered."""

    def ask(messages: Any = MESSAGES, **more: Any) -> Any:
        server.answer(completion())
        create: Any = scripted.chat.completions.create
        return create(model="gpt-test", messages=messages, **more)

    return ask


# What changes later


def test_changes_after_the_call_do_not_show(
    kept: Kept, ask: Callable[..., Any]
) -> None:
    """The event has the request as it was, whatever becomes of it later."""
    part = {"type": "text", "text": "before"}
    messages = [{"role": "user", "content": [part]}]
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    stop, context = ["a"], {"user": {"id": 1}}
    ask(messages, tools=tools, stop=stop, libretto={"context": context})
    part["text"] = "after"
    messages.append({"role": "user", "content": "after"})
    parameters["properties"]["after"] = {}
    stop.append("after")
    context["user"]["id"] = 2
    assert "after" not in json.dumps(kept.event)
    assert kept.event["context"] == {"user": {"id": 1}}


def test_changes_between_call_and_chunks_do_not_show(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The snapshot is taken at the call, not at the end of its stream."""
    server.stream(*chunks("a"))
    messages: list[Any] = [{"role": "user", "content": "before"}]
    stream = scripted.chat.completions.create(model="m", messages=messages, stream=True)
    messages[0]["content"] = "after"
    list(stream)
    assert kept.event["promptTemplateChat"] == [{"role": "user", "content": "before"}]


def test_changes_of_templates_and_their_parameters_do_not_show(
    kept: Kept, ask: Callable[..., Any]
) -> None:
    """Templates and parameters are those of the call, at every depth."""
    listed, given = ["before"], {"also": ["before"]}
    chat = TemplateChat([{"role": "user", "content": "{listed}"}], {"listed": listed})
    text = TemplateText("{listed}", {"listed": listed})
    ask(chat, libretto={"template_params": given})
    ask([{"role": "user", "content": text}])
    chat.params["listed"].append("after")
    chat.template[0]["content"] = "after"
    text.params["late"] = "after"
    given["also"].append("after")
    first, second = kept.events
    assert first["promptTemplateChat"] == [{"role": "user", "content": "{listed}"}]
    assert first["params"] == {"listed": ["before"], "also": ["before"]}
    assert second["promptTemplateChat"] == [{"role": "user", "content": "{listed}"}]
    assert second["params"] == {"listed": ["before"]}


def test_changes_of_a_response_do_not_show(kept: Kept, ask: Callable[..., Any]) -> None:
    """What the caller makes of the response is not what the event says."""
    answer = ask()
    answer.choices[0].message.content = "after"
    answer.usage = None
    assert kept.event["response"] == "tennis"
    assert kept.event["rawResponse"]["choices"][0]["message"]["content"] == "tennis"
    assert kept.event["responseMetrics"]["usage"]["total_tokens"] == 5


def test_the_callers_own_values_are_left_alone(
    kept: Kept, ask: Callable[..., Any]
) -> None:
    """Nothing that the caller hands over is changed."""
    libretto_params = {"prompt_template_name": "n", "template_params": {"a": 1}}
    messages, tools = [{"role": "user", "content": "x"}], list[Any]()
    ask(messages, tools=tools, libretto=libretto_params)
    assert libretto_params == {"prompt_template_name": "n", "template_params": {"a": 1}}
    assert messages == [{"role": "user", "content": "x"}]
    assert tools == []


# What can be read only once


def test_messages_from_a_generator_reach_openai_whole(
    kept: Kept, server: ScriptedModel, ask: Callable[..., Any]
) -> None:
    """An iterator is openai's to use up, not ours."""
    ask(message for message in MESSAGES)
    assert server.requests[0].json["messages"] == MESSAGES
    assert "iterator" in kept.event["promptTemplateChat"][0]


def test_no_iterator_is_consumed() -> None:
    """Iterators of every kind come out of a snapshot as they went in."""

    async def agenerate() -> Any:
        yield 1

    generator = (number for number in range(3))
    iterators: list[Any] = [generator, map(str, [1, 2]), iter([1, 2]), open(__file__)]  # noqa: SIM115
    asynchronous = agenerate()
    taken = snapshot({"deep": [*iterators, asynchronous]}, CopyBudget())
    assert [next(iterator) for iterator in iterators[:3]] == [0, "1", 1]
    assert iterators[3].readline().startswith('"""What is kept')
    assert asynchronous.ag_frame is not None
    assert all(isinstance(item, str) for item in taken["deep"])
    iterators[3].close()
    asyncio.run(asynchronous.aclose())


# What JSON has no form for


class Colour(Enum):
    RED = "red"


class Hostile:
    """Nothing can be learned of it."""

    def __repr__(self) -> str:
        raise RuntimeError("secret")


class Sized:
    """A sequence by its methods alone, not by its class."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, at: int) -> Any:
        raise AssertionError("nobody asked")


class Point(BaseModel):
    x: int
    y: int | None = None


VALUES: list[tuple[Any, Any]] = [
    (Colour.RED, "red"),
    (date(2024, 2, 29), "2024-02-29"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("a/b"), "a/b"),
    (b"\x00\xff", "<2 bytes>"),
    ((1, (2,)), [1, [2]]),
    (deque([1]), [1]),
    (frozenset([1]), [1]),
    (UserDict(a=1), {"a": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    ({1: 2, None: 3}, {"1": 2, "null": 3}),
    (Point(x=1), {"x": 1}),
    (float("nan"), None),
    ("\ud800", "\ud800"),
    (TemplateText("{a}", {"a": "b"}), "b"),
]


@pytest.mark.parametrize(("value", "form"), VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_becomes_what_json_can_say(value: Any, form: Any) -> None:
    """Values that JSON does not know become the nearest that it does."""
    assert json.loads(encode(snapshot({"v": value}, CopyBudget()))) == {"v": form}


@pytest.mark.parametrize(
    "value", [threading.Lock(), object(), Hostile(), Sized(), lambda: 0, Ellipsis]
)
def test_anything_else_becomes_a_short_text(
    kept: Kept, ask: Callable[..., Any], value: Any
) -> None:
    """A lock, an object, even one with no repr, costs the event nothing else."""
    ask(libretto={"context": {"odd": value, "even": 2}})
    context = json.loads(encode(kept.event))["context"]
    assert context["even"] == 2
    assert isinstance(context["odd"], str)
    assert len(context["odd"]) < 600
    assert kept.event["promptTemplateChat"] == MESSAGES


def test_a_huge_repr_is_cut() -> None:
    """Of an object's repr only the beginning is kept."""

    class Wordy:
        def __repr__(self) -> str:
            return "x" * 10**6

    assert len(snapshot(Wordy(), CopyBudget())) < 600


def test_nesting_without_end(kept: Kept, ask: Callable[..., Any]) -> None:
    """A structure that holds itself is cut off, and the event is made."""
    endless: dict[str, Any] = {"role": "user"}
    endless["again"] = [endless]
    ask(libretto={"template_params": {"endless": endless}})
    assert "nested too deeply" in encode(kept.event).decode()


def test_pydantic_models_as_messages(
    kept: Kept, server: ScriptedModel, ask: Callable[..., Any]
) -> None:
    """A model from an earlier answer is recorded as openai sends it."""
    earlier = ask().choices[0].message
    assert isinstance(earlier, ChatCompletionMessage)
    ask([*MESSAGES, earlier, Point(x=1)])
    sent = server.requests[1].json["messages"]
    assert kept.events[1]["promptTemplateChat"] == sent


def test_arguments_not_given_are_not_recorded(
    kept: Kept, ask: Callable[..., Any]
) -> None:
    """Arguments that are marked as not given are dropped."""
    ask(
        temperature=NOT_GIVEN,
        tools=NOT_GIVEN,
        seed=getattr(openai, "omit", NOT_GIVEN),
        stop=None,
    )
    assert "tools" not in kept.event
    assert kept.event["modelParameters"] == {
        "model": "gpt-test",
        "stop": None,
        "modelProvider": "openai",
        "modelType": "chat",
    }


def test_what_was_not_given_is_dropped_at_any_depth() -> None:
    """So are the marks in nested parameters, which openai drops."""
    given = {
        "role": "user",
        "name": NOT_GIVEN,
        "parts": [{"a": NOT_GIVEN}],
    }
    assert snapshot(given, CopyBudget()) == {"role": "user", "parts": [{}]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_json_comes_out_as_it_went_in(value: Any) -> None:
    """A snapshot of plain JSON equals it, and shares no container with it."""
    taken = snapshot(value, CopyBudget())
    assert json.dumps(taken) == json.dumps(value)
    theirs = {id(part) for part in containers(value)}
    assert not theirs & {id(part) for part in containers(taken)}


def containers(value: Any) -> Iterator[Any]:
    """Yield every list and dict in a value."""
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers(part)


# What is secret


def test_no_key_or_header_is_recorded(
    kept: Kept,
    warnings_of: pytest.LogCaptureFixture,
    server: ScriptedModel,
    ask: Callable[..., Any],
) -> None:
    """Headers, clients and keys are in no event and in no log."""
    ask(
        extra_headers={"Authorization": "Bearer sk-header"},
        extra_query={"code": "sk-query"},
        timeout=7,
    )
    server.answer({"error": {"message": "no"}}, status=401)
    told = json.dumps(kept.event)
    for secret in ("sk-test", "sk-header", "sk-query", "Authorization", "timeout"):
        assert secret not in told
        assert secret not in warnings_of.text
    assert "testing" not in repr(kept.calls[0].settings)


def test_no_key_or_prompt_is_logged(
    warnings_of: pytest.LogCaptureFixture, ask: Callable[..., Any]
) -> None:
    """A call that is not recorded is logged without its prompt and keys."""
    libretto.install(api_key="sk-libretto")
    ask([{"role": "user", "content": "my prompt"}])
    assert warnings_of.records
    for secret in ("sk-libretto", "sk-test", "my prompt"):
        assert secret not in warnings_of.text


@pytest.mark.parametrize("name", ["context", "template_params"])
def test_a_cycle_does_not_hang_the_call(
    name: str, client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A tree whose nodes point back to their parent is cut off; the call is made."""
    root: dict[str, Any] = {"children": []}
    for _ in range(3):
        root["children"].append({"parent": root, "root": root})
    client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "hello"}],
        libretto={name: {"tree": root}},
    )
    assert "nested too deeply" in str(events[0]) or "too many parts" in str(events[0])


def test_parts_shared_over_and_over_end() -> None:
    """Structure that is shared at every level is copied up to a bound."""
    shared: Any = "leaf"
    for _ in range(60):
        shared = [shared, shared]
    assert "<too many parts>" in str(snapshot(shared, CopyBudget()))[-10_000_000:]


class Numbers(Enum):
    ONE = 1


class Names(str, Enum):
    ANN = "ann"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (Names.ANN, "ann"),
        (Numbers.ONE, "1"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
    ],
)
def test_keys_are_what_json_makes_of_them(key: Any, text: str) -> None:
    """A key that is not a plain string is recorded as openai sends it."""
    assert snapshot({key: [1]}, CopyBudget()) == {text: [1]}


class History:
    """An object that makes a new iterator each time."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __iter__(self) -> Any:
        return self.make()


class Generated(History):
    def __iter__(self) -> Any:
        yield from self.make()


class OneShot:
    """An object that iterates over what it holds, which is used up by that."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __iter__(self) -> Any:
        yield from self.source


MESSAGE = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    "value",
    [
        {1: MESSAGE}.values(),
        History(lambda: iter([MESSAGE])),
        History(lambda: iter((MESSAGE,))),
        Generated(lambda: [MESSAGE]),
        deque([MESSAGE]),
    ],
)
def test_what_can_be_iterated_again_is_copied(value: Any) -> None:
    """Messages in an object that can be iterated are recorded, and still there."""
    for _ in range(2):
        assert snapshot(value, CopyBudget()) == [MESSAGE]
    assert list(value) == [MESSAGE]


@pytest.mark.parametrize(
    "value",
    [
        OneShot(iter([MESSAGE])),
        OneShot(item for item in [MESSAGE]),
        History(iter([MESSAGE]).__iter__),
        map(dict, [MESSAGE]),
        History(lambda: map(dict, [MESSAGE])),
    ],
)
def test_what_may_be_used_up_is_not_iterated(value: Any) -> None:
    """What cannot be known to be there again is left to openai."""
    assert isinstance(snapshot(value, CopyBudget()), str)
    assert list(value) == [MESSAGE]


def test_an_iterable_that_fails_or_never_ends() -> None:
    """What raises when iterated is recorded by its repr; what does not end is cut."""

    class Failing:
        def __iter__(self) -> Any:
            raise RuntimeError("no")

    class Endless:
        def __iter__(self) -> Any:
            while True:
                yield "a"

    assert "Failing" in snapshot(Failing(), CopyBudget())
    assert set(snapshot(Endless(), CopyBudget())) == {"a"}


@pydantic_dataclass
class DataPoint:
    x: int


class TypedPoint(TypedDict):
    x: int


@pytest.mark.parametrize("kind", [Point, DataPoint, TypedPoint])
def test_a_class_as_the_response_format_is_its_schema(kind: Any, kept: Kept) -> None:
    """A class is recorded as the schema that pydantic makes of it."""
    record = CallRecord(CHAT, CallSettings(api_key="k", prompt_template_name="n"), "f")
    record.request = {"messages": [], "response_format": snapshot(kind, CopyBudget())}
    event = build_event(record)
    assert event is not None
    told = event.to_json()["modelParameters"]["response_format"]
    assert told["name"] == kind.__name__
    assert told["schema"]["properties"]["x"] == {"title": "X", "type": "integer"}


def test_a_class_without_a_schema_is_its_name(kept: Kept) -> None:
    """What pydantic has no schema for is recorded by its name."""
    record = CallRecord(CHAT, CallSettings(api_key="k", prompt_template_name="n"), "f")
    record.request = {"response_format": History}
    event = build_event(record)
    assert event is not None
    assert event.to_json()["modelParameters"]["response_format"] == "History"
