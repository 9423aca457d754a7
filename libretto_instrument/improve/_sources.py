"""Where recorded calls are read from: a database, a log of an exporter, an address."""

import json
import sqlite3
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from attrs import frozen

from .._delivery.endpoint import is_loopback, strip_credentials
from .._util.json import decode, encode

_SQLITE = b"SQLite format 3\0"
#: ``PRAGMA application_id`` of the local Libretto's databases ("LbCo").
_APPLICATION_ID = 0x4C62436F
#: What a local Libretto's downloads are.
_JSON_LINES = "application/x-ndjson"
#: The most events that are read of one address, and bytes of one event or answer.
_MAX_EVENTS, _MAX_ANSWER_BYTES = 1_000_000, 64 * 2**20
_BUFFER_BYTES = 2**16
#: Seconds to wait for an answer of the local Libretto.
_TIMEOUT = 30.0


@frozen
class Recorded:
    """A recorded call and its feedback: the event's body, when it was recorded, in
    seconds since the epoch, its rating, and what the model should have answered.
    """

    event: dict[str, Any]
    at: float
    rating: float | None = None
    better_response: str | None = None

    @property
    def replay(self) -> str | None:
        """The id of the replay that made the call; None for one of a program."""
        context = self.event.get("context")
        return context.get("replay") if isinstance(context, dict) else None


def is_url(source: str) -> bool:
    """Say whether a source is an address, not a file."""
    return source.startswith(("http://", "https://"))


def is_database(path: Path) -> bool:
    """Say whether a file is an SQLite database.

    Raises:
        OSError: It can't be read.
        ValueError: It is a pipe or a device, of which what is read once is gone.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is no file, and is read more than once: write one.")
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def rated_calls(source: str, *, prompt: str | None, since: float) -> Iterator[Recorded]:
    """Yield the calls that have feedback, the newest first, but for those of a log.

    Args:
        source: A database, a log of `JsonLinesExporter`, or a local Libretto's address.
        prompt: Only calls of this prompt.
        since: Only calls made since, in seconds since the epoch.

    Raises:
        OSError: It can't be read.
        ValueError: It is something else.
    """
    if is_url(source):
        query = {"rating": "judged", "prompt": prompt}
        if since:
            query["since"] = datetime.fromtimestamp(since).astimezone().isoformat()
        yield from fetch_events(source, query)
    elif is_database(Path(source)):
        yield from _from_database(Path(source), prompt, since)
    else:
        for call in _from_log(Path(source)):
            name = call.event.get("promptTemplateName") or call.event.get("apiName")
            judged = call.rating is not None or call.better_response is not None
            if judged and call.at >= since and prompt in (None, name):
                yield call


def recorded_events(source: str, limit: int) -> Iterator[dict[str, Any]]:
    """Yield at most ``limit`` events of a source, the newest; of a log, the first.

    Raises: OSError, ValueError, as `rated_calls` does.
    """
    if is_url(source):
        calls: Iterator[Recorded] = fetch_events(source, {})
        yield from (call.event for call in islice(calls, limit))
    elif is_database(Path(source)):
        with _open_database(Path(source)) as db:
            for (body,) in db.execute(_NEWEST, {"limit": limit}):
                yield decode(zlib.decompress(body))
    else:
        yield from (call.event for call in islice(_from_log(Path(source)), limit))


def replayed_calls(source: str, replay: str) -> Iterator[Recorded]:
    """Yield the calls that a replay recorded at an address or in a log."""
    if is_url(source):
        query = {"replay": replay}
        yield from reversed(list(fetch_events(source, query)))
    elif Path(source).exists():
        yield from (call for call in _from_log(Path(source)) if call.replay == replay)


@contextmanager
def _open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection that only reads a local Libretto's database."""
    name = quote(str(path.absolute()))
    with closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True)) as db:
        try:
            (owner,) = db.execute("PRAGMA application_id").fetchone()
            if owner != _APPLICATION_ID:
                raise ValueError(f"{path} is another program's database.")
            yield db
        except (sqlite3.Error, zlib.error) as exc:
            raise ValueError(f"{path} can't be read ({exc}).") from exc


def _from_database(path: Path, prompt: str | None, since: float) -> Iterator[Recorded]:
    values = {"prompt": prompt, "since": int(since * 1000)}
    with _open_database(path) as db:
        for body, at, rating, better in db.execute(_RATED, values):
            yield Recorded(decode(zlib.decompress(body)), at / 1000, rating, better)


_NEWEST = "SELECT body FROM bodies ORDER BY seq DESC LIMIT :limit"
_RATED = """
SELECT b.body, e.received_at, f.rating, f.better_response
FROM feedback AS f
JOIN events AS e ON e.feedback_key = f.feedback_key
JOIN bodies AS b ON b.seq = e.seq
WHERE e.received_at >= :since AND (:prompt IS NULL
    OR e.prompt_id = (SELECT id FROM prompts WHERE name = :prompt))
ORDER BY e.seq DESC
"""


