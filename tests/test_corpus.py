"""Recorded exchanges of real APIs, replayed bare and recorded: nothing differs.

Every exchange is made twice in each of the ways to make it. The answers must be equal,
the bodies sent identical, and one event must say what an independent reading of the
recorded body says.
"""

import asyncio
import inspect
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import openai
import pytest
from attrs import define, field
from support import corpus, reading

from libretto_instrument._capture import is_patched
from libretto_instrument._capture.endpoints.table import CHAT
from libretto_instrument.testing import capture_events

pytestmark = pytest.mark.skipif(not corpus.IS_THERE, reason=corpus.ABSENT)

FEEDBACK_KEY = "libretto_feedback_key"
ENDPOINT_ENV_VARS = ("chat", "completions", "responses")
#: How many failing exchanges are told of, of those that a test has.
TOLD = 20


@define
class Outcome:
    """What the caller of one call got, and what was sent for it.

    Attributes:
        sent: The body of the request.
        values: The answer, or each chunk of a stream.
        facts: What a raw response says of itself.
        error: What was raised.
    """

    sent: bytes = b""
    values: list[Any] = field(factory=list)
    facts: Any = None
    error: BaseException | None = None


Way = Callable[[Any, dict[str, Any], Outcome], Awaitable[None]]


async def each(answer: Any, outcome: Outcome) -> None:
    """Keep an answer, or one by one the chunks of a stream."""
    if isinstance(answer, openai.Stream):
        outcome.facts = (outcome.facts, "stream")
        for chunk in answer:
            outcome.values.append(chunk)
    elif isinstance(answer, openai.AsyncStream):
        outcome.facts = (outcome.facts, "stream")
        async for chunk in answer:
            outcome.values.append(chunk)
    else:
        outcome.values.append(answer)


def facts_of(raw: Any) -> Any:
    headers = {name: value for name, value in raw.headers.items() if name != "date"}
    return type(raw), raw.status_code, headers


async def plain(resource: Any, given: dict[str, Any], outcome: Outcome) -> None:
    await each(resource.create(**given), outcome)


async def raw(resource: Any, given: dict[str, Any], outcome: Outcome) -> None:
    answer = resource.with_raw_response.create(**given)
    outcome.facts = facts_of(answer)
    await each(answer.parse(), outcome)


async def streaming(resource: Any, given: dict[str, Any], outcome: Outcome) -> None:
    with resource.with_streaming_response.create(**given) as answer:
        outcome.facts = facts_of(answer)
        await each(answer.parse(), outcome)


async def plain_async(resource: Any, given: dict[str, Any], outcome: Outcome) -> None:
    await each(await resource.create(**given), outcome)


async def raw_async(resource: Any, given: dict[str, Any], outcome: Outcome) -> None:
    answer = await resource.with_raw_response.create(**given)
    outcome.facts = facts_of(answer)
    parsed = answer.parse()
    await each(await parsed if inspect.isawaitable(parsed) else parsed, outcome)


async def streaming_async(
    resource: Any, given: dict[str, Any], outcome: Outcome
) -> None:
    async with resource.with_streaming_response.create(**given) as answer:
        outcome.facts = facts_of(answer)
        await each(await answer.parse(), outcome)


