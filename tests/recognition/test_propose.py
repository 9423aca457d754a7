"""Templates proposed from what was sent."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libretto_instrument import TemplateChat, TemplateText
from libretto_instrument._recognition.apply import Call, read_call
from libretto_instrument._recognition.propose import (
    Proposal,
    propose,
)

TEXT = (
    "oil the chain of a bicycle every month and wipe it with cloth before you ride "
    "in rain or snow since water takes grease away from links pins plates"
)
WORDS = TEXT.split()


def words(count: int, dice: random.Random) -> str:
    """Return some words."""
    return " ".join(dice.choices(WORDS, k=count))


def said(content: Any, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": content}


RAG = [
    said("You answer from the context only.", "system"),
    said(
        "Context:\n{context}\n\nQuestion: {question}?\nAnswer in {input} as "
        r'{"answer": "..."} or \{none\}.'
    ),
]


def rag_calls(count: int = 20) -> list[Call]:
    """Return calls of a program that fills `RAG` with its own f-strings."""
    dice = random.Random(1)
    return [
        Call(
            None,
            list(
                TemplateChat(
                    RAG,
                    {
                        "context": words(80, dice),
                        "question": words(6, dice),
                        "input": dice.choice(["French", "Basque"]),
                    },
                )
            ),
        )
        for _ in range(count)
    ]


def text_calls(template: str, count: int = 10, name: str | None = None) -> list[Call]:
    """Return calls of a template of a text, with two parameters, a and b."""
    dice = random.Random(2)
    params = [{"a": words(3, dice), "b": words(5, dice)} for _ in range(count)]
    return [Call(name, str(TemplateText(template, each))) for each in params]


def templates(proposals: list[Proposal]) -> dict[str, Any]:
    """Return proposals as `install(templates=)` takes them."""
    return {each.name: each.template for each in proposals}


def test_a_rag() -> None:
    """What varies becomes placeholders, named by the labels before them."""
    (proposal,) = propose(rag_calls())
    assert proposal.template == RAG
    assert (proposal.calls, proposal.ambiguous) == (20, 0)
    assert list(TemplateChat(RAG, proposal.example)) == rag_calls()[0].sent


def test_several_prompts() -> None:
    """Calls of different prompts are told apart, the most frequent first."""
    calls = [
        *rag_calls(12),
        *text_calls("Write a slogan for {a} that rhymes with {b}."),
        *text_calls("Translate: {a}", 8),
    ]
    random.Random(3).shuffle(calls)
    assert templates(propose(calls)) == {
        "context-question-answer-in": RAG,
        "write-a-slogan-for": "Write a slogan for {text} that rhymes with {text_2}.",
        "translate": "Translate: {translate}",
    }


def test_prompts_of_one_system_message() -> None:
    """Calls of one system message are told apart by what the user's begins with."""
    dice = random.Random(4)
    system = said("You are the assistant of a shop.", "system")
    first = [f"Summarise the complaint below: {words(9, dice)}" for _ in range(9)]
    second = [f"Draft a friendly reply to: {words(9, dice)}" for _ in range(9)]
    found = propose(Call(None, [system, said(text)]) for text in first + second)
    assert [each.template[1]["content"] for each in found if each.template] == [
        "Draft a friendly reply to: {to}",
        "Summarise the complaint below: {below}",
    ]


def test_a_conversation() -> None:
    """Conversations of one system message are one template, with a history."""
    dice = random.Random(5)
    calls = []
    for turns in (0, 1, 2, 1, 3):
        past = [said(words(3, dice)), said(words(5, dice), "assistant")] * turns
        system = said(f"You are kind. Today is day {dice.randint(1, 99)}.", "system")
        calls.append(Call(None, [system, *past, said(words(4, dice))]))
    (proposal,) = propose(calls)
    assert proposal.template == [
        said("You are kind. Today is day {system}.", "system"),
        said("{history}", "chat_history"),
        said("{input}"),
    ]
    assert (proposal.calls, proposal.ambiguous) == (5, 0)


