"""What a call looks like to an OTLP receiver."""

import json
from hashlib import sha256
from typing import Any

import openai
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.otlp import attributes
from support.versions import needs_responses

import libretto_instrument as libretto
from libretto_instrument.exporters import ExportRecord

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
#: Attributes that hold what was asked or answered.
CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
    "gen_ai.prompt.variable.name",
    "gen_ai.evaluation.explanation",
)


def text(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}], **more}


def test_a_call(client, reported, send, receiver) -> None:
    """A call is a client span named after operation and model, from its start to its
    end, with the conventions' attributes and Libretto's own."""
    messages = libretto.TemplateChat(
        [{"role": "user", "content": "Hi, I am {name}"}], {"name": "Ann"}
    )
    with reported(prompt_template_name="greeting", chat_id="chat 7") as reports:
        completion = client.chat.completions.create(
            model="gpt-5.4-mini",
            messages=messages,
            temperature=0,
            top_p=0.5,
            max_tokens=40,
            frequency_penalty=0.25,
            presence_penalty=1,
            seed=7,
            stop="END",
            response_format={"type": "text"},
        )
    send(reports)
    (span,), event = receiver.spans, reports[0].body
    assert span.name == "chat gpt-5.4-mini"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert span.end_time_unix_nano == pytest.approx(
        reports[0].timestamp * 1e9, abs=1000
    )
    took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    assert took == pytest.approx(event["responseTime"], abs=0.001)
    assert not span.parent_span_id
    template = json.dumps(event["promptTemplateChat"], sort_keys=True)
    version = sha256(template.encode()).hexdigest()
    assert attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.response.model": "offline-model",
        "gen_ai.response.id": completion.id,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 40,
        "gen_ai.request.frequency_penalty": 0.25,
        "gen_ai.request.presence_penalty": 1.0,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.output.type": "text",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
        "gen_ai.conversation.id": "chat 7",
        "gen_ai.prompt.name": "greeting",
        "gen_ai.prompt.version": version,
        "openai.api.type": "chat_completions",
        "server.address": "127.0.0.1",
        "server.port": client.base_url.port,
        "openai.response.system_fingerprint": completion.system_fingerprint,
        "libretto.prompt_template_name": "greeting",
        "libretto.template_hash": version,
        "libretto.chat_id": "chat 7",
        "libretto.event_id": event["promptEventId"],
        "libretto.feedback_key": event["feedbackKey"],
    }


def test_content(client, reported, send, receiver) -> None:
    """With content=True a span says what was asked, the template filled in, what was
    answered, and which tools there were."""
    messages = libretto.TemplateChat(
        [
            {"role": "system", "content": 'You say {"json": true}.'},
            {"role": "chat_history", "content": "{talk.past}"},
            {"role": "user", "content": "Weather in {name}?"},
        ],
        {
            "name": "Lisbon",
            "talk": {"past": [{"role": "ai", "content": "Ask {me}.", "name": "Ada"}]},
        },
    )
    with reported() as reports:
        client.chat.completions.create(
            model="gpt-5.4-mini", messages=messages, tools=[WEATHER]
        )
    send(reports, content=True)
    said = attributes(receiver.spans[0])
    assert json.loads(said["gen_ai.input.messages"]) == [
        text("system", 'You say {"json": true}.'),
        text("assistant", "Ask {me}.", name="Ada"),
        text("user", "Weather in Lisbon?"),
    ]
    (answer,) = json.loads(said["gen_ai.output.messages"])
    (call,) = reports[0].body["toolCalls"]
    assert answer == {
        "role": "assistant",
        "parts": [
            {
                "type": "tool_call",
                "id": call["id"],
                "name": "get_weather",
                "arguments": json.loads(call["function"]["arguments"]),
            }
        ],
        "finish_reason": "tool_calls",
    }
    (tool,) = json.loads(said["gen_ai.tool.definitions"])
    assert tool == {"type": "function", **WEATHER["function"]}
    assert said["gen_ai.prompt.variable.name"] == "Lisbon"


