"""A replay sends what was recorded, but for what was asked to change."""

import contextlib
import json
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pydantic
import pytest
from support import corpus
from support.answers import chunks, completion
from support.scripted import ScriptedModel
from support.versions import HAS_RESPONSES, helpers_of, needs_responses

from libretto_instrument import TemplateChat, TemplateText, improve
from libretto_instrument.demo import OfflineModel
from libretto_instrument.demo._scenarios import SCENARIOS, DemoClient
from libretto_instrument.improve import Case, ReplayError
from libretto_instrument.improve._case import case_from_event
from libretto_instrument.improve._request import Change, build_request
from libretto_instrument.testing import CapturedEvents, capture_events

Ask = Callable[[openai.OpenAI], Any]


@pytest.fixture(autouse=True)
def _no_local_libretto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libretto_instrument.improve._stores.LOCAL", NOWHERE)


NOWHERE = "http://127.0.0.1:9"
RESPONSE = {"id": "r", "object": "response", "model": "m", "output": [], "tools": []}
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}


class Town(pydantic.BaseModel):
    """A town."""

    name: str
    mayor: str | None = None


class Visit(pydantic.BaseModel):
    """A visit."""

    towns: list[Town]


PAST = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function",
         "function": {"name": "look_up", "arguments": '{"a": "{name}"}'}},
    ]},
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
]  # fmt: skip


def chat(**arguments: Any) -> Ask:
    given = {"model": "gpt-test", **arguments}
    return lambda client: client.chat.completions.create(**given)


def respond(**arguments: Any) -> Ask:
    given = {"model": "gpt-test", **arguments}
    return lambda client: client.responses.create(**given)


def complete(**arguments: Any) -> Ask:
    given = {"model": "gpt-test", **arguments}
    return lambda client: client.completions.create(**given)


USER = {"role": "user", "content": 'Greet {name}, {"a": 1} \\{kept\\}.'}
SYSTEM = {"role": "system", "content": "Be {mood}."}
PARAMS = {"name": "Ada {mood}", "mood": "brief", "past": PAST, "n": 3, "u": {"x": [7]}}

CALLS: dict[str, Ask] = {
    "plain": chat(messages=[{"role": "user", "content": "What is {this}?"}]),
    "parameters": chat(
        messages=[{"role": "user", "content": "x"}],
        temperature=0.5,
        stop=["a", "b"],
        seed=7,
        logit_bias={"50": -1},
        user=None,
        extra_body={"top_k": 4},
        extra_headers={"x-secret": "s"},
    ),
    "template": chat(messages=TemplateChat([SYSTEM, USER], PARAMS)),
    "history": chat(
        messages=TemplateChat(
            [SYSTEM, {"role": "chat_history", "content": "{past}"}, USER], PARAMS
        ),
        tools=[TOOL],
        tool_choice="auto",
    ),
    "paths and numbers": chat(
        messages=TemplateChat(
            [{"role": "ai", "content": [{"type": "text", "text": "{u.x[0]} {n}"}]}],
            PARAMS,
        )
    ),
    "text in messages": chat(
        messages=[
            {"role": "user", "content": TemplateText("Hi {name}", {"name": "Bo"})},
            {"role": "user", "content": "and {literally}"},
        ]
    ),
    "beside the call": chat(
        messages=[{"role": "user", "content": "Hi Bo"}],
        libretto={
            "template_chat": [{"role": "user", "content": "Hi {name}"}],
            "template_params": {"name": "Bo"},
        },
    ),
    "a format": chat(
        messages=[{"role": "user", "content": "x"}],
        response_format={"type": "json_object"},
    ),
    "a class as format": lambda client: helpers_of(client).parse(
        model="gpt-test",
        messages=[{"role": "user", "content": "x"}],
        response_format=Visit,
        tools=[openai.pydantic_function_tool(Town)],
    ),
    "completion": complete(prompt=TemplateText(r"{name}: \{n\}", {"name": "Bo"})),
    "completion of a list": complete(prompt=["a", "b"]),
    "completion of a list of one": complete(prompt=["a"]),
    "completion of tokens": complete(prompt=[1, 2, 3]),
    "completion of a text like a list": complete(prompt='["a", "b"]'),
    "responses": respond(input="Hi {there}"),
    "responses of a list": respond(input=[{"role": "user", "content": "Hi"}]),
    "responses with instructions": respond(instructions="Be brief.", input="Hi"),
    "responses with a system message": respond(
        input=[{"role": "system", "content": "Be brief."}, *PAST[:1]]
    ),
    "responses with both": respond(
        instructions=TemplateText("Be {mood}.", PARAMS),
        input=TemplateChat([SYSTEM, USER], PARAMS),
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        text={"verbosity": "low"},
    ),
    "responses of items": respond(
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
        ]
    ),
    "responses without input": respond(prompt={"id": "pmpt_1"}),
    "responses with a class": lambda client: client.responses.parse(
        model="gpt-test",
        input="x",
        text_format=Visit,
        text={"verbosity": "low"},
    ),
}


