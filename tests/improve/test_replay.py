"""A replay: what it comes to, and that nothing of it is lost."""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openai
import pytest
from attrs import evolve
from support.scripted import DEADLINE, ScriptedModel
from support.versions import needs_responses

import libretto_instrument
from libretto_instrument import improve
from libretto_instrument.improve import Case, Replay, ReplayError, ReplayInterrupt
from libretto_instrument.improve import _run as run_module
from libretto_instrument.improve._prepare import prepare
from libretto_instrument.improve._request import Change
from libretto_instrument.improve._stores import local_address
from libretto_instrument.testing import capture_events

from .models import Rule, RuledModel, case, last_words

NOWHERE = "http://127.0.0.1:9"
SYSTEM = {"role": "system"}


@pytest.fixture(autouse=True)
def _no_local_libretto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libretto_instrument.improve._stores.LOCAL", NOWHERE)


@contextmanager
def ruled(rule: Rule) -> Iterator[tuple[RuledModel, openai.OpenAI]]:
    """Yield a model that answers by a rule, and a client of it."""
    with (
        RuledModel(rule) as model,
        openai.OpenAI(
            api_key="sk-test", base_url=model.url, max_retries=0, timeout=DEADLINE
        ) as client,
    ):
        yield model, client


def echo(body: dict[str, Any]) -> str:
    return f"is {last_words(body)}"


def replayed(rule: Rule, *cases: Case, **options: Any) -> Replay:
    with ruled(rule) as (_, client):
        return improve.replay(cases, client=client, **options)


# What it comes to


def test_better_worse_and_the_same() -> None:
    """Each case is scored beside the recorded answer, errors are told apart."""

    def rule(body: dict[str, Any]) -> Any:
        number = last_words(body)
        return (400, {}) if number == "3" else "no" if number == "1" else echo(body)

    replay = replayed(
        rule,
        case(0),
        case(1, answer="is 1"),
        case(2, answer="is 2"),
        case(3),
    )
    assert [result.verdict for result in replay.results] == [
        "better", "worse", "same", "error",
    ]  # fmt: skip
    assert [result.score for result in replay.results] == [1, 0, 1, 0]
    assert [result.recorded_score for result in replay.results] == [0, 1, 1, 0]
    assert replay.score == replay.recorded_score == 0.5
    assert "status 400" in str(replay.errors[0].error)
    assert replay.comparison.cases == 4
    assert replay.is_complete
    assert replay.mean_of("tokens_in") == (10, 3)


def test_the_cases_are_called_at_once_but_not_too_many() -> None:
    """As many calls are under way as were asked for, and no more."""
    together = threading.Barrier(4, timeout=DEADLINE)

    def rule(body: dict[str, Any]) -> str:
        together.wait()
        return echo(body)

    with ruled(rule) as (model, client):
        cases = [case(number) for number in range(12)]
        replay = improve.replay(cases, client=client, concurrency=4)
    assert model.most == 4
    assert [result.case for result in replay.results] == cases
    assert replay.score == 1


@pytest.mark.parametrize("failing", [{"1"}, {"0", "1"}, set()])
def test_a_call_that_failed_counts_in_no_mean(failing: set[str]) -> None:
    """How long a refusal took says nothing about answers."""
    rule: Rule = lambda body: (  # noqa: E731
        (400, {}) if last_words(body) in failing else echo(body)
    )
    replay = replayed(rule, case(0, response_time=10.0), case(1, response_time=30.0))
    before = {0: 20.0, 1: 10.0, 2: None}[len(failing)]
    for name, recorded in (("response_time", before), ("tokens_in", before and 10)):
        old, new = replay.mean_of(name)
        assert old == recorded
        assert (new is None) == (recorded is None)


