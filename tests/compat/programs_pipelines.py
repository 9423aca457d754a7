"""More of `programs.py`: the frameworks that are about chains of steps."""

import os
from typing import Any

from programs import (
    HELLO,
    WEATHER,
    Person,
    Program,
    collect,
    get_weather,
    user,
)
from pydantic import BaseModel
from sameness import finish


def haystack() -> Program:
    from haystack import Pipeline
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.tools import create_tool_from_function

    messages = [ChatMessage.from_user(HELLO)]

    def ask(model: str, **more: Any) -> Any:
        pipeline = Pipeline()
        pipeline.add_component("llm", OpenAIChatGenerator(model=model, **more))
        return pipeline.run({"llm": {"messages": messages}})["llm"]["replies"][0]

    def stream(model: str) -> Any:
        pieces: list[str] = []
        ask(model, streaming_callback=lambda piece: pieces.append(piece.content))
        return pieces

    def on_threads() -> Any:
        pipeline = Pipeline()
        for name in ("one", "two"):
            pipeline.add_component(name, OpenAIChatGenerator(model="any"))
        data = {name: {"messages": messages} for name in ("one", "two")}
        answers = finish(pipeline.run_async(data))
        return [answers[name]["replies"][0].text for name in ("one", "two")]

    return Program(
        lambda model: ask(model).text,
        stream,
        lambda model: (
            ask(model, tools=[create_tool_from_function(get_weather)])
            .tool_calls[0]
            .arguments
        ),
        keyword=lambda libretto: (
            ask("any", generation_kwargs={"libretto": libretto}) and None
        ),
        on_threads=on_threads,
    )


def dspy() -> Program:
    import dspy

    adapter = dspy.JSONAdapter()
    native = dspy.ChatAdapter(use_native_function_calling=True)

    def context(model: str, **more: Any) -> Any:
        lm = dspy.LM(f"openai/{model}", cache=False, num_retries=0, **more)
        return dspy.context(lm=lm, adapter=adapter)

    def chat(model: str, **more: Any) -> Any:
        with context(model, **more):
            return dspy.Predict("question -> answer")(question=HELLO).answer

    def stream(model: str) -> Any:
        listener = dspy.streaming.StreamListener(signature_field_name="answer")
        program = dspy.streamify(
            dspy.Predict("question -> answer"), stream_listeners=[listener]
        )
        with context(model):
            pieces = finish(collect(program(question=HELLO)))
        return [str(getattr(piece, "chunk", piece)) for piece in pieces]

    def tools(model: str) -> Any:
        signature = dspy.Signature(
            {
                "question": (str, dspy.InputField()),
                "tools": (list[dspy.Tool], dspy.InputField()),
                "calls": (dspy.ToolCalls, dspy.OutputField()),
            }
        )
        # It leaves tools to a model only if it knows that one.
        with context("gpt-4o-mini"), dspy.context(adapter=native):
            answer = dspy.Predict(signature)(
                question=WEATHER, tools=[dspy.Tool(get_weather)]
            )
        return [(call.name, call.args) for call in answer.calls.tool_calls]

    def on_threads() -> Any:
        predict = dspy.Predict("question -> answer")
        with context("any"):
            answers = dspy.Parallel(num_threads=2, disable_progress_bar=True)(
                [(predict, {"question": HELLO}), (predict, {"question": "Hello"})]
            )
        return [each.answer for each in answers]

    return Program(
        chat,
        stream,
        tools,
        on_threads=on_threads,
        loses_scopes=True,
        keeps_messages=False,
    )


def langchain() -> Program:
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    def model_of(name: str, **more: Any) -> Any:
        return ChatOpenAI(model=name, max_retries=0, **more)

    def responses(name: str) -> Any:
        return model_of(name, use_responses_api=True)

    def stream(model: Any) -> Any:
        return [piece.text for piece in model.stream(HELLO)]

    async def async_stream(model: Any) -> Any:
        return [piece.text async for piece in model.astream(HELLO)]

    def tools(model: Any) -> Any:
        bound = model.bind_tools([tool(get_weather)])
        return bound.invoke(WEATHER).tool_calls[0]["args"]

    def structured(model: Any, method: str) -> Any:
        bound = model.with_structured_output(Person, method=method)
        return bound.invoke(HELLO), finish(bound.ainvoke(HELLO))

    return Program(
        lambda model: model_of(model).invoke(HELLO).text,
        lambda model: stream(model_of(model)),
        lambda model: tools(model_of(model)),
        others={
            "async": lambda model: finish(model_of(model).ainvoke(HELLO)).text,
            "async stream": lambda model: finish(async_stream(model_of(model))),
            "batch": lambda model: [
                each.text for each in model_of(model).batch([HELLO, "Hello"])
            ],
            "schema": lambda model: structured(model_of(model), "json_schema"),
            "function": lambda model: structured(model_of(model), "function_calling"),
            "responses": lambda model: responses(model).invoke(HELLO).text,
            "responses async": lambda model: (
                finish(responses(model).ainvoke(HELLO)).text
            ),
            "responses stream": lambda model: stream(responses(model)),
            "responses async stream": lambda model: finish(
                async_stream(responses(model))
            ),
            "responses tools": lambda model: tools(responses(model)),
            "responses schema": lambda model: structured(
                responses(model), "json_schema"
            ),
            "responses function": lambda model: structured(
                responses(model), "function_calling"
            ),
        },
        keyword=lambda libretto: model_of("any").invoke(HELLO, libretto=libretto).text,
        on_threads=lambda: [
            each.text for each in model_of("any").batch([HELLO, "Hello"])
        ],
    )


