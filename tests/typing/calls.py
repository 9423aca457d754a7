"""Calls of the plain client: openai's own overloads, and `libretto=` beside."""

from uuid import uuid4

from openai import Stream
from openai.lib.streaming.chat import ChatCompletionStreamManager
from openai.lib.streaming.responses import ResponseStreamManager
from openai.types import Completion
from openai.types.beta import BetaResponse
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ParsedChatCompletion,
)
from openai.types.responses import ParsedResponse, Response, ResponseStreamEvent
from pydantic import BaseModel
from typing_extensions import assert_type

from libretto_openai import Client, LibrettoCreateParams

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
ASKED = LibrettoCreateParams(chat_id=uuid4())

client = Client()
chat = client.chat.completions
responses = client.responses


class Answer(BaseModel):
    """What a model is to answer with."""

    text: str


def of_chat(streamed: bool) -> None:
    """What `create()` returns depends on `stream`, as ever."""
    whole = chat.create(model="m", messages=MESSAGES, libretto={"chat_id": "c"})
    assert_type(whole, ChatCompletion)
    stream = chat.create(model="m", messages=MESSAGES, stream=True, libretto=ASKED)
    assert_type(stream, Stream[ChatCompletionChunk])
    either = chat.create(model="m", messages=MESSAGES, stream=streamed, libretto=None)
    assert_type(either, ChatCompletion | Stream[ChatCompletionChunk])
    assert_type(chat.create(model="m", messages=MESSAGES), ChatCompletion)
    for chunk in stream:
        assert_type(chunk, ChatCompletionChunk)


def of_chat_helpers() -> None:
    """`parse()` knows the class that it parses into; `stream()` is a manager."""
    parsed = chat.parse(
        model="m", messages=MESSAGES, response_format=Answer, libretto=ASKED
    )
    assert_type(parsed, ParsedChatCompletion[Answer])
    streaming = chat.stream(
        model="m", messages=MESSAGES, response_format=Answer, libretto=ASKED
    )
    assert_type(streaming, ChatCompletionStreamManager[Answer])
    older = client.beta.chat.completions
    assert_type(older.create(model="m", messages=MESSAGES, libretto={}), ChatCompletion)


def of_completions() -> None:
    """The older completions take it, too."""
    whole = client.completions.create(model="m", prompt="Hi", libretto=ASKED)
    assert_type(whole, Completion)
    stream = client.completions.create(
        model="m", prompt="Hi", stream=True, libretto=ASKED
    )
    assert_type(stream, Stream[Completion])


def of_responses() -> None:
    """The Responses API, its helpers, and its beta."""
    assert_type(responses.create(model="m", input="Hi", libretto=ASKED), Response)
    stream = responses.create(model="m", input="Hi", stream=True, libretto=ASKED)
    assert_type(stream, Stream[ResponseStreamEvent])
    parsed = responses.parse(
        model="m", input="Hi", text_format=Answer, libretto={"feedback_key": "k"}
    )
    assert_type(parsed, ParsedResponse[Answer])
    streaming = responses.stream(
        model="m", input="Hi", text_format=Answer, libretto=ASKED
    )
    assert_type(streaming, ResponseStreamManager[Answer])
    beta = client.beta.responses.create(model="m", input="Hi", libretto=ASKED)
    assert_type(beta, BetaResponse)


def every_field() -> None:
    """A mapping may give every field of `LibrettoCreateParams`."""
    chat.create(
        model="m",
        messages=MESSAGES,
        libretto={
            "api_key": "key",
            "api_name": "name",
            "chain_id": uuid4(),
            "chat_id": uuid4(),
            "context": {"user": 7},
            "event_id": uuid4(),
            "feedback_key": uuid4(),
            "parent_event_id": uuid4(),
            "project_key": "key",
            "prompt_template_name": "name",
            "template_chat": [],
            "template_params": {"name": "Ada"},
            "template_text": "Hi {name}",
        },
    )


def wrong_fields() -> None:
    """A field that is none, or of another type, is an error where it is given."""
    # error: call-overload, reportArgumentType
    chat.create(model="m", messages=MESSAGES, libretto={"chat": "c"})
    # error: call-overload, reportArgumentType
    chat.create(model="m", messages=MESSAGES, libretto={"chat_id": 7})
    # error: call-overload, reportArgumentType
    chat.create(model="m", messages=MESSAGES, stream=True, libretto="c")
    # error: arg-type, reportArgumentType
    chat.parse(model="m", messages=MESSAGES, libretto={"chat": "c"})
    # error: arg-type, reportArgumentType
    chat.stream(model="m", messages=MESSAGES, libretto=7)
    # error: call-overload, reportArgumentType
    client.completions.create(model="m", prompt="", libretto={"sample_rate": 1})
    # error: call-overload, reportArgumentType
    responses.create(model="m", input="", libretto={"context": "c"})
    # error: call-arg, reportCallIssue
    LibrettoCreateParams(chat="c")
    # error: arg-type, reportArgumentType
    LibrettoCreateParams(template_params=["Ada"])


def wrong_calls() -> None:
    """What openai refuses is refused as before."""
    # error: call-overload, reportCallIssue
    chat.create(model="m", libretto=ASKED)
    # error: call-overload, reportArgumentType
    chat.create(model=7, messages=MESSAGES, libretto=ASKED)
    # error: call-overload, reportCallIssue
    chat.create(model="m", messages=MESSAGES, libreto=ASKED)
    # error: call-arg, reportCallIssue
    client.models.list(libretto=ASKED)


def wrong_results() -> None:
    """A stream is not a completion, and a completion no stream."""
    # error: assignment, reportAssignmentType
    stream: ChatCompletion = chat.create(model="m", messages=MESSAGES, stream=True)
    whole = chat.create(model="m", messages=MESSAGES, libretto=ASKED)
    # error: attr-defined, reportAttributeAccessIssue
    print(whole.chunks, stream)
    events = responses.create(model="m", input="Hi", stream=True, libretto=ASKED)
    # error: attr-defined, reportAttributeAccessIssue
    print(events.output_text)