def test_several_calls_of_a_case() -> None:
    """The score of a case is the mean of its calls'."""
    count = iter(range(4))
    rule: Rule = lambda body: "is 0" if next(count) % 4 else "no"  # noqa: E731
    replay = replayed(rule, case(0), times=4, concurrency=1)
    (result,) = replay.results
    assert result.score == 0.75
    assert [answer.attempt for answer in result.answers] == [0, 1, 2, 3]
    assert result.verdict == "better"


def test_a_replay_of_nothing_is_refused() -> None:
    """No cases, or none that can be replayed, is a mistake to tell of."""
    with pytest.raises(ReplayError, match="no cases"):
        improve.replay([])
    with pytest.raises(ReplayError, match=r"None of the 1 cases.*media"):
        improve.replay(case(obstacle="media were replaced"))
    with pytest.raises(ReplayError, match="at least 1"):
        improve.replay(case(), times=0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"template": 5}, "a text, or a list"),
        ({"template": [5]}, "a text, or a list"),
        ({"template": {"role": "user"}}, "a text, or a list"),
        ({"template": []}, "no messages"),
        ({"score": 5}, "a function"),
        ({"score": None}, "a function"),
        ({"remove": "model"}, "a list of names"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], problem: str) -> None:
    """What can't be right is refused before anything is sent."""
    with ruled(echo) as (model, client):
        with pytest.raises((ReplayError, TypeError), match=problem):
            improve.replay(case(0), client=client, **options)
        assert model.requests == []


def test_what_is_no_set_of_cases() -> None:
    """A case that is given twice, or what is not a case, is refused."""
    with ruled(echo) as (model, client):
        with pytest.raises(ReplayError, match="2 times"):
            improve.replay([case(0), case(1), case(0)], client=client)
        for given in ([5], "cases.jsonl", {"a": case(0)}):
            with pytest.raises(ReplayError, match="is not a case"):
                improve.replay(given, client=client)  # type: ignore[arg-type]
        assert model.requests == []


def test_a_key_that_is_refused_ends_it() -> None:
    """With a wrong key no call would succeed: after the first no more are made."""
    with ruled(lambda body: (401, {})) as (model, client):
        cases = [case(number) for number in range(50)]
        replay = improve.replay(cases, client=client, concurrency=1)
    assert len(model.requests) == 1
    assert not replay.is_complete
    assert "key is refused" in str(replay.problem)


# Trying again


def test_a_rate_limit_waits() -> None:
    """A limit is waited out as it says, and only the last answer is recorded."""
    refusals = iter(range(3))

    def rule(body: dict[str, Any]) -> Any:
        if next(refusals, None) is not None:
            return 429, {"retry-after-ms": "5"}
        return echo(body)

    with capture_events() as events, ruled(rule) as (model, client):
        replay = improve.replay(case(), client=client)
    assert replay.score == 1
    assert len(model.requests) == 4
    assert len(events) == 0


