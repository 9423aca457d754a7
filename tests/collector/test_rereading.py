"""Stored events read again with templates that are known now."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import running
from libretto_instrument._collector.database import connect, open_database
from libretto_instrument._collector.rereading import reread_database
from libretto_instrument._collector.schema import parse_event
from libretto_instrument._collector.writes import put_event
from libretto_instrument._recognition.known import load_templates

from . import wire

SLOGAN = [{"role": "user", "content": "A slogan for {product}"}]
CALLS_BY_PROMPT = """
SELECT prompts.name, count(events.seq) FROM prompts
LEFT JOIN events ON events.prompt_id = prompts.id GROUP BY prompts.id
"""
KNOWN = load_templates({"slogan": SLOGAN})


def unnamed(text: str, **changes: Any) -> dict[str, Any]:
    """Return the event of a call without a template, and without a name."""
    chat = [{"role": "user", "content": text}]
    nameless = {"apiName": None, "promptTemplateName": None}
    return wire.event(promptTemplateChat=chat, params={}, **nameless, **changes)


def post(http: httpx.Client, body: dict[str, Any]) -> None:
    """Post an event."""
    assert http.post("/api/event", json=body).status_code == 200


def fill(db: Path, bodies: list[dict[str, Any]]) -> None:
    """Store events, without a server."""
    open_database(db)
    with closing(connect(db)) as connection:
        connection.execute("BEGIN")
        for body in bodies:
            values = parse_event(body) | {"now": 1}
            put_event(connection, values)
        connection.execute("COMMIT")


def test_many_events(db: Path) -> None:
    """Events are read again: their prompts, revisions, what is searched, bodies."""
    dice = random.Random(1)
    products = [f"tea {n} {dice.random()}" for n in range(900)]
    others = [unnamed(f"Something else {n}") for n in range(50)]
    with_template = [wire.event() for _ in range(50)]
    fill(db, [unnamed(f"A slogan for {product}") for product in products])
    fill(db, others + with_template)
    progress = reread_database(db, KNOWN)
    assert (progress.events, progress.recognized) == (950, 900)
    with closing(sqlite3.connect(db)) as connection:
        calls = dict(connection.execute(CALLS_BY_PROMPT))
    assert (calls.pop("slogan"), calls.pop("greeting")) == (900, 50)
    assert list(calls.values()) == [1] * 50
    with running(db) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        newest = wire.read(http, prompt="slogan", limit=1)[0]["event"]
        assert newest["promptTemplateChat"] == SLOGAN
        assert newest["params"] == {"product": products[-1]}
        found = wire.read(http, q=f"tea {products[7].split()[-1]}")
        assert [row["event"]["params"]["product"] for row in found] == [products[7]]
        assert "A slogan for {product}" in http.get("/revisions?prompt=slogan").text
    assert reread_database(db, KNOWN).recognized == 0


def test_beside_a_server(db: Path) -> None:
    """A database is read again while a server writes to it."""
    with running(db) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        post(http, unnamed("A slogan for tea"))
        assert reread_database(db, KNOWN).recognized == 1
        post(http, unnamed("A slogan for tea"))
        names = [row["prompt"] for row in wire.read(http)]
        assert names[1] == "slogan"
        assert names[0].startswith("unnamed-")


def test_a_fault_leaves_the_database(db: Path, monkeypatch: Any) -> None:
    """What goes wrong in the middle takes nothing of the batch with it."""
    fill(db, [unnamed("A slogan for tea"), unnamed("A slogan for coffee")])
    with closing(sqlite3.connect(db)) as connection:
        before = list(connection.execute("SELECT * FROM bodies"))
    module = "libretto_instrument._collector.rereading"
    monkeypatch.setattr(f"{module}.parse_event", lambda event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reread_database(db, KNOWN)
    with closing(sqlite3.connect(db)) as connection:
        assert list(connection.execute("SELECT * FROM bodies")) == before


def test_another_programs_database(tmp_path: Path) -> None:
    """Another program's database, and what is none, is left alone."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE events (id)")
    (tmp_path / "text.db").write_text("no database at all")
    for name in ("other.db", "text.db"):
        with pytest.raises(ValueError, match=name):
            reread_database(tmp_path / name, KNOWN)


# The page


def test_the_page(http: httpx.Client) -> None:
    """A proposal of the page, once taken, is the template of the stored events."""
    for product in ("tea", "black coffee", "cocoa <b>"):
        post(http, unnamed(f"A slogan for {product}, please."))
    page = http.get("/templates")
    assert page.status_code == 200
    assert "A slogan for {input}, please." in page.text
    chat = [{"role": "user", "content": "A slogan for {product}, please."}]
    form = {"name": "slogan", "template": json.dumps(chat)}
    done = http.post("/templates", data=form)
    assert (done.status_code, done.headers["location"]) == (
        303,
        "/events?prompt=slogan",
    )
    events = [row["event"] for row in wire.read(http, prompt="slogan")]
    assert [event["promptTemplateChat"] for event in events] == [chat] * 3
    assert events[0]["params"] == {"product": "cocoa <b>"}
    assert "Nothing to propose" in http.get("/templates").text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"name": "n"},
        {"name": " ", "template": '"x"'},
        {"name": "n" * 1_001, "template": '"x"'},
        {"name": "n", "template": "{"},
        {"name": "n", "template": "7"},
        {"name": "n", "template": '[{"role": "chat_history", "content": "x"}]'},
        {"name": "n", "template": "[" * 50_000},
    ],
)
def test_what_the_page_refuses(http: httpx.Client, form: dict[str, str]) -> None:
    """What is not a template is refused, and nothing is read again."""
    assert http.post("/templates", data=form).status_code == 400


def test_another_site_may_not_use_the_page(http: httpx.Client) -> None:
    """A form of another site does not reach the stored events."""
    form = {"name": "n", "template": '"{x}"'}
    origin = {"Origin": "http://elsewhere.example"}
    assert http.post("/templates", data=form, headers=origin).status_code == 403


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "a b " * 25_000, "{a}" * 30_000, "\n" * 100_000, "x:" * 50_000],
)
def test_hostile_prompts(http: httpx.Client, text: str) -> None:
    """Long prompts that repeat themselves delay no request."""
    for n in range(30):
        post(http, unnamed(text + str(n) + text))
    assert http.get("/templates", timeout=60).status_code == 200