def langgraph() -> Program:
    from langchain_openai import ChatOpenAI
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    def graph(model: str, tools: Any = (), **more: Any) -> Any:
        bound = ChatOpenAI(model=model, max_retries=0)
        if tools:
            bound = bound.bind_tools(tools)

        def call(state: Any) -> Any:
            # The model calls tools as long as it has any.
            is_first = len(state["messages"]) == 1
            asked = bound if is_first else ChatOpenAI(model=model)
            return {"messages": [asked.invoke(state["messages"], **more)]}

        built = StateGraph(MessagesState)
        built.add_node("model", call)
        built.add_node("tools", ToolNode(tools))
        built.add_edge(START, "model")
        built.add_conditional_edges("model", tools_condition)
        built.add_edge("tools", "model")
        return built.compile()

    def ask(model: str, **more: Any) -> Any:
        answer = graph(model, **more).invoke({"messages": user(HELLO)})
        return [message.content for message in answer["messages"]]

    def stream(model: str) -> Any:
        pieces = graph(model).stream({"messages": user(HELLO)}, stream_mode="messages")
        return [piece.content for piece, _ in pieces]

    def on_threads() -> Any:
        answers = graph("any").batch([{"messages": user(HELLO)}] * 2)
        return [answer["messages"][-1].content for answer in answers]

    return Program(
        ask,
        stream,
        lambda model: ask(model, tools=[get_weather]),
        keyword=lambda libretto: ask("any", libretto=libretto),
        on_threads=on_threads,
    )


def llama_index() -> Program:
    from llama_index.core.llms import ChatMessage
    from llama_index.core.prompts import PromptTemplate
    from llama_index.core.tools import FunctionTool
    from llama_index.llms.openai import OpenAI

    def model_of(name: str) -> Any:
        # It refuses names that it does not know, if they are given at once.
        base = os.environ["OPENAI_BASE_URL"]
        known = OpenAI("gpt-4o", api_base=base, max_retries=0)
        known.model = "gpt-4o" if name == "any" else name
        return known

    def chat(model: str, **more: Any) -> Any:
        llm = model_of("any")
        more["model"] = model
        return llm.chat([ChatMessage(HELLO)], **more).message.content

    async def async_chat(model: str) -> Any:
        return (await model_of(model).achat([ChatMessage(HELLO)])).message.content

    async def async_stream(model: str) -> Any:
        stream = await model_of(model).astream_chat([ChatMessage(HELLO)])
        return [piece.delta async for piece in stream]

    return Program(
        chat,
        lambda model: [
            piece.delta
            for piece in model_of("any").stream_chat([ChatMessage(HELLO)], model=model)
        ],
        lambda model: str(
            model_of("any").predict_and_call(
                [FunctionTool.from_defaults(get_weather)], WEATHER
            )
        ),
        others={
            "complete": lambda model: model_of(model).complete(HELLO).text,
            "async": lambda model: finish(async_chat(model)),
            "async stream": lambda model: finish(async_stream(model)),
            "structured": lambda model: model_of(model).structured_predict(
                Person, PromptTemplate("Who is {who}?"), who="that"
            ),
        },
        keyword=lambda libretto: chat("any", libretto=libretto),
    )


def ragas() -> Program:
    import openai
    from ragas import evaluate
    from ragas.dataset_schema import EvaluationDataset, SingleTurnSample
    from ragas.llms import llm_factory
    from ragas.metrics import AspectCritic

    class Answer(BaseModel):
        answer: str

    def model_of(name: str) -> Any:
        return llm_factory(name, client=openai.AsyncOpenAI(max_retries=0))

    async def chat(model: str) -> Any:
        return (await model_of(model).agenerate(HELLO, Answer)).answer

    def on_threads() -> Any:
        critic = AspectCritic("polite", definition="Polite?", llm=model_of("any"))
        sample = SingleTurnSample(user_input=HELLO, response="Hello")
        data = EvaluationDataset([sample, sample])
        return len(evaluate(data, [critic], show_progress=False).scores)

    return Program(
        lambda model: finish(chat(model)),
        on_threads=on_threads,
        keeps_messages=False,
    )
