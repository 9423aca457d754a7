"""Other sites, guesses, odd addresses, and files of other users."""

import csv
import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from libretto_instrument._collector import limits, running

from .wire import event, post, rate, read

TOKEN = "a-token-of-16-ch"
KEY = "a-key-of-16-char"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "websocket", "navigate"])
@pytest.mark.parametrize("path", ["/events?q=secret", "/api/events", "/live"])
def test_other_sites_read_nothing(
    shared: httpx.Client, site: str, mode: str, path: str
) -> None:
    """What a page of another site loads is refused, even without looking at it."""
    for dest in ("image", "script", "iframe", "empty"):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
        answer = shared.get(path, headers=headers | {"sec-fetch-dest": dest})
        assert answer.status_code == 403


def test_a_link_from_another_site_leads_here(shared: httpx.Client) -> None:
    """A person may follow a link from elsewhere."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    headers["sec-fetch-dest"] = "document"
    assert shared.get("/events", headers=headers).status_code == 200
    assert shared.post("/events/1/feedback", headers=headers).status_code == 403
    other = {"origin": "https://evil.example"}
    assert shared.get("/api/events", headers=other).status_code == 403


def test_feedback_is_not_read_without_the_token(db: Path) -> None:
    """What programs may post to, cannot be read without the token."""
    with running(db, token=TOKEN) as server, httpx.Client(base_url=server.url) as http:
        rate(http, post(http), rating=1, better_response="secret")
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            answer = http.request(method, "/api/feedback")
            assert answer.status_code in (401, 405)
            assert "secret" not in answer.text
        for path in ("/api/feedback/", "//api/feedback", "/api/feedback?limit=1"):
            assert "secret" not in http.get(path).text


@pytest.mark.parametrize("name", ["token", "api_key"])
@pytest.mark.parametrize("secret", ["", "short", "x" * 15])
def test_a_short_secret_is_refused(db: Path, name: str, secret: str) -> None:
    """A secret that could be guessed is refused, and nothing is created."""
    with pytest.raises(ValueError, match="16 characters"):
        running(db, **{name: secret}).__enter__()  # type: ignore[arg-type]
    assert not db.exists()


def test_guesses_are_throttled(db: Path) -> None:
    """After some wrong tokens no other is looked at; a browser that is in stays in."""
    with running(db, token=TOKEN) as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/", params={"token": TOKEN}).status_code == 303
        inside = dict(http.cookies)
        http.cookies.clear()
        for guess in range(limits.MAX_FAILURES + 1):
            assert http.get("/", params={"token": f"guess {guess}"}).status_code == 401
        for headers in ({"authorization": "Bearer x"}, {}):
            answer = http.get("/?token=y", headers=headers)
            assert answer.status_code == 429
        assert http.get("/").status_code == 401
        http.cookies.update(inside)
        assert http.get("/").status_code == 200


def test_guessed_keys_are_throttled(db: Path) -> None:
    """After some wrong keys the answer is a 429, but not to who knows the right one."""
    with running(db, api_key=KEY) as server, httpx.Client(base_url=server.url) as http:
        for _ in range(limits.MAX_FAILURES):
            http.post("/api/event", json=event(apiKey="wrong"))
        assert http.post("/api/event", json=event(apiKey="wrong")).status_code == 429
        assert http.post("/api/event", json=event(apiKey=KEY)).status_code == 200


@pytest.mark.parametrize(
    ("proto", "is_secure"), [("https", True), ("https, http", True), ("http", False)]
)
def test_a_cookie_stays_behind_tls(db: Path, proto: str, is_secure: bool) -> None:
    """Where a proxy speaks TLS, the cookie is for TLS only."""
    with running(db, token=TOKEN) as server, httpx.Client(base_url=server.url) as http:
        headers = {"x-forwarded-proto": proto}
        answer = http.get("/", params={"token": TOKEN}, headers=headers)
        assert ("secure" in answer.headers["set-cookie"].lower()) is is_secure


@pytest.mark.parametrize(
    "digits", ["9" * 5_000, "0" * 5_000, "-1", "1e3", "\u0663", "1.5"]
)
def test_a_number_that_is_none_leads_nowhere(shared: httpx.Client, digits: str) -> None:
    """An event of an odd number is not there."""
    for path in (f"/events/{digits}", f"/api/events/{digits}"):
        assert shared.get(path).status_code == 404
    form = {"rating": "1"}
    assert shared.post(f"/events/{digits}/feedback", data=form).status_code == 404
    assert shared.get(f"/replays/x?page={digits}").status_code == 404


def test_every_cell_is_quoted(http: httpx.Client) -> None:
    """In a CSV no value ends its cell early, or begins a formula."""
    odd = ['a"b', "a,=1", "a\n=1", "\uff1d1", "\n=1", " ;=1"]
    for text in odd:
        post(http, promptTemplateName=text)
    content = http.get("/events.csv").text
    lines = csv.reader(io.StringIO(content, newline=""))
    assert len({len(line) for line in lines}) == 1
    assert content.startswith('"')
    assert '","' in content
    starts = {cell[:1] for line in csv.reader(io.StringIO(content)) for cell in line}
    assert not starts & set("=+-@\t\r\n\uff1d")


def test_half_a_surrogate_within_json_is_shown(http: httpx.Client) -> None:
    """JSON within a string may hold what UTF-8 cannot."""
    call = {"function": {"name": "f", "arguments": '{"a": "\\ud800"}'}}
    post(http, toolCalls=[call])
    assert http.get(read(http)[0]["url"]).status_code == 200


def _link(path: Path) -> None:
    path.with_name("elsewhere").touch(0o600)
    path.symlink_to(path.with_name("elsewhere"))


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _readable(path: Path) -> None:
    path.touch()
    path.chmod(0o644)


def _group(path: Path) -> None:
    path.touch()
    path.chmod(0o660)


def _open_parent(path: Path) -> None:
    path.parent.chmod(0o777)


def _linked_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").symlink_to(path.with_name("elsewhere"))


@pytest.mark.skipif(os.name != "posix", reason="this is about rights on POSIX")
@pytest.mark.parametrize(
    "prepare", [_link, _dangling, _fifo, _readable, _group, _open_parent, _linked_log]
)
def test_a_file_of_somebody_else_is_refused(db: Path, prepare: Any) -> None:
    """A database that others could have made, read or exchanged is not used."""
    prepare(db)
    before = sorted((each.name, each.lstat().st_size) for each in db.parent.iterdir())
    with pytest.raises(ValueError, match=str(db.parent)):
        running(db).__enter__()
    after = sorted((each.name, each.lstat().st_size) for each in db.parent.iterdir())
    assert before == after
    db.parent.chmod(0o700)


def test_a_sticky_directory_is_as_good(tmp_path: Path) -> None:
    """In a directory like /tmp, where only owners exchange files, a database may be."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with running(tmp_path / "shared" / "libretto.db") as server:
        assert httpx.get(server.url).status_code == 200
