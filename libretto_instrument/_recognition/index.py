"""Known templates, found by their literal text.

Each template is filed under the rarest of its anchors: the beginning or the end of the
text of one of its messages. What was sent is looked up by the anchors it has, so that
few templates have to be tried.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from attrs import define, field

from .pattern import MAX_SCANNED_CHARS, BudgetExceededError, TextPattern
from .template import (
    Ambiguous,
    CompiledTemplate,
    Match,
    Template,
    as_messages,
    as_text,
    compile_template,
)

#: Lengths of anchors, in characters.
_ANCHOR_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
#: A shorter one is taken only where longer ones are no rarer.
_GOOD_LENGTH = 32
#: Minimum number of templates to look up by words: splitting a text costs searches.
_MIN_ENTRIES_FOR_WORDS = 8
#: What splitting costs by character, beside looking at it.
_WORD_COST = 10
#: At most this many names of templates that fit are kept.
_MAX_NAMES = 10


class _Slot(NamedTuple):
    """Where an anchor stands: the index of its message, and its length in characters.

    A negative index counts from the end of the chat, a negative length from the end of
    the text.
    """

    message: int
    length: int

    def cut(self, text: str) -> str:
        """Return what stands there in a text."""
        return text[: self.length] if self.length > 0 else text[self.length :]


class _Anchor(NamedTuple):
    slot: _Slot
    text: str


class _Needle(NamedTuple):
    """Literal text that a message must contain; a word if it is between whitespace."""

    message: int
    text: str
    is_word: bool


_Entry = tuple[_Needle, CompiledTemplate]

#: Templates without literal text whose place is known must contain this.
_NOTHING = _Needle(0, "", is_word=False)


@define(eq=False)
class _Lookup:
    """Templates of one kind, texts or chats, each with its rarest literal text.

    Attributes:
        by_slot: For each slot in use, entries by the anchor's text.
        rest: The entries of templates without an anchor.
    """

    by_slot: dict[_Slot, dict[str, list[_Entry]]] = field(factory=dict)
    rest: list[_Entry] = field(factory=list)

    def fill(self, templates: Sequence[CompiledTemplate]) -> None:
        """File templates, each under the rarest of its anchors."""
        anchors = [list(_anchors(template)) for template in templates]
        needles = [list(_needles(template)) for template in templates]
        anchor_counts = Counter(anchor for found in anchors for anchor in found)
        needle_counts = Counter(needle for found in needles for needle in found)

        def anchor_order(anchor: _Anchor) -> tuple[int, int, int]:
            length = abs(anchor.slot.length)
            distance = abs(anchor.slot.message)
            return anchor_counts[anchor], abs(length - _GOOD_LENGTH), distance

        def needle_order(needle: _Needle) -> tuple[bool, int, int]:
            return not needle.is_word, needle_counts[needle], -len(needle.text)

        for template, at, inside in zip(templates, anchors, needles, strict=True):
            entry = (min(inside, key=needle_order, default=_NOTHING), template)
            if at:
                slot, text = min(at, key=anchor_order)
                self.by_slot.setdefault(slot, {}).setdefault(text, []).append(entry)
            else:
                self.rest.append(entry)

    def candidates(
        self, messages: Sequence[Any], budget: list[int]
    ) -> Iterator[CompiledTemplate]:
        """Yield the templates that messages may have been made from."""
        texts = _Texts(messages, budget)
        for slot, by_text in self.by_slot.items():
            entries = by_text.get(slot.cut(texts[slot.message]))
            if entries:
                yield from texts.filter(entries)
        if self.rest:
            yield from texts.filter(self.rest)


class _Texts(dict[int, str]):
    """The texts of messages by their index, read when they are asked for."""

    def __init__(self, messages: Sequence[Any], budget: list[int]) -> None:
        super().__init__()
        self._messages = messages
        self._budget = budget
        self._words: dict[int, set[str]] = {}

    def __missing__(self, index: int) -> str:
        self[index] = text = _text_at(self._messages, index)
        return text

    def filter(self, entries: Sequence[_Entry]) -> Iterator[CompiledTemplate]:
        """Yield the templates whose needles are in the texts."""
        has_many = len(entries) >= _MIN_ENTRIES_FOR_WORDS
        for needle, template in entries:
            if needle.is_word and has_many:
                if needle.text in self._words_at(needle.message):
                    yield template
                continue
            text = self[needle.message]
            self._charge(len(text))
            if needle.text in text:
                yield template

    def _words_at(self, index: int) -> set[str]:
        words = self._words.get(index)
        if words is None:
            text = self[index]
            self._charge(_WORD_COST * len(text))
            words = self._words[index] = set(text.split())
        return words

    def _charge(self, cost: int) -> None:
        self._budget[0] -= cost
        if self._budget[0] < 0:
            raise BudgetExceededError


class TemplateIndex:
    """Known templates, compiled once. Immutable, so threads may share it."""

    def __init__(self, templates: Mapping[str, str | Sequence[Any]]) -> None:
        """Compile templates.

        Args:
            templates: By name: texts, or lists of messages.

        Raises:
            ValueError: One is neither, or cannot be rendered.
        """
        compiled = [compile_template(*item) for item in templates.items()]
        self._texts, self._all = _Lookup(), _Lookup()
        self._texts.fill([each for each in compiled if each.is_text])
        self._all.fill(compiled)

    def recognize(
        self, sent: Template, name: str | None = None
    ) -> Match | Ambiguous | None:
        """Return which template a prompt was made from.

        A template that is a text fits a chat of one message, too, the user's.

        Args:
            sent: The text or the messages.
            name: Where this template is among those that fit, it is the one.

        Returns:
            The match; what it may be, where it is not certain; or None.
        """
        if isinstance(sent, str):
            return as_text(_recognize(self._texts, as_messages(sent), name))
        return _recognize(self._all, sent, name)


def _recognize(
    lookup: _Lookup, messages: Sequence[Any], name: str | None
) -> Match | Ambiguous | None:
    budget = [MAX_SCANNED_CHARS]
    fits: list[Match | Ambiguous] = []
    try:
        for template in lookup.candidates(messages, budget):
            fit = template.match(messages, budget)
            if fit is None:
                continue
            if template.name == name:
                return fit
            fits.append(fit)
    except BudgetExceededError:
        return None
    if len(fits) <= 1:
        return fits[0] if fits else None
    names = [
        each
        for fit in fits
        for each in (fit.names if isinstance(fit, Ambiguous) else (fit.name,))
    ]
    return Ambiguous(tuple(names[:_MAX_NAMES]))


def _text_at(messages: Sequence[Any], index: int) -> str:
    """Return the text of a message, or of its first part; empty if it has none."""
    try:
        message = messages[index]
    except IndexError:
        return ""
    text = _first_text(message) if isinstance(message, dict) else None
    return text if isinstance(text, str) else ""


def _first_text(message: Mapping[str, Any]) -> Any:
    """Return a message's content, or the text of its first part."""
    content = message.get("content")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        return content[0].get("text")
    return content


def _patterns(template: CompiledTemplate) -> Iterator[tuple[int, Any]]:
    """Yield the text patterns whose places are known: an index, and the pattern."""
    runs = [(0, template.runs[0])]
    if len(template.runs) > 1:
        runs.append((-len(template.runs[-1]), template.runs[-1]))
    for start, run in runs:
        for index, message in enumerate(run, start):
            text = _first_text(message.node)
            if isinstance(text, TextPattern):
                yield index, text


def _anchors(template: CompiledTemplate) -> Iterator[_Anchor]:
    for index, pattern in _patterns(template):
        first, last = pattern.literals[0], pattern.literals[-1]
        for length in _ANCHOR_LENGTHS:
            if length <= len(first):
                yield _Anchor(_Slot(index, length), first[:length])
            if length <= len(last):
                yield _Anchor(_Slot(index, -length), last[-length:])


def _needles(template: CompiledTemplate) -> Iterator[_Needle]:
    for index, pattern in _patterns(template):
        for literal in filter(None, pattern.literals):
            yield _Needle(index, literal, is_word=False)
            words = literal.split()
            if not literal[0].isspace():
                words = words[1:]
            if words and not literal[-1].isspace():
                words.pop()
            for word in words:
                yield _Needle(index, word, is_word=True)
