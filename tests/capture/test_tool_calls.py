"""Tool calls in fragments, however a gateway numbers them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libretto_instrument._capture.endpoints.tool_calls import ToolCalls

A = ("look", '{"a": "}{\\"\\\\"}')
B = ("tell", '{"b": [2]}')
C = ("look", "{}")
D = ("look", '{"d": 1}')
CALLS = [A, B, C, D]


def fragment(
    index: Any = None, identity: Any = None, name: Any = None, arguments: Any = None
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    numbers = {"index": index, "id": identity}
    given = {name: value for name, value in numbers.items() if value is not None}
    return {**given, "function": function}


def merged(fragments: list[dict[str, Any]]) -> list[tuple[str, str]]:
    calls = ToolCalls()
    for each in fragments:
        calls.add_chunk([each])
    functions = [call["function"] for call in calls.build()]
    return [(function["name"], function["arguments"]) for function in functions]


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def numbered(
    index: Any, identity: Any, *, has_header: bool = True, blank: Any = None
) -> list[dict[str, Any]]:
    """Return the fragments of `CALLS`, one call after the other.

    Args:
        index: Returns the index of a fragment, from its call's and its own number.
        identity: The same for the id.
        has_header: The first fragment of a call has no arguments.
        blank: The name and id of later fragments, where they have none.
    """
    fragments, total = [], 0
    for at, (name, arguments) in enumerate(CALLS):
        pieces = cut(arguments, 3)
        first = "" if has_header else pieces.pop(0)
        fragments.append(fragment(index(at, total), identity(at, 0), name, first))
        for number, piece in enumerate(pieces, 1):
            total += 1
            told = identity(at, number)
            fragments.append(fragment(index(at, total), told or blank, blank, piece))
        total += 1
    return fragments


def first_only(at: int, number: int) -> str | None:
    return None if number else f"call_{at}"


NUMBERINGS: dict[str, Any] = {
    "as the API does": (lambda at, total: at, first_only),
    "index 0 for all": (lambda at, total: 0, first_only),
    "no index": (lambda at, total: None, first_only),
    "index as text": (lambda at, total: str(at), first_only),
    "an index for each fragment": (lambda at, total: total, first_only),
    "ids alone": (lambda at, total: None, lambda at, number: f"call_{at}"),
    "no ids": (lambda at, total: at, lambda at, number: None),
    "neither": (lambda at, total: None, lambda at, number: None),
    "index 0 for all, no ids": (lambda at, total: 0, lambda at, number: None),
    "an id for each fragment": (lambda at, total: at, lambda at, n: f"{at}-{n}"),
    "that, index 0 for all": (lambda at, total: 0, lambda at, n: f"{at}-{n}"),
    "that, no index": (lambda at, total: None, lambda at, n: f"{at}-{n}"),
    "one id for all": (lambda at, total: at, lambda at, number: "call"),
    "one id and index for all": (lambda at, total: 0, lambda at, number: "call"),
    "numbers as ids": (lambda at, total: at, lambda at, number: at + 1),
}


@pytest.mark.parametrize("blank", [None, ""])
@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_calls_one_after_the_other(
    numbering: str, has_header: bool, blank: str | None
) -> None:
    """Calls are neither merged nor torn apart, however their fragments are numbered."""
    index, identity = NUMBERINGS[numbering]
    fragments = numbered(index, identity, has_header=has_header, blank=blank)
    assert merged(fragments) == CALLS


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_whole_calls(numbering: str) -> None:
    """Calls that come in one fragment each are as many."""
    index, identity = NUMBERINGS[numbering]
    fragments = [
        fragment(index(at, at), identity(at, 0), name, arguments)
        for at, (name, arguments) in enumerate(CALLS)
    ]
    assert merged(fragments) == CALLS


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 2, 5]))
def test_calls_at_once(random: Any, size: int) -> None:
    """Fragments of several calls that come in turn go to the call of their index."""
    waiting = {at: cut(arguments, size) for at, (_, arguments) in enumerate(CALLS)}
    fragments = [fragment(at, f"call_{at}", CALLS[at][0], "") for at in waiting]
    while waiting:
        at = random.choice(list(waiting))
        fragments.append(fragment(at, None, None, waiting[at].pop(0)))
        waiting = {at: pieces for at, pieces in waiting.items() if pieces}
    assert merged(fragments) == CALLS


def test_the_same_name_with_each_fragment() -> None:
    """A name that is repeated with each fragment begins no call and is not doubled."""
    for index in (0, None):
        fragments = [fragment(index, None, "look", piece) for piece in cut(A[1], 4)]
        assert merged(fragments) == [A]
        fragments = [fragment(index, "c1", "look", piece) for piece in cut(A[1], 4)]
        assert merged(fragments) == [A]


def test_a_name_that_grows() -> None:
    """A name that is repeated as far as it has come is the last of these."""
    for names in (("lo", "look"), ("l", "loo", "look"), ("look", "look")):
        fragments = [fragment(0, "c1", name, "") for name in names]
        fragments += [fragment(0, None, None, piece) for piece in cut(A[1], 4)]
        assert merged(fragments) == [A]


@pytest.mark.parametrize("index", [0, 1, None])
@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("call", [A, B, C])
def test_a_call_that_is_sent_again(
    index: int | None, times: int, call: tuple[str, str]
) -> None:
    """A whole call that comes more than once, under one id, is one call."""
    assert merged([fragment(index, "c1", *call)] * times) == [call]


def test_a_name_in_fragments() -> None:
    """A name that comes in fragments, before the arguments, is one name."""
    fragments = [fragment(0, "c1", "lo", ""), fragment(0, None, "ok"), fragment(0)]
    fragments += [fragment(0, None, None, piece) for piece in cut(A[1], 4)]
    assert merged(fragments) == [A]


def test_the_first_id_is_kept() -> None:
    """An id is neither emptied nor changed by later fragments."""
    for later in ("", None, "other", 0):
        calls = ToolCalls()
        calls.add_chunk(
            [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{"}}]
        )
        calls.add_chunk(
            [{"index": 0, "id": later, "type": "", "function": {"arguments": "}"}}]
        )
        (call,) = calls.build()
        assert (call["id"], call["type"]) == ("c1", "function")
        assert call["function"] == {"name": "f", "arguments": "{}"}


def test_custom_tools() -> None:
    """The input of custom tools is put together as arguments are."""
    calls = ToolCalls()
    for custom in ({"name": "run", "input": ""}, {"input": "print"}, {"input": "(1)"}):
        calls.add_chunk([{"index": 0, "type": "custom", "custom": custom}])
    (call,) = calls.build()
    assert call["type"] == "custom"
    assert call["custom"] == {"name": "run", "input": "print(1)"}
    calls = ToolCalls()
    calls.add_chunk([{"index": 0, "custom": {"name": "run", "input": "1"}}])
    assert calls.build()[0]["type"] == "custom"


@pytest.mark.parametrize(
    "numbers",
    [
        [{"index": 0}, {"index": 0}],
        [{"index": 0}, {"index": 1}],
        [{"index": 0, "identity": "a"}, {"index": 0, "identity": "b"}],
        [{"identity": "a"}, {"identity": "b"}],
        [{}, {}],
    ],
)
@pytest.mark.parametrize("second", ["look", "tell"])
def test_arguments_as_objects(numbers: list[dict[str, Any]], second: str) -> None:
    """Arguments that come as an object are those of one call each."""
    found = merged(
        [
            fragment(**numbers[0], name="look", arguments={"city": "Paris"}),
            fragment(**numbers[1], name=second, arguments={"city": "Rome"}),
        ]
    )
    assert found == [("look", {"city": "Paris"}), (second, {"city": "Rome"})]


@pytest.mark.parametrize(
    "numbers",
    [
        [{"index": 0}, {"index": 1}],
        [{"index": 0}, {"index": 0}],
        [{}, {}],
        [{"index": 0, "identity": "a"}, {"index": 1, "identity": "b"}],
    ],
)
@pytest.mark.parametrize("arguments", ["", None, "{}"])
def test_the_same_call_twice_in_one_chunk(
    numbers: list[dict[str, Any]], arguments: Any
) -> None:
    """Two calls in one chunk are two, though neither has arguments or an id."""
    calls = ToolCalls()
    calls.add_chunk(
        [fragment(**each, name="now", arguments=arguments) for each in numbers]
    )
    names = [call["function"]["name"] for call in calls.build()]
    assert names == ["now", "now"]
