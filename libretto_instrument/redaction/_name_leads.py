"""What stands before a word and says that a name follows."""

import re
from enum import Enum, auto

from ._name_tokens import Token, sentence_start
from ._name_words import CLOSINGS, GREETINGS, LABELS, TITLES

_LINE_END = re.compile(r"[ \t]*[.,!]?[ \t]*(?:\n|$)")
_GREETING_END = re.compile(r"[ \t]*(?:[,.!?:;)]|-|\n|$)")
_FIELD_END = re.compile(r"[ \t]*(?:[,;.|<(\[\"'}]|\n|$)")
_CLOSING_GAP = re.compile(
    r"[,.!]?[ \t]*(?:\r?\n[\s>]*|(?<=[,.!])[ \t]*)(?:[-~]{1,3}[ \t]*)?"
)
_LABEL_GAP = re.compile(r"[\"'*_]{0,3}[ \t]{0,3}[:=][ \t\"'*_]{0,8}\n?[ \t]{0,3}")
_DASHES = re.compile(r"(?:^|\n)[ \t]*(?:--?|~)[ \t]*$")

#: One or two words before a name: "my name is", "ich heiße", "signed by".
_STRONG = frozenset(
    (
        "name is",
        "names are",
        "name's",
        "call me",
        "calls me",
        "by name",
        "me llamo",
        "m'appelle",
        "ich heiße",
        "mi chiamo",
        "me chamo",
    )
)
_WEAK = frozenset(
    (
        "i am",
        "i'm",
        "this is",
        "it is",
        "it's",
        "called",
        "signed",
        "signed by",
        "directed by",
        "written by",
        "under",
        "ask for",
        "behalf of",
        "aka",
        "alias",
        "née",
        "met",
        "says",
        "said",
        "asked",
        "told",
        "starring",
        "brother",
        "sister",
        "husband",
        "wife",
        "son",
        "daughter",
        "friend",
        "boss",
        "colleague",
        "neighbor",
        "neighbour",
    )
)


class Lead(Enum):
    """How strongly what stands before a word speaks for a name."""

    NONE = auto()
    #: A name of which nothing is known needs some likeness to one.
    WEAK = auto()
    #: Whatever follows is a name, ordinary words excepted.
    STRONG = auto()


def lead(text: str, words: list[Token], first: int, behind: int) -> Lead:
    """Judge what stands before the words from ``first`` to ``behind``.

    Args:
        text: The whole text.
        words: Its words.
        first: Index of the first word of the candidate.
        behind: Index behind its last word.
    """
    start, end = words[first].start, words[behind - 1].end
    if first == 0:
        return Lead.NONE
    previous = words[first - 1]
    gap = text[previous.end : start]
    if len(gap) > 16:
        return Lead.NONE
    if _titled(previous, gap) or _closes(text, words, first, gap, end):
        return Lead.STRONG
    if _LABEL_GAP.fullmatch(gap):
        labelled = previous.folded in LABELS and _FIELD_END.match(text, end)
        return _strong_if_capital(words[first]) if labelled else Lead.NONE
    if gap in (" ", "  ", ", "):
        if _greets(text, words, first) and _GREETING_END.match(text, end):
            return Lead.STRONG
        return _introduces(words, first)
    if gap == "? " and previous.folded == "name":
        return Lead.STRONG
    return Lead.STRONG if _DASHES.search(gap) and _last_line(text, end) else Lead.NONE


def _titled(previous: Token, gap: str) -> bool:
    return (
        gap in (" ", ". ", ".")
        and previous.folded in TITLES
        and (previous.capital or len(previous.folded) <= 4)
    )


def _greets(text: str, words: list[Token], first: int) -> bool:
    """Recognise "Dear", "Hi" and "Good morning" at the start of a sentence."""
    greeting = words[first - 1]
    if greeting.folded not in GREETINGS:
        return False
    before = words[first - 2] if first > 1 else None
    if before is not None and before.folded in ("thank", "good", "my"):
        return True
    return greeting.folded not in ("you", "morning", "afternoon", "evening") and (
        sentence_start(text, greeting)
        or text[greeting.start - 2 : greeting.start] == ", "
    )


def _closes(text: str, words: list[Token], first: int, gap: str, end: int) -> bool:
    """Recognise a name on the line after "Kind regards"."""
    return (
        words[first - 1].folded in CLOSINGS
        and _CLOSING_GAP.fullmatch(gap) is not None
        and _LINE_END.match(text, end) is not None
    )


def _introduces(words: list[Token], first: int) -> Lead:
    last = words[first - 1].text.lower()
    both = f"{words[first - 2].text.lower()} {last}" if first > 1 else last
    if last == "named":
        return _strong_if_capital(words[first])
    if last in _STRONG or both in _STRONG:
        return Lead.STRONG
    return Lead.WEAK if last in _WEAK or both in _WEAK else Lead.NONE


def _strong_if_capital(word: Token) -> Lead:
    """Weigh "Name: httpx" and "named tuples", where small letters speak against it."""
    return Lead.STRONG if word.capital else Lead.WEAK


def _last_line(text: str, end: int) -> bool:
    return not text[end : end + 200].strip(" .\n\t!")