def test_no_content_unless_asked(client, reported, send, receiver) -> None:
    """Unless asked, nothing that was said is sent: not by a call, its tools or its
    error, not by feedback, not by a chain."""
    secret = "Rumpelstiltskin"
    messages = libretto.TemplateChat(
        [{"role": "user", "content": "My name is {name}"}], {"name": secret}
    )
    tool = {**WEATHER, "function": {**WEATHER["function"], "description": secret}}
    with reported() as reports, libretto.chain() as chain:
        answer = client.chat.completions.create(
            model="any", messages=messages, tools=[tool]
        )
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=f"no-such-model-{secret}", messages=[])
        libretto.send_feedback(libretto.feedback_key(answer), better_response=secret)
        chain.result = {"name": secret}
    assert all(secret in str(report.body) for report in reports)
    # The model's name is told; it is the error that must not be.
    reports[1].body["modelParameters"]["model"] = "any"
    send(reports)
    assert len(receiver.spans) == 3
    assert len(receiver.logs) == 1
    assert all(secret.encode() not in request.body for request in receiver.received)
    assert not any(
        name in attributes(told)
        for told in (*receiver.spans, *receiver.logs)
        for name in CONTENT
    )


def test_tool_answers(client, reported, send, receiver) -> None:
    """The answers of tools, and the calls that they answer, are parts of messages."""
    arguments = '{"city": "Lisbon"}'
    function = {"name": "get_weather", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function}
    with reported() as reports:
        client.chat.completions.create(
            model="any",
            messages=[
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
            ],
        )
    send(reports, content=True)
    asked = json.loads(attributes(receiver.spans[0])["gen_ai.input.messages"])
    (called,), (answered,) = (message["parts"] for message in asked)
    assert called["arguments"] == {"city": "Lisbon"}
    assert answered == {
        "type": "tool_call_response",
        "id": called["id"],
        "response": "Sunny",
    }


def test_a_text_completion(client, reported, send, receiver) -> None:
    """A text completion has an operation of its own; its prompt is a message."""
    prompt = libretto.TemplateText("A slogan for {name}:", {"name": "tea"})
    with reported() as reports:
        answer = client.completions.create(model="davinci", prompt=prompt, n=2)
    send(reports, content=True)
    (span,) = receiver.spans
    said = attributes(span)
    assert span.name == "text_completion davinci"
    assert said["gen_ai.operation.name"] == "text_completion"
    assert said["gen_ai.request.choice.count"] == 2
    assert said["gen_ai.response.finish_reasons"] == ["stop", "stop"]
    assert "openai.api.type" not in said
    assert json.loads(said["gen_ai.input.messages"]) == [
        text("user", "A slogan for tea:")
    ]
    assert json.loads(said["gen_ai.output.messages"]) == [
        text("assistant", choice.text, finish_reason="stop")
        for choice in answer.choices
    ]


@needs_responses
def test_a_response(client, reported, send, receiver) -> None:
    """A call of the Responses API is a chat; its items are parts of messages."""
    with reported() as reports:
        first = client.responses.create(model="any", input="Hi", max_output_tokens=50)
        answer = client.responses.create(
            model="any",
            instructions="Be kind.",
            input=[
                {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
                {
                    "type": "function_call",
                    "call_id": "call_1",
                    "name": "look",
                    "arguments": "{}",
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "Dark"},
            ],
            previous_response_id=first.id,
        )
    send(reports, content=True)
    before, said = map(attributes, receiver.spans)
    assert before["gen_ai.request.max_tokens"] == 50
    assert said["openai.api.type"] == "responses"
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.request.previous_response.id"] == first.id
    assert said["gen_ai.response.id"] == answer.id
    assert said["gen_ai.response.finish_reasons"] == ["stop"]
    assert said["gen_ai.usage.input_tokens"] == answer.usage.input_tokens
    assert said["gen_ai.usage.output_tokens"] == answer.usage.output_tokens
    assert json.loads(said["gen_ai.input.messages"]) == [
        text("system", "Be kind."),
        text("user", "Hello"),
        {
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {}}
            ],
        },
        {
            "role": "tool",
            "parts": [
                {"type": "tool_call_response", "id": "call_1", "response": "Dark"}
            ],
        },
    ]
    assert json.loads(said["gen_ai.output.messages"]) == [
        text("assistant", answer.output_text, finish_reason="stop")
    ]


def test_a_stream(ask, reported, send, receiver) -> None:
    """A streamed call says so, when its first chunk came, and what all of it said."""
    with reported() as reports:
        options = {"include_usage": True}
        for _ in ask("Tell me", stream=True, stream_options=options):
            pass
    send(reports, content=True)
    said = attributes(receiver.spans[0])
    assert said["gen_ai.request.stream"] is True
    first = reports[0].body["responseMetrics"]["time_to_first_token"]
    assert said["gen_ai.response.time_to_first_chunk"] == first / 1000
    assert said["gen_ai.usage.output_tokens"] > 0
    (answer,) = json.loads(said["gen_ai.output.messages"])
    assert answer["parts"][0]["content"] == reports[0].body["response"]


