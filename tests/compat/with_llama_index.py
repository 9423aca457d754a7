"""llama-index-llms-openai."""

from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel
from sameness import Gateway, finish, same

import libretto_instrument as libretto

PROMPT = "Hello you"


class Person(BaseModel):
    """Somebody."""

    name: str


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


@pytest.fixture
def llm(running: Gateway) -> OpenAI:
    # A name that llama-index knows: it asks its own table for the context's size.
    return OpenAI(model="gpt-5.4-mini", api_base=running.url, max_retries=0)


def test_chat(llm: OpenAI, running: Gateway) -> None:
    """An answer is the same."""
    messages = [ChatMessage(content=PROMPT)]
    same(lambda: llm.complete(PROMPT).text, running)
    same(lambda: llm.chat(messages).message.content, running)
    same(lambda: finish(llm.achat(messages)).message.content, running)


def test_stream(llm: OpenAI, running: Gateway) -> None:
    """A stream is the same piece by piece."""
    messages = [ChatMessage(content=PROMPT)]
    same(lambda: [piece.delta for piece in llm.stream_chat(messages)], running)

    async def pieces() -> list[Any]:
        return [piece.delta async for piece in await llm.astream_chat(messages)]

    same(lambda: finish(pieces()), running)


def test_tool_call(llm: OpenAI, running: Gateway) -> None:
    """The tool is called with the same arguments."""
    tool = FunctionTool.from_defaults(get_weather)

    def ask() -> Any:
        answer = llm.chat_with_tools([tool], user_msg="Weather?")
        calls = llm.get_tool_calls_from_response(answer)
        return [(call.tool_name, call.tool_kwargs) for call in calls]

    events = same(ask, running)
    assert events[0]["toolCalls"][0]["function"]["name"] == "get_weather"


def test_structured_output(llm: OpenAI, running: Gateway) -> None:
    """The structured answer is the same."""
    prompt = PromptTemplate("Who is {who}?")
    same(lambda: llm.structured_predict(Person, prompt, who="that"), running)


def test_a_rag_by_its_templates(llm: OpenAI, running: Gateway) -> None:
    """A query engine is recorded with template and parameters, as it comes."""
    template = "Context:\n{context_str}\n\nQuestion: {query_str}"
    index = SummaryIndex.from_documents(
        [Document(text="Oil the chain."), Document(text="Wipe it.")],
        embed_model=MockEmbedding(embed_dim=2),
    )
    engine = index.as_query_engine(llm=llm, text_qa_template=PromptTemplate(template))
    with libretto.scope(templates={"rag": template}):
        (event,) = same(lambda: str(engine.query("How often?")), running)
    assert event["apiName"] == "rag"
    assert [m["content"] for m in event["promptTemplateChat"]] == [template]
    assert event["params"] == {
        "context_str": "Oil the chain.\n\nWipe it.",
        "query_str": "How often?",
    }
