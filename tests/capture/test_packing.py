"""Records that are written to disk, for another process to make the events of.

That these are the same events, `support.kept` sees to in all tests of this room.
"""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from support.answers import MESSAGES, chunks, completion
from support.kept import Kept
from support.scripted import ScriptedModel

from libretto_instrument import TemplateChat, TemplateText
from libretto_instrument._capture.packing import unpack

#: A record of the first form, as it was written by the version that brought it.
WRITTEN = (
    b'{"endpoint":"chat","feedback":"f1","key":"k","name":"n","limit":262144,'
    b'"request":{"model":"m","messages":[{"role":"user","content":"Hi"}],"seed":7},'
    b'"started":10.0,"ended":10.25,"chat":"c1","lengths":[62,18]}'
)
RESPONSE = b'{"choices":[{"message":{"content":"Ho"},"finish_reason":"x"}]}'
USAGE = b'{"total_tokens":3}'


def ask(client: openai.OpenAI, messages: Any = MESSAGES, **more: Any) -> Any:
    create: Any = client.chat.completions.create
    return create(model="gpt-test", messages=messages, **more)


def test_ordinary_calls_are_packed(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Whole answers, streams, templates, failures and raw responses all can be."""
    template = TemplateChat([{"role": "user", "content": "Hi {name}"}], {"name": "Ann"})
    server.answer(completion())
    ask(scripted)
    server.answer(completion())
    ask(scripted, template, libretto={"context": {"user": 1}, "chat_id": "c"})
    server.stream(*chunks("Ho"))
    list(ask(scripted, stream=True))
    server.answer(completion())
    scripted.chat.completions.with_raw_response.create(
        model="gpt-test", messages=MESSAGES
    )
    server.answer({"error": {"message": "no"}}, status=400)
    with pytest.raises(openai.BadRequestError):
        ask(scripted)
    assert len(kept.events) == 5
    assert all(call.makings() for call in kept.calls)


class Form(BaseModel):
    """What a model may be asked to fill in."""

    name: str


def test_what_json_does_not_tell_is_not_packed(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A text that remembers its template would be read back without it."""
    text = TemplateText("Hi {name}", {"name": "Ann"})
    server.answer(completion())
    ask(scripted, [{"role": "user", "content": text}])
    server.answer(completion('{"name": "Ann"}'))
    chat: Any = scripted.chat
    if not hasattr(chat.completions, "parse"):  # Where openai 1 had it first.
        chat = scripted.beta.chat
    chat.completions.parse(model="gpt-test", messages=MESSAGES, response_format=Form)
    assert [call.makings() for call in kept.calls] == [None, None]


def test_long_streams_are_not_packed(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """As events they take a small part of the room that their bytes would."""
    server.stream(*chunks(*["word "] * 200))
    list(ask(scripted, stream=True))
    assert [call.makings() for call in kept.calls] == [None]


def test_an_id_that_was_given(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The event's id and order are known before there is an event."""
    given = {"event_id": "e1", "chat_id": "chat", "chain_id": "chain"}
    server.answer(completion())
    ask(scripted, libretto=given)
    makings = kept.calls[0].makings()
    assert makings is not None
    assert makings[:2] == ("e1", "chain")


def packed(head: bytes, *parts: bytes) -> bytes:
    return b"".join((len(head).to_bytes(4, "little"), head, *parts))


def test_the_first_form_is_read_for_ever() -> None:
    """What one version wrote is read by the next."""
    event, settings = unpack(packed(WRITTEN, RESPONSE, USAGE), "e1")
    assert settings.max_field_bytes == 262144
    assert event.to_wire() == {
        "apiKey": "k",
        "apiName": "n",
        "promptTemplateName": "n",
        "promptEventId": "e1",
        "feedbackKey": "f1",
        "params": {},
        "prompt": {},
        "promptTemplateChat": [{"role": "user", "content": "Hi"}],
        "modelParameters": {
            "model": "m",
            "seed": 7,
            "modelProvider": "openai",
            "modelType": "chat",
        },
        "response": "Ho",
        "responseTime": 250.0,
        "rawResponse": json.loads(RESPONSE),
        "responseMetrics": {"usage": {"total_tokens": 3}, "finish_reason": "x"},
        "chatId": "c1",
    }


def test_a_later_form_may_say_more() -> None:
    """What this version does not know of is passed over."""
    head = WRITTEN.replace(b'"chat":"c1"', b'"unheard_of":[1]')
    event, _ = unpack(packed(head, RESPONSE, USAGE), "e1")
    assert event.response == "Ho"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        packed(b"[]"),
        packed(b"{}"),
        packed(WRITTEN.replace(b"chat", b"?")),
    ],
)
def test_damage(data: bytes) -> None:
    """What is no record is refused by one of a few errors."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        unpack(data, "e1")
