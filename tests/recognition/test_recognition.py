"""Which template a rendered prompt was made from."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from libretto_instrument import TemplateChat, TemplateError, TemplateText
from libretto_instrument._recognition.index import TemplateIndex
from libretto_instrument._recognition.pattern import MAX_SCANNED_CHARS
from libretto_instrument._recognition.template import Ambiguous, Match

Messages = list[dict[str, Any]]


def text(template: str, sent: str) -> Match | Ambiguous | None:
    """Return what one template is recognised as in a text."""
    return TemplateIndex({"t": template}).recognize(sent)


def chat(template: Messages, sent: Any) -> Match | Ambiguous | None:
    """Return what one template is recognised as in messages."""
    return TemplateIndex({"t": template}).recognize(list(sent))


def params(found: Match | Ambiguous | None) -> Any:
    """Return a match's parameters, ``"ambiguous"``, or None."""
    if found is None:
        return None
    return found.params if isinstance(found, Match) else "ambiguous"


# Texts


@pytest.mark.parametrize(
    ("template", "sent", "expected"),
    [
        ("A slogan for {product}.", "A slogan for tea.", {"product": "tea"}),
        ("A slogan for {product}.", "A slogan for tea", None),
        ("A slogan for {product}.", "a slogan for tea.", None),
        ("A slogan for {product}.", "A slogan for .", {"product": ""}),
        (
            "A slogan for {product}.",
            "A slogan for {product}.",
            {"product": "{product}"},
        ),
        ("constant", "constant", {}),
        ("constant", "constant ", None),
        ("", "", {}),
        ("{all}", "", {"all": ""}),
        ("{all}", "anything", {"all": "anything"}),
        # Where one literal ends and the next begins.
        ("aba{x}aba", "aba", None),
        ("aba{x}aba", "ababa", None),
        ("aba{x}aba", "abaaba", {"x": ""}),
        # Adjacent placeholders.
        ("{a}{b}", "", {"a": "", "b": ""}),
        ("{a}{b}", "x", "ambiguous"),
        ("{a}, {b}", "x, y", {"a": "x", "b": "y"}),
        # A value that holds a literal.
        ("{a}, {b}", "x, y, z", "ambiguous"),
        ("Q: {q}\nA: {a}", "Q: why\nA: so", {"q": "why", "a": "so"}),
        ("Q: {q}\nA: {a}", "Q: why\nA: \nA: so", "ambiguous"),
        ("{a}aa{b}", "aaa", "ambiguous"),
        ("{a}aa{b}aa{c}", "aaaa", {"a": "", "b": "", "c": ""}),
        # A name that comes twice.
        ("{a}-{a}", "x-x", {"a": "x"}),
        ("{a}-{a}", "x-y", None),
        ("{a}-{a}", "x-y-x-y", "ambiguous"),
        # Braces.
        (r"\{a\} is {a}", "{a} is 1", {"a": "1"}),
        (r"\{a\} is {a}", r"\{a\} is 1", None),
        ('{"key": "{value}"}', '{"key": "v"}', {"value": "v"}),
        ("{ a } {b c}", "{ a } {b c}", {}),
        # Names that lead somewhere are kept as they are written.
        ("{user.name} {items[0]}.", "Ada x.", {"user.name": "Ada", "items[0]": "x"}),
        # Not only ASCII.
        ("Übersetze „{text}“ 🙂", "Übersetze „naïve 🤷🏽“ 🙂", {"text": "naïve 🤷🏽"}),
        ("{a}é{b}", "xe\u0301y", None),
        ("{a}\ud800{b}", "x\ud800y", {"a": "x", "b": "y"}),
    ],
)
def test_a_text(template: str, sent: str, expected: Any) -> None:
    """A text is recognised only where it has one split, which renders to it."""
    found = text(template, sent)
    assert params(found) == expected
    if isinstance(found, Match):
        assert TemplateText(found.template, found.params) == sent


#: Few letters, so that values often hold a template's literals.
FEW = st.text("ab ", max_size=6)
SOME = FEW | st.text(max_size=8) | st.sampled_from(["{a}", r"\{a\}", "{", "}", "\\"])
NAMES = st.sampled_from(["a", "b", "c", "user.name", "items[0]"])
PIECES = st.lists(
    st.tuples(NAMES, st.none()) | st.tuples(st.none(), SOME), max_size=6
).map(
    lambda pieces: "".join(f"{{{name}}}" if name else str(lit) for name, lit in pieces)
)
VALUES = st.fixed_dictionaries(
    dict.fromkeys(("a", "b", "c", "user.name", "items[0]"), SOME)
)


