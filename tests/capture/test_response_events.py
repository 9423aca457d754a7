"""Streams of the Responses API that end with an empty response, or not at all."""

import json
from typing import Any, get_args

import pytest
from support.versions import needs_responses

from libretto_instrument._capture.endpoints import responses
from libretto_instrument._capture.endpoints.response_events import merge_events

Event = dict[str, Any]


def event(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", "output_index": 0, "item_id": "i", **fields}


def response(status: str, **fields: Any) -> Event:
    told = {"id": "r1", "status": status, "output": [], **fields}
    return {"type": f"response.{status}", "response": told}


CREATED = response("created", usage=None, model="m")

#: An item as it is added, the deltas that follow, and the item they amount to.
KINDS: dict[str, tuple[Event, list[Event], Event]] = {
    "text": (
        {"type": "message", "role": "assistant", "content": []},
        [
            event("content_part.added", content_index=0, part={"type": "output_text"}),
            event("output_text.delta", content_index=0, delta="He", logprobs=[]),
            event("output_text.delta", content_index=0, delta="llo"),
            event("output_text.annotation.added", content_index=0, annotation={"a": 1}),
            event("refusal.delta", content_index=1, delta="no"),
        ],
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hello", "annotations": [{"a": 1}]},
                {"type": "refusal", "refusal": "no"},
            ],
        },
    ),
    "reasoning": (
        {"type": "reasoning", "summary": []},
        [
            event("reasoning_summary_text.delta", summary_index=0, delta="th"),
            event("reasoning_summary_text.delta", summary_index=0, delta="ink"),
            event("reasoning_summary_text.delta", summary_index=1, delta="more"),
            event("reasoning_text.delta", content_index=0, delta="Hm"),
        ],
        {
            "type": "reasoning",
            "summary": [
                {"type": "summary_text", "text": "think"},
                {"type": "summary_text", "text": "more"},
            ],
            "content": [{"type": "reasoning_text", "text": "Hm"}],
        },
    ),
    "function": (
        {"type": "function_call", "name": "f", "arguments": "", "call_id": "c"},
        [event("function_call_arguments.delta", delta=text) for text in ("{", "}")],
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    ),
    "custom tool": (
        {"type": "custom_tool_call", "name": "run", "input": "", "call_id": "c"},
        [event("custom_tool_call_input.delta", delta=text) for text in ("1", "2")],
        {"type": "custom_tool_call", "name": "run", "input": "12", "call_id": "c"},
    ),
    "MCP": (
        {"type": "mcp_call", "name": "f", "arguments": "", "server_label": "s"},
        [event("mcp_call_arguments.delta", delta=text) for text in ("{", "}")],
        {"type": "mcp_call", "name": "f", "arguments": "{}", "server_label": "s"},
    ),
    "code": (
        {"type": "code_interpreter_call", "code": None, "outputs": []},
        [event("code_interpreter_call_code.delta", delta=text) for text in ("x", "=1")],
        {"type": "code_interpreter_call", "code": "x=1", "outputs": []},
    ),
    "shell": (
        {"type": "shell_call", "action": {"commands": [], "timeout_ms": 1}},
        [
            event("shell_call_command.added", command_index=0, command="l"),
            event("shell_call_command.delta", command_index=0, delta="s"),
            event("shell_call_command.delta", command_index=1, delta="pwd"),
        ],
        {"type": "shell_call", "action": {"commands": ["ls", "pwd"], "timeout_ms": 1}},
    ),
    "shell output": (
        {"type": "shell_call_output", "output": []},
        [
            event("shell_call_output_content.delta", command_index=0, delta=delta)
            for delta in ({"stdout": "a"}, {"stdout": "b", "stderr": "c"})
        ],
        {"type": "shell_call_output", "output": [{"stdout": "ab", "stderr": "c"}]},
    ),
    "image": (
        {"type": "image_generation_call", "result": None},
        [
            event("image_generation_call.partial_image", partial_image_b64=data)
            for data in ("AA", "BB")
        ],
        {"type": "image_generation_call", "result": "BB"},
    ),
    "a kind to come": (
        {"type": "dance_call"},
        [event("dance_call_steps.delta", delta=text) for text in ("left ", "right")],
        {"type": "dance_call", "dance_call_steps": "left right"},
    ),
}


