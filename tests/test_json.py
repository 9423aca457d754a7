"""JSON as it leaves this process: complete, and never a reason to lose an event."""

import json
import math
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from libretto_instrument._util.ids import new_id
from libretto_instrument._util.json import (
    decode,
    encode,
    model_to_json,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc é☕"), inner),
    max_leaves=10,
)


class Opaque:
    """Nothing JSON has a form for."""

    def __repr__(self) -> str:
        return "<opaque>"


def completion(**fields: Any) -> ChatCompletion:
    """Return a completion with fields as a gateway might send them, unchecked."""
    return ChatCompletion.construct(id="1", choices=[], **fields)


@given(JSON)
def test_round_trip(value: Any) -> None:
    """What is encoded is read back the same, by us and by the standard library."""
    assert decode(encode(value)) == value
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Opaque(), "<opaque>"),
        ({"deep": [Opaque()]}, {"deep": ["<opaque>"]}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2024, 1, 2, tzinfo=timezone.utc), "2024-01-02T00:00:00Z"),
        ((1, 2), [1, 2]),
        (math.inf, None),
        (math.nan, None),
        ({1: "integer key"}, {"1": "integer key"}),
    ],
)
def test_what_json_has_no_form_for(value: Any, expected: Any) -> None:
    """Values foreign to JSON get the nearest form there is, or their repr."""
    assert json.loads(encode(value)) == expected


@pytest.mark.parametrize("text", ["\ud800", "ok \udfff", {"\ud83d": "key"}])
def test_halves_of_surrogate_pairs(text: Any) -> None:
    """Half of a surrogate pair, which UTF-8 has no form for, is escaped and kept."""
    encoded = encode([text, Opaque()])
    assert decode(encoded) == json.loads(encoded) == [text, "<opaque>"]


@pytest.mark.parametrize("refused", ["\ud800", b"\xff"], ids=ascii)
@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [-math.inf, {"deep": math.nan}],
        datetime(2024, 1, 2, tzinfo=timezone.utc),
        timedelta(seconds=3),
        UUID(int=1),
        {(1, 2): "tuple", None: "none", 2.5: "float", True: "bool", UUID(int=1): "id"},
        {1},
        b"ok",
        completion(created=math.nan),
        Opaque(),
    ],
    ids=repr,
)
def test_one_form_for_each_value(refused: Any, value: Any) -> None:
    """A value has the form it always has, beside one that has no form in UTF-8."""
    encoded = encode([refused, value])
    assert b"NaN" not in encoded
    assert b"Infinity" not in encoded
    assert json.loads(encoded)[1] == json.loads(encode(value))


def test_nesting_without_end_is_cut() -> None:
    """What refers to itself is JSON all the same, with a mark where it was cut."""
    endless: list[Any] = ["\ud800"]
    endless.append(endless)
    assert b"nested too deeply" in encode(endless)


def test_not_json() -> None:
    """Reading what is not JSON is a ValueError."""
    with pytest.raises(ValueError, match="line 1"):
        decode(b"<html>")


def test_a_models_json_is_of_this_moment() -> None:
    """A model that changes later does not change its JSON."""
    model = completion(model="before")
    taken = model_to_json(model)
    model.model = "after"
    assert decode(taken)["model"] == "before"


def test_only_what_was_given() -> None:
    """The given fields of a model are those the API sent, and not openai's defaults."""
    model = completion(model="m")
    assert decode(model_to_json(model)) == {
        "id": "1",
        "choices": [],
        "model": "m",
    }


@pytest.mark.parametrize("model", ["\ud800", 7, {"not": "a string"}, [None]], ids=repr)
def test_fields_of_any_type(model: Any) -> None:
    """A field that breaks the API's own schema is recorded as it came."""
    assert decode(model_to_json(completion(model=model)))["model"] == model


def test_fresh_ids_are_random_uuids() -> None:
    """A fresh id is the text of a version 4 UUID, and never the same twice."""
    ids = [new_id() for _ in range(200)]
    assert len(set(ids)) == len(ids)
    for text in ids:
        parsed = UUID(text)
        assert (str(parsed), parsed.version) == (text, 4)
        assert parsed.variant == RFC_4122


WITHOUT_GETRANDOM = """
import os, sys
def refuse(size):
    raise OSError(38, "Function not implemented")
if sys.argv[1] == "absent":
    vars(os).pop("getrandom", None)
else:
    os.getrandom = refuse
from libretto_instrument._util.ids import new_id
print(new_id(), new_id())
"""


@pytest.mark.parametrize("kind", ["absent", "forbidden"])
def test_ids_where_a_system_call_is_missing(kind: str) -> None:
    """A system without getrandom, or a sandbox that forbids it, has ids, too."""
    command = [sys.executable, "-c", WITHOUT_GETRANDOM, kind]
    first, second = subprocess.check_output(command, text=True, timeout=60).split()
    assert first != second
    assert UUID(first).version == 4


#: How a copy of the process is made. Python's hooks for forks do not run when the C
#: library forks, and a restored snapshot of the memory even keeps its process id.
COPIES = {
    "fork": "os.fork()",
    "fork by the C library": "ctypes.PyDLL(None).fork()",
    "restored snapshot": "[ctypes.PyDLL(None).fork(), setattr(os, 'getpid', pid)][0]",
}

#: In a process with one thread: where another one held the interpreter's lock, the C
#: library's copy would wait for it forever.
COPY = """
import ctypes, os, sys
from libretto_instrument._util.ids import new_id
new_id()
pid = lambda known=os.getpid(): known
child = eval(sys.argv[1])
os.write(1, ' '.join([new_id() for _ in range(50)] + ['']).encode())
if child:
    os.waitpid(child, 0)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks by the C library")
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copied_process_has_ids_of_its_own(copy: str) -> None:
    """A copy of the process, however it was made, returns none of the other's ids."""
    command = [sys.executable, "-c", COPY, copy]
    ids = subprocess.check_output(command, text=True, timeout=60).split()
    assert len(ids) == len(set(ids)) == 100
