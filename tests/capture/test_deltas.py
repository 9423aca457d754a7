"""Streams of chat chunks from gateways with ways of their own."""

import json
from typing import Any

import pytest
from support.answers import call_piece, chunk

from libretto_instrument._capture.endpoints import chat
from libretto_instrument._capture.endpoints.summary import ResponseSummary

Chunk = dict[str, Any]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TEXT = "Write to ann@example.com"
FRAGMENTS = [TEXT[at : at + 3] for at in range(0, len(TEXT), 3)]


def merged(chunks: list[Chunk], **request: Any) -> Chunk:
    completion = chat.merge_chunks(chunks, request)
    assert json.loads(json.dumps(completion)) == completion
    return completion


def message_of(chunks: list[Chunk]) -> Any:
    return merged(chunks)["choices"][0]["message"]


def read(chunks: list[Chunk], **request: Any) -> ResponseSummary:
    return chat.parse_response(merged(chunks, **request))


@pytest.mark.parametrize("blank", ["", None, 0, {}, []])
@pytest.mark.parametrize(
    ("field", "value"), [("id", "c1"), ("model", "m"), ("created", 7), ("usage", USAGE)]
)
def test_a_later_blank_value_replaces_nothing(
    field: str, value: Any, blank: Any
) -> None:
    """A completion's own fields keep the value that some chunk gave."""
    chunks = [{**chunk("a"), field: value}, {**chunk("b"), field: blank}]
    assert merged(chunks)[field] == value
    assert merged(chunks[::-1])[field] == value


@pytest.mark.parametrize("blank", ["", None, 0, {}, []])
def test_a_later_blank_value_of_a_choice_replaces_nothing(blank: Any) -> None:
    """Role and finish reason keep the value that some chunk gave."""
    last = chunk(role=blank)
    last["choices"][0]["finish_reason"] = blank
    message = merged([chunk("a", role="model"), chunk(finish="stop"), last])["choices"]
    assert message[0]["message"]["role"] == "model"
    assert message[0]["finish_reason"] == "stop"


def test_a_usage_of_zeros_replaces_nothing() -> None:
    """Usage that is reported in part, or as zeros, keeps what was known."""
    zeros = dict.fromkeys(USAGE, 0)
    told = [{**chunk(), "usage": usage} for usage in (USAGE, zeros, {})]
    assert merged(told)["usage"] == USAGE
    halves = [{"prompt_tokens": 3}, {"prompt_tokens": 0, "completion_tokens": 2}]
    told = [{**chunk(), "usage": usage} for usage in halves]
    assert merged(told)["usage"] == {"prompt_tokens": 3, "completion_tokens": 2}


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("reasoning_details", lambda p: {"type": "reasoning.text", "text": p}),
        ("reasoning_details", lambda p: {"type": "x", "text": p, "index": 0}),
        ("content", lambda p: {"type": "text", "text": p}),
        ("content", lambda p: {"type": "text", "text": p, "annotations": []}),
        ("thinking_blocks", lambda p: {"type": "thinking", "thinking": p}),
        (
            "content",
            lambda p: {"type": "thinking", "thinking": [{"type": "text", "text": p}]},
        ),
        ("content", lambda p: {"type": "x", "summary": [{"content": [{"text": p}]}]}),
        ("content", lambda p: {"type": "text", "text": {"value": p}}),
        ("content", str),
        ("reasoning", str),
        ("audio", lambda p: {"transcript": p}),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_text_in_parts_is_joined_at_every_depth(
    field: str, part: Any, wrapped: bool
) -> None:
    """Text that comes in parts of lists is one text in one part of each level."""
    deltas = [[part(fragment)] if wrapped else part(fragment) for fragment in FRAGMENTS]
    message = message_of([chunk(**{field: delta}) for delta in deltas])
    assert json.dumps(message).count(TEXT) == 1
    assert message[field] == ([part(TEXT)] if wrapped else part(TEXT))


def test_parts_that_are_no_text_stay_apart() -> None:
    """Two images, two citations, and two parts with indexes of their own are two."""
    told = [chunk(citations=[url]) for url in ("http://a", "http://b")]
    assert message_of(told)["citations"] == ["http://a", "http://b"]
    image = {"type": "image_url", "image_url": {"url": "data:,a"}}
    cited = {"type": "url_citation", "text": "t", "url": "http://a"}
    other = {"type": "url_citation", "text": "t", "url": "http://b"}
    first, second = ({"type": "text", "text": "a", "index": at} for at in (0, 1))
    for parts in ([image, image], [cited, other], [first, second]):
        chunks = [chunk([part]) for part in parts]
        assert message_of(chunks)["content"] == parts


@pytest.mark.parametrize("odd", [5, 1.5, True])
def test_a_number_among_texts(odd: Any) -> None:
    """A value of another type does not replace the text that came before it."""
    message = message_of([chunk("a"), chunk(odd), chunk("b")])
    assert message["content"] == "ab"
    told = [chunk(audio={"transcript": "a"}), chunk(audio=odd), chunk(audio={"id": 1})]
    assert message_of(told)["audio"] == {"transcript": "a", "id": 1}


