"""Responses: rendered pages, errors as JSON and as pages, downloads."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .conversation import pretty_json, short_json, tool_call
from .diff import word_diff
from .schema import RequestError, Row, context_value

PACKAGE_DIR = Path(__file__).parent

_JSONL = "application/x-ndjson"
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def render_page(
    request: Request, template: str, values: Row, status: int = 200
) -> Response:
    """Render a template."""
    html = _environment.get_template(template).render(values | {"request": request})
    # JSON within a string may hold half of a surrogate pair.
    content = html.encode("utf-8", "replace")
    return Response(content, status, media_type="text/html")


def describe_error(exc: Exception) -> RequestError:
    """Return what a client is told of an error."""
    if isinstance(exc, HTTPException):
        return RequestError(f"{exc.detail}.", status=exc.status_code)
    if isinstance(exc, RequestError):
        return exc
    # Not the body's fault: whatever is wrong with a body is refused.
    return RequestError(f"The database failed ({exc}). Try again.", status=503)


def error_response(request: Request, exc: Exception) -> Response:
    """Return an error: as JSON to who asked for JSON, else as a page."""
    error, path = describe_error(exc), request.url.path
    if not path.startswith("/api/") and not path.endswith(".jsonl"):
        return render_page(request, "error.html", {"error": error}, error.status)
    # Which methods are allowed, say.
    return json_error(error, getattr(exc, "headers", None) or {})


def json_error(error: RequestError, headers: Mapping[str, str] = {}) -> Response:
    """Return an error as JSON."""
    content = {"message": error.message} | ({"key": error.key} if error.key else {})
    added = {413: {"connection": "close"}, 429: {"retry-after": "60"}}
    # A body that is too large is not read to its end, so the connection is spent.
    headers = dict(headers) | added.get(error.status, {})
    return JSONResponse({"error": content}, error.status, headers)


def jsonl_response(name: str, pages: Iterable[list[str]]) -> Response:
    """Stream pages of rows of JSON, a line each."""
    chunks = ("".join(f"{row}\n" for row in rows) for rows in pages)
    return StreamingResponse(chunks, 200, _attached(f"{name}.jsonl"), _JSONL)


def csv_response(name: str, pages: Iterable[list[Row]]) -> Response:
    """Stream pages of rows as CSV."""
    return StreamingResponse(_csv(pages), 200, _attached(f"{name}.csv"), "text/csv")


def _attached(file: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{file}"'}


def build_url(path: str, query: Mapping[str, Any]) -> str:
    """Return an address with those of the parameters that have a value."""
    encoded = urlencode({key: value for key, value in query.items() if value})
    return f"{path}?{encoded}" if encoded else path


def iso_timestamp(milliseconds: float) -> str:
    """Return unix milliseconds as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds")


def _csv(pages: Iterable[list[Row]]) -> Iterator[str]:
    for number, rows in enumerate(pages):
        lines = io.StringIO()
        writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
        if number == 0 and rows:
            writer.writerow(rows[0])
        writer.writerows(map(_csv_cell, row.values()) for row in rows)
        yield lines.getvalue()


def _csv_cell(value: Any) -> Any:
    # A spreadsheet would run what looks like a formula, and stumble over a NUL.
    text = value.replace("\0", "\ufffd") if isinstance(value, str) else ""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text or value


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
_environment.filters.update(
    context_value=context_value,
    format_time=_format_time,
    iso_timestamp=iso_timestamp,
    pretty_json=pretty_json,
    short_json=short_json,
    tool_call=tool_call,
)
_environment.globals.update(build_url=build_url, word_diff=word_diff)
