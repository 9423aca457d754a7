"""Recognition of calls being recorded, and of those stored before."""

import random
from typing import Any

import pytest

from libretto_instrument._recognition.apply import fit_declared, recognize, reread
from libretto_instrument._recognition.index import TemplateIndex
from libretto_instrument._recognition.template import Match


def said(content: Any, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": content}


SYSTEM = said("You use tools.", "system")
TEMPLATE = [SYSTEM, said("Weather in {city}?")]
CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "{sunny}"}


@pytest.mark.parametrize(
    ("declared", "params"),
    [
        ({"city": "Bilbao"}, {"city": "Bilbao"}),
        ({}, {"city": "Bilbao"}),
        ({"city": "Madrid", "n": 1}, {"city": "Bilbao", "n": 1}),
        ({"city": ["B", "ilbao"]}, {"city": ["B", "ilbao"]}),
    ],
)
def test_a_template_that_fits(declared: Any, params: Any) -> None:
    """Declared parameters are kept, corrected and completed by what was sent."""
    sent = [SYSTEM, said("Weather in Bilbao?")]
    assert fit_declared(TEMPLATE, declared, sent) == (TEMPLATE, params)


def test_messages_behind_a_template() -> None:
    """What follows the template's messages is recorded as it is."""
    sent = [SYSTEM, said("Weather in Bilbao?"), CALLED, RESULT]
    behind = [CALLED, {**RESULT, "content": r"\{sunny\}"}]
    for declared in ({"city": "Bilbao"}, {}):
        assert fit_declared(TEMPLATE, declared, sent) == (
            [*TEMPLATE, *behind],
            {"city": "Bilbao"},
        )


def test_messages_behind_a_history() -> None:
    """A template with a history in it takes as much as it can."""
    template = [SYSTEM, said("{history}", "chat_history"), said("{question}")]
    past = [said("Hi"), said("Hello", "assistant")]
    sent = [SYSTEM, *past, said("Weather?"), CALLED]
    assert fit_declared(template, {}, sent) == (
        [*template, CALLED],
        {"history": past, "question": "Weather?"},
    )


@pytest.mark.parametrize(
    "sent",
    [
        [said("Another question")],
        [SYSTEM],
        [],
        [SYSTEM, said("Weather in Bilbao")],
        [CALLED, *TEMPLATE],
        "Weather in Bilbao?",
    ],
)
def test_a_template_that_does_not_fit(sent: Any) -> None:
    """A template that does not render to what was sent does not hold."""
    assert fit_declared(TEMPLATE, {"city": "Bilbao"}, sent) is None


def test_declared_texts() -> None:
    """A text is a prompt, or the one message of the user."""
    assert fit_declared("Say {x}", {}, "Say hi") == ("Say {x}", {"x": "hi"})
    chat = [said("Say {x}")]
    assert fit_declared("Say {x}", {}, [said("Say hi")]) == (chat, {"x": "hi"})
    assert fit_declared("Say {x}", {"x": "hi"}, [said("Say hi")]) == (chat, {"x": "hi"})
    assert fit_declared("Say {x}", {"x": "hi"}, "Sing hi") is None


def test_an_ambiguous_declared_template() -> None:
    """Where what was sent does not tell the parameters, the declared ones do."""
    assert fit_declared("{a}{b}", {"a": "x", "b": "y"}, "xy") == (
        "{a}{b}",
        {"a": "x", "b": "y"},
    )
    assert fit_declared("{a}{b}", {"a": "x"}, "xy") is None


def test_what_is_no_template() -> None:
    """Declared messages that cannot be rendered do not hold."""
    assert fit_declared([said("x", "chat_history")], {}, [said("x")]) is None


def test_instructions() -> None:
    """Messages behind instructions may have a template of their own."""
    index = TemplateIndex({"slogan": "A slogan for {product}"})
    sent = [said("Be {terse}.", "system"), said("A slogan for tea")]
    assert recognize(index, sent) is None
    assert recognize(index, sent, has_instructions=True) == Match(
        "slogan",
        [said(r"Be \{terse\}.", "system"), said("A slogan for {product}")],
        {"product": "tea"},
    )


def test_stored_events() -> None:
    """Ten thousand stored events are read again with templates that are known now."""
    dice = random.Random(1)
    index = TemplateIndex({"weather": TEMPLATE, "slogan": "A slogan for {product}"})
    cities = [dice.choice(["Bilbao", "Vitoria"]) + str(n) for n in range(5_000)]
    events: list[dict[str, Any]] = [
        {"promptTemplateChat": [SYSTEM, said(f"Weather in {city}?")], "params": {}}
        for city in cities
    ]
    events += [{"promptTemplateText": f"A slogan for {n}"} for n in range(4_000)]
    events += [{"promptTemplateText": f"Anything else {n}"} for n in range(1_000)]
    found = [reread(event, index) for event in events]
    assert found[9_000:] == [None] * 1_000
    weather = found[:5_000]
    assert [each["params"]["city"] for each in weather if each] == cities
    assert all(each["promptTemplateChat"] == TEMPLATE for each in weather if each)
    slogans = [each for each in found[5_000:9_000] if each]
    assert len(slogans) == 4_000
    assert slogans[7] == {
        "promptTemplateText": "A slogan for {product}",
        "params": {"product": "7"},
        "promptTemplateName": "slogan",
        "apiName": "slogan",
    }


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"promptTemplateText": "A slogan for tea", "params": {"other": 1}},
        {"promptTemplateText": 7},
        {"promptTemplateChat": "A slogan for tea"},
        {"promptTemplateChat": [7]},
        {"promptTemplateText": "A slogan for {product}", "params": {"product": "tea"}},
    ],
)
def test_events_that_stay(event: Any) -> None:
    """Events with a template, and what is none, stay as they are."""
    assert reread(event, TemplateIndex({"slogan": "A slogan for {product}"})) is None


def test_a_stored_name() -> None:
    """A stored event keeps its name, and its name decides among templates that fit."""
    index = TemplateIndex(
        {"short": "Sum up: {text}", "long": "Sum up: {text} in {lang}"}
    )
    event = {"promptTemplateText": "Sum up: this in French"}
    assert reread(event, index) is None
    named = reread({**event, "promptTemplateName": "long"}, index)
    assert named
    assert named["params"] == {"text": "this", "lang": "French"}
    other = reread({"promptTemplateText": "Sum up: this", "apiName": "mine"}, index)
    assert other
    assert (other["promptTemplateName"], other["promptTemplateText"]) == (
        "mine",
        "Sum up: {text}",
    )
