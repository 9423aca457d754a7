"""Cases: what makes a call one, where they are found, what files they make."""

import csv
import io
import json
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from support.scripted import ScriptedModel

from libretto_instrument import TemplateChat, improve
from libretto_instrument.improve import Case
from libretto_instrument.improve._cases import FORMS, describe_cases, format_cases
from libretto_instrument.testing import CapturedEvents, capture_events
from libretto_instrument.testing import cases as cases_of_file

from .recorded import Body, event, feedback, identify, write_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a place for a log."""
    return tmp_path / "calls.jsonl"


def case_of(log: Path, *bodies: Body) -> Case:
    (found,) = improve.cases(write_log(log, *bodies))
    return found


# What a case is


def test_a_correction_is_the_target(log: Path) -> None:
    """What the model should have said is wanted, however the answer was rated."""
    told = feedback(better_response="Hi, Ada.", rating=0.9)
    case = case_of(log, event(), told)
    assert (case.target, case.target_source) == ("Hi, Ada.", "better_response")
    assert (case.answer, case.rating) == ("Hello, Ada 0!", 0.9)
    assert case.id == identify(0)
    assert case.prompt == "greeting"
    assert case.params == {"name": "Ada 0"}
    assert case.model == "gpt-test"
    assert case.model_parameters == {}
    assert (case.tokens_in, case.tokens_out, case.response_time) == (20, 5, 400.0)
    assert case.is_replayable


def test_a_good_rating_makes_the_answer_the_target(log: Path) -> None:
    """From 0.75, or what is asked for, the recorded answer is the one wanted."""
    bodies = [
        *(event(number) for number in range(3)),
        feedback(0, rating=0.74),
        feedback(1, rating=0.75),
        feedback(2, rating=1),
    ]
    found = improve.cases(write_log(log, *bodies))
    assert {case.target for case in found} == {"Hello, Ada 1!", "Hello, Ada 2!"}
    assert {case.target_source for case in found} == {"rating"}
    assert len(improve.cases(log, min_rating=0.5)) == 3
    assert len(improve.cases(log, min_rating=0.9)) == 1


def test_the_newest_feedback_counts(log: Path) -> None:
    """A later correction replaces the earlier; feedback taken back makes no case."""
    told = [
        feedback(0, better_response="First."),
        feedback(0, better_response="Second."),
        feedback(1, better_response="Gone."),
        feedback(1, is_deleted=True),
    ]
    assert case_of(log, *told, event(0), event(1)).target == "Second."


def test_answers_without_text(log: Path) -> None:
    """Tool calls are written as JSON, without the ids that differ each time."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look_up", "arguments": '{"city":"Paris"}'},
    }
    called = event(response="", toolCalls=[call])
    case = case_of(log, called, feedback(rating=1))
    assert json.loads(case.target) == [
        {"name": "look_up", "arguments": {"city": "Paris"}}
    ]


def test_calls_of_replays_are_no_cases(log: Path) -> None:
    """What a replay recorded is not replayed in its turn."""
    replayed = event(1, context={"replay": "r1", "case": identify(0)})
    told = [feedback(0, rating=1), feedback(1, rating=1)]
    assert case_of(log, event(0), replayed, *told).id == identify(0)


def test_history_and_response_format(log: Path) -> None:
    """A case tells the messages of its history and the format that was asked for."""
    past = [{"role": "user", "content": "Hi"}, {"role": "ai", "content": "Hello"}]
    form = {"type": "json_object"}
    recorded = event(
        promptTemplateChat=[{"role": "chat_history", "content": "{past}"}],
        params={"past": past},
        modelParameters={"model": "m", "response_format": form},
    )
    case = case_of(log, recorded, feedback(rating=1))
    assert case.history == past
    assert case.response_format == form


# Why a case can't be replayed


@pytest.fixture
def captured() -> Iterator[CapturedEvents]:
    with capture_events(max_field_bytes=1_000) as events:
        yield events


def ask(client: openai.OpenAI, content: Any, **changes: Any) -> None:
    arguments = {
        "model": "gpt-test",
        "messages": [{"role": "user", "content": content}],
        **changes,
    }
    client.chat.completions.create(**arguments)


