"""What people look at."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from . import conversation, queries
from .api import find_event, read_body
from .responses import page
from .schema import RefusedError, read_feedback
from .store import Row

#: Seconds between two looks for news, for a page that is open.
LIVE = 0.3
#: The largest body, in characters, that an event's page shows as raw JSON.
MAX_RAW = 200_000
#: The ratings that can be given on an event's page.
RATINGS = ("0", "0.25", "0.5", "0.75", "1")
#: What prompts can be sorted by: the greatest first, but for names.
SORTS = ("seq", "name", "calls", "error_rate", "p50", "p95", "tokens", "rating")


def get_prompts(request: Request) -> Response:
    """Answer ``/``: one row a prompt, with its figures."""
    with request.app.state.store.reading() as db:
        rows = queries.prompts(db)
    sort = request.query_params.get("sort", "")
    sort = sort if sort in SORTS else "seq"
    rows.sort(key=lambda row: row[sort] or 0, reverse=sort != "name")
    return page(request, "prompts.html", {"prompts": rows, "sort": sort})


def get_events(request: Request) -> Response:
    """Answer ``/events``: the events that pass the filters."""
    query, filters = dict(request.query_params), queries.parse(request.query_params)
    with request.app.state.store.reading() as db:
        listing = queries.listing(db, "events", filters)
        one = "prompt" in filters
        figures = queries.prompts(db, filters["prompt"]) if one else []
    found = {"query": query, "listing": listing, "figures": figures}
    return page(request, "events.html", found)


def get_event(request: Request) -> Response:
    """Answer ``/events/{seq}``: all there is to know of one event."""
    row = find_event(request)
    event, threads = json.loads(row["body"]), ("chat_id", "chain_id")
    found = {"row": row, "event": event, "raw": len(row["body"]) <= MAX_RAW}
    found["turns"] = conversation.conversation(event)
    with request.app.state.store.reading() as db:
        found["around"] = {
            name: queries.neighbours(db, name, row) for name in threads if row[name]
        }
    return page(request, "event.html", found)


def get_threads(request: Request) -> Response:
    """Answer ``/chats`` and ``/chains``: all of them, or one in order."""
    kind, filters = request.url.path.strip("/"), queries.parse(request.query_params)
    found: Row = {"kind": kind, "filters": filters}
    with request.app.state.store.reading() as db:
        if "id" not in filters:
            found["listing"] = queries.listing(db, kind, filters)
            return page(request, "threads.html", found)
        one = {"id": filters["id"], "limit": 1}
        found["thread"] = next(iter(queries.listing(db, kind, one).rows), None)
        among = {kind.removesuffix("s"): filters.pop("id"), **filters}
        found["listing"] = queries.listing(db, "events", among)
    if found["thread"] is None:
        raise RefusedError(f"There is no such {kind.removesuffix('s')}.", status=404)
    return page(request, "thread.html", found)


def get_revisions(request: Request) -> Response:
    """Answer ``/revisions``: a template's revisions, and two of them compared."""
    query = request.query_params
    with request.app.state.store.reading() as db:
        rows = queries.revisions(db, query.get("prompt", ""))
    if not rows:
        raise RefusedError("There is no such prompt.", status=404)
    by_id = {str(row["id"]): row for row in rows}
    new = by_id.get(query.get("to", ""), rows[0])
    older = next((row for row in rows if row["id"] < new["id"]), new)
    old = by_id.get(query.get("from", ""), older)
    found = {"prompt": query["prompt"], "revisions": rows, "new": new, "old": old}
    return page(request, "revisions.html", found)


def get_help(request: Request) -> Response:
    """Answer ``/help``."""
    return page(request, "help.html", {})


async def get_live(request: Request) -> Response:
    """Answer ``/live``: a server-sent event with the store's version on each change."""
    state = request.app.state

    async def versions() -> AsyncIterator[str]:
        seen = 0
        while not state.stopping:
            if seen != state.store.version:
                seen = state.store.version
                yield f"data: {seen}\n\n"
            await asyncio.sleep(LIVE)

    return StreamingResponse(versions(), media_type="text/event-stream")


async def post_feedback(request: Request) -> Response:
    """Take feedback from an event's page."""
    form = dict(parse_qsl((await read_body(request)).decode("utf-8", "replace")))
    row = await asyncio.to_thread(find_event, request)
    given = {"feedback_key": row["feedback_key"], "is_deleted": "delete" in form}
    better = form.get("better_response", "").replace("\r\n", "\n")
    if better and better != json.loads(row["body"]).get("response"):
        given["better_response"] = better
    if form.get("rating") in RATINGS:
        given["rating"] = float(form["rating"])
    await request.app.state.store.put("feedback", read_feedback(given))
    return RedirectResponse(f"/events/{row['seq']}#feedback", 303)


routes = [
    Route("/", get_prompts),
    Route("/events", get_events),
    Route("/events/{seq:int}", get_event),
    Route("/events/{seq:int}/feedback", post_feedback, methods=["POST"]),
    Route("/chats", get_threads),
    Route("/chains", get_threads),
    Route("/revisions", get_revisions),
    Route("/help", get_help),
    Route("/live", get_live),
]
