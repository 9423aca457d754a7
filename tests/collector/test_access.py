"""Who may read and write: Host, Origin, token, listening beyond loopback."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from libretto_instrument._cli.main import _parser
from libretto_instrument._collector import RunningServer, running, serve

from .wire import event, post, read

TOKEN = "s3cret+/=&-and-long-enough"
KEYS = {"api_key": "k" * 16, "token": "t" * 16}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4620",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.5",
        "0.0.0.0",
        "[::ffff:1.2.3.4]",
        "",
        "127.0.0.1@evil.example",
        "é",
        ":80",
    ],
)
def test_another_name_is_refused(shared: httpx.Client, host: str) -> None:
    """A request for a name that is not ours, as DNS rebinding makes, is a 403."""
    headers = {"host": host.encode()}
    for method, path in (("GET", "/"), ("GET", "/api/events"), ("POST", "/api/event")):
        answer = shared.request(method, path, headers=headers, json=event())
        assert answer.status_code in (400, 403)
        assert answer.headers.get("content-security-policy") or host == ""
    assert read(shared) == []


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:4620"]
)
def test_loopback_names_are_ours(shared: httpx.Client, host: str) -> None:
    """Every name of loopback is let in."""
    assert shared.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/api/event", "/api/feedback", "/events/1/feedback"])
def test_another_sites_page_cannot_write(
    shared: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    """A write that a page of another site sends is a 403."""
    answer = shared.post(path, json=event(), headers=headers)
    assert answer.status_code == 403
    assert read(shared) == []


def test_its_own_page_can_write(http: httpx.Client, collector: RunningServer) -> None:
    """The collector's own page may send feedback."""
    post(http)
    headers = {"origin": collector.url, "sec-fetch-site": "same-origin"}
    answer = http.post("/events/1/feedback", data={"rating": "1"}, headers=headers)
    assert answer.status_code == 303
    assert read(http)[0]["rating"] == 1


def test_every_answer_is_guarded(shared: httpx.Client) -> None:
    """Pages, data, errors and files carry the same strict headers."""
    for path in ("/", "/api/events", "/nope", "/api/nope", "/static/libretto.js"):
        headers = shared.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers or headers["server"] != "uvicorn"


def test_only_its_own_files_are_served(shared: httpx.Client) -> None:
    """No path leads out of the folder of static files."""
    for path in (
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
    ):
        assert shared.get(path).status_code == 404


@pytest.fixture
def guarded(db: Path) -> Iterator[httpx.Client]:
    """Yield a client of a collector that takes a token for reading."""
    with (
        running(db, token=TOKEN, hosts=["Box.Example"]) as collector,
        httpx.Client(base_url=collector.url, timeout=60) as client,
    ):
        yield client


def test_reading_takes_the_token(guarded: httpx.Client) -> None:
    """Without the token nothing can be read or judged, but events can be sent."""
    post(guarded)
    for path in ("/", "/events/1", "/events.csv", "/live", "/api/events", "/nope"):
        assert guarded.get(path).status_code == 401
    assert guarded.post("/events/1/feedback", data={"rating": "1"}).status_code == 401
    assert 'type="password"' in guarded.get("/events").text
    assert guarded.get("/static/libretto.css").status_code == 200
    for wrong in ("s3cret", TOKEN.upper(), f"{TOKEN}."):
        bearer = {"authorization": f"Bearer {wrong}"}
        assert guarded.get("/api/events", headers=bearer).status_code == 401
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/events", headers=bearer).status_code == 200


def test_a_browser_shows_the_token_once(guarded: httpx.Client) -> None:
    """The token in an address becomes a cookie, and leaves the address."""
    answer = guarded.get("/events", params={"q": "x y", "token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?q=x+y")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "s3cret" not in cookie
    assert guarded.get("/events").status_code == 200
    guarded.cookies.clear()
    guarded.cookies.set("libretto_token", "forged")
    assert guarded.get("/events").status_code == 401


def test_the_token_leads_nowhere_else(guarded: httpx.Client) -> None:
    """Taking the token out of an address never leads to another site."""
    address = f"{guarded.base_url}//evil.example/"
    answer = guarded.get(address, params={"token": TOKEN})
    assert answer.headers["location"] == "/evil.example/"


def test_more_names_can_be_given(guarded: httpx.Client) -> None:
    """A name that the collector was started with is its own."""
    answer = guarded.get("/static/icon.svg", headers={"host": "box.example:80"})
    assert answer.status_code == 200


def test_it_listens_on_loopback_unless_told_otherwise(db: Path) -> None:
    """Nothing but the machine itself reaches it by default, however it is started."""
    assert _parser().parse_args(["serve"]).host == "127.0.0.1"
    assert inspect.signature(serve).parameters["host"].default == "127.0.0.1"
    with running(db) as collector:
        assert collector.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("given", [{}, {"api_key": "k" * 16}, {"token": "t" * 16}])
def test_beyond_loopback_it_wants_both_keys(db: Path, given: dict[str, str]) -> None:
    """Listening beyond loopback without both keys is refused, saying what to give."""
    with pytest.raises(ValueError, match=r"--api-key .* --token"):
        running(db, host="0.0.0.0", **given).__enter__()
    assert not db.exists()


def test_beyond_loopback_any_address_is_its_own(db: Path) -> None:
    """With both keys it listens beyond loopback, for addresses but not for any name."""
    with running(db, host="0.0.0.0", **KEYS) as collector:
        port = collector.url.rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            client.headers["authorization"] = f"Bearer {KEYS['token']}"
            for host, status in (("10.1.2.3", 200), ("evil.example", 403)):
                answer = client.get("/", headers={"host": f"{host}:{port}"})
                assert answer.status_code == status
            assert client.post("/api/event", json=event()).status_code == 401
