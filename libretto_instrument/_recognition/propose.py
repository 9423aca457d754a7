"""Templates proposed from calls whose prompts were recorded as they were sent.

Calls that probably had one template are put into a group; what their texts share is
literal, what varies between is a placeholder. A proposal is kept if it is recognised in
most of its group's calls.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from attrs import evolve, frozen

from .align import TOKEN, Alignment, align, escape
from .apply import Call
from .index import TemplateIndex
from .template import Match, Template

#: Calls without a template that are read.
MAX_CALLS = 20_000
#: Calls of one prompt that make a proposal.
MIN_CALLS = 3
#: Calls of a group that are compared with each other.
_MAX_COMPARED = 100
#: Longer prompts are left out, in characters.
_MAX_CHARS = 200_000
#: A proposal's literal text, in characters; in one message to be a group of its own.
_MIN_LITERAL_CHARS = 8
_MIN_OWN_LITERAL_CHARS = 20
_SYSTEM = frozenset(("system", "developer"))
#: Of the words and spaces of a prompt's beginning or end: what groups are made by.
_CUTS = (
    slice(0, 0),
    *(slice(0, count) for count in (1, 3, 5)),
    *(slice(-count, None) for count in (1, 3, 5)),
)
_HEAD = slice(0, 5)
_WORD = re.compile(r"[^\W\d_]+")


@frozen
class Proposal:
    """A template that several calls may have been made from.

    Attributes:
        name: The prompt's name, or one made of the template's words.
        template: The text or the messages, with placeholders.
        calls: How many calls it fits.
        ambiguous: How many of these it fits in several ways.
        example: The parameters of one of them.
    """

    name: str
    template: Template
    calls: int
    ambiguous: int
    example: dict[str, Any]


def propose(calls: Iterable[Call], min_calls: int = MIN_CALLS) -> list[Proposal]:
    """Return templates that fit ``min_calls`` calls or more, the most calls first.

    At most `MAX_CALLS` calls are read.
    """
    groups: dict[Hashable, list[Call]] = defaultdict(list)
    for count, call in enumerate(calls):
        if count == MAX_CALLS:
            break
        if len(str(call.sent)) <= _MAX_CHARS:
            groups[call.name, _head(call.sent)].append(call)
    proposals: dict[str, Proposal] = {}
    for group in groups.values():
        for members in _by_shape(group, min_calls):
            for proposal in _propose(members, min_calls):
                name, count = proposal.name, 1
                while name in proposals:
                    count += 1
                    name = f"{proposal.name}-{count}"
                proposals[name] = evolve(proposal, name=name)
    return sorted(proposals.values(), key=lambda each: (-each.calls, each.name))


def _head(sent: Template) -> Hashable:
    """Return what calls of one template begin alike with: the system's first words."""
    if isinstance(sent, str):
        return "text"
    roles = _roles(sent)
    first = sent[0].get("content") if roles and roles[0] in _SYSTEM else ""
    words = _cut_words(first, _HEAD) if isinstance(first, str) else ()
    return "chat", roles[:1], words


def _roles(messages: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(message.get("role")) for message in messages)


def _by_shape(calls: list[Call], min_calls: int) -> Iterable[list[Call]]:
    """Yield calls of one shape, or all if they are one conversation that grows."""
    if len(calls) < min_calls:
        return
    if isinstance(calls[0].sent, str) or _history(calls) is not None:
        yield calls
        return
    shapes: dict[Hashable, list[Call]] = defaultdict(list)
    for call in calls:
        shapes[_roles(call.sent)].append(call)
    for members in shapes.values():
        if len(members) >= min_calls:
            yield members


def _history(calls: Sequence[Call]) -> tuple[int, int] | None:
    """Return how many messages stand before and after a history, if there is one."""
    shapes = {_roles(call.sent) for call in calls if isinstance(call.sent, list)}
    shortest = min(shapes, key=len, default=())
    if len(shapes) < 2 or not shortest or shortest[0] not in _SYSTEM:
        return None
    system = next(
        (n for n, role in enumerate(shortest) if role not in _SYSTEM), len(shortest)
    )
    if len(shortest) > system and all(shape[-1] == "user" for shape in shapes):
        return system, 1
    start = 0
    while all(
        shape[start : start + 1] == shortest[start : start + 1] != ()
        for shape in shapes
    ):
        start += 1
    return start, 0


def _propose(calls: list[Call], min_calls: int) -> Iterable[Proposal]:
    """Yield proposals for calls of one shape.

    All of them together, if their last message shows a template; else those whose last
    messages begin or end alike; then the rest.
    """
    history, rest = _history(calls), calls
    for cut in _CUTS if history is None else ():
        for members in _by_words(rest, cut):
            made = _make(members, None, min_calls, own=True)
            if made is not None:
                yield made[0]
                chosen = set(map(id, made[1]))
                rest = [call for call in rest if id(call) not in chosen]
    made = _make(rest, history, min_calls, own=False)
    if made is not None:
        yield made[0]