@pytest.fixture
def captured() -> Iterator[CapturedEvents]:
    with capture_events() as events:
        yield events


def case_of(event: dict[str, Any]) -> Case:
    case = case_from_event(event, rating=None, better_response="Hello.")
    assert case is not None
    return case


def body_of_answer(name: str) -> Any:
    if "responses" in name:
        return RESPONSE
    if "completion" in name:
        return {"id": "c", "object": "text_completion", "choices": [], "model": "m"}
    return completion('{"towns": []}')


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_responses if "responses" in name else ())
        for name in CALLS
    ],
)
def test_the_same_body_is_sent(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    captured: CapturedEvents,
    name: str,
) -> None:
    """A request that is replayed as it was has the body that it had."""
    server.answer(body_of_answer(name), times=2)
    CALLS[name](scripted)
    replay = improve.replay(case_of(captured[0]), client=scripted)
    assert not replay.skipped
    assert replay.errors == []
    first, second = server.requests
    assert second.path == first.path
    assert second.json == first.json


def test_a_stream_is_replayed_as_one(
    server: ScriptedModel, scripted: openai.OpenAI, captured: CapturedEvents
) -> None:
    """A streamed call is streamed again, and its answer read to its end."""
    server.stream(*chunks("ten", "nis"), times=2)
    given = {"stream": True, "stream_options": {"include_usage": True}}
    messages: Any = [{"role": "user", "content": "Which sport?"}]
    for _ in scripted.chat.completions.create(model="m", messages=messages, **given):
        pass
    replay = improve.replay(case_of(captured[0]), client=scripted)
    assert replay.results[0].answers[0].text == "tennis"
    assert server.requests[1].json == server.requests[0].json


def test_the_replayed_call_records_the_same_template(
    server: ScriptedModel, scripted: openai.OpenAI, captured: CapturedEvents
) -> None:
    """The event of a replayed call has the template and the parameters apart, too."""
    names = ["template", "history", "completion"]
    if HAS_RESPONSES:
        names.append("responses with both")
    for name in names:
        server.answer(body_of_answer(name), times=2)
        CALLS[name](scripted)
        recorded = captured[-1]
        request = build_request(case_of(recorded), Change())
        with_template = {**request.arguments, "libretto": request.template}
        call = {
            "chat": lambda: scripted.chat.completions,
            "completion": lambda: scripted.completions,
            "responses": lambda: scripted.responses,
        }[request.endpoint]()
        call.create(**with_template)
        for key in ("promptTemplateChat", "promptTemplateText", "params", "tools"):
            assert captured[-1].get(key) == recorded.get(key), (name, key)
        assert captured[-1]["modelParameters"] == recorded["modelParameters"]


# What is asked to change


def replayed_body(
    server: ScriptedModel, client: openai.OpenAI, ask: Ask, **change: Any
) -> tuple[Any, Any]:
    """Return the recorded body and the one of a replay with a change."""
    answer = completion("Hi.")
    server.answer(answer, times=2)
    with capture_events() as events:
        ask(client)
        improve.replay(case_of(events[0]), client=client, **change)
    recorded, replayed = server.requests[-2:]
    return recorded.json, replayed.json


