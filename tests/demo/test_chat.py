"""Chat completions of the offline model, as the real client reads them."""

import json
from collections import defaultdict
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from support.versions import needs_parse

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "examples": ["Lisbon"]}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


class Person(BaseModel):
    """A structured answer that refers to itself."""

    name: str
    age: int
    tags: list[str]
    boss: "Person | None"


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_an_answer_says_what_it_is_and_counts_its_words(client: openai.OpenAI) -> None:
    """A completion names the offline model, quotes the user and carries usage."""
    completion = client.chat.completions.create(model="any", messages=ask("Hello you"))
    (choice,) = completion.choices
    assert completion.model == "offline-model"
    assert completion.system_fingerprint == "fp_offline"
    assert 'heard: "Hello you"' in choice.message.content
    assert choice.finish_reason == "stop"
    assert completion.usage.prompt_tokens == 2
    assert completion.usage.completion_tokens == len(choice.message.content.split())


def test_the_same_request_gets_the_same_answer(client: openai.OpenAI) -> None:
    """An answer follows from the request alone, its ids included."""
    first, again, other = (
        client.chat.completions.create(model="any", messages=ask(text))
        for text in ("Hello", "Hello", "Goodbye")
    )
    assert first == again
    assert first.id != other.id


def test_a_stream_adds_up_to_the_answer(client: openai.OpenAI) -> None:
    """The chunks of each of several choices come interleaved and add up to its text."""
    request: dict[str, Any] = {"model": "any", "messages": ask("Hello you"), "n": 2}
    whole = client.chat.completions.create(**request)
    said: dict[int, str] = defaultdict(str)
    order, ends, usage = [], {}, []
    for chunk in client.chat.completions.create(
        **request, stream=True, stream_options={"include_usage": True}
    ):
        usage.append(chunk.usage)
        for choice in chunk.choices:
            order.append(choice.index)
            said[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason
    assert [said[0], said[1]] == [c.message.content for c in whole.choices]
    assert order[:4] == [0, 1, 0, 1]
    assert ends == {0: "stop", 1: "stop"}
    assert usage[-1] == whole.usage
    assert not any(usage[:-1])


def test_a_stream_has_usage_only_when_asked_for(client: openai.OpenAI) -> None:
    """Without include_usage, no chunk has an empty list of choices."""
    stream = client.chat.completions.create(model="a", messages=ask("a"), stream=True)
    assert all(chunk.choices and chunk.usage is None for chunk in stream)


def test_the_first_tool_is_called(client: openai.OpenAI) -> None:
    """Tools get the first called with arguments made from its schema."""
    completion = client.chat.completions.create(
        model="any", messages=ask("Weather?"), tools=[WEATHER, TIME]
    )
    (choice,) = completion.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Lisbon"}


def test_the_tool_chosen_is_called(client: openai.OpenAI) -> None:
    """A tool_choice names the tool to call; one that is not there is refused."""
    request: dict[str, Any] = {
        "model": "any",
        "messages": ask("Now?"),
        "tools": [WEATHER, TIME],
    }
    choice = {"type": "function", "function": {"name": "get_time"}}
    completion = client.chat.completions.create(**request, tool_choice=choice)
    assert completion.choices[0].message.tool_calls[0].function.name == "get_time"
    choice["function"] = {"name": "get_lost"}
    with pytest.raises(openai.BadRequestError, match="'get_lost' not found"):
        client.chat.completions.create(**request, tool_choice=choice)


@pytest.mark.parametrize("choice", ["none", "answered"])
def test_a_tool_is_not_called(client: openai.OpenAI, choice: str) -> None:
    """Neither with tool_choice none nor after a tool's result is a tool called."""
    messages: list[Any] = ask("Weather?")
    options = {}
    if choice == "none":
        options["tool_choice"] = "none"
    else:
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": "Sunny"})
    completion = client.chat.completions.create(
        model="any", messages=messages, tools=[WEATHER], **options
    )
    assert completion.choices[0].message.tool_calls is None
    assert 'heard: "Weather?"' in completion.choices[0].message.content


@pytest.mark.parametrize("tools", [[WEATHER, TIME], [WEATHER]])
def test_tools_in_parallel_are_streamed_in_fragments(
    client: openai.OpenAI, tools: list[Any]
) -> None:
    """Streamed calls, two when asked for in parallel, add up to those of the answer."""
    request: dict[str, Any] = {
        "model": "any",
        "messages": ask("Both in parallel"),
        "tools": tools,
    }
    whole = client.chat.completions.create(**request).choices[0].message.tool_calls
    assert len(whole) == 2
    ids: dict[int, str] = {}
    names: dict[int, str] = {}
    arguments: dict[int, list[str]] = defaultdict(list)
    for chunk in client.chat.completions.create(**request, stream=True):
        for delta in chunk.choices[0].delta.tool_calls or ():
            if delta.id:
                ids[delta.index] = delta.id
                names[delta.index] = delta.function.name
            arguments[delta.index].append(delta.function.arguments)
    assert len(set(ids.values())) == 2
    assert len(arguments[0]) > 2
    assert [(names[at], "".join(arguments[at])) for at in names] == [
        (call.function.name, call.function.arguments) for call in whole
    ]


@needs_parse
def test_parse_and_the_stream_helper(client: openai.OpenAI) -> None:
    """A structured answer passes the caller's own model, by parse() and by stream()."""
    request: dict[str, Any] = {
        "model": "any",
        "messages": ask("Who?"),
        "response_format": Person,
    }
    parsed = client.chat.completions.parse(**request).choices[0].message.parsed
    assert isinstance(parsed, Person)
    with client.chat.completions.stream(**request) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert final.choices[0].message.parsed == parsed


def test_a_json_object(client: openai.OpenAI) -> None:
    """The json_object format is answered with a JSON object."""
    completion = client.chat.completions.create(
        model="any", messages=ask("JSON"), response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(completion.choices[0].message.content), dict)


def test_a_refusal(client: openai.OpenAI) -> None:
    """A refusal stands in its own field, whole and streamed."""
    request: dict[str, Any] = {"model": "any", "messages": ask("Now please refuse")}
    message = client.chat.completions.create(**request).choices[0].message
    assert message.content is None
    streamed = "".join(
        chunk.choices[0].delta.refusal or ""
        for chunk in client.chat.completions.create(**request, stream=True)
    )
    assert streamed == message.refusal != ""


def test_the_limit_cuts_the_answer(client: openai.OpenAI) -> None:
    """An answer is cut at the caller's limit and says so."""
    (choice,) = client.chat.completions.create(
        model="any", messages=ask("Hello"), max_completion_tokens=3
    ).choices
    assert choice.message.content == "The offline model"
    assert choice.finish_reason == "length"


def test_content_parts_are_read(client: openai.OpenAI) -> None:
    """The text of content parts is what the user said; other parts are let be."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    content: list[Any] = [{"type": "text", "text": "Look here"}, image]
    completion = client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": content}]
    )
    assert 'heard: "Look here"' in completion.choices[0].message.content


def test_a_long_prompt_is_quoted_in_part(client: openai.OpenAI) -> None:
    """Of a long prompt only the first words are quoted."""
    completion = client.chat.completions.create(model="a", messages=ask("word " * 99))
    assert completion.choices[0].message.content.endswith('word …"')
