"""What arrives on the wire: decoded, checked key by key, made ready for the store.

Each ``parse_…`` returns what the ``sql/put_….sql`` of its kind has placeholders for.
"""

import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import define

from .._templates import hash_template
from .conversation import last_user_message, tool_call

Row = dict[str, Any]

#: Nesting beyond this is a fault or an attack, and would break whoever reads it.
MAX_DEPTH = 100
#: Characters of an id or a name: they are indexed.
MAX_NAME = 1_000
#: Characters of one event that the search index covers.
MAX_SEARCHED = 200_000

_TYPES = {
    str: "promptEventId feedbackKey apiName promptTemplateName promptTemplateText "
    "response chatId chainId",
    dict: "params modelParameters prompt rawResponse responseMetrics context",
    list: "promptTemplateChat tools toolCalls responseErrors",
    float: "responseTime",
}
_EVENT = {key: type_ for type_, keys in _TYPES.items() for key in keys.split()}
_FEEDBACK = {"feedback_key": str, "better_response": str, "rating": float}
_REQUIRED = {
    "promptEventId",
    "feedbackKey",
    "params",
    "modelParameters",
    "responseTime",
}
_ITEMS = {"promptTemplateChat": dict, "toolCalls": dict, "responseErrors": str}
_TEXTS = {"promptTemplateText", "response", "better_response"}
_TYPE_NAMES = {str: "a string", dict: "an object", list: "a list", float: "a number"}
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@define(eq=False)
class RequestError(Exception):
    """A request that is answered with a 4xx and leaves nothing behind.

    Attributes:
        message: What is wrong and what to do.
        key: The key at fault, where there is one.
        status: The HTTP status of the answer.
    """

    message: str
    key: str | None = None
    status: int = 400


def decode(body: bytes, api_key: str | None) -> Row:
    """Decode a body and check the key that it carries.

    Args:
        body: The request's body.
        api_key: The only key that is let in; ``None`` lets any in.

    Raises:
        RequestError: It is not a JSON object, or carries no key or a wrong one.
    """
    try:
        text = body.decode()
        document = json.loads(
            text, parse_constant=_parse_finite, parse_float=_parse_finite
        )
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH < _depth(document):
            raise RecursionError
        if _LONE_SURROGATE.search(body):
            text = json.dumps(document, ensure_ascii=False)
            whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            document = json.loads(whole)
    except RecursionError:
        raise RequestError(f"The body is deeper than {MAX_DEPTH} levels.") from None
    except ValueError as exc:
        raise RequestError(f"The body is not JSON in UTF-8: {exc}.") from None
    if not isinstance(document, dict):
        raise RequestError("The body must be a JSON object.")
    given = document.get("apiKey")
    if not any(isinstance(k, str) and k for k in (given, document.get("projectKey"))):
        raise RequestError("apiKey is missing: set LIBRETTO_API_KEY.", "apiKey", 401)
    if api_key and not hmac.compare_digest(str(given).encode(), api_key.encode()):
        raise RequestError("This collector takes another apiKey.", "apiKey", 401)
    return document


def parse_event(document: Row) -> Row:
    """Check an event and prepare all that the store keeps of it.

    Raises:
        RequestError: A key is missing or has a wrong type; the error names it.
    """
    _check_types(document, _EVENT, _REQUIRED)
    event = {k: v for k, v in document.items() if k not in ("apiKey", "projectKey")}
    template = event.get("promptTemplateChat")
    template = event.get("promptTemplateText") if template is None else template
    if template is None:
        message = "promptTemplateChat (or promptTemplateText) is missing."
        raise RequestError(message, "promptTemplateChat")
    if not 0 <= event["responseTime"] < 1e12:
        raise RequestError("responseTime must be zero or more, in ms.", "responseTime")
    digest = hash_template(template)
    template = json.dumps(template, ensure_ascii=False, sort_keys=True)
    name = event.get("promptTemplateName") or event.get("apiName")
    told = ("params", "response", "toolCalls", "responseErrors", "context", "chatId")
    said = [event.get(key) for key in (*told, "promptEventId")]
    text = "\n".join(_iter_strings([name, template, said]))
    return {
        "chatId": None,
        "chainId": None,
        **event,
        "name": name or f"unnamed-{digest[:12]}",
        "template": template,
        "hash": digest,
        "responseTime": float(event["responseTime"]),
        "ask": last_user_message(event),
        "answer": _response_text(event),
        "text": text[:MAX_SEARCHED].replace("\0", " "),
        "body": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
    }


def parse_feedback(document: Row) -> Row:
    """Check a feedback. Raises: RequestError, naming the key at fault."""
    _check_types(document, _FEEDBACK | {"is_deleted": bool}, {"feedback_key"})
    key, deleted = document["feedback_key"], bool(document.get("is_deleted"))
    rating, better = document.get("rating"), document.get("better_response")
    if rating is not None and not 0 <= rating <= 1:
        raise RequestError("rating must be between 0 and 1.", "rating")
    if rating is None and better is None and not deleted:
        raise RequestError("Give a rating, a better_response or both.", "rating")
    return {"key": key, "rating": rating, "better": better, "deleted": deleted}


def parse_chain(document: Row) -> Row:
    """Check a chain's result. Raises: RequestError, naming the key at fault."""
    _check_types(document, {"id": str}, {"id"})
    if "result" not in document:
        raise RequestError("result is missing: what the chain came to.", "result")
    result = json.dumps(document["result"], ensure_ascii=False)
    return {"id": document["id"], "result": result}


def _check_types(document: Row, types: Mapping[str, type], required: set[str]) -> None:
    for key, type_ in types.items():
        value, item = document.get(key), _ITEMS.get(key)
        if key in required and value in (None, ""):
            raise RequestError(f"{key} is missing.", key)
        if value is None:
            continue
        if not _is_type(value, type_):
            said = _TYPE_NAMES.get(type_, "true or false")
            raise RequestError(f"{key} must be {said}.", key)
        if item and not all(_is_type(each, item) for each in value):
            raise RequestError(f"Each item of {key} must be {_TYPE_NAMES[item]}.", key)
        if type_ is str and key not in _TEXTS and len(value) > MAX_NAME:
            raise RequestError(f"{key} is longer than {MAX_NAME} characters.", key)


def _is_type(value: Any, type_: type) -> bool:
    number = type_ is float and isinstance(value, int) and not isinstance(value, bool)
    return number or isinstance(value, type_)


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, _children(value)), default=-1)


def _iter_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in _children(value):
        yield from _iter_strings(each)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _parse_finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("it holds NaN or a number too large")
    return number


def _response_text(event: dict[str, Any]) -> str:
    said = [*(event.get("responseErrors") or ()), event.get("response") or ""]
    called = [f"{tool_call(call)[0]}()" for call in event.get("toolCalls") or ()]
    return next(filter(None, [*said, ", ".join(called)]), "")[:1000]
