"""What a stream's chunks amount to, in whatever state a gateway sends them."""

import copy
from typing import Any

import openai
import pytest
from support.answers import (
    MESSAGES,
    USAGE,
    call_piece,
    choice,
    chunk,
    chunks,
    completion,
    no_choices,
    text_chunk,
    text_completion,
)
from support.kept import Kept
from support.scripted import ScriptedModel

from libretto_instrument._capture.endpoints import chat, response_events
from libretto_instrument._capture.endpoints.deltas import append_delta


def call(identity: str | None, name: str, arguments: str) -> dict[str, Any]:
    """Return a whole call of a tool."""
    function = {"name": name, "arguments": arguments}
    return {"id": identity, "type": "function", "function": function}


@pytest.fixture
def streamed(server: ScriptedModel, scripted: openai.OpenAI, kept: Kept) -> Any:
    """Return what streams chunks through the client and returns their event."""

    def stream(*pieces: Any, text: bool = False, **more: Any) -> dict[str, Any]:
        server.stream(*pieces)
        ask: Any = scripted.completions if text else scripted.chat.completions
        given = {"prompt": "?"} if text else {"messages": MESSAGES}
        answer = ask.create(model="m", stream=True, **given, **more)
        assert len(list(answer)) == len(pieces)
        return kept.event

    return stream


def test_tool_calls_in_pieces(streamed: Any) -> None:
    """Pieces of two calls, interleaved, become two calls by their index."""
    event = streamed(
        chunk(role="assistant", tool_calls=[call_piece(0, "", "c1", "look")]),
        chunk(tool_calls=[call_piece(1, "", "c2", "tell")]),
        chunk(tool_calls=[call_piece(0, '{"a"'), call_piece(1, '{"b"')]),
        chunk(tool_calls=[call_piece(1, ": 2}"), call_piece(0, ": 1}")]),
        chunk(finish="tool_calls"),
    )
    assert event["toolCalls"] == [
        call("c1", "look", '{"a": 1}'),
        call("c2", "tell", '{"b": 2}'),
    ]
    assert event["response"] == ""
    assert event["responseMetrics"]["finish_reason"] == "tool_calls"


def test_a_new_id_at_an_occupied_index_is_a_new_call(streamed: Any) -> None:
    """Gateways that send index 0 for each call lose none of them."""
    event = streamed(
        chunk(tool_calls=[call_piece(0, '{"a": 1}', "c1", "look")]),
        chunk(tool_calls=[call_piece(0, '{"b"', "c2", "tell")]),
        chunk(tool_calls=[call_piece(0, ": 2}")]),
        chunk(finish="tool_calls"),
    )
    assert event["toolCalls"] == [
        call("c1", "look", '{"a": 1}'),
        call("c2", "tell", '{"b": 2}'),
    ]


def test_no_index_at_all(streamed: Any) -> None:
    """Pieces with a null index go to the call of their id, or the last one."""
    event = streamed(
        chunk(tool_calls=[call_piece(None, None, "c1", "look")]),
        chunk(tool_calls=[call_piece(None, '{"a"')]),
        chunk(tool_calls=[call_piece(None, ": 1}")]),
        chunk(tool_calls=[call_piece(None, "{}", "c2", "tell")]),
    )
    assert event["toolCalls"] == [
        call("c1", "look", '{"a": 1}'),
        call("c2", "tell", "{}"),
    ]