@pytest.mark.parametrize("header", ["0.005", "Tue, 01 Jan 2030 00:00:00 GMT"])
def test_a_rate_limit_says_how_long_to_wait(
    header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After counts in seconds and as a date; one too late ends the waiting."""
    monkeypatch.setattr(run_module, "MAX_WAIT_SECONDS", 1.0)
    refusals = iter(range(1))

    def rule(body: dict[str, Any]) -> Any:
        is_first = next(refusals, None) is not None
        return (429, {"retry-after": header}) if is_first else echo(body)

    replay = replayed(rule, case())
    assert replay.results[0].verdict == ("error" if "2030" in header else "better")


@pytest.mark.parametrize("headers", [{"retry-after-ms": "0"}, {"retry-after": "0"}, {}])
def test_the_longest_wait_counts(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is told to wait does not cut short how long another has to."""
    monkeypatch.setattr(run_module, "_MAX_BACKOFF", 0.0)
    paused_until = 0.0
    arrived = []

    def rule(body: dict[str, Any]) -> Any:
        nonlocal paused_until
        arrived.append(time.monotonic())
        if len(arrived) > 1:
            return echo(body)
        run._paused_until = paused_until = time.monotonic() + 0.5  # By another call.
        return 429, headers

    with ruled(rule) as (_, client):
        run = prepare([case()], Change(), client=client)
        assert run.execute().score == 1
    assert arrived[1] >= paused_until


def test_a_limit_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the longest wait a limit is the result of that case."""
    monkeypatch.setattr(run_module, "MAX_WAIT_SECONDS", 0.01)
    replay = replayed(lambda body: (429, {"retry-after-ms": "4"}), case())
    assert replay.results[0].verdict == "error"


def test_passing_errors_are_tried_again() -> None:
    """A server's fault is tried twice more, what it refuses is not."""
    for status, requests in ((500, 3), (400, 1)):
        with ruled(lambda body, it=status: (it, {})) as (model, client):  # type: ignore[misc]
            replay = improve.replay(case(), client=client)
        assert len(model.requests) == requests
        assert len(replay.errors) == 1


# Recording


def test_calls_are_recorded_with_their_replay_and_case(tmp_path: Path) -> None:
    """The log has an event for each call, which tells replay, case and scores."""
    log = tmp_path / "replays.jsonl"
    replay = replayed(echo, case(0), case(1), to=str(log))
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    by_case = {line["body"]["context"]["case"]: line["body"] for line in lines}
    assert set(by_case) == {"case-0000", "case-0001"}
    event = by_case["case-0001"]
    assert event["context"] == {
        "replay": replay.id,
        "case": "case-0001",
        "attempt": 0,
        "score": 1.0,
        "recorded_score": 0.0,
        "verdict": "better",
        "scored_by": "exact",
    }
    assert event["promptTemplateName"] == "count"
    assert event["promptTemplateChat"] == [{"role": "user", "content": "{number}"}]
    assert event["params"] == {"number": "1"}
    assert "apiKey" not in event
    assert replay.store == str(log)


def test_a_local_libretto_gets_the_calls(tmp_path: Path) -> None:
    """What is posted to a local Libretto is found there by its context."""
    collector = pytest.importorskip(
        "libretto_instrument._collector",
        reason="needs the extra 'collector'",
    )
    with collector.running(tmp_path / "libretto.db") as libretto:
        replay = replayed(echo, case(0), case(1), to=libretto.url)
        again = replayed(echo, case(0), case(1), to=libretto.url, resume=replay.id)
    assert again.score == 1
    assert [r.answers for r in again.results] == [r.answers for r in replay.results]


def test_nothing_of_a_replay_goes_to_the_service(
    monkeypatch: pytest.MonkeyPatch, backend: Any
) -> None:
    """With a key for Libretto in the environment, a replay's calls stay here; other
    calls of the process are delivered as ever.
    """
    monkeypatch.setenv("LIBRETTO_API_KEY", "key")
    libretto_instrument.install(prompt_template_name="app")

    def judge(case: Case, answer: str) -> float:
        client.chat.completions.create(
            model="judge", messages=[{"role": "user", "content": "good?"}]
        )
        return 1.0

    with ruled(echo) as (_, client):
        improve.replay(case(), client=client, score=judge)
    assert libretto_instrument.flush(DEADLINE)
    names = [body["promptTemplateName"] for body in backend.events]
    assert names == ["app", "app"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError(), SystemExit()])
