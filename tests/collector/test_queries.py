"""The reading side: filters, pages, statistics, exports."""

import csv
import io
import json
import statistics
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import running, schema, writes
from libretto_instrument._collector.store import Store

from .wire import conclude, event, ids, post, rate, read

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def http_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client of the collector that has what ``stored`` stores."""
    with (
        running(tmp_path_factory.mktemp("stored") / "libretto.db") as started,
        httpx.Client(base_url=started.url, timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def stored(http_of_many: httpx.Client) -> dict[str, str]:
    """Store a handful of events that differ in one thing each; return their ids."""
    http = http_of_many
    made = {
        "plain": post(http),
        "named": post(http, apiName="other/name?", promptTemplateName="other/name?"),
        "chat": post(http, chatId="chat 1"),
        "chain": post(http, chainId="chain 1"),
        "failed": post(http, responseErrors=["RateLimitError"], response=None),
        "context": post(http, context={"user_id": 42, "tags": ["a"], "ok": True}),
        "words": post(http, response="Žluťoučký kůň pěl ódy"),
        "tool": post(
            http,
            response="",
            toolCalls=[{"id": "t", "function": {"name": "get_weather"}}],
        ),
        "low": post(http),
        "high": post(http),
    }
    rate(http, made["low"], rating=0.5)
    rate(http, made["high"], rating=0.9)
    return {body["promptEventId"]: name for name, body in made.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"prompt": "other/name?"}, ["named"]),
        ({"prompt": "nobody"}, []),
        ({"chat": "chat 1"}, ["chat"]),
        ({"chain": "chain 1"}, ["chain"]),
        ({"error": "1"}, ["failed"]),
        ({"rating": "rated"}, ["high", "low"]),
        ({"rating": "low"}, ["low"]),
        ({"rating": "high"}, ["high"]),
        ({"context": "user_id"}, ["context"]),
        ({"context": "user_id=42"}, ["context"]),
        ({"context": "user_id = 43"}, []),
        ({"context": "ok=true"}, ["context"]),
        ({"context": 'tags=["a"]'}, ["context"]),
        ({"q": "zlutou KUN"}, ["words"]),
        ({"q": "get_weather"}, ["tool"]),
        ({"q": "ratelim"}, ["failed"]),
        ({"q": '"*"'}, []),
        ({"q": "kun", "rating": "unrated", "since": "1h"}, ["words"]),
        ({"since": "1h", "until": "0s", "limit": "1"}, ["high"]),
        ({"until": "1h"}, []),
        ({"since": "2999-01-01T00:00Z"}, []),
    ],
)
def test_filters(
    http_of_many: httpx.Client,
    stored: dict[str, str],
    query: dict[str, str],
    expected: list[str],
) -> None:
    """Each filter lets through what it says, the newest first."""
    assert [stored[name] for name in ids(read(http_of_many, **query))] == expected
    assert http_of_many.get("/events", params=query).status_code == 200


def test_an_event_is_found_by_its_id(
    http_of_many: httpx.Client, stored: dict[str, str]
) -> None:
    """The id that the client chose finds the event and its page."""
    for name in stored:
        (row,) = read(http_of_many, id=name)
        assert http_of_many.get(f"/api{row['url']}").json()["id"] == name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("promt", "typo"),
        ("key", "user_id"),
        ("before", "x"),
        ("before", "9" * 30),
        ("limit", "-1"),
        ("rating", "nice"),
        ("since", "yesterday"),
        ("until", "999999999d1"),
    ],
)
def test_a_filter_that_is_none_is_named(
    shared: httpx.Client, key: str, value: str
) -> None:
    """An unknown filter or an unreadable value is a 400 that names it."""
    answer = shared.get("/api/events", params={key: value})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, key)
    assert shared.get("/events", params={key: value}).status_code == 400


def test_pages_hold_everything_once(http: httpx.Client) -> None:
    """Following next from page to page meets every event once, newest first."""
    posted = [post(http)["promptEventId"] for _ in range(7)]
    address, met = "/api/events?limit=3&prompt=greeting", []
    while address:
        answer = http.get(address).json()
        met += [ids(answer["events"])]
        address = answer["next"]
    assert [len(page) for page in met] == [3, 3, 1]
    assert [name for page in met for name in page] == posted[::-1]


def test_large_events_share_pages_by_size(http: httpx.Client) -> None:
    """A page of large events ends early, and the next goes on where it ended."""
    posted = [post(http, response="x" * 9_000_000)["promptEventId"] for _ in range(3)]
    first = http.get("/api/events").json()
    assert ids(first["events"]) == posted[:0:-1]
    assert ids(http.get(first["next"]).json()["events"]) == posted[:1]


def test_figures(http: httpx.Client) -> None:
    """A prompt's statistics are those of its calls."""
    times = [float(7 * n % 101) for n in range(1, 60)]
    bodies = [
        post(
            http,
            responseTime=time,
            responseErrors=["x"] if n < 6 else None,
            responseMetrics={"usage": {"total_tokens": 10}} if n % 2 else None,
            rawResponse={"usage": {"total_tokens": "many"}},
        )
        for n, time in enumerate(times)
    ]
    post(http, promptTemplateName="another", responseTime=5000)
    rate(http, bodies[0], rating=0)
    rate(http, bodies[1], rating=1)
    (row,) = read(http, "prompts", prompt="greeting")
    assert row["calls"] == 59
    assert row["errors"] == 6
    assert row["error_rate"] == pytest.approx(6 / 59)
    assert row["tokens"] == 290
    assert (row["rating"], row["ratings"]) == (0.5, 2)
    assert row["p50"] == statistics.median(times)
    assert row["p95"] == sorted(times)[59 * 95 // 100]
    assert len(read(http, "prompts")) == 2


def test_figures_of_one_call(http: httpx.Client) -> None:
    """A single call is its own median and its own 95th percentile."""
    post(http, responseTime=7)
    (row,) = read(http, "prompts")
    assert (row["p50"], row["p95"], row["rating"]) == (7, 7, None)


def test_chats_and_chains(http: httpx.Client) -> None:
    """Chats and chains are listed by their latest call, with their result."""
    for chat in ("a", "b", "a"):
        post(http, chatId=chat, chainId=f"chain of {chat}")
    conclude(http, "chain of b", {"ok": True})
    chats = read(http, "chats")
    assert [(row["id"], row["calls"]) for row in chats] == [("a", 2), ("b", 1)]
    assert chats[0]["ask"] == "Greet Ada."
    chains = read(http, "chains")
    assert [row["result"] for row in chains] == [None, {"ok": True}]
    answer = http.get("/api/chats?limit=1").json()
    assert ids(http.get(answer["next"]).json()["chats"]) == ["b"]


def test_exports_hold_all(http: httpx.Client) -> None:
    """A listing saved as JSONL or CSV holds every row that passes the filters."""
    posted = [post(http, chatId=str(n % 2))["promptEventId"] for n in range(60)]
    lines = http.get("/events.jsonl?chat=1").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == posted[59:0:-2]
    assert json.loads(lines[0])["event"]["chatId"] == "1"
    rows = list(csv.DictReader(io.StringIO(http.get("/events.csv").text)))
    assert [row["id"] for row in rows] == posted[::-1]
    assert rows[0]["answer"] == "Hello, Ada!"
    assert json.loads(rows[0]["params"]) == {"name": "Ada"}
    for name in ("prompts", "chats", "chains", "feedback"):
        assert http.get(f"/{name}.jsonl").status_code == 200
    assert http.get("/feedback.csv").status_code == 200
    assert http.get("/chats.csv").status_code == 404
    assert http.get("/events.xml").status_code == 404
    assert http.get("/secrets.csv").status_code == 404


def test_a_spreadsheet_runs_nothing(http: httpx.Client) -> None:
    """What a spreadsheet would take for a formula is made text in a CSV."""
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    for formula in formulas:
        post(http, promptTemplateName=formula)
    table = io.StringIO(http.get("/events.csv").text, newline="")
    prompts = [row["prompt"] for row in csv.DictReader(table)]
    assert prompts == [f"'{formula}" for formula in reversed(formulas)]


async def _put(store: Store, moment: datetime) -> str:
    body = event()
    values = schema.parse_event(body) | {"now": int(moment.timestamp() * 1000)}
    await store.submit(lambda db: writes.put_event(db, values))
    return str(body["promptEventId"])


async def test_times_keep_the_order_when_the_clock_steps_back(
    http: httpx.Client, shared_db: Path
) -> None:
    """An event never seems older than the one before it, whatever the clock says."""
    store = Store(shared_db)
    first, second, third = [
        await _put(store, NOON + timedelta(hours=hours)) for hours in (0, -5, 1)
    ]
    store.close()
    since = (NOON + timedelta(minutes=1)).isoformat()
    assert ids(read(http, since=since)) == [third]
    assert ids(read(http, until=since)) == [second, first]
    assert ids(read(http, since=NOON.isoformat())) == [third, second, first]
    earlier = (NOON - timedelta(seconds=1)).isoformat()
    assert ids(read(http, until=earlier)) == []


@pytest.mark.parametrize("path", ["/api/events/999", f"/api/events/{10**30}"])
def test_an_event_that_is_not_there(shared: httpx.Client, path: str) -> None:
    """An event that is not there is a 404 in JSON."""
    answer: Any = shared.get(path)
    assert (answer.status_code, "error" in answer.json()) == (404, True)
