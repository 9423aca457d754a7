"""The verdict: how well each revision of a template does with each model."""

from itertools import zip_longest
from sqlite3 import Connection
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._util.statistics import Interval, normal_interval, wilson_interval
from .database import execute_script
from .responses import render_page
from .schema import RequestError, Row


def get_verdict(request: Request) -> Response:
    """Answer ``/verdict``: revisions by models, each beside the one before it."""
    prompt = request.query_params.get("prompt", "")
    with request.app.state.store.read_connection() as db:
        rows = read_verdict(db, prompt)
    if not rows:
        raise RequestError("There is no such prompt.", status=404)
    has_cost = any(row["cost"] is not None for row in rows)
    found = {"prompt": prompt, "rows": rows, "has_cost": has_cost}
    return render_page(request, "verdict.html", found)


def read_verdict(db: Connection, prompt: str) -> list[Row]:
    """Return what is known of a prompt's revisions with each model, newest first."""
    rows = execute_script(db, "verdict", {"prompt": prompt})
    for row in rows:
        count, total = row["ratings"], row["total"]
        row["rating"] = total / count if count else None
        row["rating_interval"] = normal_interval(count, total, row["squares"])
        row["corrected_interval"] = wilson_interval(row["corrected"], row["calls"])
        row["cost"] = _cost(row)
    for row, before in zip_longest(rows, rows[1:]):
        row["verdict"] = None if before is None else _compare(row, before)
    return rows


def _compare(row: Row, before: Row) -> str:
    """Return how a row compares to another: by ratings, or else by corrections."""
    found = _order(row["rating_interval"], before["rating_interval"])
    if found == "too few to tell":
        # Fewer corrections are better.
        found = _order(before["corrected_interval"], row["corrected_interval"])
    return found


def _order(new: Interval | None, old: Interval | None) -> str:
    if new is None or old is None:
        return "too few to tell"
    if new[0] > old[1]:
        return "better"
    return "worse" if new[1] < old[0] else "too few to tell"


def _cost(row: Row) -> float | None:
    """Return what a call costs in US dollars, if genai-prices is installed."""
    if row["tokens_in"] is None or not row["model"]:
        return None
    try:
        import genai_prices
    except ImportError:
        return None
    usage = genai_prices.Usage(
        input_tokens=round(row["tokens_in"]),
        output_tokens=round(row["tokens_out"] or 0),
    )
    try:
        price: Any = genai_prices.calc_price(usage, model_ref=row["model"])
    except LookupError:
        return None
    return float(price.total_price)


routes = [Route("/verdict", get_verdict)]