def test_a_call_that_outlives_its_replay(
    monkeypatch: pytest.MonkeyPatch, backend: Any, error: BaseException
) -> None:
    """A call that ends after its replay was broken off is not delivered either."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "key")
    monkeypatch.setattr(run_module, "GRACE_SECONDS", 0.0)
    begun, broken_off, ended = (threading.Event() for _ in range(3))

    def rule(body: dict[str, Any]) -> str:
        if last_words(body) == "0":
            begun.wait(DEADLINE)
            return "early"
        begun.set()
        broken_off.wait(DEADLINE)
        return "late"

    def judge(case: Case, answer: str) -> float:
        if answer == "late":
            ended.set()
        return 1.0

    def progress(done: int) -> None:
        raise error

    with ruled(rule) as (_, client), capture_events() as events:
        with pytest.raises((type(error), ReplayInterrupt)):
            improve.replay(
                [case(0), case(1)], client=client, score=judge, progress=progress
            )
        broken_off.set()
        assert ended.wait(DEADLINE)
        assert list(events) == []
    assert libretto_instrument.flush(DEADLINE)
    assert backend.events == []


@needs_responses
def test_a_call_in_the_background_is_made_in_the_foreground() -> None:
    """What was asked for in the background is answered at once in a replay."""
    message = {"role": "user", "content": "{number}"}
    asked = case(
        endpoint="responses",
        template=[message],
        model_parameters={"background": True, "store": True},
    )
    with ScriptedModel() as server:
        server.answer(responded("is 0", "completed"))
        client = openai.OpenAI(api_key="sk-test", base_url=server.url)
        replay = improve.replay(asked, client=client)
    assert replay.score == 1
    assert "background" not in server.requests[0].json
    assert server.requests[0].json["store"] is True
    with pytest.raises(ReplayError, match="'background' to set"):
        improve.replay(asked, client=client, parameters={"background": True})


@needs_responses
def test_an_answer_that_does_not_come(backend: Any) -> None:
    """A call that only queues its answer is an error, and is not delivered later."""
    libretto_instrument.install(api_key="key", prompt_template_name="app")
    asked = case(endpoint="responses", template=[{"role": "user", "content": "hi"}])
    with ScriptedModel() as server:
        client = openai.OpenAI(api_key="sk-test", base_url=server.url)
        server.answer(responded(None, "queued"))
        queued = {"extra_body": {"background": True}}
        replay = improve.replay(asked, client=client, parameters=queued)
        server.answer(responded("is 0", "completed"))
        client.responses.retrieve("resp_1")
    assert "not recorded" in str(replay.errors[0].error)
    assert libretto_instrument.flush(DEADLINE)
    assert backend.events == []


def responded(text: str | None, status: str) -> dict[str, Any]:
    """Return a response of the Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"id": "msg_1", "type": "message", "role": "assistant"}
    said = {**message, "status": "completed", "content": content}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": "gpt-test",
        "output": [] if text is None else [said],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def test_no_call_is_made_once_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that wait to be made again are left for who goes on with the replay."""
    monkeypatch.setattr(run_module, "GRACE_SECONDS", DEADLINE)
    answers: dict[str, Any] = {
        "0": "is 0",
        "1": (429, {"retry-after": "60"}),
        "2": (500, {}),
        "3": (409, {}),
    }
    begun, refused = threading.Event(), threading.Semaphore(0)

    def rule(body: dict[str, Any]) -> Any:
        number = last_words(body)
        if number == "0":
            begun.set()
            for _ in range(3):
                assert refused.acquire(timeout=DEADLINE)
        else:
            assert begun.wait(DEADLINE)
            refused.release()
        return answers[number]

    def progress(done: int) -> None:
        raise KeyboardInterrupt

    with ruled(rule) as (model, client):
        cases = [case(number) for number in range(4)]
        with pytest.raises(ReplayInterrupt) as caught:
            improve.replay(cases, client=client, progress=progress)
    replay = caught.value.replay
    assert [result.case.id for result in replay.results] == ["case-0000"]
    assert not replay.is_complete
    numbers = [last_words(request.json) for request in model.requests]
    assert numbers.count("1") == 1
    assert not replay.errors


def test_redaction_holds_for_replays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the process is set to redact is redacted in what a replay records."""
    pytest.importorskip("phonenumbers", reason="the extra 'pii' is not installed")
    monkeypatch.setenv("LIBRETTO_REDACT_PII", "1")
    log = tmp_path / "replays.jsonl"
    replayed(lambda body: "Write to ada@example.org", case(), to=str(log))
    assert "ada@example.org" not in log.read_text()


