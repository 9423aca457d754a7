"""The reading API: listings as JSON, and downloads."""

import json
from collections.abc import Iterator
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._util.json import encode
from . import queries
from .database import inflate, start_deadline
from .forms import parse_number
from .responses import build_url, csv_response, iso_timestamp, jsonl_response
from .schema import RequestError, Row

LISTINGS = ("events", "prompts", "chats", "chains", "feedback")
DOWNLOADS = {"jsonl": LISTINGS, "csv": ("events", "feedback")}

_PRIVATE_COLUMNS = ("body", "hours", "prompt_id")


def find_event(request: Request) -> Row:
    """Return the event that the path names. Raises: RequestError, if there is none."""
    seq, row = parse_number(request.path_params["seq"]), None
    if seq is not None:
        with request.app.state.store.read_connection() as db:
            row = queries.event(db, seq)
    if row is None:
        raise RequestError("There is no such event (any longer).", status=404)
    return row


def _get_event(request: Request) -> Response:
    return _json(_serialize_row(find_event(request)))


def _get_listing(name: str, request: Request) -> Response:
    filters = queries.parse_filters(request.query_params)
    with request.app.state.store.read_connection() as db:
        page = queries.fetch_page(db, name, filters, bodies=True)
    following = dict(request.query_params) | {"before": page.next_cursor}
    more = build_url(f"/api/{name}", following) if page.next_cursor else None
    rows = ",".join(map(_serialize_row, page.rows))
    return _json(f'{{"{name}":[{rows}],"next":{json.dumps(more)}}}')


def _get_download(name: str, kind: str, request: Request) -> Response:
    filters = queries.parse_filters(request.query_params)

    def pages() -> Iterator[list[Row]]:
        with request.app.state.store.read_connection() as db:
            for rows in queries.iter_pages(db, name, filters):
                yield rows
                # Each page has a deadline, the whole of them has none.
                start_deadline(db)

    if kind == "csv":
        return csv_response(name, ([*map(_table_row, rows)] for rows in pages()))
    return jsonl_response(name, ([*map(_serialize_row, rows)] for rows in pages()))


def _shown(row: Row) -> Row:
    shown = {key: value for key, value in row.items() if key not in _PRIVATE_COLUMNS}
    if "failed" in row:
        shown |= {"failed": bool(row["failed"]), "url": f"/events/{row['seq']}"}
    if row.get("received_at") is not None:
        shown["received_at"] = iso_timestamp(row["received_at"])
    return shown


def _table_row(row: Row) -> Row:
    """Return a row as CSV shows it: of an event's body, the parameters."""
    if not row.get("body"):
        return _shown(row)
    params = json.loads(inflate(row["body"])).get("params")
    return _shown(row) | {"params": json.dumps(params, ensure_ascii=False)}


def _serialize_row(row: Row) -> str:
    """Return a row as JSON; what is stored as JSON is not decoded for it."""
    shown = _shown(row)
    stored = {}
    if "result" in shown:
        stored["result"] = shown.pop("result") or "null"
    if row.get("body"):
        stored["event"] = inflate(row["body"])
    text = encode(shown).decode()[:-1]
    return text + "".join(f', "{key}": {value}' for key, value in stored.items()) + "}"


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


routes = [
    Route("/api/events/{seq}", _get_event),
    *(Route(f"/api/{name}", partial(_get_listing, name)) for name in LISTINGS),
    *(
        Route(f"/{name}.{kind}", partial(_get_download, name, kind))
        for kind, names in DOWNLOADS.items()
        for name in names
    ),
]
