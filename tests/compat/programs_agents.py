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
    from pydantic_ai.models.openai import OpenAIChatModel

    def agent(model: str, **more: Any) -> Any:
        return Agent(OpenAIChatModel(model), retries=0, **more)

    async def pieces(model: str) -> Any:
        async with agent(model).run_stream(HELLO) as result:
            return await collect(result.stream_text(delta=True, debounce_by=None))

    return Program(
        lambda model: finish(agent(model).run(HELLO)).output,
        lambda model: finish(pieces(model)),
        lambda model: (
            finish(
                agent(model, tools=[get_weather], output_type=Person).run(WEATHER)
            ).output
        ),
    )


def openai_agents() -> Program:
    import agents

    def agent(model: str, **more: Any) -> Any:
        chat = agents.OpenAIChatCompletionsModel(model, agents.AsyncOpenAI())
        return agents.Agent("Greeter", model=chat, **more)

    def stream(model: str) -> Any:
        async def run() -> Any:
            events = agents.Runner.run_streamed(agent(model), HELLO).stream_events()
            return [
                event.data.delta
                async for event in events
                if getattr(getattr(event, "data", None), "delta", None)
            ]

        return finish(run())

    return Program(
        lambda model: finish(agents.Runner.run(agent(model), HELLO)).final_output,
        stream,
        lambda model: (
            finish(
                agents.Runner.run(
                    agent(
                        model,
                        tools=[agents.function_tool(get_weather)],
                        tool_use_behavior="stop_on_first_tool",
                    ),
                    WEATHER,
                )
            ).final_output
        ),
        keyword=lambda libretto: (
            finish(
                agents.Runner.run(
                    agent(
                        "any",
                        model_settings=agents.ModelSettings(
                            extra_args={"libretto": libretto}
                        ),
                    ),
                    HELLO,
                )
            ).final_output
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