def test_a_place_that_does_not_answer(tmp_path: Path) -> None:
    """Where to record is looked at before anything is sent."""
    with ruled(echo) as (model, client):
        with pytest.raises(OSError, match="does not answer"):
            improve.replay(case(), client=client, to=NOWHERE)
        with pytest.raises(ValueError, match="no directory"):
            improve.replay(case(), client=client, to=str(tmp_path / "no" / "x.jsonl"))
    assert model.requests == []


def test_a_place_that_stops_answering(tmp_path: Path) -> None:
    """A replay whose results can't be kept any more ends, and has what there is."""
    log = tmp_path / "replays.jsonl"

    def rule(body: dict[str, Any]) -> str:
        if last_words(body) == "2":
            log.unlink()
            log.mkdir()
        return echo(body)

    cases = [case(number) for number in range(9)]
    replay = replayed(rule, *cases, to=str(log), concurrency=1)
    assert not replay.is_complete
    assert replay.problem
    assert len(replay.results) == 2


# Broken off


def test_it_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    """Interrupted, it has what there is; resumed, it asks for the rest alone."""
    log = str(tmp_path / "replays.jsonl")
    cases = [case(number) for number in range(9)]
    made = 0

    def interrupt(_: int) -> None:
        nonlocal made
        made += 1
        if made == 3:
            raise KeyboardInterrupt

    with ruled(echo) as (_, client), pytest.raises(ReplayInterrupt) as broken:
        improve.replay(cases, client=client, concurrency=1, to=log, progress=interrupt)
    partial = broken.value.replay
    assert not partial.is_complete
    assert 3 <= len(partial.results) < 9
    with ruled(echo) as (model, client):
        whole = improve.replay(cases, client=client, to=log, resume=partial.id)
    assert whole.is_complete
    assert len(model.requests) == 9 - len(partial.results)
    assert whole.score == 1
    assert whole.id == partial.id


def test_errors_are_tried_again_when_it_goes_on(tmp_path: Path) -> None:
    """A case that failed is asked again; the newer answer counts."""
    log = str(tmp_path / "replays.jsonl")
    rule: Rule = lambda body: (400, {}) if last_words(body) == "1" else echo(body)  # noqa: E731
    first = replayed(rule, case(0), case(1), to=log)
    assert len(first.errors) == 1
    with ruled(echo) as (model, client):
        again = improve.replay(
            [case(0), case(1)], client=client, to=log, resume=first.id
        )
        assert len(model.requests) == 1
        assert again.errors == []
        third = improve.replay(
            [case(0), case(1)], client=client, to=log, resume=first.id
        )
        assert len(model.requests) == 1
        assert third.errors == []


def test_what_can_not_be_gone_on_with(tmp_path: Path) -> None:
    """Another change, another place, or no such replay is refused."""
    log = str(tmp_path / "replays.jsonl")
    first = replayed(echo, case(0), to=log)
    with pytest.raises(ReplayError, match="another template, model"):
        replayed(echo, case(0), to=log, resume=first.id, model="gpt-new")
    other = first.id[:-4] + "zzzz"
    with pytest.raises(ReplayError, match="no replay"):
        replayed(echo, case(0), to=log, resume=other)
    with pytest.raises(ReplayError, match="takes the place"):
        replayed(echo, case(0), resume=first.id)


# Scores


SCORES = [
    ("exact", "a b", " a b\n", 1),
    ("exact", "a b", "a  b", 0),
    ("contains", "b", "a b c", 1),
    ("contains", "b", "a c", 0),
    ("json", '{"a": [1, {"b": null}]}', '{ "a":[1,{"b":null}] }', 1),
    ("json", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}', 1),
    ("json", '{"a": 1}', '{"a": 1.0}', 1),
    ("json", '{"a": 1}', '{"a": true}', 0),
    ("json", '{"a": 1}', "a: 1", 0),
    ("json", "[1, 2]", "[2, 1]", 0),
]