def _from_log(path: Path) -> Iterator[Recorded]:
    """Yield the calls of a log, with the feedback that stands anywhere in it."""
    feedback: dict[str, dict[str, Any]] = {}
    for line in _lines_of_log(path, is_first_pass=True):
        if line["kind"] == "feedback":
            body = line["body"]
            key = str(body.get("feedback_key"))
            if body.get("is_deleted"):
                feedback.pop(key, None)
            else:
                feedback.setdefault(key, {}).update(body)
    for line in _lines_of_log(path, is_first_pass=False):
        if line["kind"] == "event":
            entry = feedback.get(str(line["body"].get("feedbackKey")), {})
            yield Recorded(
                line["body"],
                _seconds(line.get("timestamp")),
                entry.get("rating"),
                entry.get("better_response"),
            )


def _seconds(timestamp: Any) -> float:
    """Return when a line was written; 0 where it does not say."""
    with suppress(TypeError, ValueError, OverflowError):
        return float(timestamp)
    return 0.0


def _lines_of_log(path: Path, is_first_pass: bool) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                line = decode(text)
                if not isinstance(line["body"], dict) or "kind" not in line:
                    raise TypeError
            except (ValueError, TypeError, KeyError, RecursionError):
                # A process that was killed in the middle of a line leaves a part of it.
                if is_first_pass:
                    message = f"{path}, line {number}: no record of a call; left out."
                    warnings.warn(message, stacklevel=2)
                continue
            yield line


def fetch_events(url: str, query: Mapping[str, str | None]) -> Iterator[Recorded]:
    """Yield the events of a local Libretto that pass the filters, the newest first.

    A ``?token=`` in its address is what reading takes.

    Raises: OSError, ValueError, as `fetch` does.
    """
    fields = urlencode({key: value for key, value in query.items() if value})
    with _exchange(url, f"/events.jsonl?{fields}") as answer:
        if answer.headers.get_content_type() != _JSON_LINES:
            raise ValueError("it answers with something else")
        # Unlike the answer's own, a reader's readline() tells when chunks are missing.
        lines = BufferedReader(answer, _BUFFER_BYTES)
        for _ in range(_MAX_EVENTS):
            line = lines.readline(_MAX_ANSWER_BYTES)
            if not line:
                if answer.length:
                    raise IncompleteRead(b"", answer.length)
                return
            row = decode(line)
            at = datetime.fromisoformat(row["received_at"]).timestamp()
            event, rating = {**row["event"]}, row.get("rating")
            yield Recorded(event, at, rating, row.get("better_response"))


def hide_secrets(location: str) -> str:
    """Return a path, or an address without what is secret in it."""
    return strip_credentials(location) if is_url(location) else location


def fetch(url: str, path: str, timeout: float = _TIMEOUT) -> dict[str, Any]:
    """Return what a local Libretto answers to a GET.

    Raises:
        OSError: It does not answer.
        ValueError: It refuses, or it is something else.
    """
    with _exchange(url, path, timeout=timeout) as answer:
        return _read_page(answer)


def post(url: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a local Libretto answers to a POST; raises as `fetch` does."""
    with _exchange(url, path, encode(body)) as answer:
        return _read_page(answer)


def _read_page(answer: HTTPResponse) -> dict[str, Any]:
    # A longer answer is cut off, and then not valid JSON.
    page = decode(answer.read(_MAX_ANSWER_BYTES))
    return page if isinstance(page, dict) else {}


@contextmanager
def _exchange(
    url: str, path: str, body: bytes | None = None, timeout: float = _TIMEOUT
) -> Iterator[HTTPResponse]:
    """Lend a local Libretto's answer; what fails in the block is the answer's fault."""
    parts = urlsplit(url)
    token = dict(parse_qsl(parts.query)).get("token")
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    base = strip_credentials(url).rstrip("/")
    request = Request(base + path, data=body, headers=headers)
    try:
        with _opener(parts.hostname).open(request, timeout=timeout) as answer:
            yield answer
    except HTTPError as exc:
        kind = ConnectionError if exc.code >= 500 else ValueError
        raise kind(f"{base} refuses ({_reason(exc)}).") from exc
    except (URLError, HTTPException, TimeoutError) as exc:
        reason = getattr(exc, "reason", exc)
        raise ConnectionError(f"{base} does not answer ({reason}).") from exc
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ValueError(f"{base} is not a local Libretto.") from exc


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: the token is for one server alone."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Refuse."""


def _opener(host: str | None) -> OpenerDirector:
    # A proxy knows nothing of what listens on this machine.
    direct = [ProxyHandler({})] if is_loopback(host or "") else []
    return build_opener(_NoRedirect, *direct)


def _reason(exc: HTTPError) -> str:
    try:
        return str(json.load(exc)["error"]["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return f"status {exc.code}"
