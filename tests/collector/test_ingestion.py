"""The three endpoints that programs post to."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from libretto_instrument._collector import RunningServer, running

from .wire import conclude, event, post, rate, read

TOO_LARGE = 10 * 2**20 + 1


def test_an_event_is_stored_as_it_came(http: httpx.Client) -> None:
    """An event can be read back whole, less the key that came with it."""
    body = event(
        chatId="c", context={"user": 7}, responseMetrics={"usage": {"total_tokens": 9}}
    )
    answer = http.post("/api/event", json=body)
    assert answer.json() == {"id": body["promptEventId"], "api_name": "greeting"}
    (row,) = read(http)
    assert row["event"] == {k: v for k, v in body.items() if k != "apiKey"}
    assert (row["prompt"], row["tokens"], row["chat_id"]) == ("greeting", 9, "c")
    assert row["response_time"] == 412.5
    assert row["model"] == "gpt-5.4-mini"
    assert row["failed"] is False


def test_keys_are_never_stored(http: httpx.Client, shared_db: Path) -> None:
    """Neither an API key nor a project key reaches the disk."""
    post(http, apiKey="sesame-api", projectKey="sesame-project")
    for file in shared_db.parent.iterdir():
        assert b"sesame" not in file.read_bytes()


def test_a_resend_is_one_event(http: httpx.Client) -> None:
    """The same promptEventId twice is one event, and both are answered alike."""
    body = event()
    first, second = (http.post("/api/event", json=body).json() for _ in range(2))
    other = http.post("/api/event", json=body | {"promptTemplateName": "other"}).json()
    assert first == second == other
    assert len(read(http)) == 1
    assert [row["name"] for row in read(http, "prompts")] == ["greeting"]


def test_unnamed_prompts_are_named_by_their_template(http: httpx.Client) -> None:
    """An unnamed prompt gets a name that its template alone decides."""

    def name(template: str) -> str:
        body = event(promptTemplateChat=[{"role": "user", "content": template}])
        body |= {"apiName": None, "promptTemplateName": ""}
        return str(http.post("/api/event", json=body).json()["api_name"])

    assert name("Sing {it}.") == name("Sing {it}.") != name("Say {it}.")
    assert name("Sing {it}.").startswith("unnamed-")


@pytest.mark.parametrize(
    ("changes", "status", "key"),
    [
        ({"apiKey": None}, 401, "apiKey"),
        ({"apiKey": ""}, 401, "apiKey"),
        ({"apiKey": 5}, 401, "apiKey"),
        ({"promptEventId": None}, 400, "promptEventId"),
        ({"promptEventId": ""}, 400, "promptEventId"),
        ({"promptEventId": 5}, 400, "promptEventId"),
        ({"promptEventId": "x" * 1001}, 400, "promptEventId"),
        ({"feedbackKey": None}, 400, "feedbackKey"),
        ({"params": None}, 400, "params"),
        ({"params": []}, 400, "params"),
        ({"modelParameters": "gpt"}, 400, "modelParameters"),
        ({"responseTime": None}, 400, "responseTime"),
        ({"responseTime": "12"}, 400, "responseTime"),
        ({"responseTime": True}, 400, "responseTime"),
        ({"responseTime": -1}, 400, "responseTime"),
        ({"responseTime": 10**400}, 400, "responseTime"),
        ({"promptTemplateChat": None}, 400, "promptTemplateChat"),
        ({"promptTemplateChat": "hello"}, 400, "promptTemplateChat"),
        ({"promptTemplateChat": ["hello"]}, 400, "promptTemplateChat"),
        ({"promptTemplateText": ["hello"]}, 400, "promptTemplateText"),
        ({"apiName": 5}, 400, "apiName"),
        ({"response": {}}, 400, "response"),
        ({"responseErrors": "boom"}, 400, "responseErrors"),
        ({"responseErrors": [{}]}, 400, "responseErrors"),
        ({"toolCalls": ["f"]}, 400, "toolCalls"),
        ({"chatId": 5}, 400, "chatId"),
        ({"context": "user"}, 400, "context"),
    ],
)
def test_what_breaks_the_contract_is_refused(
    shared: httpx.Client, changes: dict[str, Any], status: int, key: str
) -> None:
    """A missing key or a wrong type is refused by name, and nothing is stored."""
    answer = shared.post("/api/event", json=event(**changes))
    assert (answer.status_code, answer.json()["error"]["key"]) == (status, key)
    assert key in answer.json()["error"]["message"]
    assert read(shared) == read(shared, "prompts") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[1]",
        b"null",
        b'{"apiKey": "k"',
        b'{"apiKey": "\xff"}',
        b'{"apiKey": NaN}',
        b'{"apiKey": -Infinity}',
        b'{"apiKey": 1e999}',
        b'{"apiKey": ' + b"9" * 5_000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 101 + b"1" + b"}" * 101,
    ],
)
@pytest.mark.parametrize("path", ["event", "feedback", "v1/updateChain"])
def test_what_is_no_json_is_refused(
    shared: httpx.Client, path: str, body: bytes
) -> None:
    """A body that is not a JSON object is a 400 that says why."""
    answer = shared.post(f"/api/{path}", content=body)
    assert answer.status_code == 400
    assert "body" in answer.json()["error"]["message"]


def test_odd_texts_are_kept(http: httpx.Client) -> None:
    """NULs are kept as they are, and halves of surrogate pairs replaced."""
    odd = {"name": "a\0b", "half": "\ud800", "\udfff": "whole 😀"}
    body = event(params=odd, response="\0", context={"a": "x\0y"}, chatId="\0")
    assert http.post("/api/event", content=json.dumps(body)).status_code == 200
    (row,) = read(http, chat="\0")
    assert row["event"]["params"] == {
        "name": "a\0b",
        "half": "\ufffd",
        "\ufffd": "whole 😀",
    }
    assert row["event"]["response"] == "\0"
    assert http.get(row["url"]).status_code == 200


def test_a_body_too_large_is_refused_unread(shared: httpx.Client) -> None:
    """A body that says it is over 10 MB is a 413."""
    answer = shared.post("/api/event", content=b" " * TOO_LARGE)
    assert answer.status_code == 413
    assert "10,485,760" in answer.json()["error"]["message"]


def test_a_chunked_body_is_read_to_the_bound(collector: RunningServer) -> None:
    """An endless body without a length is a 413 as soon as it is over 10 MB."""
    address = urlsplit(collector.url)
    with socket.create_connection((address.hostname, address.port), 10) as sock:
        head = f"POST /api/event HTTP/1.1\r\nHost: {address.netloc}\r\n"
        sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < 100 * 2**20:
                sock.sendall(chunk)
                sent += 65536
        except OSError:
            pass  # It does not listen any longer.
        assert sent < 50 * 2**20
        assert sock.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_body_of_ten_megabytes_is_taken(http: httpx.Client) -> None:
    """A body just within the bound is stored whole."""
    text = "x" * (10 * 2**20 - 1000)
    post(http, response=text)
    (row,) = read(http)
    assert row["event"]["response"] == text
    assert http.get(row["url"]).status_code == 200


def test_half_a_body_leaves_nothing(
    http: httpx.Client, collector: RunningServer
) -> None:
    """A client that hangs up in the middle of a body leaves nothing behind."""
    address = urlsplit(collector.url)
    body = json.dumps(event()).encode()
    with socket.create_connection((address.hostname, address.port), 10) as sock:
        head = f"POST /api/event HTTP/1.1\r\nHost: {address.netloc}\r\n"
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
    post(http)
    assert len(read(http)) == 1


def test_feedback_is_merged(http: httpx.Client) -> None:
    """A rating and a better response may come one by one; each stays."""
    body = post(http)
    rate(http, body, rating=0.2)
    answer = rate(http, body, better_response="Hi!")
    key = body["feedbackKey"]
    assert answer == {"feedback_key": key, "rating": 0.2, "better_response": "Hi!"}
    assert read(http)[0]["rating"] == 0.2
    assert read(http, "feedback", id=key)[0]["better_response"] == "Hi!"


def test_feedback_may_come_first(http: httpx.Client) -> None:
    """Feedback that arrives before its event is found when the event comes."""
    body = event()
    rate(http, body, rating=1)
    http.post("/api/event", json=body)
    assert read(http)[0]["rating"] == 1


def test_feedback_can_be_taken_back(http: httpx.Client) -> None:
    """A deletion takes the rating and the better response away."""
    body = post(http)
    rate(http, body, rating=0, better_response="Hi!")
    rate(http, body, is_deleted=True)
    assert read(http)[0]["rating"] is None
    assert read(http, "feedback") == []


@pytest.mark.parametrize(
    ("feedback", "key"),
    [
        ({"rating": 1}, "feedback_key"),
        ({"feedback_key": "f"}, "rating"),
        ({"feedback_key": "f", "rating": 1.01}, "rating"),
        ({"feedback_key": "f", "rating": -0.5}, "rating"),
        ({"feedback_key": "f", "rating": "good"}, "rating"),
        ({"feedback_key": "f", "rating": True}, "rating"),
        ({"feedback_key": "f", "better_response": 5}, "better_response"),
        ({"feedback_key": "f", "is_deleted": "yes"}, "is_deleted"),
    ],
)
def test_feedback_that_says_nothing_is_refused(
    shared: httpx.Client, feedback: dict[str, Any], key: str
) -> None:
    """Feedback without a key, a judgement or with a rating out of range is refused."""
    answer = shared.post("/api/feedback", json={"apiKey": "k", **feedback})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, key)
    assert read(shared, "feedback") == []


def test_a_chain_has_a_result(http: httpx.Client) -> None:
    """A chain's result is any JSON value, may come first, and the last one counts."""
    conclude(http, "chain", "the first")
    for result in ("done", "", None, 5, {"a": [1]}, "\0"):
        conclude(http, "chain", result)
        (row,) = read(http, "chains", id="chain")
        assert row["result"] == result
    post(http, chainId="chain")
    (row,) = read(http, "chains")
    assert (row["result"], row["calls"]) == ("\0", 1)


