"""What is kept: by age, by size, with nothing left over."""

import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import retention, schema, writes
from libretto_instrument._collector.retention import delete_expired
from libretto_instrument._collector.store import Store
from libretto_instrument._util.units import parse_duration, parse_size

from .wire import event

DAY = 86_400


@pytest.fixture
def store(db: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store that is swept a few events at a time."""
    monkeypatch.setattr(retention, "BATCH", 5)
    return Store(db)


async def _put(store: Store, days: float, **changes: object) -> None:
    await _store(store, days, "event", **schema.parse_event(event(**changes)))


async def _store(store: Store, days: float, kind: str, **values: object) -> None:
    row = values | {"now": int((time.time() - days * DAY) * 1000)}
    await store.submit(lambda db: writes.KINDS[kind](db, row))


def _select(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store.path)) as db:
        return db.execute(f"SELECT {sql}").fetchall()


def _count(store: Store, table: str) -> int:
    return int(_select(store, f"count(*) FROM {table}")[0][0])


def _size(db: Path) -> int:
    """Return the bytes of the file and of the log beside it."""
    return sum(file.stat().st_size for file in db.parent.iterdir())


async def test_cases_stay(store: Store) -> None:
    """Calls with a correction or a good rating stay, unless they are to go, too; those
    that replays made go by their age.
    """
    told = {"rating": None, "better": None, "deleted": False}
    for key, said in (
        ("corrected", {"better": "Hi."}),
        ("good", {"rating": 0.75}),
        ("bad", {"rating": 0.7}),
        ("of a replay", {"rating": 1.0}),
    ):
        context = {"replay": "r", "case": "c"} if key == "of a replay" else None
        for _ in range(7):
            await _put(store, 40, feedbackKey=key, context=context)
        await _store(store, 40, "feedback", key=key, **told | said)
    await delete_expired(store, 30 * DAY, None)
    left = _select(store, "feedback_key, count(*) FROM events GROUP BY 1 ORDER BY 1")
    assert left == [("corrected", 7), ("good", 7)]
    assert _count(store, "replayed") == 0
    await delete_expired(store, 30 * DAY, None, delete_cases=True)
    assert _count(store, "events") == 0
    store.close()


async def test_what_is_too_old_goes(store: Store) -> None:
    """Events beyond the age go, batch by batch, with all that belonged to them."""
    old = {"promptTemplateName": "old", "context": {"k": "v"}, "chainId": "c"}
    for number in range(12):
        await _put(store, 40, **old, feedbackKey="f")
        if number == 6:
            await store.index()  # The others are deleted before they are indexed.
    for _ in range(3):
        await _put(store, 1)
    bad = {"rating": 0.5, "better": None, "deleted": False}
    await _store(store, 35, "feedback", key="f", **bad)
    await _store(store, 0, "feedback", key="of an event to come", **bad)
    await _store(store, 35, "chain", id="c", result="1")
    await delete_expired(store, 30 * DAY, None)
    for table, left in (
        *(("events", 3), ("bodies", 3), ("context", 0), ("prompts", 1)),
        *(("revisions", 1), ("feedback", 1), ("chains", 0), ("unindexed", 3)),
    ):
        assert _count(store, table) == left, table
    await store.submit(
        lambda db: db.execute("INSERT INTO search(search) VALUES('integrity-check')")
    )
    store.close()


async def test_what_is_too_much_goes(store: Store, db: Path) -> None:
    """Beyond the size the oldest events go, and the file gives the space back."""
    for number in range(60):
        await _put(store, 0, response=secrets.token_hex(25_000), chatId=str(number))
    before = _count(store, "events"), _size(db)
    await delete_expired(store, None, 2**20)
    kept = _select(store, "chat_id FROM events ORDER BY seq")
    assert 0 < len(kept) < before[0]
    assert kept[-1] == ("59",)
    store.close()
    assert _size(db) < before[1] / 2


async def test_nothing_goes_without_bounds(store: Store) -> None:
    """What is within the bounds stays."""
    await _put(store, 400)
    for bounds in ((None, None), (None, 2**30), (500 * DAY, None)):
        await delete_expired(store, *bounds)
    assert _count(store, "events") == 1
    store.close()


async def test_numbers_of_events_are_not_given_again(store: Store) -> None:
    """A link to an event that has gone never leads to another one."""
    await _put(store, 40)
    await delete_expired(store, DAY, None)
    await _put(store, 0)
    assert _select(store, "seq FROM events") == [(2,)]
    store.close()


async def test_a_collector_sweeps_by_itself(db: Path) -> None:
    """A collector that is told how long to keep events deletes older ones."""
    from libretto_instrument._collector import running

    store = Store(db)
    await _put(store, 40)
    store.close()
    with running(db, retention="30d", max_size="1GB") as collector:
        deadline = time.monotonic() + 10
        while httpx.get(f"{collector.url}/api/events").json()["events"]:
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("24h", DAY), ("2w", 14 * DAY)]
)
def test_ages(text: str, seconds: int) -> None:
    """An age is a number and a unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "number"), [("500KB", 500 << 10), ("2gb", 2 << 30), ("1T", 1 << 40)]
)
def test_sizes(text: str, number: int) -> None:
    """A size is a number and a unit, in powers of 1,024."""
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "30 days", "12MB"])
def test_what_is_no_age(db: Path, text: str) -> None:
    """What cannot be read as an age is refused at once, with an example."""
    from libretto_instrument._collector import create_app

    with pytest.raises(ValueError, match="24h"):
        parse_duration(text)
    with pytest.raises(ValueError, match="500MB"):
        create_app(db, max_size="much")
    assert not db.exists()