def test_interleaved_choices_stay_apart(streamed: Any) -> None:
    """n=2 with text and tools, interleaved, is two separate outputs."""
    event = streamed(
        chunk("ten", index=0),
        chunk("foot", index=1),
        chunk(index=1, tool_calls=[call_piece(0, "{}", "c1", "look")]),
        chunk("nis", index=0),
        chunk(index=0, tool_calls=[call_piece(0, "[]", "c0", "tell")]),
        chunk("ball", index=1),
        chunk(index=1, finish="tool_calls"),
        chunk(index=0, finish="stop"),
        n=2,
    )
    first, second = event["rawResponse"]["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("tennis", "stop")
    assert second["message"]["content"] == "football"
    assert first["message"]["tool_calls"] == [call("c0", "tell", "[]")]
    assert second["message"]["tool_calls"] == [call("c1", "look", "{}")]
    assert event["response"] == "tennis"
    assert event["toolCalls"] == first["message"]["tool_calls"]
    assert event["responseMetrics"]["finish_reason"] == "stop"


def test_a_legacy_function_call(streamed: Any) -> None:
    """A streamed function call of the legacy kind is a call of a tool."""
    event = streamed(
        chunk(function_call={"name": "look", "arguments": ""}),
        chunk(function_call={"arguments": '{"a"'}),
        chunk(function_call={"arguments": ": 1}"}),
        chunk(finish="function_call"),
    )
    function = {"name": "look", "arguments": '{"a": 1}'}
    assert event["toolCalls"] == [{"type": "function", "function": function}]
    assert event["response"] == ""


def test_other_fields_of_a_delta_are_kept(streamed: Any) -> None:
    """A refusal, a gateway's reasoning and log probabilities are put together."""
    scored = chunk("b", reasoning_content="ly")
    scored["choices"][0]["logprobs"] = {"content": [{"token": "b"}], "refusal": None}
    first = chunk("a", reasoning_content="slow", refusal=None)
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}], "refusal": None}
    event = streamed(first, scored, chunk(finish="stop"))
    message = event["rawResponse"]["choices"][0]["message"]
    assert message["reasoning_content"] == "slowly"
    assert event["responseMetrics"]["logprobs"]["content"] == [
        {"token": "a"},
        {"token": "b"},
    ]


def test_a_streamed_refusal_is_the_response(streamed: Any) -> None:
    """When the model refuses, its refusal is the text of the event."""
    event = streamed(chunk(refusal="I "), chunk(refusal="won't."), chunk(finish="stop"))
    assert event["response"] == "I won't."


def test_no_finish_reason_and_null_choices(streamed: Any) -> None:
    """A stream with ``choices: null`` and no finish reason is read all the same."""
    event = streamed(
        {**chunk("a"), "choices": None},
        chunk("b"),
        {**chunk("c"), "choices": [None]},
        no_choices(usage=USAGE),
    )
    assert event["response"] == "b"
    assert event["responseMetrics"]["usage"] == USAGE
    assert "finish_reason" not in event["responseMetrics"]


def test_text_completions_with_two_choices(streamed: Any) -> None:
    """Streamed text completions keep their choices apart."""
    event = streamed(
        text_chunk("a", 0),
        text_chunk("x", 1),
        text_chunk("y", 1, finish="length"),
        text_chunk("b", 0, finish="stop"),
        text=True,
    )
    texts = [choice["text"] for choice in event["rawResponse"]["choices"]]
    assert texts == ["ab", "xy"]
    assert event["response"] == "ab"
    assert event["responseMetrics"]["finish_reason"] == "stop"


def test_a_stream_amounts_to_the_whole_answer(streamed: Any) -> None:
    """The assembled response is what the API gives when it does not stream."""
    event = streamed(
        *chunks("ten", "nis")[:-1],
        chunk(finish="stop", tool_calls=[call_piece(0, "{}", "c1", "look")]),
        no_choices(usage=USAGE),
    )
    whole = completion("tennis", tool_calls=[call("c1", "look", "{}")])
    del whole["choices"][0]["logprobs"]
    assert event["rawResponse"] == whole


