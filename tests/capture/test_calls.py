"""Plain calls, sync and async: what the caller gets, and what is recorded."""

from typing import Any

import openai
import pytest
from openai.resources.chat.completions import Completions
from openai.types.chat import ChatCompletion
from support.answers import (
    MESSAGES,
    chunks,
    completion,
    text_completion,
)
from support.kept import Kept
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument import TemplateChat, TemplateText, _capture
from libretto_instrument.testing import CapturedEvents

KEY = "libretto_feedback_key"


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what openai's own ``create`` returned or raised, inside our wrapper."""
    seen: list[Any] = []
    original = Completions.create

    def create(self: Any, **kwargs: Any) -> Any:
        try:
            seen.append(original(self, **kwargs))
        except BaseException as exc:
            seen.append(exc)
            raise
        return seen[-1]

    monkeypatch.setattr(Completions, "create", create)
    return seen


def ask(client: openai.OpenAI, **more: Any) -> Any:
    """Ask the usual question."""
    return client.chat.completions.create(model="gpt-test", messages=MESSAGES, **more)


async def ask_async(client: openai.AsyncOpenAI, **more: Any) -> Any:
    """Ask the usual question."""
    return await client.chat.completions.create(
        model="gpt-test", messages=MESSAGES, **more
    )


# What the caller gets


