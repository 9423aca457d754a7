"""What programs speak to: the three endpoints of the contract, and reading back."""

import json
from collections.abc import Callable, Iterator
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import queries, schema
from .responses import download, link, stamp
from .schema import RefusedError
from .store import Row

#: The most bytes of a body.
MAX_BODY = 10 * 2**20
#: A larger body is decoded on a thread, so that the others do not wait for it.
SMALL_BODY = 100_000
#: Where programs post to; the key in the body is their ticket.
INGESTION = {
    "/api/event": ("event", schema.read_event),
    "/api/feedback": ("feedback", schema.read_feedback),
    "/api/v1/updateChain": ("chain", schema.read_chain),
}
LISTINGS = ("events", "prompts", "chats", "chains", "feedback")

_HIDDEN = ("body", "hours", "prompt_id", "first")


async def read_body(request: Request) -> bytes:
    """Read a body of at most ``MAX_BODY`` bytes. Raises: RefusedError, if larger."""
    body = bytearray()
    if int(request.headers.get("content-length", "0")) <= MAX_BODY:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                break
        else:
            return bytes(body)
    raise RefusedError(f"The body is larger than {MAX_BODY:,} bytes.", status=413)


def find_event(request: Request) -> Row:
    """Return the event that the path names. Raises: RefusedError, if there is none."""
    with request.app.state.store.reading() as db:
        row = queries.event(db, min(request.path_params["seq"], 2**62))
    if row is None:
        raise RefusedError("There is no such event (any longer).", status=404)
    return row


async def _post(kind: str, read: Callable[[Row], Row], request: Request) -> Response:
    body, state = await read_body(request), request.app.state

    def decode() -> Row:
        return read(schema.decode(body, state.api_key))

    values = decode() if len(body) <= SMALL_BODY else await run_in_threadpool(decode)
    return JSONResponse(await state.store.put(kind, values))


def _get_event(request: Request) -> Response:
    return JSONResponse(_show(find_event(request)))


def _get_listing(name: str, request: Request) -> Response:
    filters = queries.parse(request.query_params)
    with request.app.state.store.reading() as db:
        page = queries.listing(db, name, filters, bodies=True)
        rows = [_show(row) for row in page.rows]
    following = dict(request.query_params) | {"before": page.older}
    more = link(f"/api/{name}", following) if page.older else None
    return JSONResponse({name: rows, "next": more})


def _get_download(name: str, kind: str, request: Request) -> Response:
    filters = queries.parse(request.query_params)

    def rows() -> Iterator[Row]:
        with request.app.state.store.reading() as db:
            for row in queries.every(db, name, filters, bodies=kind == "jsonl"):
                yield _show(row)

    return download(name, kind, rows())


def _show(row: Row) -> Row:
    shown = {key: value for key, value in row.items() if key not in _HIDDEN}
    if "failed" in row:
        shown |= {"failed": bool(row["failed"]), "url": f"/events/{row['seq']}"}
    if "received_at" in row:
        shown["received_at"] = stamp(row["received_at"])
    if row.get("result") is not None:
        shown["result"] = json.loads(row["result"])
    if row.get("body"):
        shown["event"] = json.loads(row["body"])
    return shown


routes = [
    *(
        Route(path, partial(_post, *way), methods=["POST"])
        for path, way in INGESTION.items()
    ),
    Route("/api/events/{seq:int}", _get_event),
    *(Route(f"/api/{name}", partial(_get_listing, name)) for name in LISTINGS),
    *(
        Route(f"/{name}.{kind}", partial(_get_download, name, kind))
        for name in LISTINGS
        for kind in ("jsonl", "csv")
    ),
]
