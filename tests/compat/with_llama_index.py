"""llama-index-llms-openai."""

from llama_index.core import Document, SummaryIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai import OpenAI
from sameness import Gateway, same

import libretto_instrument as libretto


def test_a_rag_by_its_templates(running: Gateway) -> None:
    """A query engine is recorded with template and parameters, as it comes."""
    template = "Context:\n{context_str}\n\nQuestion: {query_str}"
    # A name that llama-index knows: it asks its own table for the context's size.
    llm = OpenAI(model="gpt-5.4-mini", api_base=running.url, max_retries=0)
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