@pytest.mark.parametrize("end", ["cut", "empty", "null", "absent", "no response"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_came_of_each_kind_of_item(kind: str, end: str) -> None:
    """Without an output in the end, the items are put together from their deltas."""
    added, deltas, whole = KINDS[kind]
    events = [CREATED, event("output_item.added", item=added), *deltas]
    last = response("completed")
    if end == "null":
        last["response"]["output"] = None
    elif end == "absent":
        del last["response"]["output"]
    elif end == "no response":
        del last["response"]
    merged = merge_events([*events, *([] if end == "cut" else [last])])
    assert json.loads(json.dumps(merged)) == merged
    assert merged["output"] == [whole]
    assert merged["id"] == "r1"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"shell", "shell output"}))
def test_an_item_that_is_done(kind: str) -> None:
    """The item that is done counts, unless what came of it is blank there."""
    added, deltas, whole = KINDS[kind]
    begun = [CREATED, event("output_item.added", item=added), *deltas]
    done = merge_events([*begun, event("output_item.done", item={**whole, "x": 1})])
    assert done["output"] == [{**whole, "x": 1}]
    assert merge_events([*begun, event("output_item.done", item=added)])["output"] == [
        whole
    ]


@pytest.mark.parametrize("index", [0, None])
def test_deltas_alone(index: int | None) -> None:
    """Deltas of an item that was never added make it."""
    events = [
        {**event("output_text.delta", delta=text), "output_index": index}
        for text in ("a", "b")
    ]
    (item,) = merge_events(events)["output"]
    assert item["content"] == [{"type": "output_text", "text": "ab"}]
    assert responses.parse_response({"output": [item]}).text == "ab"


def test_the_closing_event_counts() -> None:
    """What the closing event has is the response, and what comes later is none."""
    whole = [{"type": "message", "content": [{"type": "output_text", "text": "b"}]}]
    last = response("completed", output=whole, model="")
    told = [CREATED, event("output_text.delta", delta="a"), last]
    merged = merge_events([*told, event("output_text.delta", delta="c")])
    assert merged["output"] == whole
    assert (merged["status"], merged["model"]) == ("completed", "m")


def test_done_texts_without_deltas() -> None:
    """Texts that only come when they are done are kept, and never doubled."""
    done = [
        event("output_text.done", content_index=0, text="ab"),
        {**event("function_call_arguments.done", arguments="{}"), "output_index": 1},
        {**event("reasoning_text.done", text="Hm"), "output_index": 2},
    ]
    for _ in range(2):
        first, second, third = merge_events(done)["output"]
        assert first["content"][0]["text"] == "ab"
        assert second["arguments"] == "{}"
        assert third["content"][0]["text"] == "Hm"
        done = [event("output_text.delta", content_index=0, delta="ab"), *done]


def test_spoken_answers() -> None:
    """Audio and its transcript, which name no item, are kept."""
    events = [
        {"type": f"response.{kind}.delta", "delta": delta}
        for delta in ("a", "b")
        for kind in ("audio", "audio.transcript")
    ]
    (item,) = merge_events(events)["output"]
    part = {"type": "output_audio", "data": "ab", "transcript": "ab"}
    assert item["content"] == [part]


def test_an_error_in_the_stream() -> None:
    """An error that ends a stream is reported beside what came before it."""
    error = {"type": "error", "code": "busy", "message": "no"}
    merged = merge_events([CREATED, event("output_text.delta", delta="a"), error])
    summary = responses.parse_response(merged)
    assert (summary.text, summary.errors) == ("a", ["busy: no"])


@pytest.mark.parametrize("text", ["", "Hi"])
def test_an_empty_text_and_a_refusal(text: str) -> None:
    """A refusal is the text where there is no other."""
    parts = [
        {"type": "output_text", "text": text},
        {"type": "refusal", "refusal": "No."},
    ]
    raw = {"output": [{"type": "message", "content": parts}]}
    assert responses.parse_response(raw).text == (text or "No.")


