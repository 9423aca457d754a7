"""Which feedback key belongs to which response, whatever its shape."""

import gc
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel
from support.backend import Backend
from support.versions import helpers_of

import libretto_instrument as libretto
from libretto_instrument._capture import feedback_keys
from libretto_instrument.demo import OfflineModel
from libretto_instrument.testing import CapturedEvents

KEY = UUID("12345678-1234-5678-1234-567812345678")
MESSAGES: Any = [{"role": "user", "content": "Hi there"}]


class City(BaseModel):
    """What a parsed answer is made into."""

    name: str


def plain(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(model="any", messages=MESSAGES)


def text(client: openai.OpenAI) -> Any:
    return client.completions.create(model="any", prompt="Hi")


def stream(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(model="any", messages=MESSAGES, stream=True)


def parsed(client: openai.OpenAI) -> Any:
    return helpers_of(client).parse(
        model="any", messages=MESSAGES, response_format=City
    )


def raw(client: openai.OpenAI) -> Any:
    return client.chat.completions.with_raw_response.create(
        model="any", messages=MESSAGES
    )


def raw_stream(client: openai.OpenAI) -> Any:
    return client.chat.completions.with_raw_response.create(
        model="any", messages=MESSAGES, stream=True
    )


def response(client: openai.OpenAI) -> Any:
    return client.responses.create(model="any", input="Hi")


def unread(client: openai.OpenAI) -> AbstractContextManager[Any]:
    return client.chat.completions.with_streaming_response.create(
        model="any", messages=MESSAGES
    )


def helper(client: openai.OpenAI) -> AbstractContextManager[Any]:
    return helpers_of(client).stream(model="any", messages=MESSAGES)


def responses_helper(client: openai.OpenAI) -> AbstractContextManager[Any]:
    return client.responses.stream(model="any", input="Hi")


#: Versions before 1.66 do not have the Responses API.
_HAS_RESPONSES = find_spec("openai.resources.responses") is not None
WHOLE = (plain, text, parsed, *((response,) if _HAS_RESPONSES else ()))
AT_ONCE = (*WHOLE, stream, raw, raw_stream)
ENTERED = (unread, helper, *((responses_helper,) if _HAS_RESPONSES else ()))


def called(shape: Any, client: openai.OpenAI) -> AbstractContextManager[Any]:
    """Return a context that gives what the call returned, and closes it after."""
    made = shape(client)
    return made if shape in ENTERED else nullcontext(made)


def read(answer: Any) -> None:
    """Read an answer that comes in pieces to its end."""
    if hasattr(answer, "iter_bytes"):
        for _ in answer.iter_bytes():
            pass
    elif hasattr(answer, "__next__"):
        for _ in answer:
            pass
    elif hasattr(answer, "parse") and hasattr(answer.parse(), "__next__"):
        for _ in answer.parse():
            pass


@pytest.mark.parametrize("annotate", [True, False], ids=["annotated", "untouched"])
@pytest.mark.parametrize("shape", AT_ONCE + ENTERED)
def test_every_shape_has_its_key(
    client: openai.OpenAI, events: CapturedEvents, shape: Any, annotate: bool
) -> None:
    """feedback_key() knows the key of every shape, a stream's before its first chunk,
    whether responses may be annotated or not."""
    with (
        libretto.scope(annotate_responses=annotate),
        called(shape, client) as answer,
    ):
        key = libretto.feedback_key(answer)
        read(answer)
        assert libretto.feedback_key(answer) == key
    assert [event["feedbackKey"] for event in events] == [key]
    assert str(UUID(key)) == key


@pytest.mark.parametrize("shape", AT_ONCE + ENTERED)
def test_the_key_may_be_known_before(
    client: openai.OpenAI, events: CapturedEvents, shape: Any
) -> None:
    """A key that the caller chose is the response's and the event's, in every shape."""
    with libretto.scope(feedback_key=KEY), called(shape, client) as answer:
        assert libretto.feedback_key(answer) == str(KEY)
        read(answer)
    assert [event["feedbackKey"] for event in events] == [str(KEY)]


@pytest.mark.parametrize("shape", WHOLE)
def test_the_response_carries_it(
    client: openai.OpenAI, events: CapturedEvents, shape: Any
) -> None:
    """A response carries its key among its extras, and is otherwise the bare one's."""
    answer = shape(client)
    with libretto.scope(enabled=False):
        bare = shape(client)
    assert answer.model_extra.pop("libretto_feedback_key") == events[0]["feedbackKey"]
    assert answer == bare


@pytest.mark.parametrize("shape", WHOLE)
def test_the_response_is_left_alone(
    client: openai.OpenAI, events: CapturedEvents, shape: Any
) -> None:
    """With annotate_responses=False the response is the bare one's, to the last bit."""
    with libretto.scope(enabled=False):
        bare = shape(client)
    with libretto.scope(annotate_responses=False):
        answer = shape(client)
    assert answer == bare
    assert answer.model_extra == bare.model_extra
    assert vars(answer) == vars(bare)
    # openai's parsed completions do not fit their own schema, and pydantic says so.
    one, other = (each.model_dump_json(warnings=False) for each in (answer, bare))
    assert one == other
    assert libretto.feedback_key(answer) == events[0]["feedbackKey"]


async def test_async_shapes(model: OfflineModel, events: CapturedEvents) -> None:
    """Async responses and streams have their keys, too."""
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=model.base_url) as client:
        create = client.chat.completions.create
        answer = await create(model="any", messages=MESSAGES)
        chunks = await create(model="any", messages=MESSAGES, stream=True)
        key_of_chunks = libretto.feedback_key(chunks)
        async for _ in chunks:
            pass
        manager = helpers_of(client).stream(model="any", messages=MESSAGES)
        async with manager as helped:
            key_of_helper = libretto.feedback_key(helped)
            async for _ in helped:
                pass
    assert [event["feedbackKey"] for event in events] == [
        libretto.feedback_key(answer),
        key_of_chunks,
        key_of_helper,
    ]


def test_keys_differ(client: openai.OpenAI, events: CapturedEvents) -> None:
    """Two calls have two keys, though their answers are equal."""
    first, second = plain(client), plain(client)
    assert libretto.feedback_key(first) != libretto.feedback_key(second)
    assert len(events) == 2


class MadeUp(dict[str, Any]):
    """A dictionary whose missing attributes are made as they are asked for."""

    def __getattr__(self, name: str) -> Any:
        """Make an attribute up."""
        return self.setdefault(name, MadeUp())


class Cyclic:
    """What holds itself, and refuses to say anything else."""

    def __init__(self) -> None:
        self._raw_stream = self

    def __getattr__(self, name: str) -> Any:
        """Refuse."""
        raise RuntimeError(f"{name} was asked for")

    @property
    def model_extra(self) -> Any:
        """Refuse."""
        raise RuntimeError("model_extra was asked for")


STRANGERS: dict[str, Any] = {
    "nothing": lambda: None,
    "text": lambda: "text",
    "number": lambda: 7,
    "object": object,
    "list": list,
    "dict": dict,
    "class": lambda: City,
    "model": lambda: City(name="Rome"),
    "made-up attributes": lambda: MadeUp(id="x"),
    "cyclic": Cyclic,
    "mock": mock.Mock,
    "magic mock": mock.MagicMock,
    "async mock": mock.AsyncMock,
    "mock of an answer": lambda: mock.Mock(spec=ChatCompletion),
    "mock of a stream": lambda: mock.MagicMock(spec=openai.Stream),
    "namespace": lambda: SimpleNamespace(model_extra={"libretto_feedback_key": "k"}),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_have_no_key(kind: str) -> None:
    """What no recorded call returned has no key, and is not asked for one."""
    stranger = STRANGERS[kind]()
    before = repr(getattr(stranger, "__dict__", None)), repr(stranger)
    assert libretto.feedback_key(stranger) is None
    assert (repr(getattr(stranger, "__dict__", None)), repr(stranger)) == before


@pytest.mark.parametrize("shape", AT_ONCE)
def test_unrecorded_has_no_key(client: openai.OpenAI, shape: Any) -> None:
    """A response of a call that was not recorded has no key."""
    answer = shape(client)
    assert libretto.feedback_key(answer) is None
    read(answer)


@pytest.mark.usefixtures("collect")
def test_keys_are_not_kept_for_ever(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A key that is stored beside its response goes with it, and is not reused."""
    before = len(feedback_keys._keys_by_response)
    with libretto.scope(annotate_responses=False):
        answers = [plain(client) for _ in range(5)]
    assert len(feedback_keys._keys_by_response) == before + 5
    answers.clear()
    gc.collect()
    assert len(feedback_keys._keys_by_response) == before
    assert len(events) == 5


def test_feedback_for_a_response(client: openai.OpenAI, backend: Backend) -> None:
    """Event and feedback arrive with one and the same key."""
    libretto.install(api_key="key", prompt_template_name="name")
    key = libretto.feedback_key(plain(client))
    assert key is not None
    libretto.send_feedback(key, rating=0.25)
    assert libretto.flush(10)
    (event,), (feedback,) = backend.stored("event"), backend.stored("feedback")
    assert event["feedbackKey"] == feedback["feedback_key"] == key
