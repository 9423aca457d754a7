"""Words of a text, and what is known about each as a part of a name."""

import re
from collections.abc import Iterator

from attrs import define, frozen

from .._entities import Span
from .lexicon import Lexicon, casefold_ascii, ends_like_surname, is_unambiguous_surname
from .words import (
    ABBREVIATED_TITLES,
    AMBIGUOUS_NAMES,
    NEVER_NAMES,
    ORGANISATION_WORDS,
    PARTICLES,
    STREET_WORDS,
)

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_POSSESSIVE = ("'s", "'S")
_INNER_CAPITAL = re.compile(r"(?:Mc|Mac|De|Di|Da|Van|Le|La|[OD]'|Fitz)?[A-Z][^A-Z]*$")
#: Neighbours that make a word a part of code, a path or a placeholder.
_CODE_BEFORE = frozenset("_\\#${&0123456789")
_CODE_AFTER = frozenset("_\\({[=}&0123456789")
_CONTRACTION = re.compile(r"[a-z]{2,}(?:n't|'(?:ll|re|ve|d|m))$")
_MAX_WORD = 30


@define
class Token:
    """A word of the text, less a possessive ending, and where it stands.

    ``folded`` is in lower case, without accents.
    """

    text: str
    start: int
    end: int
    folded: str
    capital: bool

    @property
    def is_initial(self) -> bool:
        """Whether it is a single capital letter."""
        return len(self.text) == 1 and self.capital

    @property
    def is_accented(self) -> bool:
        """Whether it has letters that English words have not."""
        return not self.text.isascii() and self.folded.isascii()


def tokenize(text: str) -> list[Token]:
    """Split ``text`` into words, those too long for a name left out."""
    result = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        if end - start > _MAX_WORD:
            continue
        word = match.group()
        if word.endswith(_POSSESSIVE):
            word = word[:-2]
            end -= 2
        result.append(Token(word, start, end, casefold_ascii(word), word[:1].isupper()))
    return result


@frozen
class NameClassifier:
    """Says what a word may be, by the word lists and by how it is written."""

    text: str
    lexicon: Lexicon

    def is_given_name(self, token: Token) -> bool:
        """Whether it is a frequent given name, "Anne-Marie" included."""
        return token.folded.partition("-")[0] in self.lexicon.given

    def is_rare(self, token: Token) -> bool:
        """Whether it is an infrequent given name."""
        return token.folded.partition("-")[0] in self.lexicon.rare_given

    def is_surname(self, token: Token) -> bool:
        """Whether it is a surname, by the list, by its ending or by its letters."""
        last = token.folded.rpartition("-")[2].replace("'", "")
        return (
            last in self.lexicon.surnames
            or ends_like_surname(last)
            or token.text.endswith(("ć", "č"))
        )

    def is_unambiguous_surname(self, token: Token) -> bool:
        """Whether its ending makes it a surname even by itself."""
        prefixed = token.text.startswith(("Mc", "O'")) and len(token.text) > 4
        return prefixed or is_unambiguous_surname(token.folded)

    def is_common_word(self, token: Token) -> bool:
        """Whether it is a frequent English word, a place, or never a name."""
        folded = token.folded
        return (
            folded.partition("-")[0] in self.lexicon.words
            or folded in self.lexicon.places
            or folded in NEVER_NAMES
            or folded in AMBIGUOUS_NAMES
            or _CONTRACTION.search(folded) is not None
        )

    def is_known_name(self, token: Token) -> bool:
        """Whether anything but its capital letter speaks for a name."""
        return not self.is_common_word(token) and (
            self.is_given_name(token)
            or self.is_rare(token)
            or self.is_surname(token)
            or (token.capital and token.is_accented)
        )

    def is_spelled_like_name(self, token: Token) -> bool:
        """Whether an unknown word could be a name: no CamelCase, no code around it."""
        return (
            token.text.isupper()
            or all(map(_INNER_CAPITAL.match, token.text.split("-")))
        ) and not self.is_in_code(token)

    def is_in_code(self, token: Token) -> bool:
        """Whether the characters around a word are those of code."""
        before = self.text[max(0, token.start - 2) : token.start]
        after = self.text[token.end : token.end + 2]
        return (
            before[-1:] in _CODE_BEFORE
            or after[:1] in _CODE_AFTER
            or (after[:1] == "." and (after[1:].islower() or after[1:].isdigit()))
            # "self.Name", but not the "J.Smith" of a hasty typist.
            or (
                before[-1:] == "." and before[:1].isalnum() and not before[:1].isupper()
            )
        )


def capitalized_runs(text: str, words: list[Token]) -> Iterator[Span]:
    """Yield the stretches of capitalised words that could hold names.

    Yields:
        ``(first, end)`` as indices into ``words``.
    """
    index = 0
    while index < len(words):
        first = index
        if not _continues_run(words[index]):
            index += 1
            continue
        following: int | None = index
        while following is not None and _continues_run(words[following]):
            index = following + 1
            following = _next_capital(text, words, following)
        yield first, index


def _continues_run(word: Token) -> bool:
    return word.capital and (word.is_initial or word.folded not in NEVER_NAMES)


def _next_capital(text: str, words: list[Token], index: int) -> int | None:
    """Return the index of the capitalised word that goes on where one ends.

    Up to two particles may stand between, as in "Ludwig van Beethoven".
    """
    for following in range(index + 1, min(index + 4, len(words))):
        before = words[following - 1]
        if not _is_joinable(text[before.end : words[following].start], before):
            return None
        if words[following].capital:
            return following
        if words[following].folded not in PARTICLES:
            return None
    return None


def _is_joinable(gap: str, before: Token) -> bool:
    """Say whether two words with ``gap`` between them can be parts of one name."""
    if gap in (" ", "  ", "\t"):
        return True
    return gap in (". ", ".") and (
        before.is_initial or before.folded in ABBREVIATED_TITLES
    )


def starts_sentence(text: str, token: Token) -> bool:
    """Say whether a word is the first of a sentence or a line."""
    before = text[max(0, token.start - 4) : token.start].rstrip(" \t\"'(*>-#")
    return not before or before[-1] in ".!?:\n"


def is_organisation(token: Token) -> bool:
    """Say whether a word makes what it belongs to an organisation or a place."""
    return token.folded in ORGANISATION_WORDS or token.folded in STREET_WORDS
