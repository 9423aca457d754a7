"""An event as people read it: the template filled in, messages as turns.

Whoever may post an event decides what is in it. So the work done for a page is bounded
by what is shown, not by what the event asks for.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

Row = Mapping[str, Any]
#: A stretch of text, and the name of the parameter that it was filled in from.
Segment = tuple[str, str | None]
#: A message, its content, and whether it was spliced in from a ``chat_history``.
Turn = tuple[Row, list[Segment], bool]

#: Characters and turns of a conversation that are shown.
MAX_CHARS, MAX_TURNS = 500_000, 500
#: Characters of a value that is shown as indented JSON.
MAX_JSON = 100_000
#: Characters of JSON in a row of a listing.
MAX_ROW = 1_000
#: Of one key of an event, what its page shows: values, and characters of texts.
MAX_SHOWN_VALUES, MAX_SHOWN_CHARS = 1_000, 200_000
#: Keys of an event that its page shows.
MAX_KEYS = 40

#: Characters that a listing's question is looked for in.
_MAX_LOOKED_AT = 10_000
_INPUT_ROLES = ("user", "prompt", "tool")
_PLACEHOLDER = re.compile(r"\\\{([\w.\[\]]{1,500})\\\}|\{([\w.\[\]]{1,500})\}")
_PATH_STEP = re.compile(r"[^.\[\]]+")


def conversation(event: Row, max_chars: int = MAX_CHARS) -> list[Turn]:
    """Return what was said to the model, with the parameters filled in, and cut."""
    turns = []
    for message, params, is_history in islice(_messages(event), MAX_TURNS):
        segments = list(_truncate(_segments(message, params), max_chars))
        max_chars -= sum(len(text) for text, _ in segments)
        turns.append((message, segments, is_history))
        if max_chars <= 0:
            break
    return turns


def last_user_message(event: Row) -> str:
    """Return the start of what the user said last, or of the prompt."""
    messages = list(islice(_messages(event, is_reversed=True), MAX_TURNS))
    asked = [each for each in messages if each[0].get("role") in _INPUT_ROLES]
    for message, params, _ in asked or messages:
        segments = _truncate(_segments(message, params), 1000)
        if text := "".join(piece for piece, _ in segments).strip():
            return text
    return ""


def clip(value: Any) -> Any:
    """Return a value as far as a page shows it: its first values, texts cut."""
    budget = [MAX_SHOWN_VALUES, MAX_SHOWN_CHARS]

    def copy(value: Any) -> Any:
        budget[0] -= 1
        if isinstance(value, str):
            text = (
                value if len(value) <= budget[1] else f"{value[: max(budget[1], 0)]} …"
            )
            budget[1] -= len(value)
            return text
        if isinstance(value, Mapping):
            return {copy(k): copy(v) for k, v in _while_budget(value.items(), budget)}
        if isinstance(value, list):
            return [copy(each) for each in _while_budget(value, budget)]
        return value

    return copy(value)


def clip_event(event: Row) -> dict[str, Any]:
    """Return an event as far as its page shows it, each key by itself."""
    return {key: clip(value) for key, value in islice(event.items(), MAX_KEYS)}


def _while_budget(values: Iterable[Any], budget: list[int]) -> Iterator[Any]:
    for value in values:
        if min(budget) <= 0:
            return
        yield value


def tool_call(call: Any) -> tuple[str, str]:
    """Return the name and the readable arguments of a tool call."""
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    if not isinstance(function, Mapping):
        return "tool", pretty_json(function)
    arguments = function.get("arguments", function.get("input", ""))
    return str(function.get("name") or "tool"), pretty_json(arguments)


def pretty_json(value: Any) -> str:
    """Return a value as indented JSON, cut at ``MAX_JSON``; JSON in a string, too."""
    try:
        if isinstance(value, str) and len(value) <= MAX_JSON:
            value = json.loads(value)
        if not isinstance(value, str):
            return _indent(value)
    except (ValueError, RecursionError):
        pass
    text = str(value)
    return text if len(text) <= MAX_JSON else f"{text[:MAX_JSON]} …"


def _indent(value: Any) -> str:
    parts, budget = [], MAX_JSON
    # An indented text can be a hundred times as long as the JSON that it came from.
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        parts.append(part[:budget])
        budget -= len(part)
        if budget <= 0:
            return "".join([*parts, " …"])
    return "".join(parts)


def short_json(text: str) -> str:
    """Return the beginning of JSON, readable if it is short, for a row of a listing."""
    return pretty_json(text) if len(text) <= MAX_ROW else f"{text[:MAX_ROW]} …"


def template_text(text: str) -> str:
    """Return a template, given as JSON of a text or messages, as a text to compare."""
    template = json.loads(text) if len(text) <= MAX_CHARS else text[:MAX_CHARS]
    if isinstance(template, str):
        return template
    return "\n".join(
        f"[{one.get('role')}]\n{pretty_json(one.get('content'))}\n"
        for one in clip(template)
    )


def _messages(event: Row, is_reversed: bool = False) -> Iterator[tuple[Row, Row, bool]]:
    """Yield each message, its parameters, and whether it is history."""
    params, messages = event.get("params") or {}, event.get("promptTemplateChat")
    if messages is None:
        messages = [{"role": "prompt", "content": event.get("promptTemplateText")}]
    for message in reversed(messages) if is_reversed else messages:
        if message.get("role") != "chat_history":
            yield message, params, False
            continue
        content = str(message.get("content"))[:_MAX_LOOKED_AT]
        names = [name for _, name in _PLACEHOLDER.findall(content) if name]
        for name in names[::-1] if is_reversed else names:
            spliced = _resolve_path(name, params)
            past = spliced if isinstance(spliced, list) else []
            for each in reversed(past) if is_reversed else past:
                yield each if isinstance(each, Mapping) else {}, {}, True


def _truncate(segments: Iterable[Segment], max_chars: int) -> Iterator[Segment]:
    """Yield segments up to ``max_chars`` characters.

    A short template can name a large parameter a million times over.
    """
    for text, param in segments:
        is_cut = len(text) > max_chars
        yield (f"{text[: max(max_chars, 0)]} …" if is_cut else text), param
        # Even one that is empty takes work.
        max_chars -= len(text) + 10
        if max_chars <= 0:
            return


def _segments(message: Row, params: Row) -> Iterator[Segment]:
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield from _fill(text, params)
        elif part is not None:
            yield pretty_json(part), None


def _fill(template: str, params: Row) -> Iterator[Segment]:
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        escaped, name = match.groups()
        value = f"{{{escaped}}}" if escaped else _resolve_path(name, params)
        if value is not _resolve_path:
            yield template[end : match.start()], None
            yield value if isinstance(value, str) else pretty_json(value), name
            end = match.end()
    yield template[end:], None


def _resolve_path(name: str, params: Row) -> Any:
    """Return what a placeholder stands for; itself if it stands for nothing."""
    value: Any = params.get(name, params)
    for step in _PATH_STEP.findall(name) if value is params else ():
        index = int(step) if step.isdecimal() and len(step) < 9 else -1
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and 0 <= index < len(value):
            value = value[index]
        else:
            return _resolve_path
    return _resolve_path if value is params else value
