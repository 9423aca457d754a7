"""langchain-openai."""

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI
from sameness import Gateway, same

import libretto_instrument as libretto


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def llm(request: pytest.FixtureRequest, running: Gateway) -> ChatOpenAI:
    return ChatOpenAI(model="any", use_responses_api=request.param, max_retries=0)


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