def test_an_agent() -> None:
    """An agent's calls, which go on with tools, are one template."""
    dice = random.Random(6)
    steps = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    ]
    system = said("You use tools.", "system")
    calls = [
        Call(None, [system, said(f"Task for today: {words(4, dice)}"), *steps * n])
        for n in (0, 1, 2, 0, 1)
    ]
    (proposal,) = propose(calls)
    assert proposal.template == [
        system,
        said("Task for today: {today}"),
        said("{history}", "chat_history"),
    ]


def test_names() -> None:
    """The prompt's own name is kept, and names are not used twice."""
    named = text_calls("Write a slogan for {a}, please.", name="slogan")
    other = text_calls("Translate: {a}", name="slogan")
    assert list(templates(propose(named + other))) == ["slogan", "slogan-2"]


def test_parts_of_content() -> None:
    """Parts of content are compared one by one; other values must be the same."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/{x}.png"}}
    calls = [
        Call(
            None,
            [said([{"type": "text", "text": f"Describe this picture as {n}"}, image])],
        )
        for n in ("a poem", "prose", "song")
    ]
    (proposal,) = propose(calls)
    text, same = proposal.template[0]["content"]  # type: ignore[index]
    assert text == {"type": "text", "text": "Describe this picture as {input}"}
    assert same["image_url"]["url"] == r"https://example.com/\{x\}.png"
    calls[0].sent[0]["content"][1] = {"type": "else"}  # type: ignore[index]
    assert propose(calls) == []


@pytest.mark.parametrize(
    "calls",
    [
        [],
        text_calls("Translate: {a}", 2),
        [Call(None, "the same")] * 9,
        [Call(None, text) for text in ("one thing", "quite another", "and more")],
        [Call(None, [])] * 5,
        [Call(None, [said(None)])] * 5,
        [Call(None, [said(n)]) for n in range(5)],
        [Call(None, "x" * 300_000 + str(n)) for n in range(5)],
    ],
    ids=range(8),
)
def test_nothing_to_propose(calls: list[Call]) -> None:
    """Too few calls, constant ones, or ones that share nothing: no proposal."""
    assert propose(calls) == []


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"promptTemplateText": "x", "params": {}}, Call(None, "x")),
        ({"promptTemplateChat": [said("x")], "apiName": "n"}, Call("n", [said("x")])),
        ({"promptTemplateText": "x", "params": {"a": 1}}, None),
        ({"promptTemplateChat": ["x"]}, None),
        ({"promptTemplateText": 7}, None),
        ({}, None),
        (7, None),
    ],
)
def test_reading_events(event: Any, expected: Call | None) -> None:
    """Calls that were recorded as they were sent are read from events' bodies."""
    assert read_call(event) == expected


SOME = st.text(max_size=12) | st.text("ab {}\\:\n", max_size=12)


@given(st.lists(st.lists(SOME, min_size=1, max_size=3), max_size=12), SOME, SOME)
@settings(max_examples=150, deadline=None)
def test_any_calls(values: list[list[str]], before: str, behind: str) -> None:
    """Whatever was sent, a proposal and its example render to one of the calls."""
    texts = [before + "literal text ".join(each) + behind for each in values]
    texts_as_chats = [[said("Be kind.", "system"), said(text)] for text in texts]
    for sent in (texts, texts_as_chats):
        for proposal in propose(Call(None, each) for each in sent):
            template = proposal.template
            if isinstance(template, str):
                assert TemplateText(template, proposal.example) in texts
            else:
                assert list(TemplateChat(template, proposal.example)) in texts_as_chats


def test_many_calls() -> None:
    """Ten thousand calls, long and alike, are read within bounds."""
    dice = random.Random(7)
    calls = [
        Call(None, "a b " * 2_000 + str(n) + " a b" * dice.randint(1, 2_000))
        for n in range(500)
    ] + text_calls("Write a slogan for {a}, please.", 9_500)
    assert propose(calls)[0].template == "Write a slogan for {text}, please."