def test_whole_answers_of_several_choices(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Of several choices the event's text and tool calls are the first's."""
    tools = [call("c1", "look", "{}")]
    body = completion()
    body["choices"] = [choice("a", 0), choice(None, 1, "tool_calls", tool_calls=tools)]
    server.answer(body)
    server.answer(text_completion("x", "y"))
    scripted.chat.completions.create(model="m", messages=MESSAGES, n=2)
    scripted.completions.create(model="m", prompt="?", n=2)
    chat, text = kept.events
    assert chat["response"] == "a"
    assert "toolCalls" not in chat
    assert chat["rawResponse"]["choices"][1]["message"]["tool_calls"] == tools
    assert text["response"] == "x"


def test_parts_and_text_in_turn(streamed: Any) -> None:
    """Content that comes as parts, then as text, loses neither."""
    thought = {"type": "thinking", "thinking": "Hm."}
    event = streamed(
        chunk(role="assistant", content=""),
        chunk([thought]),
        chunk([{"type": "text", "text": "ten"}]),
        chunk("nis"),
        chunk(finish="stop"),
    )
    assert event["response"] == "tennis"
    (whole,) = event["rawResponse"]["choices"]
    assert whole["message"]["content"][0] == thought


# How much it takes


def scored(text: str) -> dict[str, Any]:
    """Return a chunk with its log probabilities."""
    said = chunk(text)
    said["choices"][0]["logprobs"] = {"content": [{"token": text}], "refusal": None}
    return said


def test_lists_grow_in_place() -> None:
    """A further chunk costs what it brings, not what came before."""
    copied = append_delta(None, {"content": [1]})
    held = copied["content"]
    for at in range(2, 5):
        copied = append_delta(copied, {"content": [at]})
    assert copied["content"] is held
    assert held == [1, 2, 3, 4]


def test_long_streams() -> None:
    """Streams of 200,000 pieces are put together; minutes, were each piece copied."""
    pieces, text = 200_000, "0123456789" * 5
    said = [{"choices": [{"index": 0, "delta": {"content": text}}]}] * pieces
    (whole,) = chat.merge_chunks(said)["choices"]
    assert whole["message"]["content"] == text * pieces
    part = {"function": {"arguments": text}}
    said = [{"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]}] * pieces
    (whole,) = chat.merge_chunks(said)["choices"]
    (made,) = whole["message"]["tool_calls"]
    assert made["function"]["arguments"] == text * pieces
    said = [{"choices": [{"text": text, "logprobs": {"tokens": [1]}}]}] * pieces
    (whole,) = chat.merge_text_chunks(said)["choices"]
    assert whole["text"] == text * pieces
    assert whole["logprobs"] == {"tokens": [1] * pieces}
    kind = "response.output_text.delta"
    response = response_events.merge_events(
        [{"type": kind, "output_index": 0, "delta": text}] * pieces
    )
    assert response["output"][0]["content"][0]["text"] == text * pieces


def test_chunks_are_left_as_they_are() -> None:
    """Putting chunks together changes none of them, and does so again the same."""
    said: list[Any] = [scored("a"), scored("b"), chunk([{"type": "x"}]), chunk([1])]
    named = [call_piece(0, "{", "c", "look"), call_piece(0, "}", name="look")]
    said += [chunk(tool_calls=[piece]) for piece in named]
    before = copy.deepcopy(said)
    first = chat.merge_chunks(said)
    assert said == before
    assert chat.merge_chunks(said) == first
    (whole,) = first["choices"]
    assert whole["message"]["tool_calls"] == [call("c", "look", "{}")]
    texts: list[Any] = [
        {"choices": [{"text": "a", "logprobs": {"tokens": ["a"]}}]} for _ in range(3)
    ]
    before = copy.deepcopy(texts)
    chat.merge_text_chunks(texts)
    assert texts == before
    item = {"type": "message", "content": [{"type": "output_text", "text": "a"}]}
    events: list[Any] = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "b"},
    ]
    before = copy.deepcopy(events)
    (output,) = response_events.merge_events(events)["output"]
    assert output["content"] == [{"type": "output_text", "text": "ab"}]
    assert events == before


@pytest.mark.parametrize("name", [int, str, "{:02}".format])
def test_choices_numbered_by_text(name: Any) -> None:
    """Choices keep apart, whether a gateway numbers them by numbers or by texts."""
    parts = [chunk(text, name(at)) for text, at in (("a", 0), ("b", 1), ("c", 0))]
    merged = chat.merge_chunks(parts, {"n": 2})
    texts = [choice["message"]["content"] for choice in merged["choices"]]
    assert texts == ["ac", "b"]


def test_a_tool_call_that_is_no_list(streamed: Any) -> None:
    """A gateway's single tool call, in place of a list, is a tool call."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    rest = {"function": {"arguments": "{}"}}
    event = streamed(chunk(tool_calls=call), chunk(tool_calls=rest))
    whole = {**call, "function": {"name": "f", "arguments": "{}"}}
    assert event["toolCalls"] == [whole]
    assert chat.parse_response(completion(None, tool_calls=whole)).tool_calls == [whole]
