"""What programs speak to: the three endpoints of the contract, and reading back."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import _queries, _wire
from ._answers import download, link, stamp
from ._filters import parse
from ._sql import Row
from ._wire import Record, RefusedError

#: The most bytes of a body.
MAX_BODY = 10 * 2**20
#: A larger body is decoded on a thread, so that the others do not wait for it.
SMALL_BODY = 100_000
#: Where programs post to; the key in the body is their ticket.
INGESTION = {
    "/api/event": _wire.read_event,
    "/api/feedback": _wire.read_feedback,
    "/api/v1/updateChain": _wire.read_chain,
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
    message = f"The body is larger than {MAX_BODY:,} bytes; send less."
    raise RefusedError(message, status=413)


def find_event(request: Request) -> Row:
    """Return the event that the path names. Raises: RefusedError, if there is none."""
    seq = min(request.path_params["seq"], 2**62)
    with request.app.state.store.reading() as db:
        row = _queries.event(db, seq)
    if row is None:
        message = "There is no such event; it may have been deleted."
        raise RefusedError(message, status=404)
    return row


def _post(read: Callable[[Row], Record]) -> Any:
    async def endpoint(request: Request) -> Response:
        body, api_key = await read_body(request), request.app.state.api_key

        def decode() -> Record:
            return read(_wire.decode(body, api_key))

        small = len(body) <= SMALL_BODY
        record = decode() if small else await run_in_threadpool(decode)
        return JSONResponse(
            await asyncio.wrap_future(request.app.state.store.put(record))
        )

    return endpoint


def _get_event(request: Request) -> Response:
    return JSONResponse(_show(find_event(request)))


def _get_listing(request: Request) -> Response:
    name, filters = _name(request), parse(request.query_params)
    with request.app.state.store.reading() as db:
        page = _queries.listing(db, name, filters, bodies=True)
        rows = [_show(row) for row in page.rows]
    following = dict(request.query_params) | {"before": page.older, "after": None}
    more = link(f"/api/{name}", following) if page.older else None
    return JSONResponse({name: rows, "next": more})


def _get_download(request: Request) -> Response:
    name, kind = _name(request), request.path_params["kind"]
    filters = parse(request.query_params)
    filters.pop("after", None)

    def rows() -> Iterator[Row]:
        with request.app.state.store.reading() as db:
            for row in _queries.every(db, name, filters, bodies=kind == "jsonl"):
                yield _show(row)

    return download(name, kind, rows())


def _name(request: Request) -> str:
    name = str(request.path_params["name"])
    kind = request.path_params.get("kind", "csv")
    if name not in LISTINGS or kind not in ("csv", "jsonl"):
        raise RefusedError("There is no such listing.", status=404)
    return name


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
    *(Route(path, _post(read), methods=["POST"]) for path, read in INGESTION.items()),
    Route("/api/events/{seq:int}", _get_event),
    Route("/api/{name}", _get_listing),
    Route("/{name}.{kind}", _get_download),
]
