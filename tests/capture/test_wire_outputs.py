"""Whole bodies of streams, tools and several choices, as Libretto receives them."""

from typing import Any

import openai
import pytest
from support.answers import (
    USAGE,
    call_piece,
    choice,
    chunk,
    chunks,
    completion,
    no_choices,
)
from support.backend import Backend
from support.scripted import ScriptedModel

import libretto_instrument as libretto

from .bodies import ask, body, chat, dumped, received

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
]
CALLS = [
    {
        "id": "c1",
        "type": "function",
        "function": {"name": "look", "arguments": '{"x": 1}'},
    }
]


@pytest.fixture(autouse=True)
def _installed(backend: Backend) -> None:
    libretto.install(api_key="key-1", prompt_template_name="sport")


def test_a_stream(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A stream is recorded as the complete answer that it adds up to."""
    server.stream(*chunks("ten", "nis"), no_choices(usage=USAGE))
    options = {"include_usage": True}
    list(ask(scripted, stream=True, stream_options=options))
    whole = completion("tennis")
    del whole["choices"][0]["logprobs"]
    assert received(backend) == [
        body(
            modelParameters=chat(stream=True, stream_options=options),
            response="tennis",
            rawResponse=whole,
            responseMetrics={"usage": USAGE, "finish_reason": "stop"},
        )
    ]


def test_a_stream_left_early(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A flush settles a stream whose loop was left, and delivers what came of it."""
    server.wire().send(*chunks("ten", "nis")[:2])
    stream = ask(scripted, stream=True)
    for piece in stream:
        if piece.choices[0].delta.content:
            break
    partial = completion("ten")
    partial["choices"][0] |= {"finish_reason": None}
    del partial["choices"][0]["logprobs"], partial["usage"]
    assert received(backend) == [
        body(
            modelParameters=chat(stream=True),
            response="ten",
            rawResponse=partial,
            responseMetrics={"stream_status": "closed_early"},
        )
    ]
    stream.close()
    assert libretto.flush()
    assert len(backend.events) == 1


def test_tools(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """Tools offered and called are recorded alike, plain and streamed."""
    whole = completion(None, tool_calls=CALLS)
    whole["choices"][0]["finish_reason"] = "tool_calls"
    server.answer(whole)
    server.stream(
        chunk(role="assistant", tool_calls=[call_piece(0, "", "c1", "look")]),
        chunk(tool_calls=[call_piece(0, '{"x"')]),
        chunk(tool_calls=[call_piece(0, ": 1}")]),
        chunk(finish="tool_calls"),
        no_choices(usage=USAGE),
    )
    answer = ask(scripted, tools=TOOLS, tool_choice="auto")
    list(ask(scripted, tools=TOOLS, stream=True))
    del whole["choices"][0]["logprobs"]
    told = {
        "tools": TOOLS,
        "toolCalls": CALLS,
        "response": "",
        "responseMetrics": {"usage": USAGE, "finish_reason": "tool_calls"},
    }
    assert received(backend, 2) == [
        body(
            modelParameters=chat(tool_choice="auto"),
            rawResponse=dumped(answer),
            **told,
        ),
        body(modelParameters=chat(stream=True), rawResponse=whole, **told),
    ]


def test_legacy_functions(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A legacy function call is recorded as a tool call."""
    function = {"name": "look", "arguments": '{"x": 1}'}
    whole = completion(None, function_call=function)
    whole["choices"][0]["finish_reason"] = "function_call"
    server.answer(whole)
    functions = [{"name": "look", "parameters": {"type": "object"}}]
    answer = ask(scripted, functions=functions, function_call="auto")
    assert received(backend) == [
        body(
            modelParameters=chat(functions=functions, function_call="auto"),
            response="",
            toolCalls=[{"type": "function", "function": function}],
            rawResponse=dumped(answer),
            responseMetrics={"usage": USAGE, "finish_reason": "function_call"},
        )
    ]


def test_several_choices(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """Of n=2 the first is the response, and both are in the raw one."""
    whole = completion()
    whole["choices"] = [
        choice("tennis"),
        choice(None, 1, "tool_calls", tool_calls=CALLS),
    ]
    server.answer(whole)
    answer = ask(scripted, n=2)
    assert received(backend) == [
        body(
            modelParameters=chat(n=2),
            response="tennis",
            rawResponse=dumped(answer),
            responseMetrics={"usage": USAGE, "finish_reason": "stop"},
        )
    ]
