"""Judges whether the text before a word says that a name follows."""

import re
from enum import Enum, auto

from .tokens import Token, starts_sentence
from .words import (
    CLOSINGS,
    GREETINGS,
    LABELS,
    STRONG_INTRODUCTIONS,
    TITLES,
    WEAK_INTRODUCTIONS,
)

_LINE_END = re.compile(
    r"[ \t]{0,8}(?:[.,!]?[ \t]{0,8}(?:\n|$)|[|(/&]|and\b|[.!][ \t]{1,8}P\.?S\b)"
)
_GREETING_END = re.compile(r"[ \t]{0,8}(?:[,.!?:;)]|-|\n|$)")
_FIELD_END = re.compile(r"[ \t]{0,8}(?:[,;.|<(\[\"'}]|\n|$)")
_CLOSING_GAP = re.compile(
    r"[,.!]?[ \t]{0,8}(?:\r?\n[\s>]*|(?<=[,.!])[ \t]{0,8})(?:[-~]{1,3}[ \t]{0,8})?"
)
_LABEL_GAP = re.compile(r"[ \t]?[\"'*_]{0,3}[ \t]{0,3}[:=][ \t\"'*_]{0,8}\n?[ \t]{0,3}")
_DASHES = re.compile(r"(?:^|\n)[ \t]{0,8}(?:--?|~)[ \t]{0,8}$")


class Cue(Enum):
    """How strongly what stands before a word speaks for a name."""

    NONE = auto()
    #: A name of which nothing is known needs some likeness to one.
    WEAK = auto()
    #: Whatever follows is a name, ordinary words excepted.
    STRONG = auto()


def context_cue(text: str, words: list[Token], first: int, end: int) -> Cue:
    """Judge what stands before the words of a text from ``first`` to ``end``."""
    start, stop = words[first].start, words[end - 1].end
    if first == 0:
        return Cue.NONE
    previous = words[first - 1]
    gap = text[previous.end : start]
    if len(gap) > 16:
        return Cue.NONE
    if _has_title(previous, gap) or _is_closing(text, words, first, gap, stop):
        return Cue.STRONG
    if _LABEL_GAP.fullmatch(gap):
        labelled = previous.folded in LABELS and _FIELD_END.match(text, stop)
        return _strong_if_capital(words[first]) if labelled else Cue.NONE
    if gap in (" ", "  ", ", "):
        if _is_greeting(text, words, first) and _GREETING_END.match(text, stop):
            return Cue.STRONG
        return _is_introduction(words, first)
    if gap == "? " and previous.folded == "name":
        return Cue.STRONG
    is_last_line = not text[stop : stop + 200].strip(" .\n\t!")
    return Cue.STRONG if _DASHES.search(gap) and is_last_line else Cue.NONE


def _has_title(previous: Token, gap: str) -> bool:
    return (
        gap in (" ", ". ", ".")
        and previous.folded in TITLES
        and (previous.capital or len(previous.folded) <= 4)
    )


def _is_greeting(text: str, words: list[Token], first: int) -> bool:
    """Recognise "Dear", "Hi" and "Good morning" at the start of a sentence."""
    greeting = words[first - 1]
    if greeting.folded not in GREETINGS:
        return False
    before = words[first - 2] if first > 1 else None
    if before is not None and before.folded in ("thank", "good", "my"):
        return True
    return greeting.folded not in ("you", "morning", "afternoon", "evening") and (
        starts_sentence(text, greeting)
        or text[greeting.start - 2 : greeting.start] == ", "
    )


def _is_closing(text: str, words: list[Token], first: int, gap: str, end: int) -> bool:
    """Recognise a name on the line after "Kind regards"."""
    last = words[first - 1].folded
    phrase = f"{words[first - 2].folded} {last}" if first > 1 else last
    return (
        (last in CLOSINGS or phrase in CLOSINGS)
        and _CLOSING_GAP.fullmatch(gap) is not None
        and _LINE_END.match(text, end) is not None
    )


def _is_introduction(words: list[Token], first: int) -> Cue:
    last = words[first - 1].text.lower()
    both = f"{words[first - 2].text.lower()} {last}" if first > 1 else last
    if last == "named":
        return _strong_if_capital(words[first])
    if last in STRONG_INTRODUCTIONS or both in STRONG_INTRODUCTIONS:
        return Cue.STRONG
    is_weak = last in WEAK_INTRODUCTIONS or both in WEAK_INTRODUCTIONS
    return Cue.WEAK if is_weak else Cue.NONE


def _strong_if_capital(word: Token) -> Cue:
    """Weigh "Name: httpx" and "named tuples", where small letters speak against it."""
    return Cue.STRONG if word.capital else Cue.WEAK
