"""Templates: what is a placeholder, what is literal, and what an object remembers."""

import copy
import json
import pickle
import re
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libretto_instrument import (
    TemplateChat,
    TemplateError,
    TemplateString,
    TemplateText,
)
from libretto_instrument.testing import CapturedEvents

# Neither braces nor backslashes: nothing in here can be taken for a placeholder.
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="{}\\"))
NAMES = st.text("abcXYZ019_", min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | PLAIN,
    lambda inner: st.lists(inner) | st.dictionaries(PLAIN, inner),
    max_leaves=8,
)


def chat(content: Any, role: str = "user", **params: Any) -> TemplateChat:
    """Return a chat of one message."""
    return TemplateChat([{"role": role, "content": content}], params)


# Text


def test_text_is_a_str_that_remembers() -> None:
    """A rendered text is a str and keeps its template and its parameters."""
    text = TemplateText("Hello {name}!", {"name": "Ada"})
    assert isinstance(text, str)
    assert text == "Hello Ada!"
    assert (text.template, text.params) == ("Hello {name}!", {"name": "Ada"})


def test_older_name() -> None:
    """TemplateString is TemplateText under its older name."""
    assert TemplateString is TemplateText


@pytest.mark.parametrize(
    ("template", "params", "rendered"),
    [
        ("{a}{b}{a}", {"a": 1, "b": 2}, "121"),
        ("{user.name}", {"user.name": "flat"}, "flat"),
        ("{user.name}", {"user": {"name": "nested"}}, "nested"),
        ("{items[1]}", {"items": ["zero", "one"]}, "one"),
        ("{a[0].b}", {"a": [{"b": "deep"}]}, "deep"),
        ("{a[b]}", {"a": {"b": "by key"}}, "by key"),
        ("{_x9}", {"_x9": "underscore"}, "underscore"),
        ("{größe}", {"größe": "letters are any alphabet's"}, "letters are any alpha"),
        ("{0}", {"0": "digits"}, "digits"),
        ("{n}", {"n": None}, "None"),
        ("{n}", {"n": 1.5}, "1.5"),
        ("{empty}.", {"empty": ""}, "."),
        ("{used}", {"used": "yes", "unused": "no"}, "yes"),
    ],
)
def test_placeholders(template: str, params: dict[str, Any], rendered: str) -> None:
    """A placeholder's name is letters, digits, _, ., [ and ], and it is filled in."""
    assert TemplateText(template, params).startswith(rendered)


@pytest.mark.parametrize(
    "literal",
    [
        '{"is_valid": false}',
        "{}",
        "{ spaced }",
        "{a-b}",
        "{a b}",
        "{a:>10}",
        "{{}}",
        "{'quoted'}",
        "{a,b}",
        "a { b } c",
        "unbalanced {",
        "} unbalanced",
        "{unfinished",
        "{!r}",
        "{line\nbreak}",
        "%s %(name)s $name ${not-a-name}",
        "back\\slash",
    ],
)
def test_other_braces_are_literal(literal: str) -> None:
    """Text in braces that is not a name stays as it is."""
    assert TemplateText(literal) == literal


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (r"\{name\}", "{name}"),
        (r"\{name\} is {name}", "{name} is Ada"),
        (r"\{a.b[0]\}", "{a.b[0]}"),
        (r"\{not a name\}", r"\{not a name\}"),
        (r"\n and \{", r"\n and \{"),
    ],
)
def test_escapes(template: str, rendered: str) -> None:
    r"""An escaped placeholder, \{name\}, renders as {name} and needs no value."""
    assert TemplateText(template, {"name": "Ada"}) == rendered


def test_placeholder_within_literal_braces() -> None:
    """A placeholder inside JSON is filled in, and the JSON around it stays."""
    template = '{"name": "{name}", "ok": true, "list": [{n}]}'
    rendered = TemplateText(template, {"name": "Ada", "n": 3})
    assert json.loads(rendered) == {"name": "Ada", "ok": True, "list": [3]}


