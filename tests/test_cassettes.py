"""Recorded exchanges with OpenAI, replayed with no network.

The cassettes hold what the demonstration's scenarios ask and are answered, recorded
with a bare client. To record them again:

    LIBRETTO_RECORD=offline python -m pytest tests/test_cassettes.py
    LIBRETTO_RECORD=openai  python -m pytest tests/test_cassettes.py   # OPENAI_API_KEY

Recording keeps the body of each request, and of its headers those named below: neither
a key nor this machine's name or port stands in a cassette.
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import openai
import pytest
import vcr

import libretto_instrument as libretto
from libretto_instrument.demo import offline_model
from libretto_instrument.demo._scenarios import SCENARIOS, DemoClient, Scenario
from libretto_instrument.testing import CapturedEvents, capture_events

pytestmark = pytest.mark.skipif(
    int(openai.VERSION.split(".")[0]) < 3,
    reason="recorded with openai 3, and older clients put a body's keys in other order",
)

FOLDER = Path(__file__).parent / "cassettes"
OPENAI = "https://api.openai.com/v1"
RECORD = os.environ.get("LIBRETTO_RECORD")

KEPT_HEADERS = {"content-type", "x-request-id"}

each_scenario = pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS]
)


def path_of(scenario: Scenario) -> Path:
    return FOLDER / f"{scenario.name.replace(' ', '_')}.yaml"


def clean_request(base_url: str) -> Callable[[Any], Any]:
    """Return a filter that leaves nothing in a request but what OpenAI was asked."""

    def clean(request: Any) -> Any:
        request = copy.copy(request)
        request.uri = request.uri.replace(base_url, OPENAI)
        request.headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() in KEPT_HEADERS
        }
        return request

    return clean


def clean_response(response: dict[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in response["headers"].items()
        if name.lower() in KEPT_HEADERS
    }
    return {**response, "headers": kept}


def same_bytes(one: Any, other: Any) -> None:
    """Compare bodies byte for byte: vcr's own matcher compares JSON by its meaning."""
    assert one.body == other.body


def cassette(scenario: Scenario, mode: str = "none", base_url: str = OPENAI) -> Any:
    recorder = vcr.VCR(
        record_mode=mode,
        match_on=["method", "uri", "bytes"],
        before_record_request=clean_request(base_url),
        before_record_response=clean_response,
        decode_compressed_response=True,
    )
    recorder.register_matcher("bytes", same_bytes)
    return recorder.use_cassette(str(path_of(scenario)))


@pytest.fixture(scope="module", autouse=True)
def _recorded() -> None:
    """Record every cassette again, if LIBRETTO_RECORD names a server."""
    if RECORD not in (None, "", "offline", "openai"):
        pytest.fail(f"LIBRETTO_RECORD is {RECORD!r}: give 'offline' or 'openai'.")
    if RECORD:
        offline = offline_model() if RECORD == "offline" else nullcontext(None)
        with offline as model:
            options = {"base_url": model.base_url, "api_key": "sk-x"} if model else {}
            for scenario in SCENARIOS:
                path_of(scenario).unlink(missing_ok=True)
                with (
                    openai.OpenAI(**options) as client,
                    cassette(scenario, "once", options.get("base_url", OPENAI)),
                ):
                    scenario.run(DemoClient(client))


@pytest.fixture
def client() -> Iterator[DemoClient]:
    """A client without a server: a request that is not in the cassette fails."""
    with openai.OpenAI(
        base_url=OPENAI, api_key="sk-secret-of-the-tests", max_retries=0
    ) as client:
        yield DemoClient(client)


