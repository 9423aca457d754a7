"""Requests that ask for much work: what is done for them is bounded."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import running
from libretto_instrument._collector.conversation import conversation, pretty_json
from libretto_instrument._collector.diff import word_diff

from .wire import event, post, rate, read

KEY = "a-key-of-16-char"


@pytest.fixture(scope="module", autouse=True)
def untraced() -> Iterator[None]:
    """Measure no tool that traces every line, such as the one for coverage."""
    traced, threads_traced = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    sys.settrace(traced)
    threading.settrace(threads_traced)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def limit(untraced: None) -> float:
    """Return what a request may take, in seconds of this machine's processor.

    It is a second, or on a slow machine what counting to twenty-five million takes.
    """
    start = cpu()
    for _ in range(3_000_000):
        pass
    return max(1.0, (25 / 3) * (cpu() - start))


@pytest.fixture(scope="module")
def shared_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where this module's collector keeps its events."""
    return tmp_path_factory.mktemp("bounded") / "libretto.db"


@pytest.fixture(scope="module")
def shared(untraced: None, shared_db: Path) -> Iterator[httpx.Client]:
    """Yield a client of a collector whose threads are not traced either."""
    with (
        running(shared_db) as started,
        httpx.Client(base_url=started.url, timeout=60) as client,
    ):
        yield client


def cpu() -> float:
    """Return the seconds that this process, in which the server runs, was at work."""
    return time.process_time()


@pytest.mark.parametrize("key", ["now", "seq", "size", "received_at", "n", "body"])
@pytest.mark.parametrize("value", ["x", 10**30, -1, None, [], {"a": 1}])
def test_no_key_of_an_event_is_a_column(
    http: httpx.Client, key: str, value: Any
) -> None:
    """An event's own keys are kept, and name no column of the store."""
    body = event(**{key: 1}) | {key: value}
    assert http.post("/api/event", json=body).status_code == 200
    post(http)
    rows = read(http)
    assert len(rows) == 2
    assert rows[1]["event"][key] == value
    assert rows[0]["received_at"] >= rows[1]["received_at"] > "2020"


@pytest.mark.parametrize(
    "key",
    [
        *("context", "responseErrors", "toolCalls", "rawResponse", "responseMetrics"),
        *("chatId", "response", "tools", "apiName", "prompt", "promptTemplateText"),
    ],
)
def test_null_is_as_good_as_nothing(http: httpx.Client, key: str) -> None:
    """An optional key may be null."""
    assert http.post("/api/event", json=event() | {key: None}).status_code == 200
    assert len(read(http)) == 1
    assert http.get(read(http)[0]["url"]).status_code == 200


async def test_a_failing_write_fails_alone(db: Path) -> None:
    """What shares a transaction with a write that fails is stored all the same."""
    from libretto_instrument._collector.schema import parse_event
    from libretto_instrument._collector.store import Store

    store = Store(db)
    good = [store.put("event", parse_event(event())) for _ in range(2)]
    bad = store.put("event", parse_event(event()) | {"response_time": None})
    worse = store.submit(lambda connection: 1 / 0)
    good.append(store.put("event", parse_event(event())))
    for each in good:
        assert (await each)["id"]
    for failed in (bad, worse):
        with pytest.raises(Exception, match=r"NOT NULL|division"):
            await failed
    with store.read_connection() as connection:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    assert count == 3
    store.close()


MANY = "{a}" * 100_000


@pytest.mark.parametrize(
    "changes",
    [
        {
            "promptTemplateChat": [{"role": "chat_history", "content": MANY}],
            "params": {"a": [{"role": "user", "content": "x"}] * 20_000},
        },
        {
            "promptTemplateChat": [{"role": "user", "content": MANY}],
            "params": {"a": "y" * 1_000_000},
        },
        {"promptTemplateChat": [{"role": "user", "content": ["a"] * 100_000}]},
        {"promptTemplateChat": [{"role": "user"}] * 100_000},
        {"params": {str(number): number for number in range(100_000)}},
        {"context": {str(number): number for number in range(100_000)}},
        {"toolCalls": [{"function": {"name": "f", "arguments": "{}"}}] * 50_000},
        {"rawResponse": {"choices": [{"text": "t"}] * 100_000}},
        {"responseErrors": ["e"] * 100_000},
        {"response": "[" * 90 + "1," * 60_000 + "1" + "]" * 90},
        {"modelParameters": {"model": "m", "x": "[" * 900 + "]" * 900}},
        {"toolCalls": [{"function": {"arguments": '{"a":' * 800 + "1" + "}" * 800}}]},
        {"tools": [{"a": [[[[[list(range(5_000))]]]]]}] * 20},
    ],
)
def test_a_page_takes_little_work(
    http: httpx.Client, changes: dict[str, Any], limit: float
) -> None:
    """An event that asks for much work is stored and shown within a second."""
    content = json.dumps(event(**changes)).encode()
    start = cpu()
    answer = http.post("/api/event", content=content)
    assert answer.status_code == 200, answer.text
    assert cpu() - start < limit
    (url,) = (row["url"] for row in read(http))
    for path in (url, "/", "/events", "/revisions?prompt=greeting", "/events.csv"):
        start = cpu()
        page = http.get(path)
        assert page.status_code == 200
        assert cpu() - start < limit, path
        assert len(page.content) < 8_000_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"{}," * 3_000_000 + b"{}]}",
        b"[" + b"1," * 4_000_000 + b"1]",
        b'{"a":"' + b"x" * 9_000_000 + b'","b":' + b"[" * 500_000,
        b'{"a":' * 1_500_000,
        b'{"a":"' + b"\\ud800" * 1_500_000 + b'"}',
    ],
)
def test_a_body_is_weighed_before_it_is_decoded(
    shared: httpx.Client, body: bytes, limit: float
) -> None:
    """A body of very many or very deep values is refused in little time."""
    start = cpu()
    answer = shared.post("/api/event", content=body)
    assert answer.status_code in (400, 401, 413)
    assert cpu() - start < limit