PICTURE = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"},
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param([PICTURE], "media", id="a picture"),
        pytest.param("long " * 1000, "cut", id="a long string"),
        pytest.param(r"Is \{x\} a set?", "escaped placeholder", id="an escape"),
    ],
)
def test_what_was_not_recorded_can_not_be_replayed(
    client: openai.OpenAI,
    captured: CapturedEvents,
    log: Path,
    content: Any,
    reason: str,
) -> None:
    """A case says why its request can't be made again as it was."""
    ask(client, content)
    told = feedback(better_response="Yes.") | {
        "feedback_key": captured[0]["feedbackKey"]
    }
    case = case_of(log, captured[0], told)
    assert not case.is_replayable
    assert reason in str(case.obstacle)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"params": {"name": "<REDACTION_FAILED>"}}, "withheld"),
        ({"tools": ["<generator: an iterator, left unread>"]}, "iterator"),
        ({"params": {"deep": "<nested too deeply>"}}, "too large"),
        ({"params": {"data": "<12 bytes>"}}, "bytes"),
        ({"tools": [{"type": "mcp", "headers": {"k": "<SECRET>"}}]}, "credential"),
        ({"modelParameters": {"previous_response_id": "r"}}, "previous_response_id"),
        ({"modelParameters": {"conversation": "c"}}, "conversation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_obstacles(log: Path, changes: Body, reason: str) -> None:
    """So does one that hangs on what only the provider has, or was withheld."""
    case = case_of(log, event(**changes), feedback(rating=1))
    assert reason in str(case.obstacle)


def test_a_template_with_parameters_may_have_escapes(
    client: openai.OpenAI, captured: CapturedEvents, log: Path
) -> None:
    """A template with parameters can be replayed despite an escaped placeholder."""
    template = [{"role": "user", "content": r"{question} Use \{x\}."}]
    client.chat.completions.create(
        model="gpt-test", messages=TemplateChat(template, {"question": "Why?"})
    )
    told = {"feedback_key": captured[0]["feedbackKey"], "rating": 1}
    assert case_of(log, captured[0], told).is_replayable


# Sources


def test_the_sources_agree(tmp_path: Path, log: Path) -> None:
    """A database, the address of a local Libretto and a log give the same cases."""
    collector = pytest.importorskip(
        "libretto_instrument._collector",
        reason="needs the extra 'collector'",
    )
    bodies = [event(number) for number in range(20)]
    bodies.append(event(20, promptTemplateName="other", apiName="other"))
    bodies.append(event(21, context={"replay": "r"}))
    told = [feedback(number, rating=number / 20) for number in range(0, 22, 2)]
    told += [feedback(number, better_response="Hi.") for number in range(0, 21, 5)]
    db = tmp_path / "libretto.db"
    with collector.running(db) as running, httpx.Client(base_url=running.url) as http:
        for body in bodies:
            http.post("/api/event", json={"apiKey": "k", **body}).raise_for_status()
        for body in told:
            http.post("/api/feedback", json={"apiKey": "k", **body}).raise_for_status()
        of_address = improve.cases(running.url)
        of_prompt = improve.cases(running.url, prompt="other")
        none_since = improve.cases(running.url, since=time.time() + 60)
        while_open = improve.cases(db)
    of_database = improve.cases(db)
    of_log = improve.cases(write_log(log, *bodies, *told))
    assert of_address == while_open == of_database == of_log
    assert len(of_log) == 7
    assert [case.id for case in of_prompt] == [identify(20)]
    assert improve.cases(db, prompt="other") == of_prompt
    assert improve.cases(log, prompt="other") == of_prompt
    assert none_since == improve.cases(db, since=time.time() + 60) == []
    assert len(improve.cases(db, since=time.time() - 60)) == 7


def test_a_token_is_taken_out_of_the_address(tmp_path: Path) -> None:
    """A local Libretto that asks for a token is read with the one in its address."""
    collector = pytest.importorskip(
        "libretto_instrument._collector",
        reason="needs the extra 'collector'",
    )
    with collector.running(
        tmp_path / "libretto.db", token="a-token-of-16-ch"
    ) as running:
        with pytest.raises(ValueError, match="token"):
            improve.cases(running.url)
        assert improve.cases(f"{running.url}/?token=a-token-of-16-ch") == []


def test_the_newest_and_the_limit(log: Path) -> None:
    """A limit keeps the newest; since leaves out the older ones."""
    told = [feedback(number, rating=1) for number in range(5)]
    write_log(log, *(event(number) for number in range(5)), *told)
    newest = improve.cases(log, limit=2)
    assert {case.id for case in newest} == {identify(3), identify(4)}
    assert len(improve.cases(log, since=1_800_000_003.0)) == 2
    assert improve.cases(log, limit=0) == []


def test_a_cut_line_of_a_log_is_told_of(log: Path) -> None:
    """A line that a killed process left in part is left out, and its number said."""
    write_log(log, event(), feedback(rating=1))
    log.write_bytes(log.read_bytes() + b'{"kind": "eve')
    with pytest.warns(UserWarning, match="line 3"):
        assert len(improve.cases(log)) == 1


@pytest.mark.parametrize("part", [b'd": 1}', b'{"kind": "eve', b"\xff\x00["])
def test_a_log_that_begins_in_the_middle_of_a_line(log: Path, part: bytes) -> None:
    """A log whose beginning was cut off is a log all the same."""
    write_log(log, event(), feedback(rating=1))
    log.write_bytes(part + b"\n\n" + log.read_bytes())
    with pytest.warns(UserWarning, match="line 1"):
        assert len(improve.cases(log)) == 1


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Another program's database, a missing file and a silent address are refused."""
    import sqlite3

    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(ValueError, match="another program"):
        improve.cases(other)
    with pytest.raises(FileNotFoundError):
        improve.cases(tmp_path / "absent")
    with pytest.raises(OSError, match="does not answer"):
        improve.cases("http://127.0.0.1:9")


def test_an_address_of_something_else(server: ScriptedModel) -> None:
    """What answers, but is not a local Libretto, is said not to be one."""
    server.answer(b"hello")
    with pytest.raises(ValueError, match="not a local Libretto"):
        improve.cases(server.url)
    server.answer({"error": {"message": "who are you"}}, status=403)
    with pytest.raises(ValueError, match="who are you"):
        improve.cases(server.url)


class Hostile(BaseHTTPRequestHandler):
    """A server that answers like a local Libretto, and means no good."""

    lines: bytes = b""
    kind = "application/x-ndjson"
    missing = 0
    is_chunked = False
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", self.kind)
        self.send_header("connection", "close")
        if self.is_chunked:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(self.lines), self.lines))
        else:
            self.send_header("content-length", str(len(self.lines) + self.missing))
            self.end_headers()
            self.wfile.write(self.lines)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering(**attributes: Any) -> Iterator[str]:
    """Run a hostile server; yield its address."""
    kind = type("Handler", (Hostile,), attributes)
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?token=t0"
    finally:
        server.shutdown()
        server.server_close()