def answers(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each successful answer of a cassette."""
    with cassette(scenario) as recorded:
        for response in recorded.responses:
            text = response["body"]["string"].decode()
            if text.startswith("data: "):
                lines = text.split("\n\n")
                chunks = [json.loads(line[6:]) for line in lines if "{" in line]
                said = [c["delta"] for chunk in chunks for c in chunk["choices"]]
                yield chunks[0]["id"], "".join(d.get("content") or "" for d in said)
            elif "choices" in (body := json.loads(text)):
                choice = body["choices"][0]
                message = choice.get("message") or {"content": choice.get("text")}
                yield body["id"], message["content"] or ""


@each_scenario
def test_the_bare_client_asks_what_is_recorded(
    scenario: Scenario, client: DemoClient
) -> None:
    """A bare client's requests are those of the cassette, byte for byte."""
    assert not libretto.installed()
    with cassette(scenario) as recorded:
        scenario.run(client)
    assert recorded.all_played
    assert len(recorded) == len(scenario.expected)


@each_scenario
def test_the_recorded_client_asks_the_same(
    scenario: Scenario, client: DemoClient
) -> None:
    """A recorded client asks the same, byte for byte."""
    with capture_events() as events, cassette(scenario) as recorded:
        scenario.run(client)
        assert len(events) == len(scenario.expected)
    assert recorded.all_played


@each_scenario
def test_the_events_say_what_was_answered(
    scenario: Scenario, client: DemoClient
) -> None:
    """Each event has its prompt's name and holds the very answer of the cassette."""
    with capture_events() as events, cassette(scenario):
        scenario.run(client)
        seen = list(events)
    assert [event["promptTemplateName"] for event in seen] == [
        expected.prompt for expected in scenario.expected
    ]
    for event, expected in zip(seen, scenario.expected, strict=True):
        assert all(event.get(key) for key in expected.required_keys)
    assert list(answers(scenario)) == [
        (event["rawResponse"]["id"], event["response"])
        for event in seen
        if "rawResponse" in event
    ]


def run_captured(name: str, client: DemoClient) -> CapturedEvents:
    (scenario,) = (one for one in SCENARIOS if one.name == name)
    with capture_events() as events, cassette(scenario):
        scenario.run(client)
        len(events)
    return events


def test_a_template_and_its_parameters_are_told_apart(client: DemoClient) -> None:
    """The event has the template unfilled and its parameters beside it."""
    (event,) = run_captured("a chat template", client)
    assert event["promptTemplateChat"][1] == {
        "role": "user",
        "content": "Which emoji stands for {sport}?",
    }
    assert event["params"] == {"sport": "tennis"}
    assert event["modelParameters"]["temperature"] == 0
    (event,) = run_captured("a text template", client)
    assert event["promptTemplateText"] == "Write a slogan for {product}:"
    assert event["params"] == {"product": "a quiet kettle"}


def test_a_chat_keeps_its_id_and_its_history(client: DemoClient) -> None:
    """Both turns have one chat id; the history is a parameter, not template text."""
    first, second = run_captured("a chat with history", client)
    assert first["chatId"] == second["chatId"]
    assert first["params"]["history"] == []
    roles = [message["role"] for message in second["params"]["history"]]
    assert roles == ["user", "assistant"]
    assert second["params"]["history"][1]["content"] == first["response"]
    assert first["promptTemplateChat"] == second["promptTemplateChat"]
    assert "chat_history" in [m["role"] for m in second["promptTemplateChat"]]


def test_a_chain_has_one_id_and_a_result(client: DemoClient) -> None:
    """Both steps have the chain's id, under which its result is reported."""
    events = run_captured("a chain of two steps", client)
    first, second = events
    assert first["chainId"] == second["chainId"]
    (result,) = events.chain_results
    assert result["id"] == first["chainId"]
    assert result["result"] == second["response"]


def test_feedback_refers_to_its_event(client: DemoClient) -> None:
    """Feedback carries the key that its event went out with."""
    events = run_captured("feedback", client)
    (event,) = events
    (feedback,) = events.feedback
    assert feedback["feedback_key"] == event["feedbackKey"]
    assert feedback["rating"] == 0.2


def test_a_tool_call_is_in_its_event(client: DemoClient) -> None:
    """The event holds the tools given and the call that the model made."""
    call, answer = run_captured("a tool call", client)
    assert call["tools"] == answer["tools"]
    (made,) = call["toolCalls"]
    assert made["function"]["name"] == "get_weather"
    assert json.loads(made["function"]["arguments"])["city"]
    assert "toolCalls" not in answer


def test_the_keyword_never_reaches_openai(client: DemoClient) -> None:
    """With ``libretto=`` the request is the same bytes, too."""
    (scenario,) = (one for one in SCENARIOS if one.name == "a chat template")
    messages = libretto.TemplateChat(
        [
            {"role": "system", "content": "You answer with one emoji."},
            {"role": "user", "content": "Which emoji stands for {sport}?"},
        ],
        {"sport": "tennis"},
    )
    with capture_events() as events, cassette(scenario) as recorded:
        client.chat(
            messages,
            temperature=0,
            libretto={"prompt_template_name": "by-keyword", "chat_id": "chat-7"},
        )
        (event,) = events
    assert recorded.all_played
    assert (event["promptTemplateName"], event["chatId"]) == ("by-keyword", "chat-7")


@each_scenario
def test_a_cassette_holds_no_secret_and_no_machine(scenario: Scenario) -> None:
    """No key, no authorization header and no local address stands in a cassette."""
    text = path_of(scenario).read_text("utf-8").lower()
    for word in ("authorization", "sk-", "127.0.0.1", "localhost", "user-agent"):
        assert word not in text
    assert OPENAI in text