def test_a_chain_without_a_result_is_refused(shared: httpx.Client) -> None:
    """A chain result must say which chain, and what."""
    for body, key in (({"result": "r"}, "id"), ({"id": "c"}, "result")):
        answer = shared.post("/api/v1/updateChain", json={"apiKey": "k", **body})
        assert (answer.status_code, answer.json()["error"]["key"]) == (400, key)


@pytest.fixture
def locked(db: Path) -> Iterator[httpx.Client]:
    """Yield a client of a collector that takes one key only."""
    with (
        running(db, api_key="right-key-with-é") as collector,
        httpx.Client(base_url=collector.url, timeout=60) as client,
    ):
        yield client


def test_a_wrong_key_is_refused(locked: httpx.Client) -> None:
    """With a key of its own, a collector takes no other, nor a project key instead."""
    for key in ("wrong", "right-", "RIGHT-KEY-WITH-É", 5, None):
        body = event(apiKey=key, projectKey="p")
        assert locked.post("/api/event", json=body).status_code == 401
    assert (
        locked.post("/api/event", json=event(apiKey="right-key-with-é")).status_code
        == 200
    )
    assert len(read(locked)) == 1


def test_other_methods_are_told_so(shared: httpx.Client) -> None:
    """An endpoint asked the wrong way answers a 405, in JSON."""
    answer = shared.get("/api/v1/updateChain")
    assert answer.status_code == 405
    assert answer.json()["error"]["message"] == "Method Not Allowed."


@pytest.mark.parametrize("path", ["event", "v1/updateChain"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_who_only_looks_is_told_so_and_leaves_nothing(
    shared: httpx.Client, method: str, path: str
) -> None:
    """Asked whether it is there, an endpoint says yes, and stores nothing."""
    answer = shared.request(method, f"/api/{path}")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    for listing in ("events", "feedback", "chains", "prompts"):
        assert read(shared, listing) == []