@pytest.mark.parametrize(("score", "target", "answer", "expected"), SCORES)
def test_scores(score: str, target: str, answer: str, expected: int) -> None:
    """Each of the named scores, on what it is for."""
    replay = replayed(lambda body: answer, case(target=target), score=score)
    assert replay.score == expected


def test_json_tells_the_paths() -> None:
    """The paths at which an answer differs are reported."""
    target = '{"a": 1, "b": [1, 2], "c": {"d": "x"}, "e": 0}'
    answer = '{"a": 1, "b": [1, 3, 4], "c": {"d": "y"}, "f": 0}'
    replay = replayed(lambda body: answer, case(target=target), score="json")
    paths = ("$.b[1]", "$.b[2]", "$.c.d", "$.e", "$.f")
    assert replay.results[0].answers[0].differences == paths
    assert "$.c.d" in str(replay)


def test_similar() -> None:
    """The share of characters that stay."""
    pytest.importorskip("rapidfuzz", reason="the extra 'improve' is not installed")
    replay = replayed(lambda body: "hallo", case(target="hello"), score="similar")
    assert replay.score == pytest.approx(0.8)


def test_similar_without_rapidfuzz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library the extra is named, and nothing is sent."""
    monkeypatch.setitem(__import__("sys").modules, "rapidfuzz", None)
    with pytest.raises(ValueError, match=r"libretto-instrument\[improve\]"):
        replayed(echo, case(), score="similar")


def test_a_scorer_that_raises(tmp_path: Path) -> None:
    """Where a scorer fails, that case's score is an error and the run goes on."""

    def picky(case: Case, answer: str) -> float:
        if answer == "is 1":
            raise LookupError("no such word")
        return 2.0 if answer == "is 2" else 1.0

    replay = replayed(echo, case(0), case(1), case(2), score=picky)
    assert [r.verdict for r in replay.results] == ["same", "unscored", "unscored"]
    assert replay.results[1].answers[0].score_error == "LookupError: no such word"
    assert "from 0 to 1" in str(replay.results[2].error)
    assert replay.results[1].answers[0].text == "is 1"
    assert replay.score == 1


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), pytest.fail.Exception("no")]
)
def test_a_scorer_that_exits(error: BaseException) -> None:
    """A scorer that exits, or fails as a test does, ends neither call nor run."""

    def exiting(case: Case, answer: str) -> float:
        if answer == "is 1":
            raise error
        return 1.0

    replay = replayed(echo, case(0), case(1), case(2), score=exiting)
    assert [r.verdict for r in replay.results] == ["same", "unscored", "same"]
    assert type(error).__name__ in str(replay.results[1].error)
    assert replay.is_complete


def test_scores_of_other_types() -> None:
    """Any real number is a score."""
    replay = replayed(echo, case(0), score=lambda case, answer: Fraction(1, 2))
    assert replay.score == 0.5


@pytest.mark.parametrize(
    "parameters",
    [{"extra_body": [1]}, {"extra_headers": 5}, {"temperature": float("nan")}],
)
def test_a_call_that_openai_can_not_make(parameters: dict[str, Any]) -> None:
    """Whatever a call raises is that case's result, and the others go on."""
    odd = evolve(case(0), model_parameters=parameters)
    replay = replayed(echo, odd, case(1))
    assert [result.verdict for result in replay.results] == ["error", "better"]
    assert replay.is_complete


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"endpoint": "responses", "has_instructions": True, "template": [SYSTEM]},
            marks=needs_responses,
        ),
        {"model_parameters": {"response_format": {"schema": 5, "name": 1}}},
    ],
)
def test_a_request_that_can_not_be_made(changes: dict[str, Any]) -> None:
    """A case whose request makes no sense is left out, with the reason."""
    replay = replayed(echo, evolve(case(0), **changes), case(1))
    assert [result.verdict for result in replay.results] == ["better"]
    ((_, reason),) = replay.skipped
    assert "can't be made" in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"context": {"attempt": "first"}},
        {"context": {"attempt": None}},
        {"context": {"recorded_score": "high"}},
        {"responseErrors": 5},
        {"toolCalls": [{"type": []}], "response": ""},
        {"responseTime": "slow"},
    ],
)
def test_a_store_that_was_changed(tmp_path: Path, changes: dict[str, Any]) -> None:
    """What makes no sense in a store costs no replay that goes on from it."""
    store = tmp_path / "replays.jsonl"
    first = replayed(echo, case(0), case(1), to=str(store))
    lines = [json.loads(line) for line in store.read_text().splitlines()]
    body = lines[0]["body"]
    context = {**body["context"], **changes.get("context", {})}
    body.update({**changes, "context": context})
    store.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = replayed(echo, case(0), case(1), to=str(store), resume=first.id)
    assert again.is_complete
    assert len(again.results) == 2
    assert str(again)


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    """Nothing is sent where what comes of it could not be kept."""
    with ruled(echo) as (model, client), pytest.raises(OSError, match="directory"):
        improve.replay(case(0), client=client, to=str(tmp_path))
    assert model.requests == []