ROW = {"received_at": "2026-01-01T00:00:00+00:00", "rating": 1, "event": event()}
LINE = json.dumps(ROW).encode() + b"\n"


@pytest.mark.parametrize(
    "attributes",
    [
        {"lines": LINE, "kind": "application/json"},
        {"lines": b"<html>\n"},
        {"lines": b"[]\n"},
        {"lines": b"{}\n"},
        {"lines": LINE + b'{"received_at"\n'},
        {"lines": json.dumps({**ROW, "event": []}).encode()},
        {"lines": json.dumps({**ROW, "received_at": 5}).encode()},
        {"lines": b"[" * 100_000},
    ],
    ids=lambda attributes: str(attributes)[:60],
)
def test_a_server_that_means_no_good(attributes: dict[str, Any]) -> None:
    """What is not an answer of a local Libretto is refused."""
    with (
        answering(**attributes) as url,
        pytest.raises(ValueError, match="not a local Libretto") as told,
    ):
        improve.cases(url)
    assert "t0" not in str(told.value)


@pytest.mark.parametrize("attributes", [{"missing": 100}, {"is_chunked": True}])
def test_an_answer_that_breaks_off(attributes: dict[str, Any]) -> None:
    """A listing that ends too early is an error, not fewer cases."""
    with (
        answering(lines=LINE, **attributes) as url,
        pytest.raises(ConnectionError, match="does not answer"),
    ):
        improve.cases(url)


