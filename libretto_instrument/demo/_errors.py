"""Errors in the shape that OpenAI gives them, and the ones a caller may order."""

import re
from typing import Any

from attrs import frozen

#: Text an error answers with, by status; the client makes its exception from these.
_KINDS = {
    400: ("invalid_request_error", "The request was ordered to fail."),
    401: ("invalid_request_error", "Incorrect API key provided."),
    403: ("invalid_request_error", "The project has no access to this model."),
    404: ("invalid_request_error", "The model does not exist."),
    409: ("conflict_error", "The resource is being changed."),
    422: ("invalid_request_error", "The request could not be processed."),
    429: ("rate_limit_error", "Rate limit reached."),
    500: ("server_error", "The server had an error."),
    503: ("server_error", "The model is overloaded."),
}

_ORDERED = re.compile(r"offline-error-([45]\d\d)$")


@frozen
class ApiError(Exception):
    """A request that is refused, as OpenAI would word it.

    Attributes:
        message: What is wrong and where.
        status: The HTTP status.
        kind: The error's ``type``.
        code: A short machine-readable reason, or None.
        param: The request parameter at fault, or None.
    """

    message: str
    status: int = 400
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def refuse_model(model: str) -> None:
    """Raise the error that the model's name orders, if it orders one.

    Args:
        model: The request's model. ``offline-error-429`` and its like order that
            status; a name with ``no-such-model`` in it is one that does not exist.

    Raises:
        ApiError: With the status ordered.
    """
    if "no-such-model" in model:
        raise ApiError(
            f"The model `{model}` does not exist or you do not have access to it.",
            status=404,
            code="model_not_found",
        )
    if ordered := _ORDERED.match(model):
        status = int(ordered[1])
        default = ("server_error" if status >= 500 else "invalid_request_error", "")
        kind, message = _KINDS.get(status, default)
        raise ApiError(
            f"{message} (ordered by the model name {model})".lstrip(),
            status=status,
            kind=kind,
            code="rate_limit_exceeded" if status == 429 else None,
        )