def splits(
    literals: list[str], names: list[str], sent: str
) -> Iterator[dict[str, str]]:
    """Yield every way in which a text is a rendering, by trying all."""
    if not names:
        if sent == literals[0]:
            yield {}
        return
    if not sent.startswith(literals[0]):
        return
    rest = sent[len(literals[0]) :]
    for end in range(len(rest) + 1):
        for found in splits(literals[1:], names[1:], rest[end:]):
            yield {names[0] + f"#{len(names)}": rest[:end], **found}


def rendered(template: str, values: dict[str, str]) -> TemplateText:
    """Render a template; pieces side by side may make a variable without a value."""
    try:
        return TemplateText(template, values)
    except TemplateError:
        reject()


@given(PIECES, VALUES)
@example("{a}{a}", {"a": "x"} | dict.fromkeys(("b", "c", "user.name", "items[0]"), ""))
@settings(max_examples=250, deadline=None)
def test_own_parameters_or_ambiguous(template: str, values: dict[str, str]) -> None:
    """A rendered text is recognised with its own parameters or called ambiguous."""
    sent = rendered(template, values)
    found = text(template, str(sent))
    assert found is not None
    if isinstance(found, Match):
        assert found.params == {name: values[name] for name in found.params}
        assert TemplateText(template, found.params) == sent


@given(st.lists(FEW, min_size=1, max_size=4), st.text("ab ", max_size=10))
@settings(max_examples=250, deadline=None)
def test_against_all_splits(literals: list[str], sent: str) -> None:
    """One split is a match, several are ambiguous, none is none."""
    names = list("wxyz"[: len(literals) - 1])
    template = literals[0] + "".join(
        f"{{{name}}}{literal}"
        for name, literal in zip(names, literals[1:], strict=True)
    )
    ways = list(splits(literals, names, sent))
    found = params(text(template, sent))
    if len(ways) == 1:
        assert list(found.values()) == list(ways[0].values())
    else:
        assert found == ("ambiguous" if ways else None)


@given(st.lists(PIECES, min_size=2, max_size=6, unique=True), VALUES, st.data())
@settings(max_examples=150, deadline=None)
def test_among_others(
    templates: list[str], values: dict[str, str], data: st.DataObject
) -> None:
    """Among other templates one is recognised as itself or called ambiguous."""
    index = TemplateIndex({str(at): each for at, each in enumerate(templates)})
    at = data.draw(st.integers(0, len(templates) - 1))
    sent = rendered(templates[at], values)
    for found in (
        index.recognize(str(sent)),
        index.recognize([{"role": "user", "content": str(sent)}]),
    ):
        if isinstance(found, Match):
            assert found.name == str(at)
            assert found.params == {name: values[name] for name in found.params}
        else:
            assert isinstance(found, Ambiguous)
            assert str(at) in found.names


def test_the_name_decides() -> None:
    """Of several templates that fit, the call's own name says which it is."""
    index = TemplateIndex(
        {"short": "Sum up: {text}", "long": "Sum up: {text}\nIn {lang}"}
    )
    sent = "Sum up: this\nIn French"
    assert index.recognize(sent) == Ambiguous(("short", "long"))
    found = index.recognize(sent, "long")
    assert isinstance(found, Match)
    assert (found.name, found.params) == ("long", {"text": "this", "lang": "French"})
    assert index.recognize("Sum up: this", "long") == Match(
        "short", "Sum up: {text}", {"text": "this"}
    )


# Chats

RAG = [
    {"role": "system", "content": "You answer from the context."},
    {"role": "user", "content": "Context:\n{context}\n\nQuestion: {question}"},
]
AGENT = [
    {"role": "system", "content": "You are {bot}."},
    {"role": "chat_history", "content": "{history}"},
    {"role": "user", "content": "{question}"},
]


def said(content: Any, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"role": role, "content": content}


