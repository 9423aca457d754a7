"""Answers: pages rendered, errors told to programs and to people, downloads."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .conversation import pretty_json, template_text, tool_call, word_diff
from .schema import RequestError
from .store import Row

PACKAGE_DIR = Path(__file__).parent


def render_page(
    request: Request, template: str, values: Row, status: int = 200
) -> Response:
    """Render a template."""
    html = _environment.get_template(template).render(values | {"request": request})
    return Response(html, status, media_type="text/html")


def error_response(request: Request, exc: Exception) -> Response:
    """Tell what is wrong with a request: as JSON under ``/api``, else as a page."""
    headers: dict[str, str] = {}
    if isinstance(exc, HTTPException):
        headers |= exc.headers or {}  # which methods are allowed, say
        exc = RequestError(f"{exc.detail}.", status=exc.status_code)
    elif not isinstance(exc, RequestError):
        # Not the body's fault: whatever is wrong with a body is refused.
        exc = RequestError(f"The database failed ({exc}). Try again.", status=503)
    if not request.url.path.startswith("/api/"):
        return render_page(request, "error.html", {"error": exc}, exc.status)
    error = {"message": exc.message} | ({"key": exc.key} if exc.key else {})
    # A body that is too large is not read to its end, so the connection is spent.
    headers |= {"connection": "close"} if exc.status == 413 else {}
    return JSONResponse({"error": error}, exc.status, headers)


def download_response(name: str, kind: str, rows: Iterable[Row]) -> Response:
    """Stream rows as ``jsonl`` or ``csv``."""
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"'}
    if kind == "csv":
        return StreamingResponse(_csv(rows), 200, headers, "text/csv")
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return StreamingResponse(lines, 200, headers, "application/x-ndjson")


def build_url(path: str, query: Mapping[str, Any]) -> str:
    """Return an address with those of the parameters that say something."""
    given = urlencode({key: value for key, value in query.items() if value})
    return f"{path}?{given}" if given else path


def iso_timestamp(milliseconds: float) -> str:
    """Return unix milliseconds as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds")


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    for number, row in enumerate(rows):
        lines = io.StringIO()
        if number == 0:
            csv.writer(lines).writerow(row)
        csv.writer(lines).writerow(map(_csv_cell, row.values()))
        yield lines.getvalue()


def _csv_cell(value: Any) -> Any:
    # A spreadsheet would run what looks like a formula, and stumble over a NUL.
    text = value.replace("\0", "\ufffd") if isinstance(value, str) else ""
    return f"'{text}" if text.startswith(tuple("=+-@\t\r")) else text or value


def _format_time(milliseconds: float) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%d %b %Y, %H:%M")


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PACKAGE_DIR / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(pretty_json=pretty_json, tool_call=tool_call)
_environment.filters.update(
    decode=json.loads, iso_timestamp=iso_timestamp, format_time=_format_time
)
_environment.globals.update(
    word_diff=word_diff, build_url=build_url, template_text=template_text
)
