"""openai-agents."""

import asyncio
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from pydantic import BaseModel
from sameness import Gateway, same

set_tracing_disabled(True)


class Person(BaseModel):
    name: str


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def kind(request: pytest.FixtureRequest, running: Gateway) -> Any:
    return request.param


def run(kind: Any, prompt: str, stream: bool = False, **options: Any) -> Any:
    """Run an agent and return what it came to, and the kinds of its events."""

    async def go() -> Any:
        async with openai.AsyncOpenAI(max_retries=0) as client:
            model = kind(model="any", openai_client=client)
            agent = Agent(name="an agent", model=model, **options)
            if not stream:
                return (await Runner.run(agent, prompt)).final_output
            result = Runner.run_streamed(agent, prompt)
            kinds = [event.type async for event in result.stream_events()]
            return result.final_output, kinds

    return asyncio.run(go())


def test_chat(kind: Any, running: Gateway) -> None:
    """An answer is the same."""
    same(lambda: run(kind, "Hello you"), running)


def test_stream(kind: Any, running: Gateway) -> None:
    """A stream is the same event by event."""
    same(lambda: run(kind, "Hello you", stream=True), running)


def test_tool_call(kind: Any, running: Gateway) -> None:
    """The tool is called with the same arguments, and its result answered."""

    def ask() -> Any:
        cities = []

        @function_tool
        def get_weather(city: str) -> str:
            """Tell the weather of a city."""
            cities.append(city)
            return "sunny"

        return run(kind, "Weather?", tools=[get_weather]), cities

    events = same(ask, running)
    assert len(events) == 2
    assert events[0]["toolCalls"][0]["function"]["name"] == "get_weather"


def test_structured_output(kind: Any, running: Gateway) -> None:
    """The structured answer is the same."""
    same(lambda: run(kind, "Who?", output_type=Person), running)
