"""Personal data hidden by encodings, characters and places."""

import html
import json
import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from libretto_instrument.redaction import BodyRedactor, default_redactor

#: Personal data, with what must not be read in what leaves: letters and digits only.
VALUES = {
    "jane.doe@mail.example.com": ("janedoe", "mailexample"),
    "4111 1111 1111 1111": ("41111111", "11111111"),
    "5555-5555-5555-4444": ("55555555", "5555444"),
    "536-90-4399": ("536904399", "904399"),
    "+44 20 7946 0958": ("79460958", "207946"),
    "(415) 555-2671": ("4155552671", "5552671"),
    "203.0.113.195": ("2030113195",),
    "GB29 NWBK 6016 1331 9268 19": ("nwbk6016", "13319268"),
    "sk-proj-abcDEF0123456789abcDEF": ("abcdef0123456789",),
    "password: hunter2secret": ("hunter2secret",),
    "My name is Wilhelmina Featherstone.": ("wilhelmina", "featherstone"),
    "Dear Margaret,": ("margaret",),
}

INVISIBLE = st.sampled_from(
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202e\u2066\u2069\u034f\ufe0f\x00\x1f"
)
SPACES = "\u00a0\u2002\u2007\u2009\u202f\u205f\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
DOTS = "\u2024\uff0e\u3002\u00b7"
#: Where the digits of other scripts and styles start.
DIGITS = (0xFF10, 0x0660, 0x0966, 0x1D7CE)


def every(form: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(map(form, text))


def utf16_escapes(text: str) -> str:
    units = text.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def marks(form: Callable[[str], str]) -> Callable[[str], str]:
    return every(lambda c: c if c.isalnum() or c.isspace() else form(c))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "none": str,
    "percent": quote,
    "percent, every byte": lambda t: "".join(f"%{byte:02X}" for byte in t.encode()),
    "percent, twice": lambda t: quote(quote(t)),
    "HTML, decimal": every(lambda c: f"&#{ord(c)};"),
    "HTML, hexadecimal": every(lambda c: f"&#x{ord(c):x};"),
    "HTML, marks": marks(lambda c: f"&#{ord(c)};"),
    "HTML, twice": marks(lambda c: f"&amp;#{ord(c)};"),
    "HTML names": lambda t: t.replace("@", "&commat;").replace(".", "&period;"),
    "JSON": utf16_escapes,
    "JSON, in JSON": lambda t: utf16_escapes(t).replace("\\", "\\\\"),
    "backslashes": marks(lambda c: f"\\{c}" if c.isascii() and c.isprintable() else c),
    "braces": every(lambda c: f"\\x{{{ord(c):x}}}"),
    "a line that goes on": lambda t: t[: len(t) // 2] + "\\\n" + t[len(t) // 2 :],
    "Python": marks(lambda c: f"\\U{ord(c):08x}"),
    "form": lambda t: quote(t, safe=" ").replace("+", "%2B").replace(" ", "+"),
    "base64": lambda t: b64encode(f"Please note: {t} and thanks".encode()).decode(),
}

#: How a value stands in a text.
FRAMES = {
    "alone": str,
    "prose": lambda t: f"please look\n{t}\nover this",
    "form": lambda t: f"a=1&note={t}&b=2",
    "JSON": lambda t: json.dumps({"note": [t], "n": 1}),
    "JSON in JSON": lambda t: json.dumps({"x": json.dumps({"note": t})}),
    "JSON that was cut off": lambda t: json.dumps({"n": 1, "note": t})[:-2],
}

PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "a message": lambda t: {"promptTemplateChat": [{"role": "user", "content": t}]},
    "a part": lambda t: {
        "promptTemplateChat": [{"role": "user", "content": [{"type": "x", "text": t}]}]
    },
    "a parameter": lambda t: {"params": {"x": t}},
    "a list": lambda t: {"params": {"x": [1, [t]]}},
    "a key": lambda t: {"params": {t: 1}},
    **{
        f"metadata: {key}": lambda t, key=key: {
            "modelParameters": {"model": "m", "metadata": {key: t}}
        }
        for key in ("id", "type", "role", "status", "created", "object", "name")
    },
    "the user": lambda t: {"modelParameters": {"user": t}},
    "the name of a message": lambda t: {
        "promptTemplateChat": [{"role": "user", "name": t, "content": ""}]
    },
    "the id of a tool's call": lambda t: {
        "promptTemplateChat": [{"role": "tool", "tool_call_id": t, "content": ""}]
    },
    "a filename": lambda t: {
        "promptTemplateChat": [
            {"role": "user", "content": [{"type": "file", "file": {"filename": t}}]}
        ]
    },
    "arguments": lambda t: {"toolCalls": [{"function": {"arguments": {"id": t}}}]},
    "a schema": lambda t: {
        "tools": [{"function": {"parameters": {"properties": {"x": {"enum": [t]}}}}}]
    },
    "an extra field": lambda t: {"rawResponse": {"extra": {"type": t, "id": [t]}}},
    "the answer": lambda t: {"response": t, "rawResponse": {"choices": [{"text": t}]}},
    "an error": lambda t: {"responseErrors": [t]},
    "the context": lambda t: {"context": {"role": t}},
    "a result": lambda t: {"result": {"type": t}},
}


@st.composite
def disguises(draw: st.DrawFn, value: str) -> str:
    """Draw another way of writing a value that people read as the same."""
    digits = draw(st.sampled_from((*DIGITS, *[0] * 4)))
    text = ""
    for character in value:
        if digits and character.isdigit() and draw(st.booleans()):
            character = chr(digits + int(character))
        for plain, others in ((" ", SPACES), ("-", DASHES), (".", DOTS)):
            if character == plain and draw(st.integers(0, 3)) == 0:
                character = draw(st.sampled_from(others))
        if text and draw(st.integers(0, 9)) == 0:
            text += draw(INVISIBLE)
        text += character
    return text


def readings(value: Any) -> Iterator[str]:
    """Yield all texts of a body, with every encoding undone."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from readings(key)
            yield from readings(item)
    elif isinstance(value, list):
        for item in value:
            yield from readings(item)
    elif isinstance(value, str):
        yield value
        for run in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", value):
            yield b64decode(run + "=" * (-len(run) % 4)).decode(errors="replace")
        for _ in range(4):
            value = html.unescape(unquote(value))
            value = re.sub(
                r"\\+(?:u|U0000)([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), value
            )
            yield value


def letters_and_digits(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(str(int(c)) if c.isdecimal() else c for c in plain if c.isalnum())


@given(
    value=st.sampled_from(list(VALUES)),
    encoding=st.sampled_from(list(ENCODINGS)),
    frame=st.sampled_from(list(FRAMES)),
    place=st.sampled_from(list(PLACES)),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_nothing_hidden_leaves(value, encoding, frame, place, data):
    """No value can be read in what leaves, however it is written and wherever."""
    text = FRAMES[frame](ENCODINGS[encoding](data.draw(disguises(value))))
    body = PLACES[place](text)
    redacted = BodyRedactor(default_redactor(), time_limit=60).redact(body)
    for reading in readings(redacted):
        plain = letters_and_digits(reading)
        for part in VALUES[value]:
            assert part not in plain
