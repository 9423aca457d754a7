"""The Responses API in the words of events: templates, answers, calls, errors."""

from asyncio import to_thread
from typing import Any

import openai
import pytest
from pydantic import BaseModel, ValidationError
from support.kept import Kept
from support.scripted import ScriptedModel
from support.versions import needs_responses

import libretto_instrument as libretto
from libretto_instrument import TemplateChat, TemplateText

from .bodies import metrics_of

pytestmark = needs_responses

USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 8,
}


def message(text: str = "tennis", kind: str = "output_text") -> dict[str, Any]:
    name = "refusal" if kind == "refusal" else "text"
    part = {"type": kind, name: text}
    if kind == "output_text":
        part |= {"annotations": []}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def function_call(name: str = "get_weather", at: int = 1) -> dict[str, Any]:
    return {
        "id": f"fc_{at}",
        "call_id": f"call_{at}",
        "type": "function_call",
        "status": "completed",
        "name": name,
        "arguments": '{"city":"Lisbon"}',
    }


def response(*output: Any, **fields: Any) -> dict[str, Any]:
    """Return a response, as the API writes it."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "gpt-test",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE,
        **fields,
    }


def events_of(whole: dict[str, Any], *between: dict[str, Any]) -> list[Any]:
    """Return a whole stream that ends in a response."""
    begun = {**whole, "output": [], "status": "in_progress", "usage": None}
    said = [
        {"type": "response.created", "response": begun},
        *between,
        {"type": f"response.{whole['status']}", "response": whole},
    ]
    return [{**event, "sequence_number": at} for at, event in enumerate(said)]


def delta(text: str, kind: str = "output_text", at: int = 0) -> dict[str, Any]:
    return {
        "type": f"response.{kind}.delta",
        "item_id": "item_1",
        "output_index": at,
        "content_index": 0,
        "delta": text,
        "logprobs": [],
    }


def test_instructions_and_input_become_the_template(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Instructions are the system message, a plain input is the user's; the rest of
    the request are parameters.
    """
    server.answer(response(message()))
    scripted.responses.create(
        model="gpt-test",
        instructions="Answer in one word.",
        input="Which sport?",
        previous_response_id="resp_0",
        temperature=0.5,
    )
    assert kept.event["promptTemplateChat"] == [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Which sport?"},
    ]
    assert kept.event["modelParameters"] == {
        "model": "gpt-test",
        "previous_response_id": "resp_0",
        "temperature": 0.5,
        "modelProvider": "openai",
        "modelType": "chat",
        "modelApi": "responses",
        "inputType": "text",
        "hasInstructions": True,
    }


