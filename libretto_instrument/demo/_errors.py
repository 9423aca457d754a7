"""Errors in the shape of OpenAI's."""

import re
from typing import Any

from attrs import frozen

_ERROR_MODEL = re.compile(r"offline-error-([45]\d\d)$")
_TYPES = {409: "conflict_error", 429: "rate_limit_error"}


@frozen
class ApiError(Exception):
    """A refused request: what is wrong, the HTTP status, the parameter at fault."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        fields = {"message": self.message, "type": self.type}
        return {"error": fields | {"param": self.param, "code": self.code}}


def raise_for_error_model(model: str) -> None:
    """Raise the error that a model's name, such as ``offline-error-429``, asks for."""
    if "no-such-model" in model:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise ApiError(message, status=404, code="model_not_found")
    if match := _ERROR_MODEL.match(model):
        status = int(match[1])
        default = "server_error" if status >= 500 else "invalid_request_error"
        raise ApiError(
            f"This error was requested by the model name {model}.",
            status=status,
            type=_TYPES.get(status, default),
            code="rate_limit_exceeded" if status == 429 else None,
        )