def test_a_scorer_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a module in the working directory scores."""
    (tmp_path / "my_scores.py").write_text(
        "def long(case, answer):\n    return len(answer) > 3\n"
    )
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    assert replayed(echo, case(0), score="my_scores:long").score == 1
    for name in ("my_scores:short", "absent_module:f", "nonsense"):
        with pytest.raises(ValueError, match=name.partition(":")[2] or "nonsense"):
            replayed(echo, case(0), score=name)
    assert sys.path == path


# The client


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take what openai reads out of the environment."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_OPENAI_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("kind", [None, "azure"])
def test_the_environment_of_azure(
    environment: pytest.MonkeyPatch, kind: str | None
) -> None:
    """Settings of Azure make its client; beside a key of OpenAI the type decides."""
    with RuledModel(echo) as model:
        environment.setenv("AZURE_OPENAI_ENDPOINT", model.url.removesuffix("/v1"))
        environment.setenv("AZURE_OPENAI_API_KEY", "azure-key")
        environment.setenv("OPENAI_API_VERSION", "2024-10-21")
        if kind is not None:
            environment.setenv("OPENAI_API_KEY", "sk-test")
            environment.setenv("OPENAI_API_TYPE", kind)
        replay = improve.replay(case(1))
    assert replay.score == 1
    (request,) = model.requests
    assert "/deployments/gpt-test/chat/completions?api-version=" in request.path


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "k", "AZURE_OPENAI_AD_TOKEN": "t"}, "OPENAI_API_TYPE"),
        ({"AZURE_OPENAI_API_KEY": "k"}, "api_version"),
        ({"AZURE_OPENAI_API_KEY": "k", "OPENAI_API_VERSION": "v"}, "azure_endpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_an_environment_without_a_client(
    environment: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    """What openai needs and lacks, or can't choose by, is said before anything else."""
    for name, value in variables.items():
        environment.setenv(name, value)
    with pytest.raises(ReplayError, match=problem):
        improve.replay(case())


def test_another_provider_takes_another_model() -> None:
    """A call of another provider's model is made again only with a model named."""
    cases = case(0, provider="azure"), case(1)
    replay = replayed(echo, *cases)
    assert [result.case.id for result in replay.results] == ["case-0001"]
    assert "azure" in replay.skipped[0][1]
    assert len(replayed(echo, *cases, model="gpt-other").results) == 2


# What is told


@pytest.fixture
def replay() -> Replay:
    def rule(body: dict[str, Any]) -> Any:
        number = int(last_words(body))
        if number == 0:
            return 400, {}
        return "worse <b> \x08" if number % 5 == 1 else f"is {number}"

    cases = [case(n, answer=f"is {n}" if n % 5 in (1, 2) else "was") for n in range(30)]
    return replayed(rule, *cases, case(99, obstacle="media were replaced"))


