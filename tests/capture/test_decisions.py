"""Decisions: questions about an input, and their answers as one event."""

from typing import Any

import openai
import pytest
from support.kept import Kept
from support.scripted import ScriptedModel
from support.versions import needs_decisions

from libretto_instrument import TemplateChat, TemplateText
from libretto_instrument._capture.endpoints import decisions

pytestmark = needs_decisions

QUESTIONS: list[Any] = [
    {"type": "predicate", "name": "is_spam", "instructions": "Is it spam?"},
    {"type": "choice", "name": "tone", "instructions": "Which tone?"}
    | {"choices": [{"value": "warm"}, {"value": "cold"}]},
    {"type": "score", "instructions": "How urgent?"}
    | {"levels": [{"label": "low"}, {"label": "high"}]},
    {"type": "choice", "name": "ok", "instructions": "Is it fine?"}
    | {"choices": [{"value": True}, {"value": False}]},
    {"type": "predicate", "name": "legal", "instructions": "Is it legal?"},
]
ANSWER: dict[str, Any] = {
    "model": "gpt-test",
    "answers": [
        {"type": "predicate", "name": "is_spam", "probability": 0.031},
        {"type": "choice", "name": "tone", "choice": "warm", "confidence": 0.8}
        | {"probabilities": [{"value": "warm", "probability": 0.8}]},
        {"type": "score", "name": None, "score": 0.25, "confidence": 0.5}
        | {"probabilities": [{"label": "low", "value": 0, "probability": 0.75}]},
        {"type": "choice", "name": "ok", "choice": True, "confidence": 1.0}
        | {"probabilities": []},
        {"type": "refusal", "name": "legal"},
    ],
    "usage": {
        "input_tokens": 9,
        "output_tokens": 5,
        "total_tokens": 14,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
TEXT = """is_spam: 0.031
tone: warm (confidence 0.8)
3: 0.25 (confidence 0.5)
ok: true (confidence 1)
legal: refused"""


def test_an_event(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """The input is the template, the questions are parameters, the answers are text."""
    server.answer(ANSWER)
    text = TemplateText("Sort {mail}", {"mail": "Buy now!"})
    scripted.decisions.create(model="m", input=text, questions=QUESTIONS)
    assert server.requests[0].json["input"] == "Sort Buy now!"
    event = kept.event
    assert event["promptTemplateChat"] == [{"role": "user", "content": "Sort {mail}"}]
    assert event["params"] == {"mail": "Buy now!"}
    parameters = event["modelParameters"]
    assert parameters["questions"] == QUESTIONS
    assert parameters["modelApi"] == "decisions"
    assert event["response"] == TEXT
    assert event["rawResponse"] == ANSWER
    assert event["responseMetrics"]["usage"] == ANSWER["usage"]


async def test_messages_by_a_raw_view(
    server: ScriptedModel, ascripted: Any, kept: Kept
) -> None:
    """Messages are recorded by their template, and a raw response as it came."""
    server.answer(ANSWER)
    chat = TemplateChat([{"role": "user", "content": "{mail}"}], {"mail": "Buy now!"})
    raw = await ascripted.decisions.with_raw_response.create(
        model="m", input=chat, questions=QUESTIONS, libretto={"chat_id": "c"}
    )
    assert raw.parse().answers[0].probability == 0.031
    event = kept.event
    assert event["promptTemplateChat"] == [{"role": "user", "content": "{mail}"}]
    assert event["response"] == TEXT
    assert event["chatId"] == "c"


def test_a_refused_request(server: ScriptedModel, scripted: Any, kept: Kept) -> None:
    """A request that is refused is one event, with the error."""
    server.answer({"error": {"message": "no such model"}}, status=404)
    with pytest.raises(openai.NotFoundError):
        scripted.decisions.create(model="m", input="Hi", questions=QUESTIONS)
    assert "no such model" in kept.event["responseErrors"][0]


@pytest.mark.parametrize(
    "raw", [{}, {"answers": None}, {"answers": "x"}, {"answers": [None, 1, {}]}]
)
def test_a_gateways_answer(raw: dict[str, Any]) -> None:
    """What is not a decision is read without an error."""
    decisions.parse_response(raw)
