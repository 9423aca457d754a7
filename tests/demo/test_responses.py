"""The Responses API of the offline model, as the real client reads it."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel
from support.versions import needs_responses

from libretto_instrument.demo import OfflineModel

pytestmark = needs_responses

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"const": "Lisbon"}}},
    "strict": False,
}


class City(BaseModel):
    """A structured answer."""

    name: str
    people: float


def test_a_response(client: openai.OpenAI) -> None:
    """A response quotes the input, counts instructions and says what it is."""
    response = client.responses.create(
        model="any", input="Hello you", instructions="Be kind"
    )
    assert response.model == "offline-model"
    assert 'heard: "Hello you"' in response.output_text
    assert response.status == "completed"
    assert response.usage.input_tokens == 4


def test_a_stream_has_the_real_sequence_of_events(client: openai.OpenAI) -> None:
    """Events come numbered, in OpenAI's order, and add up to the response."""
    events = list(client.responses.create(model="any", input="Hi", stream=True))
    kinds = [event.type for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == [*range(len(events))]
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert events[-1].response.output_text == text
    assert deltas > 3


def test_a_function_call_whole_and_streamed(client: openai.OpenAI) -> None:
    """A function is called with arguments that the streamed deltas add up to."""
    request: dict[str, Any] = {"model": "any", "input": "Weather?", "tools": [WEATHER]}
    (call,) = client.responses.create(**request).output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"city": "Lisbon"}
    events = list(client.responses.create(**request, stream=True))
    name = "response.function_call_arguments"
    deltas = [event.delta for event in events if event.type == f"{name}.delta"]
    assert "".join(deltas) == call.arguments
    assert len(deltas) > 1
    assert events[-1].response.output[0].arguments == call.arguments


def test_a_function_result_is_not_answered_with_a_call(client: openai.OpenAI) -> None:
    """After a function's output the model speaks."""
    (call,) = client.responses.create(
        model="any", input="Weather?", tools=[WEATHER]
    ).output
    response = client.responses.create(
        model="any",
        tools=[WEATHER],
        input=[
            {"role": "user", "content": "Weather?"},
            call.model_dump(exclude_none=True),
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": "Sunny",
            },
        ],
    )
    assert 'heard: "Weather?"' in response.output_text


def test_a_built_in_tool_is_never_called(client: openai.OpenAI) -> None:
    """A tool that only OpenAI has is let be."""
    response = client.responses.create(
        model="any", input="News?", tools=[{"type": "web_search"}]
    )
    assert [item.type for item in response.output] == ["message"]


def test_structured_output(client: openai.OpenAI) -> None:
    """parse() and the stream() helper get a document of the caller's own model."""
    response = client.responses.parse(model="any", input="Where?", text_format=City)
    assert isinstance(response.output_parsed, City)
    with client.responses.stream(
        model="any", input="Where?", text_format=City
    ) as stream:
        stream.until_done()
        assert stream.get_final_response().output_parsed == response.output_parsed
    response = client.responses.create(
        model="any", input="Where?", text={"format": {"type": "json_object"}}
    )
    assert isinstance(json.loads(response.output_text), dict)


def test_a_refusal_and_a_limit(client: openai.OpenAI) -> None:
    """A refusal is a content part of its own; a cut response is incomplete."""
    response = client.responses.create(model="any", input="please refuse")
    assert response.output[0].content[0].type == "refusal"
    kinds = [
        event.type
        for event in client.responses.create(
            model="any", input="please refuse", stream=True
        )
    ]
    assert "response.refusal.delta" in kinds
    response = client.responses.create(model="any", input="Hi", max_output_tokens=2)
    assert response.status == "incomplete"
    assert response.output_text == "The offline"


def test_a_response_can_follow_another(client: openai.OpenAI) -> None:
    """A response repeats the id of the one before it."""
    response = client.responses.create(
        model="any", input="Two", previous_response_id="resp_1"
    )
    assert response.previous_response_id == "resp_1"


def test_a_response_that_fails_half_way(client: openai.OpenAI) -> None:
    """A broken response stream ends with the event that says so, numbered in order."""
    events = list(
        client.responses.create(model="offline-stream-error", input="Hi", stream=True)
    )
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    assert [event.sequence_number for event in events] == [*range(len(events))]


def test_the_azure_client(model: OfflineModel) -> None:
    """The Azure client's address of this API is answered, too."""
    with openai.AzureOpenAI(
        azure_endpoint=model.url, api_key="k", api_version="2024-10-21"
    ) as client:
        response = client.responses.create(model="deployed", input="Hello")
    assert response.model == "offline-model"


@pytest.mark.parametrize(
    ("given", "message"),
    [(None, "'input'"), ([1], r"input\[0\]"), ([], "minimum length 1")],
)
def test_a_wrong_request_is_refused(
    client: openai.OpenAI, given: Any, message: str
) -> None:
    """A request that OpenAI would refuse is a 400 that says why."""
    with pytest.raises(openai.BadRequestError, match=message):
        client.responses.create(model="any", input=given)