def test_an_answer_is_its_text_usage_and_status(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """The output text is the response; usage is verbatim."""
    thought = {"id": "rs_1", "type": "reasoning", "summary": []}
    server.answer(response(thought, message("ten"), message("nis")))
    scripted.responses.create(model="gpt-test", input="Which sport?")
    assert kept.event["response"] == "tennis"
    assert metrics_of(kept.event) == {"usage": USAGE, "status": "completed"}
    assert kept.event["rawResponse"]["id"] == "resp_1"
    assert kept.event["rawResponse"]["output"][0]["type"] == "reasoning"
    assert "responseErrors" not in kept.event


def test_templates_as_input_and_instructions(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Template objects reach OpenAI rendered, and the event unfilled."""
    server.answer(response(message()), times=2)
    style = TemplateText("Answer in {language}.", {"language": "French"})
    chat = [{"role": "user", "content": "Which sport has {thing}?"}]
    scripted.responses.create(
        model="gpt-test",
        instructions=style,
        input=TemplateChat(chat, {"thing": "a net"}),
    )
    scripted.responses.create(
        model="gpt-test",
        instructions=style,
        input=TemplateText("Which sport has {thing}?", {"thing": "a net"}),
    )
    rendered, text = (request.json for request in server.requests)
    assert rendered["instructions"] == text["instructions"] == "Answer in French."
    assert rendered["input"][0]["content"] == text["input"] == "Which sport has a net?"
    for event in kept.events:
        assert event["promptTemplateChat"] == [
            {"role": "system", "content": "Answer in {language}."},
            {"role": "user", "content": "Which sport has {thing}?"},
        ]
        assert event["params"] == {"language": "French", "thing": "a net"}


def test_a_template_beside_plain_input(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A template in the scope stands for plain input."""
    server.answer(response(message()))
    chat = [{"role": "user", "content": "Which sport has {thing}?"}]
    with libretto.scope(template_chat=chat, template_params={"thing": "a net"}):
        scripted.responses.create(model="gpt-test", input="Which sport has a net?")
    assert kept.event["promptTemplateChat"] == chat
    assert kept.event["params"] == {"thing": "a net"}


def test_calls_of_functions_are_tool_calls(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Calls in parallel are tool calls in the form of chat completions."""
    custom = {
        "id": "ctc_1",
        "call_id": "call_3",
        "type": "custom_tool_call",
        "name": "run",
        "input": "ls",
    }
    server.answer(response(function_call(), function_call("get_time", 2), custom))
    tool = {"type": "function", "name": "get_weather", "parameters": {}, "strict": None}
    scripted.responses.create(model="gpt-test", input="Weather?", tools=[tool])
    assert kept.event["response"] == ""
    assert kept.event["tools"] == [tool]
    function = {"name": "get_weather", "arguments": '{"city":"Lisbon"}'}
    assert kept.event["toolCalls"] == [
        {"id": "call_1", "type": "function", "function": function},
        {
            "id": "call_2",
            "type": "function",
            "function": {**function, "name": "get_time"},
        },
        {"id": "call_3", "type": "custom", "custom": {"name": "run", "input": "ls"}},
    ]


def test_a_refusal_is_what_was_said(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A refusal is the response where there is no other text."""
    server.answer(response(message("I cannot.", "refusal")))
    scripted.responses.create(model="gpt-test", input="Pick a lock.")
    assert kept.event["response"] == "I cannot."


def test_a_failed_and_an_incomplete_response(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A failure that comes with status 200 is an error of the event; a response cut
    short says why.
    """
    error = {"code": "server_error", "message": "It broke."}
    server.answer(response(status="failed", error=error))
    cut = {"reason": "max_output_tokens"}
    server.answer(response(message("ten"), status="incomplete", incomplete_details=cut))
    for _ in range(2):
        scripted.responses.create(model="gpt-test", input="Which sport?")
    failed, incomplete = kept.events
    assert failed["responseErrors"] == ["server_error: It broke."]
    assert failed["responseMetrics"]["status"] == "failed"
    assert "response" not in failed
    assert incomplete["response"] == "ten"
    assert incomplete["responseMetrics"]["status"] == "incomplete"
    assert incomplete["responseMetrics"]["finish_reason"] == "max_output_tokens"


def test_a_stream_is_its_closing_response(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """The event of a stream is that of the response that closes it."""
    whole = response(message(), function_call())
    server.answer(whole)
    server.stream(*events_of(whole, delta("ten"), delta("nis")))
    scripted.responses.create(model="gpt-test", input="Which sport?")
    stream = scripted.responses.create(
        model="gpt-test", input="Which sport?", stream=True
    )
    assert [event.type for event in stream][-1] == "response.completed"
    plain, streamed = kept.events
    for name in ("response", "toolCalls", "promptTemplateChat"):
        assert streamed[name] == plain[name]
    assert streamed["responseMetrics"].pop("time_to_first_token") > 0
    assert streamed["responseMetrics"] == plain["responseMetrics"]
    assert streamed["rawResponse"]["output"] == whole["output"]


def test_a_stream_cut_short_keeps_what_came(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """Text and arguments that came before the connection broke are recorded."""
    opened = {"type": "response.output_item.added", "output_index": 1}
    call = {**function_call(), "arguments": "", "status": "in_progress"}
    said = events_of(
        response(),
        delta("ten"),
        delta("nis"),
        {**opened, "item": call},
        delta('{"city":', "function_call_arguments", 1),
    )[:-1]
    wire = server.wire()
    wire.send(*said)
    wire.cut()
    stream = scripted.responses.create(
        model="gpt-test", input="Which sport?", stream=True
    )
    for _ in said:
        next(stream)
    # openai 3 raises an error of its own where earlier ones let httpx's through.
    with pytest.raises(Exception, match=r"closed|Connection") as raised:
        next(stream)
    assert type(raised.value).__name__ in kept.event["responseErrors"][0]
    assert kept.event["response"] == "tennis"
    (made,) = kept.event["toolCalls"]
    assert made["function"] == {"name": "get_weather", "arguments": '{"city":'}
    assert kept.event["responseMetrics"]["stream_status"] == "failed"


def test_an_error_event_in_a_stream(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """An error that the stream brings as an event of its own is the event's error."""
    error = {
        "type": "error",
        "code": "server_error",
        "message": "It broke.",
        "param": None,
    }
    server.stream(*events_of(response(), delta("ten"))[:-1], error)
    stream = scripted.responses.create(
        model="gpt-test", input="Which sport?", stream=True
    )
    assert [event.type for event in stream][-1] == "error"
    assert kept.event["response"] == "ten"
    assert kept.event["responseErrors"] == ["server_error: It broke."]


class Sport(BaseModel):
    name: str


def test_parse_is_one_event(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """A parsed response is recorded once, with its schema."""
    server.answer(response(message('{"name":"tennis"}')))
    parsed = scripted.responses.parse(
        model="gpt-test", input="Which sport?", text_format=Sport
    )
    assert parsed.output_parsed == Sport(name="tennis")
    assert kept.event["response"] == '{"name":"tennis"}'
    assert kept.event["modelParameters"]["text_format"]["name"] == "Sport"
    assert libretto.feedback_key(parsed) == kept.event["feedbackKey"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_answer_that_does_not_fit_its_schema(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    ascripted: openai.AsyncOpenAI,
    kept: Kept,
    is_async: bool,
) -> None:
    """A billed answer that could not be parsed is recorded, error and all."""
    server.answer(response(message('{"name":')))
    asked: Any = {"model": "gpt-test", "input": "Which sport?", "text_format": Sport}
    client: Any = ascripted if is_async else scripted
    parsing = client.responses.parse if is_async else to_thread
    given = () if is_async else (client.responses.parse,)
    with pytest.raises(ValidationError):
        await parsing(*given, **asked)
    assert kept.event["response"] == '{"name":'
    assert kept.event["responseMetrics"]["usage"] == USAGE
    assert kept.event["responseErrors"][0].startswith("ValidationError")


def test_the_stream_helper_is_one_event(
    server: ScriptedModel, scripted: openai.OpenAI, kept: Kept
) -> None:
    """responses.stream() is recorded once, and its final response is its own."""
    item = message()
    added = {"type": "response.output_item.added", "output_index": 0}
    part = {"type": "response.content_part.added", "output_index": 0}
    server.stream(
        *events_of(
            response(item),
            {**added, "item": {**item, "content": [], "status": "in_progress"}},
            {
                **part,
                "item_id": "msg_1",
                "content_index": 0,
                "part": {"type": "output_text", "text": "", "annotations": []},
            },
            delta("tennis"),
        )
    )
    with scripted.responses.stream(model="gpt-test", input="Which sport?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == kept.event["response"] == "tennis"
    assert kinds[-1] == "response.completed"
    assert "stream_status" not in kept.event["responseMetrics"]
