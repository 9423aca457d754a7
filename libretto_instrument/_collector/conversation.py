"""An event as people read it: the template filled in, messages as turns, diffs."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]
#: A stretch of text, and the name of the parameter that it was filled in from.
Segment = tuple[str, str | None]
#: A message, its content, and whether it was spliced in from a ``chat_history``.
Turn = tuple[Row, list[Segment], bool]

#: Above this many words or lines a comparison could take seconds.
MAX_DIFF_TOKENS = 3_000

_INPUT_ROLES = ("user", "prompt", "tool")
_PLACEHOLDER = re.compile(r"\\\{([\w.\[\]]+)\\\}|\{([\w.\[\]]+)\}")
_PATH_STEP = re.compile(r"[^.\[\]]+")
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def conversation(event: Row, max_chars: int = 500_000) -> list[Turn]:
    """Return what was said to the model, with the parameters filled in.

    Args:
        event: An event body.
        max_chars: The most characters to return; what is beyond is cut.
    """
    turns = []
    for message, params, history in _messages(event):
        segments = list(_truncate(_segments(message, params), max_chars))
        max_chars -= sum(len(text) for text, _ in segments)
        turns.append((message, segments, history))
    return turns


def last_user_message(event: Row) -> str:
    """Return the start of what the user said last, or of the prompt."""
    messages = list(_messages(event))
    asked = [each for each in messages if each[0].get("role") in _INPUT_ROLES]
    for message, params, _ in reversed(asked or messages):
        segments = _truncate(_segments(message, params), 1000)
        if text := "".join(piece for piece, _ in segments).strip():
            return text
    return ""


def tool_call(call: Any) -> tuple[str, str]:
    """Return the name and the readable arguments of a tool call."""
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    if not isinstance(function, Mapping):
        return "tool", pretty_json(function)
    arguments = function.get("arguments", function.get("input", ""))
    return str(function.get("name") or "tool"), pretty_json(arguments)


def pretty_json(value: Any) -> str:
    """Return a value as indented JSON; JSON within a string, too."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    return value if isinstance(value, str) else _json(value)


def word_diff(old: str, new: str) -> list[tuple[str, str]]:
    """Return the way from ``old`` to ``new``: pairs of same/del/ins and text."""
    a, b = _WORD.findall(old), _WORD.findall(new)
    if max(len(a), len(b)) > MAX_DIFF_TOKENS:
        a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(a), len(b)) > MAX_DIFF_TOKENS:
        return [("del", old), ("ins", new)]
    changes: list[tuple[str, str]] = []
    gone = come = ""
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=len(a) > 1000)
    for kind, i1, i2, j1, j2 in [*matcher.get_opcodes(), ("equal", 0, 0, 0, 0)]:
        before, after = "".join(a[i1:i2]), "".join(b[j1:j2])
        # A space between two changed words belongs to the change.
        if kind != "equal" or (before.isspace() and (gone or come)):
            gone, come = gone + before, come + after
            continue
        changes += [("del", gone), ("ins", come), ("same", before)]
        gone = come = ""
    return [change for change in changes if change[1]]


def template_text(template: Any) -> str:
    """Return a template, text or messages, as one text to compare."""
    if isinstance(template, str):
        return template
    said = [
        f"[{one.get('role')}]\n{pretty_json(one.get('content'))}\n" for one in template
    ]
    return "\n".join(said)


def _messages(event: Row) -> Iterator[tuple[Row, Row, bool]]:
    """Yield each message, its parameters, and whether it is history."""
    params, messages = event.get("params") or {}, event.get("promptTemplateChat")
    if messages is None:
        messages = [{"role": "prompt", "content": event.get("promptTemplateText")}]
    for message in messages:
        if message.get("role") != "chat_history":
            yield message, params, False
            continue
        for _, name in _PLACEHOLDER.findall(str(message.get("content"))):
            spliced = _resolve_path(name, params)
            for past in spliced if isinstance(spliced, list) else ():
                yield past if isinstance(past, Mapping) else {}, {}, True


def _truncate(segments: Iterable[Segment], max_chars: int) -> Iterator[Segment]:
    """Yield segments up to ``max_chars`` characters.

    A short template can name a large parameter a million times over.
    """
    for text, param in segments:
        yield (
            (text if len(text) <= max_chars else f"{text[: max(max_chars, 0)]} …"),
            param,
        )
        max_chars -= len(text)
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
            yield value if isinstance(value, str) else _json(value), name
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


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