def test_a_table_and_a_summary(replay: Replay) -> None:
    """The table has the worst first; the summary has counts, interval and tokens."""
    text = str(replay)
    lines = text.splitlines()
    assert re.match(r"case-000 +0\.00 +0\.00  error", lines[1])
    assert lines[2].split()[1:4] == ["1.00", "0.00", "worse"]
    assert "17 better, 6 worse, 6 the same, 1 failed" in text
    assert re.search(r"score 0\.40 → 0\.77 \(95 %: 0\.59 to 0\.88\)", text)
    assert re.search(r"difference \+0\.37 \(95 %: \+0\.\d\d to \+0\.\d\d\)", text)
    assert "tokens in 10 → 3 (-70%)" in text
    assert "1 can't be replayed: media were replaced" in text
    assert "<b>" not in replay._repr_html_()


def test_few_cases_tell_nothing() -> None:
    """Of fewer than six cases no difference is claimed."""
    replay = replayed(lambda body: "no", *(case(n, answer=f"is {n}") for n in range(5)))
    assert "too few cases to tell" in str(replay)
    assert not replay.comparison.is_worse
    more = replayed(lambda body: "no", *(case(n, answer=f"is {n}") for n in range(6)))
    assert more.comparison.is_worse


def test_it_is_json(replay: Replay) -> None:
    """All of it is reported as JSON."""
    told = json.loads(json.dumps(replay.to_dict()))
    assert told["summary"]["cases"] == 30
    assert told["summary"]["worse"] == 6
    assert told["skipped"] == [{"case": "case-0099", "reason": "media were replaced"}]
    assert told["results"][2]["answers"][0]["text"] == "is 2"


def test_a_report_for_ci(replay: Replay) -> None:
    """JUnit's report has a test for each case, a failure for each that is worse."""
    (suite,) = ElementTree.fromstring(replay.to_junit(fail_under=0.9))
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors")}
    assert counts == {"tests": "32", "failures": "7", "errors": "1"}
    assert suite.get("skipped") == "1"
    by_name = {test.get("name"): test for test in suite}
    assert len(by_name) == 32
    below = by_name["mean score"].find("failure")
    assert below is not None
    assert "0.77 is below 0.9" in str(below.get("message"))


def test_two_replays_are_compared(tmp_path: Path, replay: Replay) -> None:
    """Cases that both have are paired."""
    cases = [case(number) for number in range(1, 30)]
    better = replayed(echo, *cases)
    comparison = better.compare_to(replay)
    assert (comparison.cases, comparison.better, comparison.worse) == (29, 6, 0)
    assert comparison.is_better
    assert replay.compare_to(better).is_worse


def test_progress_is_told() -> None:
    """The caller's progress function is called after each call."""
    told: list[int] = []
    add: Callable[[int], None] = told.append
    replayed(echo, case(0), case(1), progress=add)
    assert told == [1, 1]


def test_the_local_libretto_that_programs_are_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else is named, a replay is recorded where LIBRETTO_API_PREFIX
    leads, if that is this machine.
    """
    collector = pytest.importorskip(
        "libretto_instrument._collector", reason="needs the extra 'collector'"
    )
    with collector.running(tmp_path / "libretto.db") as libretto:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", f"{libretto.url}/api/")
        assert replayed(echo, case()).store == libretto.url
    monkeypatch.setenv("LIBRETTO_API_PREFIX", "https://app.example/api")
    assert replayed(echo, case()).store is None


@pytest.mark.parametrize(
    "host", ["127.example.com", "127.0.0.1.example.com", "example.com"]
)
def test_a_host_that_only_looks_local(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine is not taken for the local Libretto, whatever its name."""
    monkeypatch.setenv("LIBRETTO_API_PREFIX", f"https://{host}/api")
    assert local_address() == NOWHERE


def test_an_async_client_is_refused() -> None:
    """A replay takes a client that is not async, and says so."""
    with pytest.raises(ReplayError, match="async"):
        improve.replay(case(), client=openai.AsyncOpenAI(api_key="sk-test"))