def test_a_redirect_is_not_followed() -> None:
    """The token in an address is for its server, and for no other."""
    asked: list[str] = []

    def redirect(handler: Hostile) -> None:
        asked.append(handler.path)
        handler.send_response(302)
        handler.send_header("location", "/elsewhere")
        handler.send_header("content-length", "0")
        handler.end_headers()

    with (
        answering(do_GET=redirect) as url,
        pytest.raises(ValueError, match="302"),
    ):
        improve.cases(url)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"modelParameters": [1]},
        {"toolCalls": [1], "response": 1},
        {"params": 3},
        {"promptTemplateChat": 5},
        {"promptTemplateChat": ["Hi"]},
        {"promptTemplateName": ["greeting"]},
        {"promptEventId": None},
        {"responseTime": "fast"},
    ],
)
def test_an_event_that_makes_no_sense(log: Path, changes: Body) -> None:
    """An event that can't be read is reported, and the others are cases."""
    told = [feedback(0, rating=1), feedback(1, better_response="Hi.")]
    write_log(log, event(0), event(1, **changes), *told)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = improve.cases(log)
    assert identify(0) in {case.id for case in found}


def test_an_event_that_was_sent_again(log: Path) -> None:
    """An event that stands in a log twice is one case, as its file may hold."""
    found = improve.cases(write_log(log, event(), event(), feedback(rating=1)))
    assert [case.id for case in found] == [identify(0)]


@pytest.mark.parametrize("timestamp", ["soon", [1], None, 10**400, {}])
def test_a_time_that_makes_no_sense(log: Path, timestamp: Any) -> None:
    """A line of a log that does not say when it was written is read all the same."""
    write_log(log, event(), feedback(rating=1))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text(
        "".join(json.dumps({**line, "timestamp": timestamp}) + "\n" for line in lines)
    )
    assert [case.id for case in improve.cases(log)] == [identify(0)]


# Files


@pytest.fixture
def found(log: Path) -> list[Case]:
    told = [feedback(number, rating=1) for number in range(3)]
    odd = 'a "quote", a comma,\na line \u2028 and half \ud800 of a pair'
    bodies = [
        event(0, params={"name": odd, "n": 1}),
        event(1, params={"name": "Bo", "list": [1, {"a": None}]}),
        event(2, modelParameters={"previous_response_id": "r"}),
    ]
    return improve.cases(write_log(log, *bodies, *told))


def test_a_file_of_cases_is_read_back(tmp_path: Path, found: list[Case]) -> None:
    """One line a case, in the same order each time, equal when read."""
    path = tmp_path / "cases.jsonl"
    lines = list(format_cases(found, "jsonl"))
    path.write_bytes("".join(lines).encode(errors="backslashreplace"))
    assert len(path.read_bytes().splitlines()) == 3
    assert improve.cases(path) == found
    assert list(format_cases(list(improve.cases(path)), "jsonl")) == lines
    assert [case.id for case in found] == sorted(case.id for case in found)


def test_the_csv_of_an_upload(found: list[Case]) -> None:
    """A column for each parameter, what is not a text as JSON, and the target."""
    text = "".join(format_cases(found, "csv"))
    rows = {row["targetOutput"]: row for row in csv.DictReader(io.StringIO(text))}
    assert list(rows["Hello, Ada 1!"]) == ["list", "n", "name", "targetOutput"]
    assert rows["Hello, Ada 1!"]["list"] == '[1, {"a": null}]'
    assert rows["Hello, Ada 0!"]["n"] == "1"
    assert rows["Hello, Ada 0!"]["name"] == found_named(found, 0).params["name"]


def found_named(found: list[Case], number: int) -> Case:
    return next(case for case in found if case.id == identify(number))