@needs_responses
def test_no_kind_of_delta_is_unknown() -> None:
    """Every event of openai's union that brings a delta leaves it in the output."""
    from openai.types import responses as types

    union = get_args(get_args(types.ResponseStreamEvent)[0])
    known = 0
    for model in union:
        kind = get_args(model.model_fields["type"].annotation)[0]
        if not kind.endswith(".delta"):
            continue
        known += 1
        is_output = kind == "response.shell_call_output_content.delta"
        delta = {"stdout": "SENT"} if is_output else "SENT"
        told = {"type": kind, "output_index": 0, "delta": delta}
        (item,) = merge_events([told])["output"]
        assert "SENT" in json.dumps(item), kind
        assert item.get("type"), f"no item is known for {kind}"
    assert known


TEXT = {"type": "output_text", "text": "Hello"}
SAID = {"id": "m", "type": "message", "role": "assistant", "content": [TEXT]}
CALLED = {"id": "f", "type": "function_call", "name": "look", "arguments": "{}"}
EVENTS = [
    event("output_item.added", item={**SAID, "content": []}, item_id="m"),
    event("output_text.delta", content_index=0, delta="Hello", item_id="m"),
    event("output_item.added", item={**CALLED, "arguments": ""}, output_index=1),
    event("function_call_arguments.delta", delta="{}", item_id="f", output_index=1),
]


@pytest.mark.parametrize(
    "output",
    [
        None,
        [],
        [{**SAID, "content": []}, CALLED],
        [{**SAID, "content": None}, CALLED],
        [{**SAID, "content": [{**TEXT, "text": ""}]}, CALLED],
        [{**SAID, "id": "other", "content": []}, {**CALLED, "arguments": ""}],
        [SAID],
        [CALLED],
        [SAID, CALLED],
    ],
)
def test_a_closing_event_that_leaves_something_out(output: Any) -> None:
    """What only the events before it brought is not lost."""
    merged = merge_events([CREATED, *EVENTS, response("completed", output=output)])
    summary = responses.parse_response(merged)
    assert summary.text == "Hello"
    assert [call["function"]["arguments"] for call in summary.tool_calls] == ["{}"]
    assert len(merged["output"]) == 2


def test_a_closing_event_that_is_whole() -> None:
    """The closing event's output is recorded as it is, but for what it leaves out."""
    other = {**SAID, "content": [{**TEXT, "text": "Hello, again"}], "status": "done"}
    merged = merge_events([*EVENTS, response("completed", output=[other, CALLED])])
    assert merged["output"] == [other, CALLED]


def test_arguments_as_objects() -> None:
    """Arguments that come as an object stand where those that are text do."""
    item = {"type": "mcp_call", "name": "look", "arguments": ""}
    events = [
        event("output_item.added", item=item),
        event("mcp_call_arguments.delta", delta={"a": 1}),
    ]
    assert merge_events(events)["output"] == [{**item, "arguments": {"a": 1}}]
    events.append(event("mcp_call_arguments.done", arguments={"a": 2}))
    assert merge_events(events)["output"] == [{**item, "arguments": {"a": 2}}]


def added(kind: str, identity: str | None, **fields: Any) -> Event:
    item = {"type": kind, "id": identity, **fields}
    return event("output_item.added", item=item, item_id=None)


@pytest.mark.parametrize(
    "events",
    [
        [
            added("message", "m", content=[]),
            event("output_text.delta", content_index=0, item_id="m", delta="Hello"),
            added("function_call", "f", call_id="c1", name="look", arguments=""),
            event("function_call_arguments.delta", item_id="f", delta="{}"),
        ],
        [
            event("output_text.delta", content_index=0, item_id="m", delta="Hel"),
            event("function_call_arguments.delta", item_id="f", delta="{"),
            event("output_text.delta", content_index=0, item_id="m", delta="lo"),
            event("function_call_arguments.delta", item_id="f", delta="}"),
        ],
        [
            event("output_text.delta", item_id=None, delta="Hello"),
            event("function_call_arguments.delta", item_id=None, delta="{}"),
        ],
        [
            event("reasoning_text.delta", item_id="r", delta="Hm"),
            event("output_text.delta", item_id="m", delta="Hello"),
            event("function_call_arguments.done", item_id="f", arguments="{}"),
        ],
    ],
)
def test_one_index_for_all_items(events: list[Event]) -> None:
    """Items that a gateway gives one index are kept apart."""
    summary = responses.parse_response(merge_events([CREATED, *events]))
    assert summary.text == "Hello"
    assert [call["function"]["arguments"] for call in summary.tool_calls] == ["{}"]


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("output_text", lambda item: item["content"][0]["text"]),
        ("function_call_arguments", lambda item: item["arguments"]),
        ("reasoning_summary_text", lambda item: item["summary"][0]["text"]),
    ],
)
def test_an_index_for_each_event(kind: str, read: Any) -> None:
    """Events that a gateway numbers, of one item by its id, are of one item."""
    events = [
        {**event(f"{kind}.delta", delta=text), "output_index": at}
        for at, text in enumerate("abc")
    ]
    (item,) = merge_events([CREATED, *events])["output"]
    assert read(item) == "abc"