def test_a_chat() -> None:
    """Messages are recognised with the parameters of all of them."""
    values = {"context": "Oil it.", "question": "How?"}
    assert chat(RAG, TemplateChat(RAG, values)) == Match("t", RAG, values)
    assert chat(RAG, [*TemplateChat(RAG, values), said("and?")]) is None
    assert chat(RAG, [said("other", "system"), TemplateChat(RAG, values)[1]]) is None
    assert chat(RAG, []) is None


@pytest.mark.parametrize(
    "history",
    [
        [],
        [said("Hi"), said("Hello", "assistant")],
        [said("You are x.", "system")],
        [
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "tool_call_id": "1", "content": "7"},
        ],
    ],
)
def test_a_history(history: Messages) -> None:
    """A history takes a run of whole messages, whatever is in them."""
    values = {"bot": "kind", "history": history, "question": "Why?"}
    assert chat(AGENT, TemplateChat(AGENT, values)) == Match("t", AGENT, values)


def test_histories() -> None:
    """Several histories are told apart by what stands between them, else ambiguous."""
    template = [
        said("{before}", "chat_history"),
        said("Now: {now}"),
        said("{after}", "chat_history"),
    ]
    one = {"before": [said("a")], "now": "b", "after": [said("c"), said("d")]}
    assert params(chat(template, TemplateChat(template, one))) == one
    two = {**one, "after": [said("Now: e")]}
    assert params(chat(template, TemplateChat(template, two))) == "ambiguous"
    both = [said("{a} {b}", "chat_history")]
    assert params(chat(both, [said("x")])) == "ambiguous"
    assert params(chat(both, [])) == {"a": [], "b": []}
    apart = [said("{a}", "chat_history"), said("{b}", "chat_history"), said("{q}")]
    assert params(chat(apart, [said("x"), said("y")])) == "ambiguous"
    assert params(chat(apart, [said("y")])) == {"a": [], "b": [], "q": "y"}


def test_a_parameter_of_several_messages() -> None:
    """A name that several messages have must have one value in all of them."""
    template = [said("You speak {lang}.", "system"), said("Answer in {lang}: {q}")]
    sent = [said("You speak Basque.", "system"), said("Answer in Basque: why?")]
    assert params(chat(template, sent)) == {"lang": "Basque", "q": "why?"}
    sent[1] = said("Answer in Latin: why?")
    assert chat(template, sent) is None


def test_parts_of_content() -> None:
    """Strings are matched at any depth; everything else must be the same."""
    image = {"type": "image_url", "image_url": {"url": "{url}", "detail": "low"}}
    template = [said([{"type": "text", "text": "What is {thing}?"}, image])]
    values = {"thing": "this", "url": "https://example.com/a.png"}
    sent = list(TemplateChat(template, values))
    assert chat(template, sent) == Match("t", template, values)
    sent[0]["content"][1]["image_url"]["detail"] = "high"
    assert chat(template, sent) is None
    assert chat([said("{x}") | {"n": 1}], [said("y") | {"n": True}]) is None


@pytest.mark.parametrize(
    "sent",
    [
        said("Be {x}", "developer"),
        said([{"type": "text", "text": "Be {x}"}], "system"),
        said([{"type": "input_text", "text": "Be {x}"}], "developer"),
        {"type": "message"} | said("Be {x}", "system"),
    ],
)
def test_forms_that_say_the_same(sent: dict[str, Any]) -> None:
    """A framework's form of a message is recognised, and recorded as it was sent."""
    rendered = list(TemplateChat([sent], {"x": "kind"}))
    assert chat([said("Be {x}", "system")], rendered) == Match(
        "t", [sent], {"x": "kind"}
    )


def test_the_role_of_an_answer() -> None:
    """The role ``ai`` of a template is sent as ``assistant``."""
    template = [said("Hello {name}", "ai")]
    assert params(chat(template, [said("Hello Ada", "assistant")])) == {"name": "Ada"}


def test_a_text_as_a_chat() -> None:
    """A text is recognised in a chat of one message of the user."""
    found = TemplateIndex({"t": "Say {word}"}).recognize([said("Say hi")])
    assert found == Match("t", [said("Say {word}")], {"word": "hi"})
    index = TemplateIndex({"t": "Say {word}"})
    assert index.recognize([said("Say hi", "system")]) is None
    assert index.recognize([said("Say hi"), said("x")]) is None


ROLES = st.sampled_from(["system", "user", "assistant"])
MESSAGES = st.lists(st.builds(said, FEW, ROLES), max_size=3)
ENTRIES = st.builds(said, PIECES, ROLES) | st.builds(
    said, st.sampled_from(["{h}", "{i}", "{h} {i}"]), st.just("chat_history")
)


