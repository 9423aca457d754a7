"""langchain-openai."""

from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from sameness import Gateway, finish, same

import libretto_instrument as libretto


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def llm(request: pytest.FixtureRequest, running: Gateway) -> ChatOpenAI:
    return ChatOpenAI(
        model="any", use_responses_api=request.param, max_retries=0, stream_usage=True
    )


def test_chat(llm: ChatOpenAI, running: Gateway) -> None:
    """An answer is the same, whole and in batches."""
    same(lambda: llm.invoke("Hello you").text, running)
    same(lambda: [m.text for m in llm.batch(["One", "Two"])], running)
    same(lambda: finish(llm.ainvoke("Hello you")).text, running)


def test_stream(llm: ChatOpenAI, running: Gateway) -> None:
    """A stream is the same piece by piece."""
    same(lambda: [piece.text for piece in llm.stream("Hello you")], running)

    async def pieces() -> list[Any]:
        return [piece.text async for piece in llm.astream("Hello you")]

    same(lambda: finish(pieces()), running)


def test_tool_call(llm: ChatOpenAI, running: Gateway) -> None:
    """The tool is called with the same arguments."""
    bound = llm.bind_tools([get_weather])

    def ask() -> Any:
        return [call["args"] for call in bound.invoke("Weather?").tool_calls]

    events = same(ask, running)
    assert events[0]["toolCalls"][0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(llm: ChatOpenAI, running: Gateway, method: str) -> None:
    """The structured answer is the same."""
    structured = llm.with_structured_output(Person, method=method)
    same(lambda: structured.invoke("Who?"), running)
    same(lambda: finish(structured.ainvoke("Who?")), running)


def test_a_rag_by_its_templates(llm: ChatOpenAI, running: Gateway) -> None:
    """A RAG is recorded with template and parameters, without a change to it."""
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "You answer from the context."),
            ("human", "Context:\n{context}\n\nQuestion: {question}"),
        ]
    )
    documents = ["Oil the chain.", "Wipe it."]
    sources = {
        "context": lambda question: "\n\n".join(documents),
        "question": RunnablePassthrough(),
    }
    rag = sources | prompt | llm | StrOutputParser()
    template = [
        {"role": "system", "content": "You answer from the context."},
        {"role": "user", "content": "Context:\n{context}\n\nQuestion: {question}"},
    ]
    with libretto.scope(templates={"rag": template}):
        (event,) = same(lambda: rag.invoke("How often?"), running)
    assert event["apiName"] == "rag"
    assert [m["content"] for m in event["promptTemplateChat"]] == [
        m["content"] for m in template
    ]
    assert event["params"] == {
        "context": "Oil the chain.\n\nWipe it.",
        "question": "How often?",
    }


def test_the_caller(llm: ChatOpenAI, running: Gateway) -> None:
    """An unnamed prompt is named by what calls LangChain."""

    def ask() -> Any:
        return llm.invoke("Hello you").text

    with libretto.scope(allow_unnamed_prompts="caller"):
        (event,) = same(ask, running)
    assert event["apiName"] == f"{__name__}.test_the_caller.ask"
