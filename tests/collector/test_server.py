"""The collector as a process: starting, stopping, dying."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from libretto_instrument._collector import RunningServer, running, serve

from .wire import event, ids, post, read

SERVE = "from libretto_instrument._collector import serve; serve(port=0, db={!r})"


@contextmanager
def process(db: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a collector in a process of its own; yield it and its address."""
    command = [sys.executable, "-c", SERVE.format(str(db))]
    # Measured, a process has two CancelledErrors: coverage imports asyncio as it
    # starts and then forgets it, but for the part that is written in C.
    env = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, text=True, env=env) as child:
        assert child.stdout
        try:
            yield child, child.stdout.readline().split()[2]
        finally:
            child.kill()


def test_nothing_is_lost_on_sigkill(db: Path) -> None:
    """Every event that was answered with a 2xx is there, and found, after a SIGKILL."""
    answered: list[str] = []

    def send(url: str) -> None:
        with httpx.Client(base_url=url) as client:
            try:
                while True:
                    answered.append(post(client)["promptEventId"])
            except httpx.HTTPError:
                pass

    with process(db) as (child, url):
        senders = [threading.Thread(target=send, args=(url,)) for _ in range(4)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 30
        while len(answered) < 150 and time.monotonic() < deadline:
            senders[0].join(0.01)
        child.send_signal(signal.SIGKILL)
        for sender in senders:
            sender.join(30)
    assert len(answered) >= 150
    with running(db) as collector, httpx.Client(base_url=collector.url) as client:
        for query in ({}, {"q": "hello ada"}):
            lines = client.get("/events.jsonl", params=query).text.splitlines()
            assert set(answered) <= {json.loads(line)["id"] for line in lines}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told(db: Path, sent: signal.Signals) -> None:
    """SIGINT and SIGTERM end it, even while a page is open."""
    with process(db) as (child, url), httpx.stream("GET", f"{url}/live") as page:
        lines = page.iter_lines()
        assert next(lines)
        child.send_signal(sent)
        assert child.wait(10) in (0, -sent)
    for suffix in ("-wal", "-shm"):
        assert not Path(f"{db}{suffix}").exists()


def test_a_port_that_is_taken_is_named(collector: RunningServer, db: Path) -> None:
    """A port that is taken is a ValueError that says so, and what to do."""
    port = int(collector.url.rpartition(":")[2])
    with pytest.raises(ValueError, match=f"{port}.*--port"):
        serve(port=port, db=db.with_name("other.db"))
    assert not db.with_name("other.db").exists()


def test_a_host_that_is_none_is_named(db: Path) -> None:
    """A host that cannot be listened on is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"203\.0\.113\.1"):
        serve(host="203.0.113.1", port=0, db=db)


def test_it_answers_on_ipv6(db: Path) -> None:
    """It listens on IPv6 loopback as well, and its address says so."""
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    with running(db, host="::1") as collector:
        assert collector.url.startswith("http://[::1]:")
        assert httpx.get(collector.url).status_code == 200


def test_a_live_page_is_told_of_changes(http: httpx.Client) -> None:
    """An open page is told when something was stored, and when it was judged."""
    with http.stream("GET", "/live") as page:
        assert page.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in page.iter_lines() if line)
        versions = [next(lines)]
        body = post(http)
        versions.append(next(lines))
        http.post(
            "/api/feedback",
            json={"apiKey": "k", "feedback_key": body["feedbackKey"], "rating": 1},
        )
        versions.append(next(lines))
    assert len(set(versions)) == 3


def test_many_send_at_once(http: httpx.Client, collector: RunningServer) -> None:
    """Events sent over many connections at once are all stored, once."""
    sent: list[str] = []

    def send() -> None:
        with httpx.Client(base_url=collector.url) as client:
            for _ in range(25):
                sent.append(post(client)["promptEventId"])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ids(read(http, limit=500))) == sorted(sent)
    assert len(sent) == 200


def test_it_knows_only_the_wire() -> None:
    """The collector loads nothing of the client but what importing a package does."""
    script = """if True:
        import sys, libretto_instrument
        before = set(sys.modules)
        import libretto_instrument._collector
        new = {m for m in set(sys.modules) - before if m.startswith("libretto")}
        layers = ("_collector", "_util", "_recognition", "_templates")
        names = {m.split(".")[1] for m in new}
        assert names <= set(layers), new
        assert "openai" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_without_the_extra_it_says_what_to_install() -> None:
    """Importing it without its dependencies names the extra."""
    script = """if True:
        import sys
        sys.modules["starlette"] = None
        try:
            import libretto_instrument._collector
        except ModuleNotFoundError as exc:
            assert "libretto-instrument[collector]" in str(exc), exc
        else:
            raise SystemExit("imported")
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_store_that_fails_is_a_503(db: Path) -> None:
    """When the database cannot be written, the answer is a 503 that says so."""
    with running(db) as collector, closing(sqlite3.connect(db)) as other:
        other.execute("DROP TABLE bodies")
        answer = httpx.post(f"{collector.url}/api/event", json=event())
        assert answer.status_code == 503
        assert "database failed" in answer.json()["error"]["message"]
        assert other.execute("SELECT count(*) FROM prompts").fetchone() == (0,)
