"""Parses forms, and numbers in addresses."""

import re
from urllib.parse import parse_qsl

from starlette.requests import Request

from .schema import RequestError

#: Fields of a form.
MAX_FIELDS = 20


def parse_number(text: str) -> int | None:
    """Return a whole number of at most 18 digits; Python refuses very long ones."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form. Raises: RequestError, if it is too large."""
    body = await request.app.state.bodies.read(request.scope, request.receive)
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise RequestError(f"A form has at most {MAX_FIELDS} fields.") from None
    return dict(fields)