@given(st.lists(ENTRIES, max_size=5), VALUES, MESSAGES, MESSAGES)
@settings(max_examples=250, deadline=None)
def test_own_chat_or_ambiguous(
    template: Messages, values: dict[str, str], h: Messages, i: Messages
) -> None:
    """Rendered messages have their own parameters or are called ambiguous."""
    given: dict[str, Any] = {**values, "h": h, "i": i}
    sent = list(TemplateChat(template, given))
    found = chat(template, sent)
    assert found is not None
    if isinstance(found, Match):
        assert found.params == {name: given[name] for name in found.params}
        assert list(TemplateChat(found.template, found.params)) == sent


@given(
    st.lists(ENTRIES, max_size=4), st.lists(st.builds(said, SOME, ROLES), max_size=5)
)
@settings(max_examples=150, deadline=None)
def test_other_messages(template: Messages, sent: Messages) -> None:
    """Whatever is recognised in foreign messages renders to just these."""
    found = chat(template, sent)
    if isinstance(found, Match):
        assert list(TemplateChat(found.template, found.params)) == sent


# Bounds


@pytest.mark.parametrize(
    ("template", "sent", "expected"),
    [
        ("{a}" + "b{a}" * 20_000, "a" * 400_000, None),
        ("{a}" + "ab" * 1_000 + "{b}" + "aab{c}" * 1_000, "a" * 400_000, None),
        ("{a}" + "a" * 1_000 + "b{b}c{c}", "a" * 400_000, None),
        ("{x}" + "".join(f"a{{{n}}}" for n in range(9_999)), "a" * 10**6, "ambiguous"),
        (r"\{a\}" * 100_000, "{a}" * 100_000, {}),
        ("{" * 1_000_000, "{" * 1_000_000, {}),
        ("{a}b{c}", "b" + "a" * 10**6, {"a": "", "c": "a" * 10**6}),
        # That would take more than is looked at.
        ("{a}b{c}", "b" + "a" * MAX_SCANNED_CHARS, None),
    ],
    ids=range(8),
)
def test_long_texts(template: str, sent: str, expected: Any) -> None:
    """Long texts that repeat themselves are decided in linear time, or not at all."""
    assert params(text(template, sent)) == expected


def test_many_messages_between_histories() -> None:
    """A run that might begin at any of many messages is looked for within bounds."""
    run = [said("{a}"), said("{b}"), said("never")]
    template = [said("{h}", "chat_history"), *run, said("{i}", "chat_history")]
    assert chat(template, [said("x")] * 200_000) is None


@pytest.mark.parametrize(
    "template",
    [
        ["text"],
        [said("no placeholder", "chat_history")],
        [said("{history} and more", "chat_history")],
        [said(None, "chat_history")],
        [said(eval("[" * 40 + "]" * 40))],
    ],
)
def test_what_is_no_template(template: Any) -> None:
    """What could not be rendered is refused when it is compiled, by its name."""
    with pytest.raises(ValueError, match="template"):
        TemplateIndex({"mine": template})


def test_an_index_of_many() -> None:
    """Each of many templates is found, whatever they share."""
    shared = "You are a helpful assistant. " * 5
    templates: dict[str, Any] = {}
    for n in range(100):
        templates[f"begin {n}"] = [said(shared, "system"), said(f"Task {n}: {{x}}")]
        templates[f"end {n}"] = [said(shared, "system"), said(f"{{x}} by way of {n}")]
        templates[f"middle {n}"] = [
            said(shared, "system"),
            said(f"{{x}} between {n} and {{y}}"),
        ]
        templates[f"text {n}"] = f"{{x}} or_{n} {{y}}"
        templates[f"history {n}"] = [
            said(f"{shared}{n}", "system"),
            said("{h}", "chat_history"),
            said("{x}"),
        ]
    index = TemplateIndex(templates)
    values = {"x": "this", "y": "that", "h": [said("a"), said("b")]}
    for name, template in templates.items():
        if isinstance(template, str):
            sent = [said(str(TemplateText(template, values)))]
        else:
            sent = list(TemplateChat(template, values))
        found = index.recognize(sent)
        assert isinstance(found, Match)
        assert found.name == name