def test_the_tests_of_promptfoo(found: list[Case]) -> None:
    """A list of promptfoo's tests: the variables, and an assertion of the target."""
    tests = json.loads("".join(format_cases(found, "promptfoo")))
    by_id = {test["metadata"]["id"]: test for test in tests}
    assert by_id[identify(1)]["vars"] == {"name": "Bo", "list": [1, {"a": None}]}
    assert by_id[identify(1)]["assert"] == [
        {"type": "equals", "value": "Hello, Ada 1!"}
    ]
    # A list is one value, not a test for each item.
    assert by_id[identify(1)]["options"] == {"disableVarExpansion": True}
    assert "options" not in by_id[identify(0)]


def test_formats() -> None:
    """No cases make files that are empty but whole; another format is refused."""
    for form in FORMS:
        assert "".join(format_cases([], form)) is not None
    assert json.loads("".join(format_cases([], "promptfoo"))) == []
    with pytest.raises(ValueError, match="yaml"):
        list(format_cases([], "yaml"))


GOOD = '{"id": "1", "template": "Hi {name}", "params": {"name": "A"}, "target": "t"}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 2"),
        ("[]", "JSON object"),
        ('{"id": "1"}', "'template'"),
        ('{"id": "2", "template": "x"}', "'target'"),
        ('{"id": "2", "template": 5, "target": "t"}', "'template' is a int"),
        ('{"id": "2", "template": "x", "target": 5}', "'target' is a int"),
        ('{"id": "2", "template": "x", "target": "t", "parms": {}}', "'parms'"),
        ('{"id": "2", "template": "x", "target": "t", "endpoint": "e"}', "'e'"),
        ('{"id": "2", "template": [5], "target": "t"}', "'template' is not an object"),
        *(
            (f'{{"id": "2", "template": "x", "target": "t", "{name}": {value}}}', name)
            for name, value in (
                ("prompt", 5),
                ("prompt", '["x"]'),
                ("response_time", '"1"'),
                ("response_time", "1e999"),
                ("tokens_in", "{}"),
                ("input_type", 5),
                ("has_instructions", '"yes"'),
                ("obstacle", 5),
                ("endpoint", "[]"),
                ("template_hash", 5),
            )
        ),
        (GOOD, "twice"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    """What is wrong with a line is said, with its number."""
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(ValueError, match="line 2") as told:
        list(improve.read_cases(path))
    assert problem in str(told.value)


def test_cases_written_by_hand(tmp_path: Path) -> None:
    """A template, parameters and a target are enough."""
    path = tmp_path / "cases.jsonl"
    path.write_text(f"\n{GOOD}\n\n")
    (case,) = improve.cases(path)
    assert case.template_hash
    assert case.endpoint == "chat"


def test_fields_that_are_null(tmp_path: Path) -> None:
    """A field that is null is one that is not there."""
    path = tmp_path / "cases.jsonl"
    names = ("prompt", "model", "tools", "answer", "rating", "params")
    path.write_text(json.dumps(json.loads(GOOD) | dict.fromkeys(names)) + "\n")
    (case,) = improve.cases(path)
    assert (case.answer, case.params, case.provider) == (None, {}, "openai")


def test_cases_for_pytest(tmp_path: Path, found: list[Case]) -> None:
    """Those that can be replayed, each with a name; a file without any is refused."""
    path = tmp_path / "cases.jsonl"
    lines = format_cases(found, "jsonl")
    path.write_bytes("".join(lines).encode(errors="backslashreplace"))
    given = cases_of_file(path)
    assert {case.id for case in given} == {identify(0), identify(1)}
    assert given[0].__name__ == f"greeting-{given[0].id[:8]}"
    with pytest.raises(ValueError, match="no case"):
        cases_of_file(path, prompt="absent")


def test_what_is_told_of_cases(found: list[Case], log: Path) -> None:
    """How many there are, why some are no use, and whether they hold personal data."""
    told = describe_cases(found)
    assert told[0] == "3 cases (0 corrected, 3 rated)"
    assert told[1].startswith("1 can't be replayed: it continues a conversation")
    assert "warning" in told[2]
    redacted = event(params={"name": "<PERSON>"})
    (case,) = improve.cases(write_log(log, redacted, feedback(rating=1)))
    assert describe_cases([case]) == ["1 case (0 corrected, 1 rated)"]
