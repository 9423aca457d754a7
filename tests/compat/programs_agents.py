"""More of `programs.py`: the frameworks that are about agents."""

from typing import Any

from programs import (
    HELLO,
    WEATHER,
    Person,
    Program,
    collect,
    get_weather,
)
from sameness import finish


def pydantic_ai() -> Program:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    def run(model: Any, prompt: str = HELLO, **more: Any) -> Any:
        return finish(Agent(model, retries=0, **more).run(prompt)).output

    async def pieces(model: Any) -> Any:
        async with Agent(model, retries=0).run_stream(HELLO) as result:
            return await collect(result.stream_text(delta=True, debounce_by=None))

    def tools(model: Any) -> Any:
        return run(model, WEATHER, tools=[get_weather])

    return Program(
        lambda model: run(OpenAIChatModel(model)),
        lambda model: finish(pieces(OpenAIChatModel(model))),
        lambda model: tools(OpenAIChatModel(model)),
        others={
            "structured": lambda model: run(OpenAIChatModel(model), output_type=Person),
            "responses": lambda model: run(OpenAIResponsesModel(model)),
            "responses stream": lambda model: finish(
                pieces(OpenAIResponsesModel(model))
            ),
            "responses tools": lambda model: tools(OpenAIResponsesModel(model)),
            "responses structured": lambda model: run(
                OpenAIResponsesModel(model), output_type=Person
            ),
        },
    )


def openai_agents() -> Program:
    import agents

    chat = agents.OpenAIChatCompletionsModel
    responses = agents.OpenAIResponsesModel

    def agent(kind: Any, model: str, **more: Any) -> Any:
        asked = kind(model, openai_client=agents.AsyncOpenAI())
        return agents.Agent("Greeter", model=asked, **more)

    def run(kind: Any, model: str, prompt: str = HELLO, **more: Any) -> Any:
        run = agents.Runner.run(agent(kind, model, **more), prompt)
        return finish(run).final_output

    def stream(kind: Any, model: str) -> Any:
        async def run() -> Any:
            running = agents.Runner.run_streamed(agent(kind, model), HELLO)
            return [
                (event.type, getattr(getattr(event, "data", None), "delta", None))
                async for event in running.stream_events()
            ]

        return finish(run())

    def tools(kind: Any, model: str, **more: Any) -> Any:
        tool = agents.function_tool(get_weather)
        return run(kind, model, WEATHER, tools=[tool], **more)

    return Program(
        lambda model: run(chat, model),
        lambda model: stream(chat, model),
        lambda model: tools(chat, model, tool_use_behavior="stop_on_first_tool"),
        others={
            "tools and text": lambda model: tools(chat, model),
            "structured": lambda model: run(chat, model, output_type=Person),
            "responses": lambda model: run(responses, model),
            "responses stream": lambda model: stream(responses, model),
            "responses tools": lambda model: tools(responses, model),
            "responses structured": lambda model: run(
                responses, model, output_type=Person
            ),
        },
        keyword=lambda libretto: run(
            chat,
            "any",
            model_settings=agents.ModelSettings(extra_args={"libretto": libretto}),
        ),
    )


def semantic_kernel() -> Program:
    import openai
    from semantic_kernel import Kernel
    from semantic_kernel.connectors.ai import FunctionChoiceBehavior
    from semantic_kernel.connectors.ai.open_ai import (
        OpenAIChatCompletion,
        OpenAIChatPromptExecutionSettings,
    )
    from semantic_kernel.contents import ChatHistory
    from semantic_kernel.functions import kernel_function

    def service(model: str) -> Any:
        return OpenAIChatCompletion(model, async_client=openai.AsyncOpenAI())

    def history() -> Any:
        made = ChatHistory()
        made.add_user_message(HELLO)
        return made

    def ask(model: str, kernel: Any = None, **more: Any) -> Any:
        settings = OpenAIChatPromptExecutionSettings(**more)
        asked = service(model).get_chat_message_content(
            history(), settings, kernel=kernel
        )
        return str(finish(asked))

    def stream(model: str) -> Any:
        settings = OpenAIChatPromptExecutionSettings()
        pieces = service(model).get_streaming_chat_message_content(history(), settings)
        return [str(piece) for piece in finish(collect(pieces))]

    def tools(model: str) -> Any:
        kernel = Kernel()
        kernel.add_function("weather", kernel_function(get_weather, "get_weather"))
        auto = FunctionChoiceBehavior.Auto(maximum_auto_invoke_attempts=1)
        return ask(model, kernel, function_choice_behavior=auto)

    return Program(
        ask,
        stream,
        tools,
    )


def autogen() -> Program:
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    info = {
        "vision": False,
        "function_calling": True,
        "json_output": False,
        "family": "unknown",
        "structured_output": False,
    }

    def agent(model: str, **more: Any) -> Any:
        client = OpenAIChatCompletionClient(model=model, model_info=info)
        return AssistantAgent("greeter", client, **more)

    async def pieces(model: str) -> Any:
        streaming = agent(model, model_client_stream=True).run_stream(task=HELLO)
        return [each.content async for each in streaming if hasattr(each, "content")]

    return Program(
        lambda model: finish(agent(model).run(task=HELLO)).messages[-1].content,
        lambda model: finish(pieces(model)),
        lambda model: (
            finish(agent(model, tools=[get_weather]).run(task=WEATHER))
            .messages[-1]
            .content
        ),
        keeps_messages=False,
    )


def ag2() -> Program:
    from ag2 import Agent
    from ag2.config import OpenAIConfig

    async def ask(model: str, **more: Any) -> Any:
        agent = Agent(
            "greeter", config=OpenAIConfig(model=model, max_retries=0), **more
        )
        return (await agent.ask(HELLO)).body

    return Program(lambda model: finish(ask(model)), keeps_messages=False)


def agno() -> Program:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    def ask(model: str, tools: Any = None, **more: Any) -> Any:
        chat = OpenAIChat(id=model, **more)
        agent = Agent(
            model=chat, tools=tools, telemetry=False, tool_call_limit=1, retries=0
        )
        return agent.run(HELLO).content

    def stream(model: str) -> Any:
        agent = Agent(model=OpenAIChat(id=model), telemetry=False)
        return [piece.content for piece in agent.run(HELLO, stream=True)]

    return Program(
        ask,
        stream,
        lambda model: (
            Agent(
                model=OpenAIChat(id=model),
                tools=[_stop_after(get_weather)],
                telemetry=False,
            )
            .run(WEATHER)
            .content
        ),
        keyword=lambda libretto: ask("any", request_params={"libretto": libretto}),
    )


def _stop_after(function: Any) -> Any:
    from agno.tools import tool

    return tool(stop_after_tool_call=True)(function)


def marvin() -> Program:
    import marvin
    from pydantic_ai.models.openai import OpenAIChatModel

    def ask(model: str) -> Any:
        agent = marvin.Agent(model=OpenAIChatModel(model))
        return marvin.run(HELLO, agents=[agent], handlers=[])

    return Program(ask, keeps_messages=False)
