"""Decodes what arrives, checks it key by key, and prepares it for the store.

Each ``parse_…`` returns the values that ``writes`` stores. A body's size and the number
of its values are bounded before it is decoded, its depth right after.
"""

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define

from .._templates import hash_template
from .conversation import last_user_message, tool_call

Row = dict[str, Any]

#: Nesting beyond this is a fault or an attack, and would break whatever reads it.
MAX_DEPTH = 100
#: Values of one body. An empty one takes 3 bytes of JSON and 72 of memory.
MAX_VALUES = 1_000_000
#: Characters of an id or a name: they are indexed.
MAX_NAME = 1_000
#: Characters of one event that the search index covers, and values to find them in.
MAX_SEARCHED, MAX_SEARCHED_VALUES = 100_000, 20_000
#: Characters of a word that the search index keeps.
MAX_WORD = 100
#: The entries of a context that an event is found by, and their characters.
MAX_CONTEXT_ENTRIES, MAX_CONTEXT = 100, 500
#: Characters of a question or an answer that a listing shows.
MAX_SHOWN = 500
#: More tokens than any model has seen.
_MAX_TOKENS = 10**12

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
    *("promptEventId", "feedbackKey", "params", "modelParameters", "responseTime")
}
_ITEMS = {"promptTemplateChat": dict, "toolCalls": dict, "responseErrors": str}
_TEXTS = {"promptTemplateText", "response", "better_response"}
_TYPE_NAMES = {str: "a string", dict: "an object", list: "a list", float: "a number"}
_SEARCHED = ("params", "response", "toolCalls", "responseErrors", "context", "chatId")
_VERDICTS = ("better", "worse", "same", "error")
_LONG_WORD = re.compile(rf"(\w{{{MAX_WORD}}})\w+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)


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


def decode(body: bytes) -> Row:
    """Decode a body.

    Raises:
        RequestError: It is not a JSON object, or too large a one.
    """
    containers = body.count(b"[") + body.count(b"{")
    if containers + body.count(b",") > MAX_VALUES:
        raise RequestError(f"The body has over {MAX_VALUES:,} values.", status=413)
    try:
        text = body.decode()
        document = json.loads(
            text, parse_constant=_parse_finite, parse_float=_parse_finite
        )
        if containers > MAX_DEPTH:
            _check_depth(document)
        if b"\\u" in body and _LONE_SURROGATE.search(body):
            text = json.dumps(document, ensure_ascii=False)
            document = json.loads(_SURROGATE.sub("\ufffd", text))
    except RecursionError:
        raise RequestError(f"The body is deeper than {MAX_DEPTH} levels.") from None
    except ValueError as exc:
        raise RequestError(f"The body is not JSON in UTF-8: {exc}.") from None
    if not isinstance(document, dict):
        raise RequestError("The body must be a JSON object.")
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
    text = json.dumps(template, ensure_ascii=False, sort_keys=True)
    digest = hash_template(template)
    name = event.get("promptTemplateName") or event.get("apiName")
    searched = [event.get(key) for key in (*_SEARCHED, "promptEventId")]
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return {
        "id": event["promptEventId"],
        "feedback_key": event["feedbackKey"],
        "chat_id": event.get("chatId") or None,
        "chain_id": event.get("chainId") or None,
        "name": name or f"unnamed-{digest[:12]}",
        "template": text,
        "hash": digest,
        "model": _find_model(event),
        "response_time": float(event["responseTime"]),
        "tokens": _find_tokens(event, "total_tokens"),
        "tokens_in": _find_tokens(event, "prompt_tokens", "input_tokens"),
        "tokens_out": _find_tokens(event, "completion_tokens", "output_tokens"),
        "failed": bool(event.get("responseErrors")),
        "has_params": bool(event["params"]),
        "replay": _find_replay(event.get("context") or {}),
        "replayed": _find_replayed(event.get("context") or {}),
        "ask": last_user_message(event)[:MAX_SHOWN],
        "answer": _response_text(event)[:MAX_SHOWN],
        "text": _searched_text([name, template, *searched]),
        "context": _context_pairs(event.get("context") or {}),
        "size": len(body),
        "body": zlib.compress(body, 1),
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
            expected = _TYPE_NAMES.get(type_, "true or false")
            raise RequestError(f"{key} must be {expected}.", key)
        if item and not all(_is_type(each, item) for each in value):
            raise RequestError(f"Each item of {key} must be {_TYPE_NAMES[item]}.", key)
        if type_ is str and key not in _TEXTS and len(value) > MAX_NAME:
            raise RequestError(f"{key} is longer than {MAX_NAME} characters.", key)


def _is_type(value: Any, type_: type) -> bool:
    number = type_ is float and isinstance(value, int) and not isinstance(value, bool)
    return number or isinstance(value, type_)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in _children(container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise RecursionError


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _parse_finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("it holds NaN or a number too large")
    return number


def _find_model(event: Row) -> str | None:
    # The response's is the exact one: "gpt-5.4" is asked, a dated one answers.
    for key in ("rawResponse", "modelParameters"):
        model = (event.get(key) or {}).get("model")
        if isinstance(model, str):
            return model[:MAX_NAME]
    return None


def _find_tokens(event: Row, *names: str) -> int | None:
    for key in ("responseMetrics", "rawResponse"):
        usage: Any = (event.get(key) or {}).get("usage")
        for name in names if isinstance(usage, dict) else ():
            tokens = usage.get(name)
            if type(tokens) is int and 0 <= tokens <= _MAX_TOKENS:
                return tokens
    return None


def _find_replay(context: Row) -> str | None:
    replay = context.get("replay")
    return (replay[:MAX_CONTEXT] or None) if isinstance(replay, str) else None


def _find_replayed(context: Row) -> Row | None:
    """Return what a replay says of a call that it made: which case, which score."""
    case = context.get("case")
    if _find_replay(context) is None or not isinstance(case, str):
        return None
    attempt, verdict = context.get("attempt"), context.get("verdict")
    scored_by = context.get("scored_by")
    return {
        "case_id": case[:MAX_CONTEXT],
        "attempt": attempt if type(attempt) is int and abs(attempt) < 2**31 else 0,
        "score": _find_score(context.get("score")),
        "recorded_score": _find_score(context.get("recorded_score")),
        "verdict": verdict if verdict in _VERDICTS else "unscored",
        "scored_by": scored_by[:100] if isinstance(scored_by, str) else None,
    }


def _find_score(value: Any) -> float | None:
    is_score = type(value) in (int, float) and abs(value) < 1e9
    return float(value) if is_score else None


def _response_text(event: Row) -> str:
    texts = [*(event.get("responseErrors") or ())[:1], event.get("response") or ""]
    calls = (event.get("toolCalls") or ())[:20]
    called = [f"{tool_call(call)[0]}()" for call in calls]
    return next(filter(None, [*texts, ", ".join(called)]), "")


def _searched_text(values: list[Any]) -> str:
    """Join the strings within values, as far as search covers them."""
    max_chars, parts, stack = MAX_SEARCHED, [], values[::-1]
    for _ in range(MAX_SEARCHED_VALUES):
        if not stack or max_chars <= 0:
            break
        value = stack.pop()
        if isinstance(value, str):
            parts.append(value[:max_chars])
            max_chars -= len(value) + 1
        elif children := list(_children(value)):
            stack.extend(children[MAX_SEARCHED_VALUES::-1])
    text = "\n".join(parts).replace("\0", " ")
    # A long word is a picture or the like, and would be stored as a whole.
    if max(map(len, text.split()), default=0) > MAX_WORD:
        text = _LONG_WORD.sub(r"\1", text)
    return text


def _context_pairs(context: Row) -> list[tuple[str, str]]:
    """Return what an event is found by: the first entries, as text."""
    pairs = list(context.items())[:MAX_CONTEXT_ENTRIES]
    return [
        (key[:MAX_CONTEXT], context_value(value)[:MAX_CONTEXT]) for key, value in pairs
    ]


def context_value(value: Any) -> str:
    """Return a context's value as it is looked up: text as it is, others as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