def test_the_signature_of_a_thought() -> None:
    """What comes last of a part goes with it; the next thought is another part."""
    told = [
        {"type": "thinking", "thinking": "H", "id": "t1"},
        {"type": "thinking", "thinking": "m", "id": "t1"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "thinking", "thinking": "Aha", "id": "t2"},
    ]
    assert message_of([chunk([part]) for part in told])["content"] == [
        {"type": "thinking", "thinking": "Hm", "id": "t1", "signature": "s"},
        {"type": "thinking", "thinking": "Aha", "id": "t2"},
    ]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "", "refusal": "I won't."}, "I won't."),
        ({"content": "", "audio": {"transcript": "Hi"}}, "Hi"),
        ({"content": None, "refusal": "", "audio": {"transcript": "Hi"}}, "Hi"),
        ({"content": ""}, ""),
        ({"content": None}, None),
        ({"content": {"a": 1}}, '{"a": 1}'),
        ({"content": {"type": "text", "text": "Hi"}}, "Hi"),
        ({"content": [{"type": "text", "text": {"value": "Hi"}}, "!"]}, "Hi!"),
        ({"content": "Hi", "refusal": "no"}, "Hi"),
    ],
)
def test_the_text_of_a_message(message: dict[str, Any], text: str | None) -> None:
    """A message says its content, or else its refusal, or what was spoken."""
    whole = {"choices": [{"index": 0, "message": message}]}
    assert chat.parse_response(whole).text == text
    assert read([chunk(**message), chunk(finish="stop")]).text == text


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Hi", "function_call": {"name": "", "arguments": ""}},
        {"content": "Hi", "function_call": {}},
        {"content": "Hi", "tool_calls": []},
        {"content": "Hi", "tool_calls": [{"id": "", "function": {"name": ""}}]},
        {"content": "Hi", "tool_calls": [{"index": 0, "type": None}]},
    ],
)
def test_an_empty_call_is_none(message: dict[str, Any]) -> None:
    """A call without a name and arguments is not a call, and hides no text."""
    whole = {"choices": [{"index": 0, "message": message}]}
    for summary in (chat.parse_response(whole), read([chunk(**message)])):
        assert (summary.text, summary.tool_calls) == ("Hi", [])


def test_a_call_without_a_type_is_a_function() -> None:
    """What a whole answer leaves out is what a streamed one has."""
    call = {"id": "c1", "function": {"name": "f", "arguments": "{}"}}
    whole = {"choices": [{"message": {"tool_calls": [call]}}]}
    (read_whole,) = chat.parse_response(whole).tool_calls
    (read_stream,) = read([chunk(tool_calls=[{"index": 0, **call}])]).tool_calls
    assert read_whole == read_stream == {**call, "type": "function"}


def test_a_choice_index_for_each_chunk() -> None:
    """Where one choice was asked for, all chunks are of it; else they stay apart."""
    chunks = [
        chunk("a", index=0, tool_calls=[call_piece(0, "", "c1", "look")]),
        chunk("b", index=1, tool_calls=[call_piece(0, '{"a"')]),
        chunk("c", index=2, tool_calls=[call_piece(0, ":1}")], finish="tool_calls"),
    ]
    summary = read(chunks)
    assert (summary.text, len(summary.tool_calls)) == ("abc", 1)
    assert summary.tool_calls[0]["function"]["arguments"] == '{"a":1}'
    assert len(merged(chunks, n=3)["choices"]) == 3
    assert len(merged(chunks, extra_body={"n": 3})["choices"]) == 3


def test_a_stream_that_ends_with_the_whole_message() -> None:
    """A whole message in the last chunk completes what came before it."""
    last = {"choices": [{"index": 0, "message": {"content": "ab", "extra": 1}}]}
    message = message_of([chunk("a"), chunk("b"), last])
    assert message == {"role": "assistant", "content": "ab", "extra": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "busy", "code": 7}}, "7: busy"),
        ({"error": "busy"}, "busy"),
        ({"error": [{"message": "busy"}]}, "busy"),
        ({"object": "error", "message": "busy", "code": "E"}, "E: busy"),
        ({"detail": "busy"}, "busy"),
        ({"success": False, "errors": [{"message": "busy"}]}, '[{"message": "busy"}]'),
        ({"base_resp": {"status_code": 7, "status_msg": "busy"}}, "7: busy"),
    ],
)
def test_a_body_that_is_an_error(body: dict[str, Any], message: str) -> None:
    """An error object where an answer should be is an error, also as a chunk."""
    assert chat.parse_response(body).errors == [message]
    summary = read([chunk("a"), body])
    assert summary.errors == [message]
    assert summary.text == "a"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": {"content": "Hi"}},
        {"choices": []},
        {"choices": [], "base_resp": {"status_code": 0, "status_msg": "ok"}},
        *({"choices": [{}], "error": blank} for blank in (None, "", {}, [], 0)),
    ],
)
def test_a_body_that_is_no_error(body: dict[str, Any]) -> None:
    """What has no answer is not taken for an error for that alone."""
    assert chat.parse_response(body).errors == []