def _by_words(calls: list[Call], cut: slice) -> list[list[Call]]:
    """Return calls by the words that their prompts begin or end with."""
    groups: dict[Hashable, list[Call]] = defaultdict(list)
    for call in calls:
        text = call.sent if isinstance(call.sent, str) else _last_text(call.sent)
        groups[_cut_words(text, cut)].append(call)
    return list(groups.values())


def _cut_words(text: str, cut: slice) -> Hashable:
    return tuple(TOKEN.findall(text[-200:] if cut.stop is None else text[:200])[cut])


def _last_text(messages: Sequence[Any]) -> str:
    content = messages[-1].get("content") if messages else ""
    return content if isinstance(content, str) else ""


def _make(
    calls: list[Call], history: tuple[int, int] | None, min_calls: int, *, own: bool
) -> tuple[Proposal, list[Call]] | None:
    """Return the template of a group's calls, and the calls that it fits.

    None if there is none, or it fits less than half of them.
    """
    if len(calls) < min_calls:
        return None
    texts: list[Alignment] = []
    step = -(-len(calls) // _MAX_COMPARED)
    sample = [call.sent for call in calls[::step]]
    template: Template | None
    if isinstance(sample[0], str):
        template = _align_texts(sample, "text", set(), texts)
    else:
        template = _align_chats(sample, history, texts)
    has_names = history is not None or any(text.names for text in texts)
    literal_chars = sum(text.literal_chars for text in texts)
    if template is None or not has_names or literal_chars < _MIN_LITERAL_CHARS:
        return None
    if own and texts[-1].literal_chars < _MIN_OWN_LITERAL_CHARS:
        return None
    name = calls[0].name or _make_name(texts)
    index = TemplateIndex({name: template})
    found = [(index.recognize(call.sent), call) for call in calls]
    matches = [match for match, _ in found if isinstance(match, Match)]
    if len(matches) < max(min_calls, len(calls) // 2):
        return None
    fitting = [call for match, call in found if match is not None]
    ambiguous = len(fitting) - len(matches)
    example = matches[0].params
    return Proposal(name, template, len(fitting), ambiguous, example), fitting


def _align_texts(
    texts: Sequence[Any], default: str, taken: set[str], found: list[Alignment]
) -> str:
    alignment = align(texts, default, taken)
    found.append(alignment)
    return alignment.template


def _align_chats(
    chats: Sequence[Any], history: tuple[int, int] | None, found: list[Alignment]
) -> list[Any] | None:
    """Return the messages that chats share; None if they differ in more than text."""
    taken: set[str] = set()
    if history is None:
        columns = list(zip(*chats, strict=True))
        messages = [_align_messages(column, taken, found) for column in columns]
    else:
        before, after = history
        taken.add("history")
        heads = zip(*(chat[:before] for chat in chats), strict=True)
        tails = zip(*(chat[len(chat) - after :] for chat in chats), strict=True)
        messages = [_align_messages(column, taken, found) for column in heads]
        messages.append({"role": "chat_history", "content": "{history}"})
        messages += [_align_messages(column, taken, found) for column in tails]
    return None if None in messages else messages


def _align_messages(
    messages: Sequence[Any], taken: set[str], found: list[Alignment]
) -> Any:
    first = messages[0]
    contents = [message.get("content") for message in messages]
    shells = [{**message, "content": None} for message in messages]
    if any(shell != shells[0] for shell in shells):
        return None
    default = "input" if first.get("role") == "user" else str(first.get("role"))
    if all(isinstance(content, str) for content in contents):
        template: Any = _align_texts(contents, default, taken, found)
    elif all(content == contents[0] for content in contents):
        template = escape(contents[0])
    else:
        template = _align_parts(contents, default, taken, found)
        if template is None:
            return None
    return {**escape(shells[0]), "content": template}


def _align_parts(
    contents: Sequence[Any], default: str, taken: set[str], found: list[Alignment]
) -> list[Any] | None:
    if not all(isinstance(content, list) for content in contents):
        return None
    if len({len(content) for content in contents}) > 1:
        return None
    parts: list[Any] = []
    for column in zip(*contents, strict=True):
        first = column[0]
        if all(part == first for part in column):
            parts.append(escape(first))
            continue
        texts = [
            part.get("text") if isinstance(part, dict) else None for part in column
        ]
        if not all(isinstance(text, str) for text in texts):
            return None
        text = _align_texts(texts, default, taken, found)
        parts.append({**escape({**first, "text": None}), "text": text})
    return parts


def _make_name(texts: Sequence[Alignment]) -> str:
    """Return a name of the first words of the last text that has any."""
    for text in reversed(texts):
        words = _WORD.findall(re.sub(r"\{[^}]*\}", " ", text.template))[:4]
        if len("".join(words)) >= _MIN_LITERAL_CHARS:
            return "-".join(words).lower()
    return "prompt"
