"""Pages of replays: a list, one of them side by side, and a blind comparison."""

import asyncio
import hashlib
import json
from sqlite3 import Connection
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .._util.statistics import bootstrap_interval
from . import conversation, queries
from .conversation import tool_call
from .database import execute_script, inflate
from .forms import parse_number, read_form
from .responses import render_page
from .schema import RequestError, Row, parse_feedback

#: Calls of one page of a replay.
PAGE = 50
#: How many pairs are looked at for one whose texts differ.
MAX_TRIED = 100
#: Characters of one answer that a page shows.
MAX_SHOWN = 20_000
VERDICTS = ("error", "unscored", "worse", "same", "better")
#: A vote: the rating of the replayed call.
VOTES = {"new": 1.0, "recorded": 0.0, "same": 0.5}

# A vote counts before the score.
_VERDICT = (
    "CASE WHEN e.rating IS NULL THEN r.verdict WHEN e.rating > 0.5 THEN 'better' "
    "WHEN e.rating < 0.5 THEN 'worse' ELSE 'same' END"
)


def _rank(verdict: str) -> str:
    whens = " ".join(f"WHEN '{name}' THEN {at}" for at, name in enumerate(VERDICTS))
    return f"CASE {verdict} {whens} END"


_SQL = {
    "verdict": _VERDICT,
    "rank": _rank(f"({_VERDICT})"),
    "rank_of_page": _rank("page.judged"),
}


def get_replays(request: Request) -> Response:
    """Answer ``/replays``: all of them, the latest first."""
    with request.app.state.store.read_connection() as db:
        rows = execute_script(db, "replays", {"id": None}, verdict=_VERDICT)
    return render_page(request, "replays.html", {"replays": rows})


def get_replay(request: Request) -> Response:
    """Answer ``/replays/{id}``: recorded, target and new beside each other."""
    query = request.query_params
    verdict = query.get("verdict") if query.get("verdict") in VERDICTS else None
    page = parse_number(query.get("page", "")) or 1
    page = min(max(page, 1), 10**6)
    with request.app.state.store.read_connection() as db:
        found = _find(request, db)
        values: Row = {
            "id": found["id"],
            "verdict": verdict,
            "limit": PAGE,
            "offset": (page - 1) * PAGE,
        }
        calls = execute_script(db, "replay_calls", values, **_SQL)
    shown: Row = {"replay": found, "calls": [_show(call) for call in calls]}
    count = found[verdict] if verdict else found["calls"]
    pages = max(-(-count // PAGE), 1)
    shown |= {"verdict": verdict, "page": page, "pages": pages, "verdicts": VERDICTS}
    return render_page(request, "replay.html", shown)


def get_blind(request: Request) -> Response:
    """Answer ``/replays/{id}/blind``: two answers, without saying which is which."""
    skipped = parse_number(request.query_params.get("skip", ""))
    with request.app.state.store.read_connection() as db:
        found = _find(request, db)
        pairs = [row["seq"] for row in execute_script(db, "blind_pairs", found)]
        left = len(pairs)
        if skipped in pairs:
            at = pairs.index(skipped) + 1
            pairs = pairs[at:] + pairs[:at]
        read = (_read_pair(db, found["id"], seq) for seq in pairs[:MAX_TRIED])
        # Calls of tools may differ by their ids alone.
        pair = next((each for each in read if each["left"] != each["right"]), None)
    shown = {"replay": found, "pair": pair, "left": left}
    return render_page(request, "blind.html", shown)


async def post_vote(request: Request) -> Response:
    """Take a vote as feedback on the replayed call."""
    form = await read_form(request)
    seq, choice = form.get("seq", ""), form.get("choice", "")
    if not seq.isdecimal() or choice not in ("left", "right", "same"):
        raise RequestError("Choose left, right or same.", "choice")

    def find() -> Row:
        with request.app.state.store.read_connection() as db:
            found = _find(request, db)
            row = queries.event(db, parse_number(seq) or 0)
        if row is None or row["replay"] != found["id"]:
            raise RequestError("There is no such call in this replay.", status=404)
        return row

    row = await asyncio.to_thread(find)
    if choice != "same":
        is_new = (choice == "left") == _is_new_left(row["replay"], row["seq"])
        choice = "new" if is_new else "recorded"
    feedback = {"feedback_key": row["feedback_key"], "rating": VOTES[choice]}
    await request.app.state.store.put("feedback", parse_feedback(feedback))
    return RedirectResponse(f"/replays/{quote(row['replay'], safe='')}/blind", 303)


def _find(request: Request, db: Connection) -> Row:
    """Return the figures of the replay that the path names."""
    values = {"id": request.path_params["replay"]}
    rows = execute_script(db, "replays", values, verdict=_VERDICT)
    if not rows:
        raise RequestError("There is no such replay (any longer).", status=404)
    scores = execute_script(db, "replay_scores", values)
    gains = [row["score"] - row["recorded_score"] for row in scores]
    gain = sum(gains) / len(gains) if gains else None
    return rows[0] | {"gain": gain, "interval": bootstrap_interval(gains)}


def _show(call: Row) -> Row:
    """Return a call with its texts as they are shown."""
    new = _answer(call["response"], call["tool_calls"])
    recorded = _answer(call["recorded_response"], call["recorded_tool_calls"])
    target = call["better_response"]
    errors = json.loads(call["errors"]) if call["errors"] else []
    return call | {
        "new": new[:MAX_SHOWN],
        "recorded": recorded[:MAX_SHOWN],
        "target": (recorded if target is None else target)[:MAX_SHOWN],
        "is_corrected": target is not None,
        "errors": errors,
    }


def _read_pair(db: Connection, replay: str, seq: int) -> Row:
    new = queries.event(db, seq) or {}
    event = json.loads(inflate(new["body"]))
    recorded = execute_script(db, "recorded_event", {"seq": seq})[0]
    before = json.loads(inflate(recorded["body"]))
    texts = [
        _answer(each.get("response"), each.get("toolCalls"))[:MAX_SHOWN]
        for each in (event, before)
    ]
    if not _is_new_left(replay, seq):
        texts.reverse()
    return {
        "seq": seq,
        "left": texts[0],
        "right": texts[1],
        "turns": conversation.conversation(before),
        "target": recorded["better_response"],
    }


def _answer(response: Any, tool_calls: Any) -> str:
    """Return an answer as one text, tool calls included."""
    calls = json.loads(tool_calls) if isinstance(tool_calls, str) else tool_calls
    texts = [response] if isinstance(response, str) and response else []
    for call in calls if isinstance(calls, list) else ():
        name, arguments = tool_call(call)
        texts.append(f"{name}({arguments})")
    return "\n".join(texts)


def _is_new_left(replay: str, seq: int) -> bool:
    """Say on which side the new answer stands: by chance, but the same each time."""
    return hashlib.sha256(f"{replay}/{seq}".encode()).digest()[0] % 2 == 0


routes = [
    Route("/replays", get_replays),
    Route("/replays/{replay}", get_replay),
    Route("/replays/{replay}/blind", get_blind),
    Route("/replays/{replay}/votes", post_vote, methods=["POST"]),
]