def test_a_new_template_is_filled_with_the_old_values(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """The new text has the recorded values, the history is spliced, the rest stays."""
    new = [
        {"role": "system", "content": "Be {mood}, and polite."},
        {"role": "chat_history", "content": "{past}"},
        {"role": "user", "content": "Say hello to {name}."},
    ]
    before, after = replayed_body(server, scripted, CALLS["history"], template=new)
    assert after["messages"] == [
        {"role": "system", "content": "Be brief, and polite."},
        *PAST,
        {"role": "user", "content": "Say hello to Ada {mood}."},
    ]
    assert {**after, "messages": None} == {**before, "messages": None}


@needs_responses
def test_a_new_template_of_the_responses_api(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Its first system message is the instructions where there were instructions."""
    new = [{"role": "system", "content": "{mood}!"}, {"role": "user", "content": "Yo"}]
    ask = CALLS["responses with both"]
    before, after = replayed_body(server, scripted, ask, template=new)
    assert after["instructions"] == "brief!"
    assert after["input"] == [{"role": "user", "content": "Yo"}]
    rest = {"instructions": None, "input": None}
    assert {**after, **rest} == {**before, **rest}


def test_another_model_and_parameters(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A model and parameters are set, others left out, and nothing else differs."""
    before, after = replayed_body(
        server,
        scripted,
        CALLS["parameters"],
        model="gpt-new",
        parameters={"temperature": 0, "max_completion_tokens": 9},
        remove=["seed", "stop"],
    )
    before |= {"model": "gpt-new", "temperature": 0, "max_completion_tokens": 9}
    assert after == {k: v for k, v in before.items() if k not in ("seed", "stop")}


def test_what_openai_does_not_know_is_sent_all_the_same(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A recorded parameter that the installed openai has no argument for is sent."""
    server.answer(completion("Hi."))
    case = Case(
        id="1",
        template=[{"role": "user", "content": "x"}],
        template_hash="",
        target="t",
        target_source="rating",
        model="m",
        model_parameters={"of_tomorrow": [1]},
    )
    improve.replay(case, client=scripted)
    assert server.requests[0].json["of_tomorrow"] == [1]


TEMPLATES = [
    ([{"role": "user", "content": "{absent}"}], "'absent', which case 1 lacks"),
    ([{"role": "chat_history", "content": "text"}], "fails with case 1"),
    ([{"role": "chat_history", "content": "{name}"}], "fails with case 1"),
]


@pytest.mark.parametrize(("template", "problem"), TEMPLATES)
def test_a_template_that_does_not_fit_is_refused(
    server: ScriptedModel, scripted: openai.OpenAI, template: Any, problem: str
) -> None:
    """What the new template needs and a case lacks is said before anything is sent."""
    good = Case(
        id="0",
        template="",
        template_hash="",
        target="t",
        target_source="rating",
        params={"name": [], "absent": "here"},
        endpoint="chat",
    )
    if problem.startswith("fails") and "text" in str(template):
        good = Case(
            id="1", template="", template_hash="", target="t", target_source="rating"
        )
    bad = Case(
        id=str(int(good.id) + 1),
        template="",
        template_hash="",
        target="t",
        target_source="rating",
        params={"name": "Ada"},
    )
    with pytest.raises(ReplayError, match=problem):
        improve.replay([good, bad], template=template, client=scripted)
    assert server.requests == []


def test_templates_of_another_kind(scripted: openai.OpenAI) -> None:
    """A list is not a template of a completion; one template is not for two prompts."""
    case = Case(
        id="1",
        template="x",
        template_hash="",
        target="t",
        target_source="rating",
        endpoint="completion",
        prompt="a",
    )
    with pytest.raises(ReplayError, match="Case 1: the template of a completion"):
        improve.replay(case, template=[{"role": "user"}], client=scripted)
    other = Case(
        id="2",
        template="x",
        template_hash="",
        target="t",
        target_source="rating",
        endpoint="completion",
        prompt="b",
    )
    with pytest.raises(ReplayError, match=r"2 prompts' \(a, b\)"):
        improve.replay([case, other], template="y", client=scripted)
    with pytest.raises(ReplayError, match="no parameter 'temprature'"):
        improve.replay(case, parameters={"temprature": 0}, client=scripted)
    with pytest.raises(ReplayError, match="no parameter 'prompt'"):
        improve.replay(case, parameters={"prompt": "z"}, client=scripted)
    with pytest.raises(ReplayError, match="'seed' to leave out"):
        improve.replay(case, remove=["seed"], client=scripted)


def test_parameters_that_were_no_data_are_told_of(
    scripted: openai.OpenAI, server: ScriptedModel, captured: CapturedEvents
) -> None:
    """A case whose parameters JSON could not hold is left out with the reason."""

    class User:
        name = "Ada"

    server.answer(completion("Hi."), times=2)
    template = [{"role": "user", "content": "Greet {user.name}."}]
    messages = TemplateChat(template, {"user": User()})
    scripted.chat.completions.create(model="m", messages=messages)
    CALLS["plain"](scripted)
    cases = [case_of(event) for event in captured]
    server.answer(completion("Hi."))
    replay = improve.replay(cases, client=scripted)
    ((case, reason),) = replay.skipped
    assert case.params["user"].startswith("<")
    assert "no plain data" in reason
    assert len(replay.results) == 1


# The demonstration's calls, and recorded exchanges


def test_the_calls_of_the_demonstration(model: OfflineModel) -> None:
    """Each call that the demonstration makes is replayed as it was sent."""
    bodies: list[Any] = []
    with openai.OpenAI(api_key="sk-test", base_url=model.base_url) as client:
        hooks = client._client.event_hooks["request"]
        hooks.append(lambda request: bodies.append(json.loads(request.content)))
        with capture_events() as events:
            for scenario in SCENARIOS:
                scenario.run(DemoClient(client))
        recorded = bodies.copy()
        assert len(events) == len(recorded) > 10
        for event, body in zip(events, recorded, strict=True):
            case = case_from_event(event, rating=None, better_response="!")
            assert case is not None
            assert case.is_replayable
            bodies.clear()
            with contextlib.suppress(openai.NotFoundError):  # as the demonstration does
                call(client, build_request(case, Change()))
            assert bodies == [body]


def ask_again(client: openai.OpenAI, record: corpus.Record) -> None:
    endpoint = record["endpoint"].replace("chat", "chat.completions")
    resource: Any = operator.attrgetter(endpoint)(client)
    with contextlib.suppress(openai.OpenAIError):
        answer = resource.create(**corpus.arguments(record, resource.create))
        for _ in answer if isinstance(answer, openai.Stream) else ():
            pass


@pytest.mark.skipif(not corpus.IS_THERE, reason=corpus.ABSENT)
def test_recorded_exchanges_are_sent_as_they_were(tmp_path: Path) -> None:
    """Real requests that went through a local Libretto are replayed as they were."""
    collector = pytest.importorskip(
        "libretto_instrument._collector",
        reason="needs the extra 'collector'",
    )
    server, bodies, ids, differ = corpus.serve(), {}, {}, []
    try:
        with (
            openai.OpenAI(
                api_key="sk-test",
                base_url=f"http://127.0.0.1:{server.server_port}/v1",
                max_retries=0,
            ) as client,
            collector.running(tmp_path / "libretto.db") as libretto,
            httpx.Client(base_url=libretto.url) as http,
        ):
            with capture_events() as events:
                for record in corpus.records():
                    ask_again(client, record)
                    event = events[-1]
                    ids[event["promptEventId"]] = record["id"]
                    bodies[record["id"]] = json.loads(server.last[record["id"]])
            for event in events:
                http.post("/api/event", json=event).raise_for_status()
                told = {"feedback_key": event["feedbackKey"], "better_response": "!"}
                http.post("/api/feedback", json={"apiKey": "k", **told})
            cases = improve.cases(libretto.url)
            assert len(cases) == len(bodies) == len(ids)
            replayed: list[Case] = []
            for case in cases:
                url = server.base_url(ids[case.id])
                if case.is_replayable:
                    replayed.append(case)
                    server.last.clear()
                    request = build_request(case, Change())
                    call(client.with_options(base_url=url), request)
                    sent = json.loads(server.last[ids[case.id]])
                    if sent != without_null_tools(bodies[ids[case.id]]):
                        differ.append((ids[case.id], sent))
    finally:
        server.shutdown()
        server.server_close()
        for opened in server.store.files.values():
            opened.close()
    reasons = Counter(case.obstacle for case in cases if case.obstacle)
    assert not differ
    assert len(replayed) + sum(reasons.values()) == len(cases)
    assert set(reasons) <= {
        "media were replaced by a placeholder",
        "it continues a conversation that the provider keeps (previous_response_id)",
    }
    assert len(replayed) > 0.98 * len(cases)


def without_null_tools(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body; an event does not tell tools that are null from none."""
    return {k: v for k, v in body.items() if k != "tools" or v is not None}


def call(client: openai.OpenAI, request: Any) -> None:
    resource = {"chat": "chat.completions", "completion": "completions"}
    endpoint = resource.get(request.endpoint, request.endpoint)
    create: Any = operator.attrgetter(f"{endpoint}.create")(client)
    with contextlib.suppress(openai.OpenAIError):
        answer = create(**request.arguments)
        for _ in answer if isinstance(answer, openai.Stream) else ():
            pass
