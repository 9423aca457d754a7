"""What a request must look like: of OpenAI's validation, what callers trip over.

An unknown parameter is refused, as OpenAI refuses it, so whatever a wrapper of the
client lets slip into a request shows at once.
"""

import json
from collections.abc import Set
from typing import Any

from ._errors import ApiError

_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def parse(raw: bytes, known: Set[str]) -> dict[str, Any]:
    """Return the request's body, its top level checked.

    Args:
        raw: The body as it came.
        known: The parameters that the endpoint takes.

    Raises:
        ApiError: For a body that is no JSON object, an unknown parameter or no model.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ApiError(
            "We could not parse the JSON body of your request. "
            "The OpenAI API expects a JSON payload."
        )
    for name in body:
        if name not in known:
            raise ApiError(f"Unrecognized request argument supplied: {name}")
    if body.get("model") in (None, ""):
        raise ApiError("you must provide a model parameter")
    expect(body, "model", str)
    expect(body, "stream", bool)
    expect(body, "n", int, least=1, most=128)
    for limit in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        expect(body, limit, int, least=1)
    return body


def expect(
    body: dict[str, Any],
    name: str,
    *kinds: type,
    required: bool = False,
    least: int | None = None,
    most: int | None = None,
) -> None:
    """Check one parameter.

    Args:
        body: The request's body.
        name: The parameter.
        *kinds: The JSON types it may have.
        required: Whether it must be there. One that is absent or null passes otherwise.
        least: The smallest value allowed.
        most: The greatest value allowed.

    Raises:
        ApiError: Naming the parameter.
    """
    value = body.get(name)
    if value is None:
        if required:
            raise ApiError(
                f"Missing required parameter: '{name}'.",
                code="missing_required_parameter",
                param=name,
            )
        return
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(_TYPE_NAMES[kind] for kind in kinds)
        raise ApiError(
            f"Invalid type for '{name}': expected {wanted}, "
            f"but got {_TYPE_NAMES[type(value)]} instead.",
            code="invalid_type",
            param=name,
        )
    if not isinstance(value, int):
        return
    if least is not None and value < least:
        raise ApiError(
            f"Invalid value for '{name}': expected at least {least}, got {value}.",
            code="integer_below_min_value",
            param=name,
        )
    if most is not None and value > most:
        raise ApiError(
            f"Invalid value for '{name}': expected at most {most}, got {value}.",
            code="integer_above_max_value",
            param=name,
        )


def check_objects(items: list[Any], where: str) -> None:
    """Check that a list holds objects only.

    Args:
        items: The list.
        where: The parameter that holds it.

    Raises:
        ApiError: Naming the first item at fault.
    """
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            here = f"{where}[{at}]"
            raise ApiError(
                f"Invalid type for '{here}': expected an object, "
                f"but got {_TYPE_NAMES[type(item)]} instead.",
                code="invalid_type",
                param=here,
            )


def check_messages(messages: list[Any], where: str = "messages") -> None:
    """Check that each message is an object with a role that OpenAI knows.

    Args:
        messages: The conversation.
        where: The parameter that holds it.

    Raises:
        ApiError: Naming the first message at fault.
    """
    if not messages:
        raise ApiError(
            f"Invalid '{where}': empty array. Expected an array with minimum length 1.",
            code="empty_array",
            param=where,
        )
    check_objects(messages, where)
    for at, message in enumerate(messages):
        here = f"{where}[{at}]"
        role = message.get("role")
        if role not in _ROLES:
            supported = ", ".join(f"'{name}'" for name in _ROLES)
            raise ApiError(
                f"Invalid value: '{role}'. Supported values are: {supported}.",
                code="invalid_value",
                param=f"{here}.role",
            )
        expect(message, "content", str, list)
        if role == "tool":
            expect(message, "tool_call_id", str, required=True)


def check_functions(functions: list[Any], where: str) -> None:
    """Check the functions that the model may call.

    Args:
        functions: Each with its name and the JSON schema of its arguments.
        where: The parameter that holds them.

    Raises:
        ApiError: Naming the parameter at fault.
    """
    check_objects(functions, where)
    for function in functions:
        expect(function, "name", str, required=True)
        expect(function, "parameters", dict)
