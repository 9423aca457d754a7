"""What arrives on the wire: decoded, checked key by key, turned into records."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import define, frozen

from ._conversation import last_words, tool_call

#: Nesting beyond this is a fault or an attack, and would break whoever reads it.
MAX_DEPTH = 100
#: Characters of an id or a name: they are indexed.
MAX_NAME = 1_000
#: Characters of one event that the search index covers.
MAX_SEARCHED = 200_000

_EVENT = {
    str: "promptEventId feedbackKey apiName promptTemplateName promptTemplateText "
    "response chatId chainId",
    dict: "params modelParameters prompt rawResponse responseMetrics context",
    list: "promptTemplateChat tools toolCalls responseErrors",
    float: "responseTime",
}
_ALWAYS = "promptEventId feedbackKey params modelParameters responseTime"
_FEEDBACK = {str: "feedback_key better_response", float: "rating", bool: "is_deleted"}
_ITEMS = {"promptTemplateChat": dict, "toolCalls": dict, "responseErrors": str}
_INDEXED = "promptEventId feedbackKey apiName promptTemplateName chatId chainId id"
_SAID = {str: "a string", dict: "an object", list: "a list", float: "a number"}
_HALF = re.compile("[\ud800-\udfff]")


@define(eq=False)
class RefusedError(Exception):
    """A request that is answered with a 4xx and leaves nothing behind.

    Attributes:
        message: What is wrong and what to do.
        key: The key at fault, where there is one.
        status: The HTTP status of the answer.
    """

    message: str
    key: str | None = None
    status: int = 400


@frozen
class Record:
    """What is to be stored.

    Attributes:
        kind: ``event``, ``feedback`` or ``chain``.
        values: What ``sql/put_{kind}.sql`` has placeholders for.
    """

    kind: str
    values: dict[str, Any]


def decode(body: bytes, api_key: str | None) -> dict[str, Any]:
    """Decode a body and check the key that it carries.

    Args:
        body: The request's body.
        api_key: The only key that is let in; ``None`` lets any in.

    Raises:
        RefusedError: It is not a JSON object, or carries no key or a wrong one.
    """
    try:
        document = json.loads(body.decode())
        if any(depth > MAX_DEPTH for depth, _ in _walk(document)):
            raise RecursionError
        # Python reads two things that are none: NaN, and halves of surrogate pairs.
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        if _HALF.search(text):
            document = json.loads(_HALF.sub("\ufffd", text))
    except RecursionError:
        message = f"The body is nested deeper than {MAX_DEPTH} levels."
        raise RefusedError(message) from None
    except ValueError as exc:
        raise RefusedError(f"The body is not JSON in UTF-8: {exc}.") from None
    if not isinstance(document, dict):
        raise RefusedError("The body must be a JSON object.")
    given = document.get("apiKey")
    if not any(isinstance(k, str) and k for k in (given, document.get("projectKey"))):
        message = "apiKey (or projectKey) is missing. Set LIBRETTO_API_KEY."
        raise RefusedError(message, "apiKey", 401)
    if api_key and not hmac.compare_digest(str(given).encode(), api_key.encode()):
        message = "apiKey is not the one that this collector was started with."
        raise RefusedError(message, "apiKey", 401)
    return document


def read_event(document: dict[str, Any]) -> Record:
    """Check an event and prepare all that the store keeps of it.

    Raises:
        RefusedError: A key is missing or has a wrong type; the error names it.
    """
    _check(document, _EVENT, _ALWAYS)
    event = {k: v for k, v in document.items() if k not in ("apiKey", "projectKey")}
    template = event.get("promptTemplateChat")
    template = event.get("promptTemplateText") if template is None else template
    if template is None:
        message = "promptTemplateChat is missing, and so is promptTemplateText."
        raise RefusedError(message, "promptTemplateChat")
    if not 0 <= event["responseTime"] < 1e12:
        message = "responseTime must be milliseconds, zero or more."
        raise RefusedError(message, "responseTime")
    template = json.dumps(template, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(template.encode()).hexdigest()
    name = event.get("promptTemplateName") or event.get("apiName")
    told = ("params", "response", "toolCalls", "responseErrors", "context", "chatId")
    leaves = [name, template, [event.get(key) for key in (*told, "promptEventId")]]
    text = "\n".join(leaf for _, leaf in _walk(leaves) if isinstance(leaf, str))
    values = (
        {"chatId": None, "chainId": None}
        | event
        | {
            "name": name or f"unnamed-{digest[:12]}",
            "template": template,
            "hash": digest,
            "responseTime": float(event["responseTime"]),
            "ask": last_words(event),
            "answer": _answer(event),
            "text": text[:MAX_SEARCHED].replace("\0", " "),
            "body": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
        }
    )
    return Record("event", values)


def read_feedback(document: dict[str, Any]) -> Record:
    """Check a feedback. Raises: RefusedError, naming the key at fault."""
    _check(document, _FEEDBACK, "feedback_key")
    key, deleted = document["feedback_key"], bool(document.get("is_deleted"))
    rating, better = document.get("rating"), document.get("better_response")
    if rating is not None and not 0 <= rating <= 1:
        raise RefusedError("rating must be between 0 and 1.", "rating")
    if rating is None and better is None and not deleted:
        message = "Feedback needs a rating, a better_response, or both."
        raise RefusedError(message, "rating")
    values = {"key": key, "rating": rating, "better": better, "deleted": deleted}
    return Record("feedback", values)


def read_chain(document: dict[str, Any]) -> Record:
    """Check a chain's result. Raises: RefusedError, naming the key at fault."""
    _check(document, {str: "id"}, "id")
    if "result" not in document:
        message = "result is missing: send what the chain came to."
        raise RefusedError(message, "result")
    result = json.dumps(document["result"], ensure_ascii=False)
    return Record("chain", {"id": document["id"], "result": result})


def _check(document: dict[str, Any], kinds: dict[type, str], always: str) -> None:
    for kind, keys in kinds.items():
        for key in keys.split():
            value, item = document.get(key), _ITEMS.get(key)
            if key in always.split() and value in (None, ""):
                raise RefusedError(f"{key} is missing.", key)
            if value is None:
                continue
            if not _is(value, kind):
                said = _SAID.get(kind, "true or false")
                raise RefusedError(f"{key} must be {said}.", key)
            if item and not all(_is(each, item) for each in value):
                raise RefusedError(f"Each item of {key} must be {_SAID[item]}.", key)
            if key in _INDEXED.split() and len(value) > MAX_NAME:
                raise RefusedError(f"{key} is longer than {MAX_NAME} characters.", key)


def _is(value: Any, kind: type) -> bool:
    number = kind is float and isinstance(value, int) and not isinstance(value, bool)
    return number or isinstance(value, kind)


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    # By hand and not by recursion: the depth is the sender's choice.
    stack = [(1, value)]
    while stack:
        depth, item = stack.pop()
        yield depth, item
        if isinstance(item, dict | list):
            inner = item.values() if isinstance(item, dict) else item
            stack.extend((depth + 1, each) for each in reversed(inner))


def _answer(event: dict[str, Any]) -> str:
    for text in [*(event.get("responseErrors") or []), event.get("response")]:
        if text:
            return str(text)[:1000]
    called = [tool_call(call)[0] for call in event.get("toolCalls") or []]
    return ", ".join(f"{name}()" for name in called)[:1000]
