"""How each framework is made to call a model: what `with_frameworks.py` tries.

Each function imports its framework, as each has an environment of its own, and returns
its program. The environment names the model's address and a key.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from pydantic import BaseModel
from sameness import finish

#: Where the programs are.
MODULES = ("programs", "programs_agents", "programs_pipelines")

HELLO = "Hello you"
WEATHER = "Which weather?"


@frozen
class Program:
    """What a user of a framework writes; each function returns what the user sees.

    Attributes:
        chat: Takes the name of a model.
        stream: Likewise, in pieces; None if the framework has no streams.
        tools: Likewise, and the model calls a tool; None if the framework has none.
        others: Further ways to call a model, by name: async, structured, another API.
        keyword: Takes what ``libretto=`` of one call shall be; None if the framework
            does not pass it on.
        on_threads: Makes calls on threads or in tasks that the framework starts.
        loses_scopes: These do not have the scope that surrounds them.
        keeps_messages: ``HELLO`` is sent as it is, as the only message.
        is_called_directly: The program's own function is on the stack of the call.
    """

    chat: Callable[[str], Any]
    stream: Callable[[str], Any] | None = None
    tools: Callable[[str], Any] | None = None
    others: Mapping[str, Callable[[str], Any]] = field(factory=dict)
    keyword: Callable[[dict[str, Any]], Any] | None = None
    on_threads: Callable[[], Any] | None = None
    loses_scopes: bool = False
    keeps_messages: bool = True
    is_called_directly: bool = True


def get_weather(city: str) -> str:
    """Tell the weather of a city.

    Args:
        city: The city.
    """
    return f"sunny in {city}"


WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class Person(BaseModel):
    """Somebody."""

    name: str


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def collect(pieces: Any) -> list[Any]:
    return [piece async for piece in pieces]


def litellm() -> Program:
    import litellm

    def ask(model: str, **more: Any) -> Any:
        return litellm.completion(f"openai/{model}", user(HELLO), **more)

    async def async_chat(model: str) -> Any:
        answer = await litellm.acompletion(f"openai/{model}", user(HELLO))
        return answer.choices[0].message.content

    async def async_stream(model: str) -> Any:
        stream = await litellm.acompletion(f"openai/{model}", user(HELLO), stream=True)
        return [piece.choices[0].delta.content async for piece in stream]

    return Program(
        lambda model: ask(model).choices[0].message.content,
        lambda model: [
            piece.choices[0].delta.content for piece in ask(model, stream=True)
        ],
        lambda model: (
            ask(model, tools=[WEATHER_TOOL])
            .choices[0]
            .message.tool_calls[0]
            .function.arguments
        ),
        others={
            "async": lambda model: finish(async_chat(model)),
            "async stream": lambda model: finish(async_stream(model)),
            "structured": lambda model: (
                ask(model, response_format=Person).choices[0].message.content
            ),
        },
        on_threads=lambda: [
            answer.choices[0].message.content
            for answer in litellm.batch_completion(
                "openai/any", [user(HELLO), user("Hello")]
            )
        ],
        loses_scopes=True,
    )


def crewai() -> Program:
    import crewai

    def ask(model: str, stream: bool = False, tools: Any = (), **more: Any) -> Any:
        llm = crewai.LLM(model, provider="openai", stream=stream, **more)
        agent = crewai.Agent(
            role="Greeter",
            goal="Greet",
            backstory="None",
            llm=llm,
            tools=[crewai.tools.tool(each) for each in tools],
            max_iter=2,
            max_retry_limit=0,
        )
        task = crewai.Task(description=HELLO, expected_output="text", agent=agent)
        return crewai.Crew(agents=[agent], tasks=[task]).kickoff().raw

    return Program(
        ask,
        lambda model: ask(model, stream=True),
        lambda model: ask(model, tools=[get_weather]),
        keyword=lambda libretto: ask("any", libretto=libretto),
        keeps_messages=False,
        is_called_directly=False,
    )


def smolagents() -> Program:
    from smolagents import ChatMessage, OpenAIServerModel, ToolCallingAgent, tool

    messages = [ChatMessage(role="user", content=HELLO)]

    def stream(model: str) -> Any:
        pieces = OpenAIServerModel(model).generate_stream(messages)
        return [piece.content for piece in pieces]

    def tools(model: str) -> Any:
        agent = ToolCallingAgent(
            [tool(get_weather)],
            OpenAIServerModel(model),
            max_steps=2,
            verbosity_level=0,
        )
        return agent.run(WEATHER)

    return Program(
        lambda model: OpenAIServerModel(model).generate(messages).content,
        stream,
        tools,
        keyword=lambda libretto: (
            OpenAIServerModel("any", libretto=libretto).generate(messages).content
        ),
    )


def llm() -> Program:
    from llm.default_plugins.openai_models import Chat

    def model_of(name: str) -> Any:
        return Chat(
            "any",
            model_name=name,
            api_base=os.environ["OPENAI_BASE_URL"],
            key="sk",
            supports_tools=True,
        )

    return Program(
        lambda model: model_of(model).prompt(HELLO, stream=False).text(),
        lambda model: list(model_of(model).prompt(HELLO)),
        lambda model: (
            model_of(model).chain(WEATHER, tools=[get_weather], stream=False).text()
        ),
    )


def magentic() -> Program:
    from magentic import FunctionCall, OpenaiChatModel, StreamedStr, prompt

    def ask(model: str, kind: Any = str, functions: Any = (), **more: Any) -> Any:
        @prompt(HELLO, functions=functions, model=OpenaiChatModel(model, **more))
        def greet() -> kind:  # type: ignore[valid-type]
            ...

        return greet()

    return Program(
        ask,
        lambda model: list(ask(model, StreamedStr)),
        lambda model: ask(model, FunctionCall[str], [get_weather])(),
    )


def outlines() -> Program:
    import openai
    import outlines

    def model_of(name: str) -> Any:
        return outlines.from_openai(openai.OpenAI(), name)

    return Program(
        lambda model: model_of(model)(HELLO),
        lambda model: list(model_of(model).stream(HELLO)),
        keyword=lambda libretto: model_of("any")(HELLO, libretto=libretto),
    )


def instructor() -> Program:
    import instructor
    import openai

    schema = instructor.Mode.JSON_SCHEMA

    def ask(model: str, mode: Any = instructor.Mode.TOOLS, **more: Any) -> Any:
        client = instructor.from_openai(openai.OpenAI(), mode=mode)
        return client.create(model=model, messages=user(HELLO), max_retries=0, **more)

    def stream(model: str, mode: Any = instructor.Mode.TOOLS) -> Any:
        client = instructor.from_openai(openai.OpenAI(), mode=mode)
        pieces = client.create_partial(
            model=model, messages=user(HELLO), response_model=Person, max_retries=0
        )
        return [piece.model_dump() for piece in pieces]

    async def async_chat(model: str, mode: Any) -> Any:
        async with openai.AsyncOpenAI() as bare:
            client = instructor.from_openai(bare, mode=mode)
            return await client.create(
                model=model, messages=user(HELLO), response_model=Person
            )

    return Program(
        lambda model: ask(model, response_model=Person),
        stream,
        lambda model: ask(model, response_model=Person),
        others={
            "no model": lambda model: ask(model, response_model=None).choices,
            "schema": lambda model: ask(model, schema, response_model=Person),
            "schema stream": lambda model: stream(model, schema),
            "async": lambda model: finish(async_chat(model, instructor.Mode.TOOLS)),
            "async schema": lambda model: finish(async_chat(model, schema)),
        },
        keyword=lambda libretto: ask("any", response_model=Person, libretto=libretto),
    )


def browser_use() -> Program:
    from browser_use.llm import ChatOpenAI, UserMessage

    def ask(model: str, **more: Any) -> Any:
        chat = ChatOpenAI(model=model, max_retries=0)
        return finish(chat.ainvoke([UserMessage(content=HELLO)], **more)).completion

    return Program(
        ask, others={"structured": lambda model: ask(model, output_format=Person)}
    )


def mem0() -> Program:
    from mem0.configs.llms.openai import OpenAIConfig
    from mem0.llms.openai import OpenAILLM

    def ask(model: str, **more: Any) -> Any:
        return OpenAILLM(OpenAIConfig(model=model)).generate_response(
            user(HELLO), **more
        )

    return Program(
        ask,
        tools=lambda model: ask(model, tools=[WEATHER_TOOL]),
        keyword=lambda libretto: ask("any", libretto=libretto),
    )


def guidance() -> Program:
    import guidance as g

    def ask(model: str) -> Any:
        lm = g.models.OpenAI(model, echo=False)
        with g.user():
            lm += HELLO
        with g.assistant():
            lm += g.gen("answer")
        return lm["answer"]

    return Program(ask)


def find(name: str) -> Program:
    """Return the program of a framework."""
    modules = [importlib.import_module(each) for each in MODULES]
    (make,) = (vars(module)[name] for module in modules if _is_made_by(module, name))
    made: Program = make()
    return made


def _is_made_by(module: Any, name: str) -> bool:
    return getattr(vars(module).get(name), "__module__", None) == module.__name__