def test_the_very_object_comes_back(
    returned: list[Any], kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The caller gets the object that openai returned."""
    server.answer(completion("tennis"))
    answer = ask(scripted)
    assert answer is returned[0]
    assert type(answer) is ChatCompletion
    assert len(kept.calls) == 1


def test_a_response_differs_by_its_key_alone(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A recorded response equals a bare one but for the feedback key."""
    server.answer(completion("tennis"), times=2)
    bare = ask(scripted)
    recorder = Kept()
    _capture.patch(recorder)
    recorded = ask(scripted)
    assert recorded.model_extra == {
        **bare.model_extra,
        KEY: recorder.calls[0].feedback_key,
    }
    recorded.model_extra.pop(KEY)
    assert recorded == bare
    assert recorded.usage == bare.usage
    assert type(recorded.usage) is type(bare.usage)
    assert recorded.model_dump_json() == bare.model_dump_json()


def test_no_annotation_leaves_the_response_alone(
    events: CapturedEvents, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """With annotate_responses=False the response is as openai made it."""
    server.answer(completion("tennis"))
    with libretto.scope(annotate_responses=False):
        answer = ask(scripted)
    assert answer.model_extra == {}
    assert libretto.feedback_key(answer) == events[0]["feedbackKey"]


def test_the_very_exception_comes_back(
    returned: list[Any], kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A failed call raises the exception that openai raised, and is reported."""
    server.answer({"error": {"message": "no such model", "code": "x"}}, status=404)
    with pytest.raises(openai.NotFoundError) as caught:
        ask(scripted)
    assert caught.value is returned[0]
    assert kept.event["responseErrors"] == [f"NotFoundError: {caught.value}"]
    assert "response" not in kept.event
    assert "rawResponse" not in kept.event


async def test_the_very_exception_comes_back_async(
    kept: Kept, server: ScriptedModel, ascripted: openai.AsyncOpenAI
) -> None:
    """A failed async call raises what openai raises, and is reported."""
    server.answer({"error": {"message": "slow down"}}, status=429)
    with pytest.raises(openai.RateLimitError) as caught:
        await ask_async(ascripted)
    assert kept.event["responseErrors"] == [f"RateLimitError: {caught.value}"]


def test_no_connection_is_reported(kept: Kept) -> None:
    """A call that never reached the model is an event with its error."""
    client = openai.OpenAI(
        api_key="sk-test", base_url="http://127.0.0.1:9/v1", max_retries=0
    )
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    client.close()
    assert kept.event["responseErrors"] == ["APIConnectionError: Connection error."]


def test_a_wrong_argument_is_openais_to_refuse(
    kept: Kept, scripted: openai.OpenAI
) -> None:
    """A call that openai refuses to make raises openai's own TypeError."""
    with pytest.raises(TypeError, match="Missing required arguments"):
        scripted.chat.completions.create(model="gpt-test")  # type: ignore[call-overload]
    assert len(kept.calls) == 1


def test_plain_text_is_handed_on(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """What a gateway answers in plain text comes back as text, and is recorded."""
    server.answer(b"all lines are busy")
    assert ask(scripted) == "all lines are busy"
    assert kept.event["response"] == "all lines are busy"


@pytest.mark.parametrize(
    "choices",
    [None, [], [None], "none", [{}], [{"index": 0, "message": None}], {"0": {}}],
)
def test_odd_choices_are_recorded_as_they_came(
    choices: Any, kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """An answer with no usable choice is handed on and recorded."""
    body = {**completion(), "choices": choices, "error": {"message": "filtered"}}
    server.answer(body, times=2)
    recorded = ask(scripted)
    _capture.unpatch()
    bare = ask(scripted)
    recorded.model_extra.pop(KEY)
    assert recorded == bare
    assert kept.event["rawResponse"] == body
    assert "response" not in kept.event


# What is sent


REQUESTS: list[dict[str, Any]] = [
    {},
    {"stream": True},
    {"stream": True, "stream_options": {"include_usage": True}},
    {"temperature": 0.5, "stop": ["\n"], "metadata": {"a": "b"}, "user": "ü"},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    {"functions": [{"name": "f", "parameters": {}}], "function_call": "auto"},
    {"n": 2, "extra_body": {"gateway": {"x": 1}}, "seed": openai.NOT_GIVEN},
]


@pytest.mark.parametrize("more", REQUESTS, ids=lambda more: ",".join(more) or "plain")
def test_the_body_is_the_bare_clients(
    more: dict[str, Any], server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The HTTP body is byte for byte what a bare client sends."""
    streams = "stream" in more
    for _ in range(2):
        server.stream(*chunks("a")) if streams else server.answer(completion())
    ask(scripted, **more)
    _capture.patch(Kept())
    ask(scripted, **more)
    bare, recorded = (request.body for request in server.requests)
    assert recorded == bare


def test_templates_reach_openai_rendered(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Template objects send the bytes that their rendered messages would send."""
    server.answer(completion(), times=2)
    template = TemplateChat(
        [
            {"role": "system", "content": "You know {topic}."},
            {"role": "chat_history", "content": "{history}"},
            {"role": "ai", "content": 'JSON: {"ok": true}'},
            {"role": "user", "content": [{"type": "text", "text": "Which {topic}?"}]},
        ],
        {"topic": "sport", "history": [{"role": "user", "content": "Hi"}]},
    )
    rendered: list[Any] = [
        {"role": "system", "content": "You know sport."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": 'JSON: {"ok": true}'},
        {"role": "user", "content": [{"type": "text", "text": "Which sport?"}]},
    ]
    create = scripted.chat.completions.create
    create(model="gpt-test", messages=template)
    _capture.unpatch()
    create(model="gpt-test", messages=rendered)
    assert server.requests[0].body == server.requests[1].body
    assert kept.event["promptTemplateChat"] == template.template
    assert kept.event["params"] == template.params


def test_a_text_template_reaches_openai_rendered(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A template of text, and libretto=, leave the body as the plain prompt's."""
    server.answer(text_completion("tennis"), times=2)
    create = scripted.completions.create
    prompt = TemplateText("Which {topic}?", {"topic": "sport"})
    create(
        model="gpt-test",
        prompt=prompt,
        libretto={"prompt_template_name": "n"},  # type: ignore[call-overload]
    )
    _capture.unpatch()
    create(model="gpt-test", prompt="Which sport?")
    assert server.requests[0].body == server.requests[1].body
    assert kept.event["promptTemplateText"] == "Which {topic}?"
    assert kept.event["params"] == {"topic": "sport"}
    assert kept.event["promptTemplateName"] == "n"


@pytest.mark.parametrize("place", ["libretto", "scope"])
def test_a_template_chat_beside_the_call(
    place: str, kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A template object given beside the messages is recorded unfilled, with params."""
    server.answer(completion())
    template = TemplateChat([{"role": "user", "content": "Which {x}?"}], {"x": "sport"})
    beside: Any = {
        "template_chat": template,
        "template_params": {"x": "not sport", "more": "kept"},
    }
    if place == "scope":
        with libretto.scope(**beside):
            ask(scripted)
    else:
        ask(scripted, libretto=beside)
    assert kept.event["promptTemplateChat"] == template.template
    assert kept.event["params"] == {"x": "sport", "more": "kept"}


def test_an_edited_template_chat(
    kept: Kept, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A message put before a template's is recorded before it, and none is lost."""
    server.answer(completion())
    messages = TemplateChat([{"role": "user", "content": "about {x}"}], {"x": "cats"})
    first = {"role": "system", "content": "Be brief."}
    messages.insert(0, first)
    scripted.chat.completions.create(model="gpt-test", messages=messages)
    assert kept.event["promptTemplateChat"] == [first, *messages.template]
