"""A collector that all tests share, emptied for each."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

pytest.importorskip("starlette", reason="the extra 'collector' is not installed")

from libretto_instrument._collector import RunningServer, running

TABLES = (
    "events bodies context replayed revisions prompts hours feedback chains "
    "unindexed sqlite_sequence"
)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Return a place for a database of the test's own."""
    return tmp_path / "libretto.db"


@pytest.fixture(scope="session")
def shared_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the shared collector keeps its events."""
    return tmp_path_factory.mktemp("collector") / "libretto.db"


@pytest.fixture(scope="session")
def collector(shared_db: Path) -> Iterator[RunningServer]:
    """Yield the shared collector, which answers on loopback."""
    with running(shared_db) as started:
        yield started


@pytest.fixture(scope="session")
def shared(collector: RunningServer) -> Iterator[httpx.Client]:
    """Yield a client of the shared collector, for tests that store nothing."""
    with httpx.Client(base_url=collector.url, timeout=60) as client:
        yield client


@pytest.fixture
def http(shared: httpx.Client, shared_db: Path) -> Iterator[httpx.Client]:
    """Yield a client of the shared collector, for a test that begins with nothing."""
    yield shared
    with closing(sqlite3.connect(shared_db, isolation_level=None)) as connection:
        for table in TABLES.split():
            connection.execute(f"DELETE FROM {table}")
        connection.execute("INSERT INTO search (search) VALUES ('delete-all')")