def test_values_are_not_templates() -> None:
    """Braces inside a value are data: they are neither filled in nor unescaped."""
    values = {"a": r"{b} and \{c\}", "b": "never"}
    assert TemplateText("{a}", values) == r"{b} and \{c\}"


@given(PLAIN)
def test_text_without_placeholders_is_unchanged(text: str) -> None:
    """Text with no braces renders as itself, and so is its template."""
    rendered = TemplateText(text)
    assert rendered == rendered.template == text


@given(JSON, st.sampled_from([None, 2]))
def test_json_stays_as_it_is(value: Any, indent: int | None) -> None:
    """A JSON document inside a prompt needs no escaping, compact or indented."""
    document = json.dumps(value, indent=indent, ensure_ascii=False)
    assert TemplateText(document) == document


@given(st.text("{}ab.[]_ 1\n\"':"))
def test_escaping_gives_the_text_back(text: str) -> None:
    """Escaping every placeholder of any text renders as that very text."""
    escaped = re.sub(r"\{([\w.\[\]]+)\}", r"\\{\1\\}", text)
    assert TemplateText(escaped) == text


@given(st.lists(st.tuples(PLAIN, NAMES)), PLAIN, st.data())
def test_rendering_is_concatenation(
    parts: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    """Each placeholder becomes its value, whatever stands around it."""
    values = {name: data.draw(st.text(), label=name) for _, name in parts}
    template = "".join(f"{before}{{{name}}}" for before, name in parts) + end
    expected = "".join(before + values[name] for before, name in parts) + end
    text = TemplateText(template, values)
    assert text == expected
    assert (text.template, text.params) == (template, values)


@pytest.mark.parametrize(
    ("template", "params", "variable"),
    [
        ("Dear {nmae}", {"name": "Ada"}, "nmae"),
        ("{user.name}", {"user": {}}, "user.name"),
        ("{items[3]}", {"items": ["zero"]}, "items[3]"),
        ("{text[0]}", {"text": "a string has no items"}, "text[0]"),
        ("{a.__class__}", {"a": 1}, "a.__class__"),
        ("{[]}", {}, "[]"),
        ("{.}", {}, "."),
        ("{x}", None, "x"),
    ],
)
def test_a_missing_variable_is_an_error(
    template: str, params: dict[str, Any] | None, variable: str
) -> None:
    """A variable without a value is an error at once that names it and the template."""
    with pytest.raises(TemplateError) as caught:
        TemplateText(template, params)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.variable == variable
    assert caught.value.template == template
    assert repr(variable) in str(caught.value)
    assert repr(template) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "template", "params"),
    [
        (TemplateText, 5, {}),
        (TemplateText, None, {}),
        (TemplateText, ["Hi"], {}),
        (TemplateText, "Hi {x}", "x"),
        (TemplateText, "Hi {x}", ["x"]),
        (TemplateChat, "Hi {x}", {}),
        (TemplateChat, {"role": "user", "content": "Hi"}, {}),
        (TemplateChat, None, {}),
        (TemplateChat, 5, {}),
        (TemplateChat, [], 5),
    ],
)
def test_arguments_of_another_type(kind: Any, template: Any, params: Any) -> None:
    """What is not a template, or no mapping of parameters, is refused by its type."""
    with pytest.raises(TypeError, match=r"takes a|params must be"):
        kind(template, params)


def test_a_long_template_is_quoted_in_part() -> None:
    """An error quotes the beginning of a long template, not a megabyte of it."""
    with pytest.raises(TemplateError) as caught:
        TemplateText("beginning " + "x" * 1_000_000 + "{gone}")
    assert "beginning" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_parameters_are_the_objects_own() -> None:
    """Changing the caller's parameters later does not change the object's."""
    params = {"name": "Ada"}
    text, messages = TemplateText("{name}", params), chat("{name}", **params)
    params["name"] = "Bob"
    params["new"] = "key"
    assert text.params == messages.params == {"name": "Ada"}


