"""The page of templates that are proposed from what was recorded without one."""

import json
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .._recognition.known import KnownTemplates, load_templates
from .forms import read_form
from .rereading import Rereading, propose_from
from .responses import build_url, render_page
from .schema import MAX_NAME, RequestError

#: Events that one transaction reads again: it holds up the server's others.
_BATCH = 20


def get_templates(request: Request) -> Response:
    """Answer ``/templates``: what is constant and what varies in untemplated calls."""
    with request.app.state.store.read_connection() as db:
        proposals = propose_from(db)
    indent = partial(json.dumps, indent=2, ensure_ascii=False)
    rows = [{"proposal": each, "json": indent(each.template)} for each in proposals]
    return render_page(request, "templates.html", {"rows": rows})


async def post_templates(request: Request) -> Response:
    """Read the stored events again with a template from the page."""
    form = await read_form(request)
    name, known = _parse_template(form)
    progress, store = Rereading(batch=_BATCH), request.app.state.store
    while await store.submit(partial(progress.step, known)):
        pass
    return RedirectResponse(build_url("/events", {"prompt": name}), 303)


def _parse_template(form: dict[str, str]) -> tuple[str, KnownTemplates]:
    name = form.get("name", "").strip()
    if not name or len(name) > MAX_NAME:
        raise RequestError("Give the template a name.", "name")
    try:
        template: Any = json.loads(form.get("template", ""))
        known = load_templates({name: template})
        _ = known.index
    except (TypeError, ValueError, RecursionError) as exc:
        raise RequestError(f"The template cannot be used: {exc}.", "template") from exc
    return name, known


routes = [
    Route("/templates", get_templates),
    Route("/templates", post_templates, methods=["POST"]),
]
