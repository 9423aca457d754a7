"""An event as people read it: the template filled in, messages as turns, diffs."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]
#: A stretch of text, and the name of the parameter that it was filled in from.
Piece = tuple[str, str | None]
#: A message, its content, and whether it was spliced in from a ``chat_history``.
Turn = tuple[Row, list[Piece], bool]

#: Above this many words or lines a comparison could take seconds.
MAX_COMPARED = 3_000

_ASKING = ("user", "prompt", "tool")
_PLACEHOLDER = re.compile(r"\\\{([\w.\[\]]+)\\\}|\{([\w.\[\]]+)\}")
_STEP = re.compile(r"[^.\[\]]+")
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def conversation(event: Row, room: int = 500_000) -> list[Turn]:
    """Return what was said to the model, with the parameters filled in.

    Args:
        event: An event body.
        room: The most characters to return; what is beyond is cut.
    """
    turns = []
    for message, params, history in _messages(event):
        pieces = list(_cut(_pieces(message, params), room))
        room -= sum(len(text) for text, _ in pieces)
        turns.append((message, pieces, history))
    return turns


def last_words(event: Row) -> str:
    """Return the start of what the user said last, or of the prompt."""
    messages = list(_messages(event))
    asked = [each for each in messages if each[0].get("role") in _ASKING]
    for message, params, _ in reversed(asked or messages):
        pieces = _cut(_pieces(message, params), 1000)
        if text := "".join(piece for piece, _ in pieces).strip():
            return text
    return ""


def tool_call(call: Any) -> tuple[str, str]:
    """Return the name and the readable arguments of a tool call."""
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    if not isinstance(function, Mapping):
        return "tool", readable(function)
    arguments = function.get("arguments", function.get("input", ""))
    return str(function.get("name") or "tool"), readable(arguments)


def readable(value: Any) -> str:
    """Return a value as indented JSON; JSON within a string, too."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    return value if isinstance(value, str) else _json(value)


def compare(old: str, new: str) -> list[tuple[str, str]]:
    """Return the way from ``old`` to ``new``: pairs of same/del/ins and text."""
    a, b = _WORD.findall(old), _WORD.findall(new)
    if max(len(a), len(b)) > MAX_COMPARED:
        a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(a), len(b)) > MAX_COMPARED:
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
        f"[{one.get('role')}]\n{readable(one.get('content'))}\n" for one in template
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
            spliced = _look_up(name, params)
            for past in spliced if isinstance(spliced, list) else ():
                yield past if isinstance(past, Mapping) else {}, {}, True


def _cut(pieces: Iterable[Piece], room: int) -> Iterator[Piece]:
    """Yield pieces as long as there is room.

    A short template can name a large parameter a million times over.
    """
    for text, param in pieces:
        yield (text if len(text) <= room else f"{text[: max(room, 0)]} …"), param
        room -= len(text)
        if room <= 0:
            return


def _pieces(message: Row, params: Row) -> Iterator[Piece]:
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield from _fill(text, params)
        elif part is not None:
            yield readable(part), None


def _fill(template: str, params: Row) -> Iterator[Piece]:
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        escaped, name = match.groups()
        value = f"{{{escaped}}}" if escaped else _look_up(name, params)
        if value is not _look_up:
            yield template[end : match.start()], None
            yield value if isinstance(value, str) else _json(value), name
            end = match.end()
    yield template[end:], None


def _look_up(name: str, params: Row) -> Any:
    """Return what a placeholder stands for; itself if it stands for nothing."""
    value: Any = params.get(name, params)
    for step in _STEP.findall(name) if value is params else ():
        index = int(step) if step.isdecimal() and len(step) < 9 else -1
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and 0 <= index < len(value):
            value = value[index]
        else:
            return _look_up
    return _look_up if value is params else value


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
