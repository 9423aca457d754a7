"""Templates filled in, messages as turns, differences."""

import json
from typing import Any

import pytest

from libretto_instrument._collector.conversation import (
    conversation,
    last_user_message,
    pretty_json,
    tool_call,
)
from libretto_instrument._collector.diff import word_diff


def _pieces(template: str, **params: Any) -> list[tuple[str, str | None]]:
    event = {"promptTemplateText": template, "params": params}
    return [piece for piece in conversation(event)[0][1] if piece[0]]


@pytest.mark.parametrize(
    ("template", "params", "pieces"),
    [
        ("Hi {name}!", {"name": "Ada"}, [("Hi ", None), ("Ada", "name"), ("!", None)]),
        ("{n}", {"n": 5}, [("5", "n")]),
        ("{a.b[0]}", {"a": {"b": ["x"]}}, [("x", "a.b[0]")]),
        ("{a.b}", {"a.b": "whole"}, [("whole", "a.b")]),
        ("{a[9]} {.} {a.b}", {"a": []}, [("{a[9]} {.} {a.b}", None)]),
        ('{"ok": false} {x}', {}, [('{"ok": false} {x}', None)]),
        (r"\{x\}", {"x": 1}, [("{x}", None)]),
        ("{l}", {"l": ["é"]}, [('[\n  "é"\n]', "l")]),
        ("{a[" + "9" * 5000 + "]}", {"a": [1]}, [("{a[" + "9" * 5000 + "]}", None)]),
        ("{x}", {"x": None}, [("null", "x")]),
    ],
)
def test_placeholders_are_filled_in(
    template: str, params: dict[str, Any], pieces: list[tuple[str, str | None]]
) -> None:
    """A parameter's value is distinguished from the text around it."""
    assert _pieces(template, **params) == pieces


def test_a_chat_history_is_spliced_in() -> None:
    """A chat_history message becomes the messages that its placeholders name."""
    past = [{"role": "user", "content": "{not a placeholder}"}, "no message"]
    event = {
        "params": {"past": past, "text": "x"},
        "promptTemplateChat": [
            {"role": "chat_history", "content": "{past} {text} {missing}"},
            {"role": "ai", "content": "Yes?", "name": "Eve"},
        ],
    }
    turns = conversation(event)
    assert turns == [
        (past[0], [("{not a placeholder}", None)], True),
        ({}, [], True),
        (event["promptTemplateChat"][1], [("Yes?", None)], False),
    ]


def test_content_parts_are_shown() -> None:
    """Text parts are text with placeholders, other parts JSON."""
    parts = [{"type": "text", "text": "See {x}"}, {"type": "image", "url": "u"}, None]
    messages = [{"role": "user", "content": parts}]
    event = {"promptTemplateChat": messages, "params": {"x": "it"}}
    ((_, pieces, _),) = conversation(event)
    assert "".join(text for text, _ in pieces).startswith('See it{\n  "type": "image"')


def test_a_small_template_cannot_fill_the_memory() -> None:
    """What is shown is bounded, however often a template names a large parameter."""
    event = {"promptTemplateText": "{a}" * 100_000, "params": {"a": "y" * 1_000_000}}
    ((_, pieces, _),) = conversation(event, max_chars=1_000)
    assert sum(len(text) for text, _ in pieces) < 1_100
    assert len(last_user_message(event)) <= 1_002


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{}],
        [{"role": None, "content": None, "tool_calls": {}}],
        [{"role": ["x"], "content": [None, 5, [], {"text": 5}], "name": {}}],
        [{"role": "chat_history"}],
    ],
)
def test_odd_messages_are_survived(messages: list[Any]) -> None:
    """Messages of any shape are turns."""
    event = {"promptTemplateChat": messages, "params": {}}
    assert len(conversation(event)) <= 1
    assert last_user_message(event) == "" or messages


def test_the_last_words_are_the_users() -> None:
    """A listing shows what the user said last, filled in."""
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": "second {x}"},
        {"role": "system", "content": "be brief"},
    ]
    event = {"promptTemplateChat": messages, "params": {"x": "time"}}
    assert last_user_message(event) == "second time"


@pytest.mark.parametrize("call", ["f", None, {"function": "f"}, {"function": {}}, {}])
def test_odd_tool_calls_are_survived(call: Any) -> None:
    """A tool call of any shape has a name and something to show."""
    name, arguments = tool_call(call)
    assert name == "tool"
    assert isinstance(arguments, str)


def test_readable() -> None:
    """JSON within a string is shown as JSON, other text as it is."""
    assert pretty_json('{"a":1}') == json.dumps({"a": 1}, indent=2)
    assert pretty_json("plain {") == "plain {"
    assert pretty_json('"quoted"') == "quoted"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("same", "same", [("same", "same")]),
        ("", "new", [("ins", "new")]),
        ("a b c", "a c", [("same", "a "), ("del", "b "), ("same", "c")]),
        (
            "You get it",
            "We write it",
            [("del", "You get"), ("ins", "We write"), ("same", " it")],
        ),
    ],
)
def test_differences(old: str, new: str, changes: list[tuple[str, str]]) -> None:
    """A difference is shown in words; a space between two changes belongs to them."""
    assert word_diff(old, new) == changes


@pytest.mark.parametrize("size", [2_000, 4_000, 40_000])
def test_differences_of_long_texts(size: int) -> None:
    """Whatever the size, both texts can be read off their difference."""
    old, new = "a b\n" * size, "b a\n" * size
    changes = word_diff(old, new)
    assert "".join(text for kind, text in changes if kind != "ins") == old
    assert "".join(text for kind, text in changes if kind != "del") == new