WAYS: dict[str, Way] = {
    "plain": plain,
    "with_raw_response": raw,
    "with_streaming_response": streaming,
    "async": plain_async,
    "async with_raw_response": raw_async,
    "async with_streaming_response": streaming_async,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    running = corpus.serve()
    yield running
    running.shutdown()
    running.server_close()
    for opened in running.store.files.values():
        opened.close()


@cache
def exchanges(endpoint: str) -> list[corpus.Record]:
    return [record for record in corpus.records() if record["endpoint"] == endpoint]


class Clients:
    """One client for the exchanges of OpenAI's kind and one for those of Azure's."""

    def __init__(self, server: Any, is_async: bool) -> None:
        url = f"http://127.0.0.1:{server.server_port}"
        openai_class = openai.AsyncOpenAI if is_async else openai.OpenAI
        azure_class = openai.AsyncAzureOpenAI if is_async else openai.AzureOpenAI
        self.openai: Any = openai_class(
            api_key="sk-test", base_url=f"{url}/v1", max_retries=0
        )
        self.azure: Any = azure_class(
            api_key="sk-test",
            azure_endpoint=url,
            api_version="2025-01-01-preview",
            max_retries=0,
        )

    def resource(self, record: corpus.Record) -> Any:
        client = self.azure if corpus.is_azure(record) else self.openai
        if record["endpoint"] == "chat":
            return client.chat.completions
        return getattr(client, record["endpoint"])

    async def close(self) -> None:
        for client in (self.openai, self.azure):
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing


async def outcome_of(
    way: Way, server: Any, clients: Clients, record: corpus.Record
) -> Outcome:
    resource = clients.resource(record)
    outcome = Outcome()
    server.last.pop(record["id"], None)
    try:
        await way(resource, corpus.arguments(record, resource.create), outcome)
    except Exception as exc:
        outcome.error = exc
    outcome.sent = server.last[record["id"]]
    return outcome


@pytest.mark.parametrize("endpoint", ENDPOINT_ENV_VARS)
@pytest.mark.parametrize("name", WAYS)
def test_an_exchange_is_the_same_and_recorded_once(
    name: str, endpoint: str, server: Any
) -> None:
    """The bytes sent and the answer are the same, and one right event is recorded."""
    if endpoint == "responses" and find_spec("openai.resources.responses") is None:
        pytest.skip("this openai does not have the Responses API")
    way, records = WAYS[name], exchanges(endpoint)

    async def run() -> list[str]:
        clients = Clients(server, is_async=name.startswith("async"))
        assert not is_patched()
        bare = [await outcome_of(way, server, clients, record) for record in records]
        faults = []
        with capture_events() as events:
            for record, expected in zip(records, bare, strict=True):
                before = len(events)
                outcome = await outcome_of(way, server, clients, record)
                recorded = events[before:]
                try:
                    same_outcome(outcome, expected)
                    assert len(recorded) == 1, f"{len(recorded)} events"
                    right_event(recorded[0], record, expected)
                except AssertionError as exc:
                    faults.append(f"{record['id']}: {exc}")
        await clients.close()
        return faults

    faults = asyncio.run(run())
    shown = "\n\n".join(faults[:TOLD])
    assert not faults, f"{len(faults)} of {len(records)} exchanges differ:\n{shown}"


def same_outcome(outcome: Outcome, bare: Outcome) -> None:
    """Hold that the caller got what the bare client gets, but for the feedback key."""
    assert outcome.sent == bare.sent
    assert outcome.facts == bare.facts
    for value in outcome.values:
        extra = getattr(value, "model_extra", None)
        if extra and bare.facts is None:
            assert extra.pop(FEEDBACK_KEY)
    assert [type(value) for value in outcome.values] == [
        type(value) for value in bare.values
    ]
    assert outcome.values == bare.values
    assert type(outcome.error) is type(bare.error)
    assert str(outcome.error) == str(bare.error)
    assert getattr(outcome.error, "body", None) == getattr(bare.error, "body", None)


def right_event(event: dict[str, Any], record: corpus.Record, bare: Outcome) -> None:
    """Hold that the event says what the recorded body says."""
    if bare.error is not None:
        (error,) = event["responseErrors"]
        assert type(bare.error).__name__ in error
        assert str(bare.error) in error
    if record["status"] >= 400:
        assert "response" not in event
        assert "toolCalls" not in event
        return
    expected = reading.read(
        record["endpoint"], record["response_body"], is_sse=record["sse"]
    )
    seen = reading.Reading(
        text=event.get("response"),
        calls=[call_of(call) for call in event.get("toolCalls", [])],
        usage=event.get("responseMetrics", {}).get("usage"),
        errors=expected.errors,
    )
    assert seen == expected
    if not record["sse"]:
        assert event["rawResponse"] == json.loads(record["response_body"])
    if bare.error is None:
        for message in expected.errors:
            assert any(message in error for error in event["responseErrors"])
        assert bool(event.get("responseErrors")) == bool(expected.errors)


def call_of(call: dict[str, Any]) -> tuple[Any, str, str, str]:
    """Return a call of a tool as the reading has it."""
    called = call.get("function") or call["custom"]
    given = called.get("arguments") or called.get("input") or ""
    return call.get("id"), call["type"], called["name"], given


def cut(text: str, chance: random.Random) -> Iterator[str]:
    """Yield a text in fragments; an empty one as it is."""
    while True:
        size = chance.randrange(1, 9)
        yield text[:size]
        text = text[size:]
        if not text:
            return


def streamed(answer: dict[str, Any], *, is_odd: bool) -> list[dict[str, Any]]:
    """Return the chunks that a gateway could have sent instead of a whole answer.

    Args:
        answer: A chat completion.
        is_odd: Number all tool calls 0, and leave blanks wherever nothing is said.
    """
    chance = random.Random(answer.get("id"))
    blank = "" if is_odd else None
    top = {name: answer[name] for name in answer if name not in ("choices", "usage")}
    chunks: list[dict[str, Any]] = []

    def add(choice: dict[str, Any], delta: Any, finish_reason: Any = blank) -> None:
        numbers = {"index": choice.get("index", 0), "finish_reason": finish_reason}
        chunks.append({**top, "choices": [{**numbers, "delta": delta}]})

    for choice in answer["choices"]:
        for name, value in (choice.get("message") or {}).items():
            if name == "tool_calls" and value:
                for at, call in enumerate(value):
                    index = 0 if is_odd else at
                    kind = call.get("type", "function")
                    function = call.get(kind) or {}
                    field = "input" if kind == "custom" else "arguments"
                    first = {**call, "index": index, kind: {**function, field: ""}}
                    add(choice, {"tool_calls": [first]})
                    for piece in cut(function.get(field) or "", chance):
                        more = {"index": index, "id": blank, kind: {field: piece}}
                        add(choice, {"tool_calls": [more]})
            elif isinstance(value, str) and name != "role":
                for piece in cut(value, chance):
                    add(choice, {name: piece})
            else:
                add(choice, {name: value})
        add(choice, {"role": blank, "content": blank}, choice.get("finish_reason"))
    chunks.append({**top, "choices": [], "usage": answer.get("usage")})
    if is_odd:
        blanks = {"id": "", "object": "", "created": 0, "model": "", "usage": {}}
        chunks.append({**blanks, "choices": []})
    return chunks


@pytest.mark.parametrize("is_odd", [False, True])
def test_whole_answers_in_fragments(is_odd: bool) -> None:
    """A recorded answer that is streamed in fragments says what it says as a whole."""
    checked = 0
    for record in exchanges("chat"):
        answer = None if record["sse"] else json.loads(record["response_body"])
        if not isinstance(answer, dict) or not answer.get("choices"):
            continue
        chunks = streamed(answer, is_odd=is_odd)
        merged = CHAT.merge_chunks(chunks, record["request_body"])
        seen, whole = CHAT.parse_response(merged), CHAT.parse_response(answer)
        assert seen.text == whole.text
        assert [call_of(call) for call in seen.tool_calls] == [
            call_of(call) for call in whole.tool_calls
        ]
        for name in ("usage", "finish_reason"):
            assert seen.metrics.get(name) == whole.metrics.get(name)
        checked += 1
    assert checked