def test_a_body_without_the_key_is_not_decoded(db: Path, limit: float) -> None:
    """Who does not know the key makes the collector decode nothing."""
    with (
        running(db, api_key=KEY) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        start = cpu()
        for body in (b"{" * 9_000_000, b"no JSON", b'{"apiKey": "another"}'):
            assert http.post("/api/event", content=body).status_code == 401
        assert cpu() - start < limit
        body = json.dumps({"apiKey": [KEY], "x": KEY}).encode()
        assert http.post("/api/event", content=body).status_code == 401
        assert http.post("/api/event", json=event(apiKey=KEY)).status_code == 200


@pytest.mark.parametrize(
    "words", ["a " * 5_000, "ab " * 11, "x" * 5_000, "* OR " * 300]
)
def test_a_long_search_is_refused(shared: httpx.Client, words: str) -> None:
    """A search of very many words, or a very long one, is a 400 that names it."""
    answer = shared.get("/api/events", params={"q": words})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, "q")


def test_a_query_has_a_deadline(db: Path) -> None:
    """A statement of a reader that goes on and on is interrupted, as a 400."""
    from libretto_instrument._collector.schema import RequestError
    from libretto_instrument._collector.store import Store

    store = Store(db)
    endless = """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT max(i) FROM n"""
    start = cpu()
    with (
        pytest.raises(RequestError, match="too long"),
        store.read_connection() as connection,
    ):
        connection.execute(endless).fetchall()
    assert cpu() - start < 2
    store.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b " * 2_000_000, "b a " * 2_000_000),
        ("a\n" * 90_000, "b\n" * 90_000),
        (" ".join(map(str, range(2_900))), " ".join(map(str, range(2_900, 0, -1)))),
        ("x" * 5_000_000, "y" * 5_000_000),
    ],
)
def test_a_difference_takes_little_work(old: str, new: str, limit: float) -> None:
    """Long texts, and texts with nothing in common, are compared within a second."""
    start = cpu()
    word_diff(old, new)
    assert cpu() - start < limit


@pytest.mark.parametrize(
    "value",
    [[[[["x"] * 300_000]]], "[" * 90_000, {"a": "y" * 10_000_000}, "9" * 90_000],
)
def test_readable_json_is_cut(value: Any, limit: float) -> None:
    """However large a value is, what is shown of it is not."""
    start = cpu()
    assert len(pretty_json(value)) < 200_000
    assert cpu() - start < limit


def test_a_conversation_is_cut() -> None:
    """However many turns a history has, a page shows some."""
    past = [{"role": "user", "content": "x"}] * 1_000
    chat = [{"role": "chat_history", "content": "{a}" * 1_000}]
    assert (
        len(conversation({"promptTemplateChat": chat, "params": {"a": past}})) < 1_000
    )


def test_feedback_of_many_events_changes_few(http: httpx.Client) -> None:
    """One post of feedback does not change all events, however many share its key."""
    for _ in range(150):
        post(http, feedbackKey="shared")
    rate(http, {"feedbackKey": "shared"}, rating=1)
    assert len(read(http, rating="rated", limit=500)) == 100


def test_honest_posts_are_answered_beside_hostile_ones(http: httpx.Client) -> None:
    """While large bodies come in, small ones are answered, and soon."""
    url = str(http.base_url)
    large = json.dumps(event(tools=[{}] * 900_000)).encode()
    times: list[float] = []

    def attack() -> None:
        for _ in range(3):
            httpx.post(f"{url}/api/event", content=large, timeout=60)

    attackers = [threading.Thread(target=attack) for _ in range(3)]
    for attacker in attackers:
        attacker.start()
    while any(attacker.is_alive() for attacker in attackers):
        start = time.monotonic()
        post(http)
        times.append(time.monotonic() - start)
    assert len(times) > 3
    assert max(times) < 10
