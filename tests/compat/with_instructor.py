"""instructor, which patches a client's method, too."""

import asyncio
from typing import Any

import instructor
import openai
import pytest
from pydantic import BaseModel
from sameness import Gateway, same

from libretto_instrument.testing import capture_events

MESSAGES: list[Any] = [{"role": "user", "content": "Who?"}]


class Person(BaseModel):
    name: str
    age: int


MODES = [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA]


@pytest.mark.parametrize("mode", MODES)
def test_structured_output(running: Gateway, mode: Any) -> None:
    """The structured answer is the same, with either client."""

    def ask() -> Any:
        client = instructor.from_openai(openai.OpenAI(), mode=mode)
        answer = client.create(model="any", messages=MESSAGES, response_model=Person)
        return answer.model_dump()

    async def aask() -> Any:
        async with openai.AsyncOpenAI() as bare:
            client = instructor.from_openai(bare, mode=mode)
            answer = await client.create(
                model="any", messages=MESSAGES, response_model=Person
            )
            return answer.model_dump()

    same(ask, running)
    same(lambda: asyncio.run(aask()), running)


def test_chat(running: Gateway) -> None:
    """An answer without a model is openai's own, the same but for the key."""

    def ask() -> Any:
        client = instructor.from_openai(openai.OpenAI())
        answer = client.create(model="any", messages=MESSAGES, response_model=None)
        return type(answer), answer.choices

    same(ask, running)


@pytest.mark.parametrize("mode", MODES)
def test_stream(running: Gateway, mode: Any) -> None:
    """The partial answers of a stream are the same, one by one."""

    def ask() -> Any:
        client = instructor.from_openai(openai.OpenAI(), mode=mode)
        partial = client.create_partial(
            model="any", messages=MESSAGES, response_model=Person
        )
        return [piece.model_dump() for piece in partial]

    same(ask, running)


def test_a_client_made_while_recording(running: Gateway) -> None:
    """A client that instructor took over while we were recording keeps our method: it
    is recorded once while recording is on, and not when it is off.
    """
    ask: dict[str, Any] = {
        "model": "any",
        "messages": MESSAGES,
        "response_model": Person,
    }
    with capture_events() as events:
        client = instructor.from_openai(openai.OpenAI())
        answer = client.create(**ask).model_dump()
        assert len(events) == 1
    assert client.create(**ask).model_dump() == answer
    assert len(events) == 1
