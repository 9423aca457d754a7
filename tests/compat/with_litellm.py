"""litellm."""

import asyncio
from typing import Any

import litellm
from programs import WEATHER_TOOL, Person
from sameness import Gateway, same

ASK: dict[str, Any] = {
    "model": "openai/any",
    "messages": [{"role": "user", "content": "Hello you"}],
}


def content(answer: Any) -> Any:
    return answer.choices[0].message.content


def test_chat(running: Gateway) -> None:
    """An answer is the same."""
    same(lambda: content(litellm.completion(**ASK)), running)
    same(lambda: content(asyncio.run(litellm.acompletion(**ASK))), running)


def test_stream(running: Gateway) -> None:
    """A stream is the same piece by piece."""

    def ask() -> Any:
        stream = litellm.completion(**ASK, stream=True)
        return [piece.choices[0].delta.content for piece in stream]

    async def aask() -> Any:
        stream = await litellm.acompletion(**ASK, stream=True)
        return [piece.choices[0].delta.content async for piece in stream]

    same(ask, running)
    same(lambda: asyncio.run(aask()), running)


def test_tool_call(running: Gateway) -> None:
    """The tool is called with the same arguments."""

    def ask() -> Any:
        answer = litellm.completion(**ASK, tools=[WEATHER_TOOL])
        return [c.function.arguments for c in answer.choices[0].message.tool_calls]

    events = same(ask, running)
    assert events[0]["toolCalls"][0]["function"]["name"] == "get_weather"


def test_structured_output(running: Gateway) -> None:
    """The structured answer is the same."""
    same(lambda: content(litellm.completion(**ASK, response_format=Person)), running)