COPIES = [
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    *(
        pytest.param(
            lambda value, protocol=protocol: pickle.loads(
                pickle.dumps(value, protocol)
            ),
            id=f"pickle {protocol}",
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("duplicate", COPIES)
def test_text_survives_copying(duplicate: Any) -> None:
    """A copied or unpickled text keeps its template and is not rendered again."""
    text = TemplateText(r"{a} \{b\}", {"a": "{c}"})
    twin = duplicate(text)
    assert type(twin) is TemplateText
    assert twin == text == "{c} {b}"
    assert (twin.template, twin.params) == (text.template, text.params)


@pytest.mark.parametrize("duplicate", COPIES)
def test_chat_survives_copying(duplicate: Any) -> None:
    """A copied or unpickled chat keeps its template and what was appended to it."""
    messages = chat(r"{a} \{b\}", a="{c}")
    messages.append({"role": "assistant", "content": "Yes?"})
    twin = duplicate(messages)
    assert type(twin) is TemplateChat
    assert twin == messages
    assert (twin.template, twin.params) == (messages.template, messages.params)
    assert twin.appended == [{"role": "assistant", "content": "Yes?"}]


# Chats


def test_chat_is_a_list_that_remembers() -> None:
    """A rendered chat is a list and keeps its template and its parameters."""
    template = [
        {"role": "system", "content": "You know {subject}."},
        {"role": "user", "content": "Hi"},
    ]
    messages = TemplateChat(template, {"subject": "tea"})
    assert isinstance(messages, list)
    assert messages == [
        {"role": "system", "content": "You know tea."},
        {"role": "user", "content": "Hi"},
    ]
    assert messages.template == template
    assert messages.params == {"subject": "tea"}


def test_every_string_is_rendered() -> None:
    """Strings are rendered at any depth: content parts, tool calls, names."""
    template = [
        {
            "role": "user",
            "name": "{who}",
            "content": [
                {"type": "text", "text": "See {thing}"},
                {"type": "image_url", "image_url": {"url": "https://{host}/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"at": "{thing}"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": ("{thing}", 7, True)},
    ]
    before = copy.deepcopy(template)
    messages = TemplateChat(
        template, {"who": "ada", "thing": "a cat", "host": "cats.example"}
    )
    assert messages[0]["name"] == "ada"
    assert messages[0]["content"] == [
        {"type": "text", "text": "See a cat"},
        {"type": "image_url", "image_url": {"url": "https://cats.example/a.png"}},
    ]
    assert messages[1]["content"] is None
    assert messages[1]["tool_calls"][0]["function"] == {
        "name": "look",
        "arguments": '{"at": "a cat"}',
    }
    assert messages[2]["content"] == ["a cat", 7, True]
    assert template == before, "the caller's template is not touched"


def test_ai_is_ours_alone() -> None:
    """The role ai goes to OpenAI as assistant and stays ai in the template."""
    messages = chat("{x}", role="ai", x="Yes?")
    assert messages == [{"role": "assistant", "content": "Yes?"}]
    assert messages.template == [{"role": "ai", "content": "{x}"}]


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool", "developer"])
def test_openais_roles_stay(role: str) -> None:
    """A role that OpenAI knows is left as it is."""
    assert chat("Hi", role=role)[0]["role"] == role


HISTORY = [
    {"role": "user", "content": "My {kettle} whistles."},
    {"role": "ai", "content": "Good."},
]


def test_history_is_spliced_in() -> None:
    """The messages that chat_history names take its place, in order, as they are."""
    template = [
        {"role": "system", "content": "Help."},
        {"role": "chat_history", "content": " {first}\n{second} "},
        {"role": "user", "content": "{question}"},
    ]
    second = [{"role": "user", "content": "Still there?"}]
    params = {"first": HISTORY, "second": second, "question": "How?"}
    messages = TemplateChat(template, params)
    assert messages == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "My {kettle} whistles."},
        {"role": "assistant", "content": "Good."},
        {"role": "user", "content": "Still there?"},
        {"role": "user", "content": "How?"},
    ]
    assert messages.template == template, "the template keeps the chat_history item"
    assert messages.params == params, "and the messages stand in the parameters"
    assert HISTORY[1]["role"] == "ai", "the caller's history is not touched"


@pytest.mark.parametrize("empty", [[], ()])
def test_history_may_be_empty(empty: Any) -> None:
    """A chat that has only begun has an empty history."""
    assert chat("{history}", role="chat_history", history=empty) == []


def test_history_may_hold_openais_models() -> None:
    """A message that OpenAI answered with can be put into the history as it is."""
    message = openai.types.chat.ChatCompletionMessage(role="assistant", content="Hi")
    messages = chat("{history}", role="chat_history", history=[message])
    assert messages == [message]


@pytest.mark.parametrize(
    ("content", "params", "variable"),
    [
        ("So far: {history}", {"history": HISTORY}, None),
        ("{history}.", {"history": HISTORY}, None),
        ("no placeholder", {"history": HISTORY}, None),
        ("", {}, None),
        (r"\{history\}", {"history": HISTORY}, None),
        (r"{history}\{history\}", {"history": HISTORY}, None),
        (None, {}, None),
        (["{history}"], {"history": HISTORY}, None),
        ("{history}", {}, "history"),
        ("{history}{more}", {"history": HISTORY}, "more"),
        ("{history}", {"history": "a text"}, "history"),
        ("{history}", {"history": b"bytes"}, "history"),
        ("{history}", {"history": HISTORY[0]}, "history"),
        ("{history}", {"history": None}, "history"),
        ("{history}", {"history": iter(HISTORY)}, "history"),
        ("{history}", {"history": ["a text"]}, "history"),
    ],
)
def test_wrong_history_is_an_error(
    content: Any, params: dict[str, Any], variable: str | None
) -> None:
    """A chat_history that is not made of placeholders for messages is refused."""
    with pytest.raises(TemplateError, match=variable or "chat_history") as caught:
        chat(content, role="chat_history", **params)
    assert caught.value.variable == variable


def test_a_chat_names_the_missing_variable() -> None:
    """A variable missing deep inside a chat is named, with the text around it."""
    with pytest.raises(TemplateError) as caught:
        chat([{"type": "text", "text": "See {thing}"}])
    assert caught.value.variable == "thing"
    assert caught.value.template == "See {thing}"


def test_appended_messages_are_told_apart() -> None:
    """Messages added after rendering are sent, and known as added."""
    messages = chat("{x}", x="Hi")
    assert messages.appended == []
    messages.append({"role": "assistant", "content": "{literal}"})
    messages += [{"role": "user", "content": "More"}]
    assert messages.appended == [
        {"role": "assistant", "content": "{literal}"},
        {"role": "user", "content": "More"},
    ]
    assert len(messages) == 3
    assert len(messages.template) == 1


def test_an_edited_chat_is_recorded_as_it_stands() -> None:
    """Rendered messages keep their entry wherever they stand; others are plain."""
    template = [
        {"role": "system", "content": "You know {x}."},
        {"role": "chat_history", "content": "{history}"},
        {"role": "user", "content": "Why {x}?"},
    ]
    system, history, question = template
    params = {"x": "cats", "history": HISTORY}
    new = {"role": "user", "content": "new"}

    inserted = TemplateChat(template, params)
    assert inserted.recorded == template
    inserted.insert(0, new)
    inserted.append(new)
    assert inserted.recorded == [new, *template, new]

    replaced = TemplateChat(template, params)
    replaced[0] = new
    assert replaced.recorded == [new, history, question]

    removed = TemplateChat(template, params)
    del removed[3]
    assert removed.recorded == [system, history]

    turned = TemplateChat(template, params)
    turned.reverse()
    assert turned.recorded == [question, turned[1], turned[2], system]

    split = TemplateChat(template, params)
    split.insert(2, new)
    assert split.recorded == [system, split[1], new, split[3], question]


def test_an_equal_message_is_not_the_rendered_one() -> None:
    """A message that only looks like a rendered one is recorded as it stands."""
    messages = chat("Hi {x}", x="Ada")
    messages[0] = {"role": "user", "content": "Hi Ada"}
    assert messages.recorded == [{"role": "user", "content": "Hi Ada"}]


@pytest.mark.parametrize("at", [0, 1])
def test_an_empty_history_stays_at_its_neighbour(at: int) -> None:
    """A history that is yet empty is recorded beside the entry it stands next to."""
    template = [{"role": "user", "content": "Hi"}]
    template.insert(at, {"role": "chat_history", "content": "{history}"})
    messages = TemplateChat(template, {"history": []})
    new = {"role": "system", "content": "new"}
    messages.insert(0, new)
    assert messages.recorded == [new, *template]


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda chat: pickle.loads(pickle.dumps(chat))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copied_chat_knows_its_messages(copied: Any) -> None:
    """A copy of a chat tells rendered messages from others as the chat does."""
    messages = copied(chat("Hi {x}", x="Ada"))
    new = {"role": "system", "content": "new"}
    messages.insert(0, new)
    assert messages.recorded == [new, {"role": "user", "content": "Hi {x}"}]


# In a call


def test_a_chat_in_an_event(client: openai.OpenAI, events: CapturedEvents) -> None:
    """The event holds the template unfilled, history and role ai kept, and params."""
    template = [
        {"role": "ai", "content": "Welcome to {shop}."},
        {"role": "chat_history", "content": "{history}"},
        {"role": "user", "content": '{"literal": true} {question}'},
    ]
    params = {"shop": "Kettles", "history": HISTORY, "question": "How?"}
    messages = TemplateChat(template, params)
    messages.append({"role": "user", "content": "Quickly."})
    client.chat.completions.create(model="any", messages=messages)
    assert events[0]["promptTemplateChat"] == [
        *template,
        {"role": "user", "content": "Quickly."},
    ]
    assert events[0]["params"] == params


def test_a_text_in_an_event(client: openai.OpenAI, events: CapturedEvents) -> None:
    """The event of a completion holds the template's text unfilled, and params."""
    prompt = TemplateText(r"Sell {product}, not \{this\}:", {"product": "tea"})
    client.completions.create(model="any", prompt=prompt)
    assert events[0]["promptTemplateText"] == r"Sell {product}, not \{this\}:"
    assert events[0]["params"] == {"product": "tea"}


def test_texts_inside_messages(client: openai.OpenAI, events: CapturedEvents) -> None:
    """A text template inside plain messages is recorded as template and params."""
    content: Any = TemplateText("Which {thing}?", {"thing": "kettle"})
    client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": content}]
    )
    assert events[0]["promptTemplateChat"] == [
        {"role": "user", "content": "Which {thing}?"}
    ]
    assert events[0]["params"] == {"thing": "kettle"}


def test_inline_templates_mean_the_same(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A template given beside plain messages is recorded like a template object."""
    template = [{"role": "user", "content": "Hi {name}"}]
    messages = TemplateChat(template, {"name": "Ada"})
    client.chat.completions.create(model="any", messages=messages)
    inline: Any = {"template_chat": template, "template_params": {"name": "Ada"}}
    create: Any = client.chat.completions.create
    create(model="any", messages=list(messages), libretto=inline)
    inline = {"template_text": "Hi {name}", "template_params": {"name": "Ada"}}
    create = client.completions.create
    create(model="any", prompt="Hi Ada", libretto=inline)
    by_object, beside, text = events
    for key in ("promptTemplateChat", "params"):
        assert by_object[key] == beside[key]
    assert text["promptTemplateText"] == "Hi {name}"
    assert text["params"] == {"name": "Ada"}


def test_the_objects_params_win(client: openai.OpenAI, events: CapturedEvents) -> None:
    """Params given both ways are merged, the template object's winning."""
    messages = chat("Hi {name}", name="Ada")
    inline: Any = {"template_params": {"name": "not Ada", "more": "kept"}}
    create: Any = client.chat.completions.create
    create(model="any", messages=messages, libretto=inline)
    assert events[0]["params"] == {"name": "Ada", "more": "kept"}