@pytest.mark.parametrize("has_call_id", [True, False])
def test_calls_with_one_index(has_call_id: bool) -> None:
    """Calls that a gateway gives one index are kept apart, each with its arguments."""
    events = []
    for name in ("a", "b", "c"):
        fields = {"call_id": f"c{name}"} if has_call_id else {}
        call = added("function_call", f"f{name}", name=name, arguments="", **fields)
        delta = event("function_call_arguments.delta", item_id=f"f{name}", delta=name)
        whole = {**call["item"], "arguments": name}
        events += [call, delta, event("output_item.done", item=whole, item_id=None)]
    calls = responses.parse_response(merge_events(events)).tool_calls
    functions = [call["function"] for call in calls]
    assert [call["arguments"] for call in functions] == ["a", "b", "c"]
    assert [call["name"] for call in functions] == ["a", "b", "c"]


def test_ids_that_change() -> None:
    """An item whose every event has another id is one item."""
    item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": ""}
    events = [
        event("output_item.added", item={**item, "id": "1"}),
        event("function_call_arguments.delta", item_id="2", delta="{"),
        event("function_call_arguments.delta", item_id="3", delta="}"),
        event("output_item.done", item={**item, "id": "4", "arguments": "{}"}),
    ]
    (call,) = responses.parse_response(merge_events(events)).tool_calls
    assert call["function"] == {"name": "look", "arguments": "{}"}


@pytest.mark.parametrize(
    "done",
    [
        event("output_text.done", content_index=0, text="Hello"),
        event("output_item.done", item={"type": "message", "content": [TEXT]}),
    ],
)
def test_deltas_that_come_late(done: Event) -> None:
    """A delta of a text that is complete already is not appended to it."""
    late = event("output_text.delta", content_index=0, delta="lo")
    merged = merge_events([CREATED, done, late])
    assert responses.parse_response(merged).text == "Hello"
    blank = event("output_item.done", item={"type": "message", "content": []})
    after = event("output_text.delta", content_index=0, delta="No")
    assert responses.parse_response(merge_events([blank, after])).text == "No"


@pytest.mark.parametrize(
    "given",
    [
        {"output": [{"type": "message", "content": "Hello"}]},
        {"output": "Hello"},
        {"output": [], "output_text": "Hello"},
    ],
)
def test_answers_as_plain_text(given: Event) -> None:
    """The text counts that a gateway gives in place of parts or of items."""
    assert responses.parse_response(given).text == "Hello"


@pytest.mark.parametrize(
    ("kind", "field"), [("reasoning", "content"), ("reasoning_summary", "summary")]
)
def test_earlier_names_of_reasoning(kind: str, field: str) -> None:
    """Reasoning under the names that its events had before is kept."""
    events = [event(f"{kind}.delta", delta={"text": text}) for text in ("H", "m")]
    (item,) = merge_events(events)["output"]
    assert [part["text"] for part in item[field]] == ["Hm"]


def test_long_responses_are_merged_in_linear_time() -> None:
    """Ten thousand items or annotations are put together, each looked at once."""
    count = 10_000
    note = event("output_text.annotation.added", content_index=0, annotation={"a": 1})
    (item,) = merge_events([note] * count)["output"]
    assert item["content"][0]["annotations"] == [{"a": 1}] * count
    done = [
        {
            **event("output_item.done", item={**SAID, "id": f"m{at}"}, item_id=None),
            "output_index": at,
        }
        for at in range(count)
    ]
    for kind in ("message", "other"):
        blank = [{"id": f"o{at}", "type": kind, "content": []} for at in range(count)]
        merged = merge_events([*done, response("completed", output=blank)])
        texts = [item["content"] for item in merged["output"] if item["content"]]
        assert texts == [[TEXT]] * count