def test_a_stream_that_was_left(ask, reported, send, receiver) -> None:
    """A stream that was not read to its end says how it ended, and that the reason for
    the end never came."""
    with reported() as reports, ask("Tell me a long story", stream=True) as stream:
        next(iter(stream))
    send(reports)
    said = attributes(receiver.spans[0])
    assert said["gen_ai.response.finish_reasons"] == ["error"]
    assert said["libretto.stream_status"]


@pytest.mark.parametrize("content", [False, True])
def test_a_failed_call(ask, reported, send, receiver, content: bool) -> None:
    """A failed call's span has the status of an error, and its class; the message only
    with content=True, as it may quote the prompt."""
    with reported() as reports, pytest.raises(openai.RateLimitError) as caught:
        ask(model="offline-error-429")
    send(reports, content=content)
    (span,) = receiver.spans
    assert span.status.code == Status.STATUS_CODE_ERROR
    message = f"RateLimitError: {caught.value}" if content else "RateLimitError"
    assert span.status.message == message
    said = attributes(span)
    assert said["error.type"] == "RateLimitError"
    assert "gen_ai.response.model" not in said
    assert "gen_ai.output.messages" not in said


def test_redacted_stays_redacted(client, reported, send, receiver) -> None:
    """What redact_pii took out of an event is in nothing that is exported."""
    with reported(redact_pii=True) as reports:
        client.chat.completions.create(
            model="any",
            messages=libretto.TemplateChat(
                [{"role": "user", "content": "I am {name}, write to me"}],
                {"name": "ann.example@example.com"},
            ),
        )
    send(reports, content=True)
    assert receiver.spans
    assert all(b"ann.example" not in request.body for request in receiver.received)
    assert "<EMAIL" in attributes(receiver.spans[0])["gen_ai.input.messages"]


WHOLE = {
    "promptEventId": "id",
    "feedbackKey": "key",
    "modelParameters": {"model": "m", "modelType": "chat"},
    "params": {},
    "responseTime": 1.0,
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"modelParameters": None},
        {"modelParameters": {"model": 7, "seed": 2**70, "stop": [1, "a"], "n": "x"}},
        {"modelParameters": {"model": "half \ud800", "temperature": float("nan")}},
        {"params": ["no mapping"], "promptTemplateChat": ["text", None, {"role": 3}]},
        {"promptTemplateChat": "text", "rawResponse": "<REDACTION_FAILED>"},
        {"promptTemplateChat": [{"role": "user", "content": [None, 1, {"a": 1}]}]},
        {"promptTemplateChat": [{"role": "chat_history", "content": "{h}"}]},
        {
            "promptTemplateChat": [{"role": "chat_history", "content": "{h}"}],
            "params": {"h": "<REDACTION_FAILED>"},
        },
        {"promptTemplateChat": [{"type": "reasoning", "summary": [{"text": 1}]}]},
        {"promptTemplateText": "{a} {b}", "params": {"a": "\udfff"}},
        {"rawResponse": {"choices": [None, {"message": None}, {"message": {}}]}},
        {"rawResponse": {"output": [{}, {"type": "message", "content": None}]}},
        {"responseTime": "soon", "responseErrors": [None, 7], "toolCalls": [1, {}]},
        {"responseTime": float("inf"), "responseErrors": "no list"},
        {"responseTime": 10**400, "modelParameters": {"temperature": 10**400}},
        {"responseMetrics": {"usage": {"prompt_tokens": 10**400, "output_tokens": -1}}},
        {"responseMetrics": {"usage": [1], "time_to_first_token": "x"}},
        {"responseMetrics": {"usage": {"prompt_tokens": "3"}}, "tools": [None, 1, {}]},
        {"context": {"trace_id": "x" * 32, "span_id": 7}, "chainId": ["a"]},
        {"context": "none", "chainId": "no uuid", "feedbackKey": None, "chatId": 7},
    ],
)
def test_bodies_of_any_shape(send, receiver, changed: dict[str, Any]) -> None:
    """Whatever a hook or redaction left of an event, a span of it is sent."""
    body = {**WHOLE, **changed}
    send([ExportRecord("event", "id", body, 1.7e9)], content=True)
    assert len(receiver.spans) == 1
    assert receiver.metrics


def test_whose_calls(ask, reported, send, receiver, monkeypatch) -> None:
    """The standard variables say whose calls they are."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with reported() as reports:
        ask()
    send(reports)
    told = attributes(receiver.resources[0])
    assert told["service.name"] == "shop"
    assert told["deployment.environment.name"] == "test"
