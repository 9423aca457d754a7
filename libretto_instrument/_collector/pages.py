"""The pages for people."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import count

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from . import conversation, queries
from .api import find_event
from .database import inflate
from .forms import read_form
from .responses import render_page
from .schema import RequestError, Row, parse_feedback
from .verdict import read_verdict

#: Seconds between two looks at the store's version, for a page that is open.
LIVE_POLL = 0.3
#: Pages that are told of changes; beyond, the one that was opened first is not.
MAX_LIVE = 64
#: The largest body, in bytes, that an event's page shows as raw JSON.
MAX_RAW = 200_000
#: The ratings that can be given on an event's page.
RATINGS = ("0", "0.25", "0.5", "0.75", "1")
#: How many cases of a revision its page shows.
MAX_CASES = 10
#: What prompts can be sorted by: the greatest first, but for names.
SORTS = ("seq", "name", "calls", "error_rate", "p50", "p95", "tokens", "rating")

_live_numbers = count()


def get_prompts(request: Request) -> Response:
    """Answer ``/``: one row a prompt, with its figures."""
    with request.app.state.store.read_connection() as db:
        rows = queries.fetch_prompts(db)
    sort = request.query_params.get("sort", "")
    sort = sort if sort in SORTS else "seq"
    rows.sort(key=lambda row: row[sort] or 0, reverse=sort != "name")
    return render_page(request, "prompts.html", {"prompts": rows, "sort": sort})


def get_events(request: Request) -> Response:
    """Answer ``/events``: the events that pass the filters."""
    query = dict(request.query_params)
    filters = queries.parse_filters(query)
    with request.app.state.store.read_connection() as db:
        listing = queries.fetch_page(db, "events", filters)
        one = "prompt" in filters
        totals = queries.fetch_prompts(db, filters["prompt"]) if one else []
    found = {"query": query, "listing": listing, "figures": totals}
    return render_page(request, "events.html", found)


def get_event(request: Request) -> Response:
    """Answer ``/events/{seq}``: one event, as far as a page can show it."""
    row = find_event(request)
    event, threads = json.loads(inflate(row["body"])), ("chat_id", "chain_id")
    found: Row = {"row": row, "event": conversation.clip_event(event)}
    found["raw"] = event if row["size"] <= MAX_RAW else None
    found["turns"] = conversation.conversation(event)
    found["better"] = conversation.clip(row["better_response"])
    with request.app.state.store.read_connection() as db:
        found["around"] = {
            name: queries.adjacent_events(db, name, row)
            for name in threads
            if row[name]
        }
    return render_page(request, "event.html", found)


def get_threads(request: Request) -> Response:
    """Answer ``/chats`` and ``/chains``: all of them, or one in order."""
    kind = request.url.path.strip("/")
    filters = queries.parse_filters(request.query_params)
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
        ids = [chosen[name]["id"] for name in ("old", "new")]
        texts = [conversation.template_text(queries.template(db, id_)) for id_ in ids]
        filters = {"revision": ids[1], "case": True, "production": True}
        cases = queries.fetch_page(db, "events", filters | {"limit": MAX_CASES})
        evidence = [
            row
            for row in read_verdict(db, query["prompt"])
            if row["revision_id"] == ids[1]
        ]
    found = {"prompt": query["prompt"], "revisions": rows, "texts": texts, **chosen}
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
    state, number = request.app.state, next(_live_numbers)
    state.newest_live = number

    async def versions() -> AsyncIterator[str]:
        seen = 0
        while not state.stopping and number > state.newest_live - MAX_LIVE:
            if seen != state.store.version:
                seen = state.store.version
                yield f"data: {seen}\n\n"
            await asyncio.sleep(LIVE_POLL)

    return StreamingResponse(versions(), media_type="text/event-stream")


async def post_feedback(request: Request) -> Response:
    """Store feedback from an event's page."""
    form = await read_form(request)
    row = await asyncio.to_thread(find_event, request)
    feedback = {"feedback_key": row["feedback_key"], "is_deleted": "delete" in form}
    better = form.get("better_response", "").replace("\r\n", "\n")
    response = json.loads(inflate(row["body"])).get("response")
    # The form shows a long response cut.
    if better and better not in (response, conversation.clip(response)):
        feedback["better_response"] = better
    if form.get("rating") in RATINGS:
        feedback["rating"] = float(form["rating"])
    await request.app.state.store.put("feedback", parse_feedback(feedback))
    return RedirectResponse(f"/events/{row['seq']}#feedback", 303)


routes = [
    Route("/", get_prompts),
    Route("/events", get_events),
    Route("/events/{seq}", get_event),
    Route("/events/{seq}/feedback", post_feedback, methods=["POST"]),
    Route("/chats", get_threads),
    Route("/chains", get_threads),
    Route("/revisions", get_revisions),
    Route("/help", get_help),
    Route("/live", get_live),
]
