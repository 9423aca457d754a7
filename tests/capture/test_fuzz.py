"""Whatever a gateway sends, recorded is as bare, and there is an event."""

import json
from typing import Any

import openai
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import (
    MESSAGES,
    USAGE,
    call_piece,
    chunk,
    completion,
)
from support.kept import Kept
from support.scripted import ScriptedModel

from libretto_instrument import _capture
from libretto_instrument._capture.endpoints import table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["index", "id", "name", "arguments", "text", "type"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


def broken(sound: Any) -> st.SearchStrategy[Any]:
    """Return values like ``sound`` with any part null, absent or of another type."""
    whole: st.SearchStrategy[Any]
    if isinstance(sound, dict):
        whole = st.fixed_dictionaries(
            {}, optional={name: broken(value) for name, value in sound.items()}
        )
    elif isinstance(sound, list):
        whole = st.tuples(*map(broken, sound)).map(lambda parts: [*parts])
    else:
        whole = st.just(sound)
    return st.one_of(whole, whole, whole, st.none(), JSON)


SOUND = {
    **chunk(
        "text",
        role="assistant",
        refusal="no",
        function_call={"name": "f", "arguments": "{}"},
        tool_calls=[call_piece(0, "{}", "c1", "look"), call_piece(1, "{", "c2", "t")],
        audio={"id": "a", "data": "AAAA", "transcript": "t"},
    ),
    "usage": USAGE,
}
SOUND["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -0.1}]}

fuzzed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(stream: Any) -> tuple[list[Any], str | None]:
    """Return what a stream brings, as JSON, and the error that ends it, if one does."""
    pieces: list[Any] = []
    try:
        pieces.extend(stream)
    except Exception as exc:
        return told(pieces), f"{type(exc).__name__}: {exc}"
    return told(pieces), None


def told(pieces: list[Any]) -> list[Any]:
    """Return models as JSON, fields of wrong types included."""
    return [
        piece.model_dump_json(warnings=False)
        if isinstance(piece, openai.BaseModel)
        else repr(piece)
        for piece in pieces
    ]


@fuzzed
@given(st.lists(broken(SOUND), max_size=4))
def test_any_stream_is_to_its_caller_as_it_is_bare(
    server: ScriptedModel, scripted: openai.OpenAI, pieces: list[Any]
) -> None:
    """With any field null, absent or of a wrong type, a call is recorded as usual."""
    server.stream(*pieces, times=2)
    ask: Any = scripted.chat.completions
    bare = outcome(ask.create(model="m", messages=MESSAGES, stream=True))
    kept = Kept()
    _capture.patch(kept)
    try:
        recorded = outcome(ask.create(model="m", messages=MESSAGES, stream=True))
    finally:
        _capture.unpatch()
    assert recorded == bare
    event = kept.event
    assert json.loads(json.dumps(event)) == event
    assert bool(event.get("responseErrors")) == (bare[1] is not None)


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

WHOLE = completion("text", tool_calls=[CALL], refusal=None, audio={"id": "a"})


@fuzzed
@given(broken(WHOLE).filter(lambda body: isinstance(body, dict)))
def test_any_answer_is_to_its_caller_as_it_is_bare(
    server: ScriptedModel, scripted: openai.OpenAI, body: Any
) -> None:
    """Any field of a whole answer null, absent or of a wrong type: likewise."""
    server.answer(body, times=2)
    ask: Any = scripted.chat.completions
    bare = told([ask.create(model="m", messages=MESSAGES)])
    kept = Kept()
    _capture.patch(kept)
    try:
        answer = ask.create(model="m", messages=MESSAGES)
    finally:
        _capture.unpatch()
    answer.model_extra.pop("libretto_feedback_key")
    assert told([answer]) == bare
    assert kept.event["feedbackKey"]


@settings(max_examples=300, deadline=None)
@given(st.lists(broken(SOUND), max_size=5), st.sampled_from(["chat", "completion"]))
def test_assembling_never_raises(pieces: list[Any], kind: str) -> None:
    """Whatever JSON came, assembling and reading it gives something that is JSON."""
    endpoint = table.ENDPOINTS[kind]
    whole = endpoint.merge_chunks(pieces, {})
    answer = endpoint.parse_response(whole)
    json.dumps([whole, answer.text, answer.tool_calls, answer.metrics])
    assert answer.text is None or isinstance(answer.text, str)
