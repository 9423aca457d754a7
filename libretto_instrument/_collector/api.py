"""What programs speak to: the three endpoints of the contract, and reading back."""

import json
from collections.abc import Callable, Iterator
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import queries, schema
from .responses import build_url, download_response, iso_timestamp
from .schema import RequestError
from .store import Row

#: The most bytes of a body.
MAX_BODY_BYTES = 10 * 2**20
#: A larger body is decoded on a thread, so that the others do not wait for it.
INLINE_DECODE_BYTES = 100_000
#: Where programs post to; the key in the body is their ticket.
INGEST_ROUTES = {
    "/api/event": ("event", schema.parse_event),
    "/api/feedback": ("feedback", schema.parse_feedback),
    "/api/v1/updateChain": ("chain", schema.parse_chain),
}
LISTINGS = ("events", "prompts", "chats", "chains", "feedback")
DOWNLOADS = {"jsonl": LISTINGS, "csv": ("events", "feedback")}

_PRIVATE_COLUMNS = ("body", "hours", "prompt_id", "first")


async def read_body(request: Request) -> bytes:
    """Read the body. Raises: RequestError, if it is over ``MAX_BODY_BYTES``."""
    body = bytearray()
    if int(request.headers.get("content-length", "0")) <= MAX_BODY_BYTES:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                break
        else:
            return bytes(body)
    raise RequestError(f"The body is larger than {MAX_BODY_BYTES:,} bytes.", status=413)


def find_event(request: Request) -> Row:
    """Return the event that the path names. Raises: RequestError, if there is none."""
    with request.app.state.store.read_connection() as db:
        row = queries.event(db, min(request.path_params["seq"], 2**62))
    if row is None:
        raise RequestError("There is no such event (any longer).", status=404)
    return row


async def _post(kind: str, read: Callable[[Row], Row], request: Request) -> Response:
    body, state = await read_body(request), request.app.state

    def decode() -> Row:
        return read(schema.decode(body, state.api_key))

    values = (
        decode()
        if len(body) <= INLINE_DECODE_BYTES
        else await run_in_threadpool(decode)
    )
    return JSONResponse(await state.store.put(kind, values))


def _get_event(request: Request) -> Response:
    return JSONResponse(_serialize_row(find_event(request)))


def _get_listing(name: str, request: Request) -> Response:
    filters = queries.parse_filters(request.query_params)
    with request.app.state.store.read_connection() as db:
        page = queries.fetch_page(db, name, filters, bodies=True)
        rows = [_serialize_row(row) for row in page.rows]
    following = dict(request.query_params) | {"before": page.next_cursor}
    more = build_url(f"/api/{name}", following) if page.next_cursor else None
    return JSONResponse({name: rows, "next": more})


def _get_download(name: str, kind: str, request: Request) -> Response:
    filters = queries.parse_filters(request.query_params)

    def rows() -> Iterator[Row]:
        with request.app.state.store.read_connection() as db:
            for row in queries.iter_rows(db, name, filters, bodies=True):
                shown = _serialize_row(row)
                if kind == "csv" and "event" in shown:
                    params = shown.pop("event").get("params")
                    shown["params"] = json.dumps(params, ensure_ascii=False)
                yield shown

    return download_response(name, kind, rows())


def _serialize_row(row: Row) -> Row:
    shown = {key: value for key, value in row.items() if key not in _PRIVATE_COLUMNS}
    if "failed" in row:
        shown |= {"failed": bool(row["failed"]), "url": f"/events/{row['seq']}"}
    if "received_at" in row:
        shown["received_at"] = iso_timestamp(row["received_at"])
    if row.get("result") is not None:
        shown["result"] = json.loads(row["result"])
    if row.get("body"):
        shown["event"] = json.loads(row["body"])
    return shown


routes = [
    *(
        Route(path, partial(_post, *way), methods=["POST"])
        for path, way in INGEST_ROUTES.items()
    ),
    Route("/api/events/{seq:int}", _get_event),
    *(Route(f"/api/{name}", partial(_get_listing, name)) for name in LISTINGS),
    *(
        Route(f"/{name}.{kind}", partial(_get_download, name, kind))
        for kind, names in DOWNLOADS.items()
        for name in names
    ),
]
