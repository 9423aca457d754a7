"""Complete bodies, as a real server receives them."""

from typing import Any

import openai
import pytest
from support.answers import (
    MESSAGES,
    USAGE,
    completion,
    text_completion,
)
from support.backend import Backend
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument import TemplateChat, TemplateText, _capture

from .bodies import UUID4, ask, body, chat, dumped, received


@pytest.fixture(autouse=True)
def _installed(backend: Backend) -> None:
    libretto.install(api_key="key-1", prompt_template_name="sport")


def test_a_chat(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A chat from a template, with everything that can be set for one call."""
    server.answer(completion("tennis"))
    messages = TemplateChat(
        [
            {"role": "system", "content": "Reply as {persona}."},
            {"role": "chat_history", "content": "{history}"},
            {"role": "ai", "content": "Yes?"},
            {"role": "user", "content": 'Which {thing}? {"json": true}'},
        ],
        {"persona": "a poet", "thing": "sport", "history": MESSAGES},
    )
    answer = ask(
        scripted,
        messages=messages,
        temperature=0.5,
        stop=None,
        seed=openai.NOT_GIVEN,
        libretto={
            "prompt_template_name": "poets",
            "chat_id": "chat-1",
            "chain_id": "chain-1",
            "template_params": {"more": [1, None]},
            "context": {"user": "u1"},
        },
    )
    assert received(backend) == [
        body(
            apiName="poets",
            promptTemplateName="poets",
            promptTemplateChat=messages.template,
            params={
                "persona": "a poet",
                "thing": "sport",
                "history": MESSAGES,
                "more": [1, None],
            },
            modelParameters=chat(temperature=0.5, stop=None),
            response="tennis",
            rawResponse=dumped(answer),
            responseMetrics={"usage": USAGE, "finish_reason": "stop"},
            chatId="chat-1",
            chainId="chain-1",
            context={"user": "u1"},
        )
    ]


def test_the_ids_of_the_caller(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """An event has the ids that the caller gives, and the keys of the call."""
    server.answer(completion())
    answer = ask(
        scripted,
        libretto={
            "event_id": "event-1",
            "feedback_key": "feedback-1",
            "api_key": "key-2",
            "project_key": "project-1",
        },
    )
    assert libretto.flush()
    (event,) = backend.events
    assert event["promptEventId"] == "event-1"
    assert event["feedbackKey"] == "feedback-1"
    assert event["apiKey"] == "key-2"
    assert event["projectKey"] == "project-1"
    assert libretto.feedback_key(answer) == "feedback-1"


def test_an_unnamed_prompt(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """Where unnamed prompts are allowed the server is asked for a name, by null."""
    libretto.install(api_key="key-1", allow_unnamed_prompts=True)
    server.answer(completion())
    answer = ask(scripted)
    expected = body(
        apiName=None,
        response="tennis",
        rawResponse=dumped(answer),
        responseMetrics={"usage": USAGE, "finish_reason": "stop"},
    )
    del expected["promptTemplateName"]
    assert received(backend) == [expected]


def test_a_text_completion(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A text completion from a template."""
    server.answer(text_completion("tennis"))
    create: Any = scripted.completions.create
    prompt = TemplateText("Which {thing}?", {"thing": "sport"})
    answer = create(model="gpt-test-instruct", prompt=prompt, max_tokens=5)
    expected = body(
        promptTemplateText="Which {thing}?",
        params={"thing": "sport"},
        modelParameters={
            "model": "gpt-test-instruct",
            "max_tokens": 5,
            "modelProvider": "openai",
            "modelType": "completion",
        },
        response="tennis",
        rawResponse=dumped(answer),
        responseMetrics={"usage": USAGE, "finish_reason": "stop"},
    )
    del expected["promptTemplateChat"]
    assert received(backend) == [expected]


def test_an_error(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A failed call is recorded with its error and without a response."""
    server.answer({"error": {"message": "no such model"}}, status=404)
    with pytest.raises(openai.NotFoundError) as caught:
        ask(scripted)
    assert received(backend) == [
        body(responseErrors=[f"NotFoundError: {caught.value}"])
    ]


async def test_an_async_call(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, backend: Backend
) -> None:
    """An async call is recorded as a sync one is."""
    server.answer(completion("tennis"))
    answer = await ascripted.chat.completions.create(
        model="gpt-test", messages=MESSAGES
    )
    assert received(backend) == [
        body(
            response="tennis",
            rawResponse=dumped(answer),
            responseMetrics={"usage": USAGE, "finish_reason": "stop"},
        )
    ]


def test_a_chain(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """A chain's calls share its id, and its result is reported under it."""
    server.answer(completion("tennis"), times=2)
    with libretto.chain() as chain:
        answers = [ask(scripted), ask(scripted)]
        chain.result = {"sport": "tennis"}
    assert UUID4.fullmatch(chain.id)
    assert received(backend, 2) == [
        body(
            response="tennis",
            rawResponse=dumped(answer),
            responseMetrics={"usage": USAGE, "finish_reason": "stop"},
            chainId=chain.id,
        )
        for answer in answers
    ]
    assert backend.stored("chain") == [
        {"id": chain.id, "apiKey": "key-1", "result": {"sport": "tennis"}}
    ]


def test_feedback(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """Feedback names the key that the event had."""
    server.answer(completion())
    answer = ask(scripted)
    key = answer.model_extra["libretto_feedback_key"]
    libretto.send_feedback(key, rating=0.25, better_response="football")
    libretto.send_feedback(key, is_deleted=True)
    assert libretto.flush()
    assert backend.events[0]["feedbackKey"] == key
    assert backend.stored("feedback") == [
        {
            "feedback_key": key,
            "apiKey": "key-1",
            "rating": 0.25,
            "better_response": "football",
        },
        {"feedback_key": key, "apiKey": "key-1", "is_deleted": True},
    ]


def test_what_a_request_to_libretto_looks_like(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """Each event is one POST of JSON to the contract's address."""
    server.answer(completion())
    ask(scripted)
    assert libretto.flush()
    (request,) = backend.received
    assert request.path == "/event"
    assert request.headers["content-type"] == "application/json"
    assert "sk-test" not in request.body.decode()


def test_uninstalling_delivers_what_was_recorded(
    server: ScriptedModel, scripted: openai.OpenAI, backend: Backend
) -> None:
    """What was recorded before uninstall() arrives; what comes later is not told."""
    server.answer(completion(), times=2)
    ask(scripted)
    libretto.uninstall()
    assert not _capture.is_patched()
    ask(scripted)
    assert libretto.flush()
    assert len(backend.events) == 1
