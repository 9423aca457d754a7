"""The examples do what they say, against the offline model and a Libretto."""

import re

import pytest
from programs import EXAMPLES, Programs
from support.backend import Backend


def test_the_drop_in_client(programs: Programs, backend: Backend) -> None:
    """Each call is an event with its template, and its rating refers to it."""
    printed = programs.run(str(EXAMPLES / "drop_in_client.py"), "curling", "tennis")
    curling, tennis = backend.events
    for event, sport in (curling, "curling"), (tennis, "tennis"):
        assert event["apiName"] == "sport-emoji"
        assert event["apiKey"] == "key"
        assert event["params"] == {"sport": sport}
        assert event["context"] == {"letters": len(sport)}
        assert "{sport}" in event["promptTemplateChat"][1]["content"]
        assert f"{sport}: {event['response']}\n" in printed
    ratings = {
        each["feedback_key"]: each["rating"] for each in backend.stored("feedback")
    }
    # What the offline model says is not an emoji.
    assert ratings == {curling["feedbackKey"]: 0.0, tennis["feedbackKey"]: 0.0}


def test_installing_at_start_up(programs: Programs, backend: Backend) -> None:
    """Calls of code that knows nothing of us are events, streamed and plain."""
    printed = programs.run(
        str(EXAMPLES / "install_at_startup.py"), "a", "loud", "kettle"
    )
    slogan, translation = backend.events
    assert slogan["apiName"] == "slogan"
    assert slogan["modelParameters"]["stream"] is True
    assert "a loud kettle" in slogan["response"]
    assert translation["apiName"] == "translate"
    assert slogan["response"] in str(translation["promptTemplateChat"])
    assert printed == f"{slogan['response']}\n{translation['response']}\n"
    for event in backend.events:
        assert event["context"] == {"program": "slogans"}


def test_rag(programs: Programs, backend: Backend) -> None:
    """Questions of one session are chains of two calls, each with its answer."""
    questions = ["Why does my kettle whistle?", "How long is its warranty?"]
    printed = programs.run(str(EXAMPLES / "rag.py"), *questions)
    events, results = backend.events, backend.stored("chain")
    assert [event["apiName"] for event in events] == ["rag-query", "rag-answer"] * 2
    assert len({event["chatId"] for event in events}) == 1
    first, second = events[0]["chainId"], events[2]["chainId"]
    assert first != second
    assert [event["chainId"] for event in events] == [first, first, second, second]
    answers = [events[1]["response"], events[3]["response"]]
    assert [(each["id"], each["result"]) for each in results] == [
        (first, answers[0]),
        (second, answers[1]),
    ]
    assert events[1]["context"]["found"][0] == "whistle"
    assert events[3]["context"]["found"][0] == "warranty"
    assert events[1]["params"]["history"] == []
    assert [said["content"] for said in events[3]["params"]["history"]] == [
        questions[0],
        answers[0],
    ]
    assert events[3]["promptTemplateChat"][1]["role"] == "chat_history"
    assert all(answer in printed for answer in answers)


INVOKED = """
import os, sys
from function_handler import handler

class Context:
    aws_request_id = "request-1"

print(handler({"letter": sys.argv[1]}, Context())["mood"], flush=True)
os._exit(0)  # The platform stops the process where it stands.
"""


def test_a_function_as_a_service(programs: Programs, backend: Backend) -> None:
    """What an invocation recorded has arrived when the handler returns."""
    printed = programs.run("-c", INVOKED, "It whistles.")
    (event,) = backend.events
    assert event["apiName"] == "mood"
    assert event["params"] == {"letter": "It whistles."}
    assert event["context"] == {"request": "request-1"}
    assert printed == f"{event['response']}\n"


FAILED = """
import os, sys, openai
from function_handler import handler
try:
    handler({"letter": ""}, None)
except openai.APIStatusError as exc:
    print(exc.status_code, flush=True)
os._exit(0)
"""


def test_a_function_that_fails(
    programs: Programs, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error reaches the platform, and its event Libretto."""
    monkeypatch.setenv("OPENAI_MODEL", "no-such-model")
    assert programs.run("-c", FAILED) == "404\n"
    (event,) = backend.events
    assert event["responseErrors"]


def test_an_example_offline(programs: Programs, backend: Backend) -> None:
    """Any example runs without a key and shows its events, and sends none away."""
    offline, rag = EXAMPLES / "offline.py", EXAMPLES / "rag.py"
    printed = programs.run(str(offline), str(rag), "Why does it whistle?")
    told = [line.partition("  ")[0] for line in printed.splitlines()]
    assert told.count("rag-query") == told.count("rag-answer") == 1
    assert '"question": "Why does it whistle?"' in printed
    assert not backend.received


def test_an_example_that_fails_offline(programs: Programs) -> None:
    """The exit status is the program's."""
    offline = str(EXAMPLES / "offline.py")
    programs.run("-c", RUN_OFFLINE, offline, "-c", "import sys; sys.exit(3)")


RUN_OFFLINE = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode != 3)
"""


def test_the_table_lists_every_example() -> None:
    """Each program has its row, with what it needs, and no row names another."""
    page = (EXAMPLES / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[`(\w+\.py)`\]\((.+?)\)", page, re.MULTILINE)
    assert all(name == target for name, target in rows)
    there = {path.name for path in EXAMPLES.glob("*.py")}
    assert {name for name, _ in rows} == there - {"offline.py"}
