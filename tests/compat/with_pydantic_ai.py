"""pydantic-ai."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from sameness import Gateway, same


class Person(BaseModel):
    name: str


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest, running: Gateway) -> Any:
    return request.param


def run(agent: Any, prompt: str) -> Any:
    return asyncio.run(agent.run(prompt)).output


def test_chat(model: Any, running: Gateway) -> None:
    """An answer is the same."""
    same(lambda: run(Agent(model("any")), "Hello you"), running)


def test_stream(model: Any, running: Gateway) -> None:
    """A stream is the same piece by piece."""

    async def pieces() -> list[str]:
        async with Agent(model("any")).run_stream("Hello you") as result:
            return [p async for p in result.stream_text(delta=True, debounce_by=None)]

    same(lambda: asyncio.run(pieces()), running)


def test_tool_call(model: Any, running: Gateway) -> None:
    """The tool is called with the same arguments, and its result answered."""

    def ask() -> Any:
        cities = []
        agent = Agent(model("any"))

        @agent.tool_plain
        def get_weather(city: str) -> str:
            """Tell the weather of a city."""
            cities.append(city)
            return "sunny"

        return run(agent, "Weather?"), cities

    events = same(ask, running)
    assert len(events) == 2
    assert events[0]["toolCalls"][0]["function"]["name"] == "get_weather"


def test_structured_output(model: Any, running: Gateway) -> None:
    """The structured answer is the same."""
    same(lambda: run(Agent(model("any"), output_type=Person), "Who?"), running)
