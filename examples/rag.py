"""Answers from a few documents: one chat session, and one chain for each question.

The first call of a chain makes a search query of the question and what was said before;
the second answers it from the documents found.

To run it:

    pip install libretto-instrument
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    python rag.py "Why does my kettle whistle?" "How do I stop it?"
"""

import math
import os
import re
import sys
from collections import Counter
from typing import Any
from uuid import uuid4

import openai

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

DOCUMENTS = {
    "whistle": "A kettle whistles when steam leaves through the plate in its spout. "
    "Lift the plate and it boils in silence.",
    "scale": "Scale in a kettle is lime from hard water. Boil vinegar in it to remove "
    "the lime, then rinse.",
    "warranty": "The warranty of a kettle is two years from the day of sale. Keep the "
    "receipt.",
    "tea": "Green tea is made with water of 80 °C, black tea with boiling water.",
}

QUERY = [
    {"role": "system", "content": "Turn the last question into a search query."},
    {"role": "chat_history", "content": "{history}"},
    {"role": "user", "content": "{question}"},
]
ANSWER = [
    {"role": "system", "content": "Answer from these documents alone:\n{documents}"},
    {"role": "chat_history", "content": "{history}"},
    {"role": "user", "content": "{question}"},
]

Messages = list[dict[str, str]]


def words(text: str) -> Counter[str]:
    """Return the words of a text and how often it has them."""
    return Counter(re.findall(r"\w+", text.lower()))


def retrieve(query: str, count: int = 2) -> list[str]:
    """Return the names of the documents that share the rarest words with a query."""
    holding = Counter(word for text in DOCUMENTS.values() for word in words(text))

    def score(name: str) -> float:
        shared = words(query) & words(DOCUMENTS[name])
        return sum(math.log(1 + len(DOCUMENTS) / holding[word]) for word in shared)

    return sorted(DOCUMENTS, key=score, reverse=True)[:count]


def ask(client: openai.OpenAI, template: Messages, params: dict[str, Any]) -> str:
    """Ask the model by a template."""
    completion = client.chat.completions.create(
        model=MODEL, messages=libretto.TemplateChat(template, params)
    )
    return completion.choices[0].message.content or ""


def answer(client: openai.OpenAI, question: str, history: Messages) -> str:
    """Answer a question; its calls are one chain, and the answer is the chain's."""
    said: dict[str, Any] = {"question": question, "history": history}
    with libretto.chain() as chain:
        with libretto.scope(prompt_template_name="rag-query"):
            query = ask(client, QUERY, said)
        found = retrieve(query)
        documents = "\n".join(DOCUMENTS[name] for name in found)
        with libretto.scope(
            prompt_template_name="rag-answer", context={"found": found}
        ):
            chain.result = ask(client, ANSWER, {**said, "documents": documents})
    return str(chain.result)


def main(questions: list[str]) -> None:
    """Print the answers to questions that are asked one after another."""
    libretto.install()
    history: Messages = []
    with openai.OpenAI() as client, libretto.scope(chat_id=uuid4()):
        for question in questions:
            said = answer(client, question, history)
            print(f"{question}\n  {said}")
            history = [
                *history,
                {"role": "user", "content": question},
                {"role": "assistant", "content": said},
            ]


if __name__ == "__main__":
    main(sys.argv[1:] or ["Why does my kettle whistle?", "How do I stop it?"])
