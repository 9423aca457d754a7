"""No personal data leaves, wherever hypothesis puts it."""

import copy
import json
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libretto_instrument.redaction import (
    REDACTION_FAILED,
    BodyRedactor,
    default_redactor,
)

#: Personal data, and the parts of it that must not come through.
PLANTED = {
    "jane.doe+spam@mail.example.co.uk": ("jane", "doe", "mail.example"),
    "4111 1111 1111 1111": ("4111", "1111"),
    "3714-496353-98431": ("3714", "496353", "98431"),
    "536-90-4399": ("536", "4399"),
    "+44 20 7946 0958": ("7946", "0958"),
    "(415) 555-2671": ("415", "2671"),
    "203.0.113.195": ("203.0", "113"),
    "2001:db8::8a2e:370:7334": ("2001", "8a2e", "7334"),
    "https://example.org:8443/u/jane?x=1#y": ("example.org", "jane"),
    "My name is Wilhelmina Featherstone.": ("Wilhelmina", "Featherstone"),
    "Dear Margaret,": ("Margaret",),
    "742 Evergreen Terrace": ("742", "Evergreen"),
    "GB29 NWBK 6016 1331 9268 19": ("NWBK", "6016"),
    "sk-proj-abcDEF0123456789abcDEF": ("abcDEF", "0123456789"),
    "Bearer abcdef0123456789.tokentoken": ("abcdef0123456789", "tokentoken"),
}
NUMBERS = {4111111111111111: ("4111", "1111"), 4155552671: ("415555", "2671")}

#: Words with nothing personal in them, and no letters or digits of what is planted.
WORDS = st.lists(
    st.sampled_from(["please", "look", "this", "over", "soon,", "it", "broke.", "\n"]),
    max_size=4,
).map(" ".join)
PLAIN = st.none() | st.booleans() | st.integers(0, 99) | WORDS
KEYS = st.sampled_from(
    [
        "role",
        "content",
        "type",
        "id",
        "model",
        "name",
        "text",
        "logprobs",
        "user",
        "zip",
    ]
)
SECTIONS = st.sampled_from(
    [
        "params",
        "promptTemplateChat",
        "promptTemplateText",
        "modelParameters",
        "response",
        "responseErrors",
        "responseMetrics",
        "rawResponse",
        "toolCalls",
        "tools",
        "context",
        "chatId",
        "chainId",
        "promptEventId",
        "feedbackKey",
        "better_response",
        "result",
        "notKnownYet",
    ]
)


@st.composite
def plants(draw: st.DrawFn) -> tuple[Any, tuple[str, ...]]:
    """Draw a leaf that holds personal data, and what of it must not come through."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(list(NUMBERS.items())))
    text, parts = draw(st.sampled_from(list(PLANTED.items())))
    before, after = draw(WORDS), draw(WORDS)
    return f"{before}\n{text}\n{after}", parts


@st.composite
def buried(draw: st.DrawFn) -> tuple[Any, tuple[str, ...]]:
    """Draw a value that holds personal data at some depth, beside other things."""
    value, parts = draw(plants())
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["list", "dict", "key", "json", "tokens"]))
        if kind == "list":
            value = [*draw(st.lists(PLAIN, max_size=2)), value]
        elif kind == "dict":
            value = {
                **draw(st.dictionaries(KEYS, PLAIN, max_size=2)),
                draw(KEYS): value,
            }
        elif kind == "key" and isinstance(value, str):
            value = {value: draw(PLAIN)}
        elif kind == "json":
            value = json.dumps(value, ensure_ascii=draw(st.booleans()))
        elif kind == "tokens" and isinstance(value, str):
            cuts = sorted(
                {0, len(value), *draw(st.lists(st.integers(0, len(value)), max_size=6))}
            )
            pieces = [value[a:b] for a, b in pairwise(cuts)]
            entries = [{"token": p, "bytes": list(p.encode())} for p in pieces]
            value = {"logprobs": {"content": entries}}
            return {"rawResponse": {"choices": [value]}}, parts
    return value, parts


@given(section=SECTIONS, planted=buried())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_leaks(section, planted, caplog):
    """Personal data anywhere in a body is in neither the bytes nor the logs."""
    value, parts = planted
    caplog.set_level(logging.DEBUG)
    tokens = isinstance(value, dict) and "rawResponse" in value
    body = {"apiKey": "key", **(value if tokens else {section: value})}
    before = copy.deepcopy(body)
    redacted = json.dumps(
        BodyRedactor(default_redactor()).redact(body), ensure_ascii=False
    )
    for part in parts:
        assert part not in redacted
        assert part not in caplog.text
    assert REDACTION_FAILED not in redacted
    assert body == before


@given(text=st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text(text):
    """Whatever the text, entities are in order and inside it."""
    redactor = default_redactor()
    position = 0
    for entity in redactor.analyze(text):
        assert position <= entity.start < entity.end <= len(text)
        position = entity.end
    redacted = redactor.redact(text)
    assert (redacted == text) == (position == 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(value=JSON)
@settings(max_examples=200, deadline=None)
def test_any_body(value):
    """Whatever JSON can say is redacted to JSON, nothing lost and nothing withheld."""
    redacted = BodyRedactor(default_redactor()).redact(
        {"params": value, "rawResponse": value}
    )
    assert REDACTION_FAILED not in json.dumps(redacted)
    assert _shape(redacted["params"]) == _shape(value)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((_shape(item) for item in value.values()), key=repr)
    return [_shape(item) for item in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    "text",
    [
        '[null, "{}"]',
        '[1, "{}"]',
        '[-1.5e3 , "{}"]',
        '[ true, [], "{}"]',
        'So: [false, "{}"] it was.',
        '[null, "{}"',
        '{"a": [NaN, "{}"]}',
        '["a", Infinity, "{}"]',
        '[-Infinity, "{}"]',
    ],
)
@pytest.mark.parametrize(
    "inner", ['{"id": 4155552671}', '[{"name": "Zorblat"}]', '{"phone": "4155552671"}']
)
def test_lists_that_begin_with_no_text(text: str, inner: str) -> None:
    """JSON within a list in a text is read, whatever the list begins with."""
    quoted = json.dumps(inner)[1:-1]
    body = {"params": {"x": text.replace("{}", quoted)}}
    redacted = json.dumps(BodyRedactor(default_redactor()).redact(body))
    assert "4155552671" not in redacted
    assert "Zorblat" not in redacted


@pytest.mark.parametrize("depth", [1, 2, 3, 499, 500, 501, 502, 503, 900])
@pytest.mark.parametrize(
    "leaf", ["4111111111111111", '"4111 1111 1111 1111"', '{"pan": 4111111111111111}']
)
@pytest.mark.parametrize(
    "write",
    [str, json.dumps, "So: {}.".format, lambda text: text[:-1]],
    ids=["whole", "quoted", "in prose", "cut off"],
)
def test_lists_in_lists(depth: int, leaf: str, write: Callable[[str], str]) -> None:
    """JSON in a text is read to its end, however deep it is nested."""
    text = write("[" * depth + leaf + "]" * depth)
    redacted = json.dumps(
        BodyRedactor(default_redactor()).redact({"params": {"x": text}})
    )
    assert "4111" not in redacted
