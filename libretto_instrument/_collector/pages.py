"""What people look at."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from . import conversation, queries
from .api import find_event, read_body
from .responses import render_page
from .schema import RequestError, parse_feedback
from .store import Row
from .verdict import read_verdict

#: Seconds between two looks for news, for a page that is open.
LIVE_POLL = 0.3
#: The largest body, in characters, that an event's page shows as raw JSON.
MAX_RAW = 200_000
#: The ratings that can be given on an event's page.
RATINGS = ("0", "0.25", "0.5", "0.75", "1")
#: How many cases of a revision its page shows.
MAX_CASES = 10
#: What prompts can be sorted by: the greatest first, but for names.
SORTS = ("seq", "name", "calls", "error_rate", "p50", "p95", "tokens", "rating")


def get_prompts(request: Request) -> Response:
    """Answer ``/``: one row a prompt, with its figures."""
    with request.app.state.store.read_connection() as db:
        rows = queries.prompts(db)
    sort = request.query_params.get("sort", "")
    sort = sort if sort in SORTS else "seq"
    rows.sort(key=lambda row: row[sort] or 0, reverse=sort != "name")
    return render_page(request, "prompts.html", {"prompts": rows, "sort": sort})


def get_events(request: Request) -> Response:
    """Answer ``/events``: the events that pass the filters."""
    query, filters = (
        dict(request.query_params),
        queries.parse_filters(request.query_params),
    )
    with request.app.state.store.read_connection() as db:
        listing = queries.fetch_page(db, "events", filters)
        one = "prompt" in filters
        figures = queries.prompts(db, filters["prompt"]) if one else []
    found = {"query": query, "listing": listing, "figures": figures}
    return render_page(request, "events.html", found)


def get_event(request: Request) -> Response:
    """Answer ``/events/{seq}``: all there is to know of one event."""
    row = find_event(request)
    event, threads = json.loads(row["body"]), ("chat_id", "chain_id")
    found = {"row": row, "event": event, "raw": len(row["body"]) <= MAX_RAW}
    found["turns"] = conversation.conversation(event)
    with request.app.state.store.read_connection() as db:
        found["around"] = {
            name: queries.adjacent_events(db, name, row)
            for name in threads
            if row[name]
        }
    return render_page(request, "event.html", found)


def get_threads(request: Request) -> Response:
    """Answer ``/chats`` and ``/chains``: all of them, or one in order."""
    kind, filters = (
        request.url.path.strip("/"),
        queries.parse_filters(request.query_params),
    )
    found: Row = {"kind": kind, "filters": filters}
    with request.app.state.store.read_connection() as db:
        if "id" not in filters:
            found["listing"] = queries.fetch_page(db, kind, filters)
            return render_page(request, "threads.html", found)
        one = {"id": filters["id"], "limit": 1}
        found["thread"] = next(iter(queries.fetch_page(db, kind, one).rows), None)
        among = {kind.removesuffix("s"): filters.pop("id"), **filters}
        found["listing"] = queries.fetch_page(db, "events", among)
    if found["thread"] is None:
        raise RequestError(f"There is no such {kind.removesuffix('s')}.", status=404)
    return render_page(request, "thread.html", found)


def get_revisions(request: Request) -> Response:
    """Answer ``/revisions``: a template's revisions, and two of them compared."""
    query = request.query_params
    with request.app.state.store.read_connection() as db:
        rows = queries.revisions(db, query.get("prompt", ""))
        if not rows:
            raise RequestError("There is no such prompt.", status=404)
        chosen = _choose_revisions(query, rows)
        filters = {"revision": chosen["new"]["id"], "case": True, "production": True}
        cases = queries.fetch_page(db, "events", filters | {"limit": MAX_CASES})
        evidence = [
            row
            for row in read_verdict(db, query["prompt"])
            if row["revision_id"] == chosen["new"]["id"]
        ]
    found = {"prompt": query["prompt"], "revisions": rows, **chosen}
    found |= {"cases": cases, "evidence": evidence}
    return render_page(request, "revisions.html", found)


def _choose_revisions(query: Mapping[str, str], rows: list[Row]) -> Row:
    """Return the revisions that a query asks to compare, or the two newest."""
    by_id = {str(row["id"]): row for row in rows}
    new = by_id.get(query.get("to", ""), rows[0])
    older = next((row for row in rows if row["id"] < new["id"]), new)
    return {"new": new, "old": by_id.get(query.get("from", ""), older)}


def get_help(request: Request) -> Response:
    """Answer ``/help``."""
    return render_page(request, "help.html", {})


async def get_live(request: Request) -> Response:
    """Answer ``/live``: a server-sent event with the store's version on each change."""
    state = request.app.state

    async def versions() -> AsyncIterator[str]:
        seen = 0
        while not state.stopping:
            if seen != state.store.version:
                seen = state.store.version
                yield f"data: {seen}\n\n"
            await asyncio.sleep(LIVE_POLL)

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
    await request.app.state.store.put("feedback", parse_feedback(given))
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
