"""The database file: what is taken, what is refused, who may read it."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from libretto_instrument._collector import create_app
from libretto_instrument._collector.schema import parse_event
from libretto_instrument._collector.store import Store, WriteJob

from .wire import event


async def test_the_file_is_its_owners(db: Path) -> None:
    """The database can be read by its owner alone."""
    store = Store(db)
    await store.submit(lambda connection: None)
    for file in db.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store.close()


async def test_it_is_opened_again(db: Path) -> None:
    """A database that exists is used as it is."""
    store = Store(db)
    await store.put("event", parse_event(event(promptEventId="first")))
    store.close()
    store = Store(db)
    with store.read_connection() as connection:
        (row,) = connection.execute("SELECT id FROM events")
    store.close()
    assert row["id"] == "first"


def _foreign(db: Path) -> None:
    with sqlite3.connect(db) as connection:
        connection.execute("CREATE TABLE recipes (a)")
    connection.close()


def _newer(db: Path) -> None:
    Store(db).close()
    with sqlite3.connect(db) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def _garbage(db: Path) -> None:
    db.write_bytes(b"This is a letter to my aunt. " * 100)


@pytest.mark.parametrize("spoil", [_foreign, _newer, _garbage, Path.mkdir])
def test_a_file_that_is_not_ours_is_left_alone(db: Path, spoil: Any) -> None:
    """Another program's file, or a newer version's, is refused and not changed."""
    spoil(db)
    before = db.read_bytes() if db.is_file() else None
    with pytest.raises(ValueError, match=r"libretto\.db"):
        create_app(db)
    assert before == (db.read_bytes() if db.is_file() else None)


def test_no_directory_is_made(db: Path) -> None:
    """A directory that is not there is not made, but named."""
    with pytest.raises(ValueError, match="No such file or directory"):
        create_app(db.parent / "missing" / "libretto.db")


async def test_a_failure_is_told_and_the_next_goes_on(db: Path) -> None:
    """A write that fails leaves nothing, is told to who asked, and ends nothing."""
    store = Store(db)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO prompts (name) VALUES ('half')")
        connection.execute("nonsense")

    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        await store.submit(fail)
    insert = "INSERT INTO prompts (name) VALUES ('whole')"
    await store.submit(lambda connection: connection.execute(insert))
    with store.read_connection() as connection:
        names = connection.execute("SELECT name FROM prompts").fetchall()
    assert [row["name"] for row in names] == ["whole"]
    store.close()


async def test_who_hangs_up_leaves_the_event(db: Path) -> None:
    """A write whose client has hung up is done, with those of the others."""
    store = Store(db)
    insert = "INSERT INTO prompts (name) VALUES (?)"

    def put(name: str) -> WriteJob:
        return lambda connection: connection.execute(insert, (name,)).rowcount

    gone, others = store.submit(put("gone")), [store.submit(put("a"))]
    gone.cancel()
    others.append(store.submit(put("b")))
    assert await asyncio.gather(*others) == [1, 1]
    with store.read_connection() as connection:
        names = connection.execute("SELECT name FROM prompts ORDER BY name").fetchall()
    assert [row["name"] for row in names] == ["a", "b", "gone"]
    store.close()


async def test_few_texts_wait_to_be_indexed(db: Path) -> None:
    """What is put and never searched is indexed now and then, all the same."""
    store = Store(db)
    for _ in range(10):
        await store.put("event", parse_event(event(response="word " * 15_000)))
    store.close()
    with closing(sqlite3.connect(db)) as connection:
        (waiting,) = connection.execute("SELECT count(*) FROM unindexed").fetchone()
    assert waiting < 5
