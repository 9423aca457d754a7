"""Names of persons: by the words around them, and by the words they are made of."""

from collections.abc import Iterator

from .._entities import Entity
from .context import Cue, context_cue
from .lexicon import lexicon
from .tokens import (
    NameClassifier,
    Token,
    capitalized_runs,
    is_organisation,
    starts_sentence,
    tokenize,
)
from .words import (
    AMBIGUOUS_NAMES,
    PERSON_VERBS,
    PLACE_PREFIXES,
    TITLES,
    WORDS_THAT_ARE_NAMES,
)

#: In words, particles and initials included.
_MAX_NAME_WORDS = 5
_ARTICLES = frozenset(("the", "a", "an"))
#: A word after one of these that could be a name or a place is taken for the place.
_PLACE_PREPOSITIONS = frozenset(("in", "at", "near", "from", "into", "through"))
#: Neighbours with which a word in lower case is code, a path or a placeholder.
_NOT_PROSE = frozenset("_/\\@#$={}[]<>|:&+*%~^`.-'\"()")


def person_names(text: str) -> Iterator[Entity]:
    """Yield names of persons.

    A name is found by what stands before it (a greeting, a closing, a title, "my name
    is", a label), or by its words: a common given name, a given name with a surname, a
    middle initial.
    """
    words = tokenize(text)
    finder = _NameFinder(words, NameClassifier(text, lexicon()))
    position = 0
    for first, end in capitalized_runs(text, words):
        yield from finder.find_lower_case(position, first)
        position = end
        yield from finder.find_capitalized(first, end)
    yield from finder.find_lower_case(position, len(words))


class _NameFinder:
    """Finds names among the words of one text; words are given by their index."""

    def __init__(self, words: list[Token], classifier: NameClassifier) -> None:
        self.words = words
        self.text = classifier.text
        self.classifier = classifier

    def _entity(self, first: int, end: int) -> Entity:
        return Entity(self.words[first].start, self.words[end - 1].end, "PERSON")

    def _cue(self, first: int, end: int) -> Cue:
        return context_cue(self.text, self.words, first, end)

    def find_capitalized(self, first: int, end: int) -> Iterator[Entity]:
        """Yield the names in a run of capitalised words."""
        while self.words[first].folded in TITLES and end - first > 1:
            first += 1
        cue = self._cue(first, end)
        if self._is_part_of_place(first, end, cue):
            return
        if self._is_destination(first, end):
            return
        if cue is not Cue.NONE and self._is_plausible(self.words[first:end], cue):
            yield self._entity(first, end)
            return
        index = first
        while index < end:
            following = index + 1
            if self._can_start(index, end):
                following = min(end, index + _MAX_NAME_WORDS)
                yield self._entity(index, following)
            index = following

    def _is_part_of_place(self, first: int, end: int, cue: Cue) -> bool:
        """Say whether a run names a title, a place or an organisation."""
        words = self.words
        before = words[first - 1].text if first else ""
        return (
            words[first].folded in TITLES
            or words[first].folded in PLACE_PREFIXES
            or before in ("New", "St", "Saint")
            or any(map(is_organisation, words[first:end]))
            or self._precedes_organisation(end, cue)
        )

    def _is_destination(self, first: int, end: int) -> bool:
        """Recognise the place in ``to: Berlin``, which may be a name after a label."""
        if not first or end - first > 1:
            return False
        folded = self.words[first].folded
        is_place = folded in self.classifier.lexicon.places or folded in AMBIGUOUS_NAMES
        return is_place and self.words[first - 1].folded in ("from", "to")

    def _precedes_organisation(self, end: int, cue: Cue) -> bool:
        """Say whether the word after a run makes it an organisation: "Baker & Sons".

        Not so in "Best, Ann & Bob".
        """
        if end >= len(self.words):
            return False
        following = self.words[end]
        gap = self.text[self.words[end - 1].end : following.start]
        return (gap == " & " and cue is not Cue.STRONG) or (
            gap in (" ", ", ") and following.capital and is_organisation(following)
        )

    def _is_plausible(self, names: list[Token], cue: Cue) -> bool:
        """Say whether words that are announced as a name can be one."""
        classifier = self.classifier
        if len(names) > _MAX_NAME_WORDS:
            return False
        if not all(map(classifier.is_spelled_like_name, names)):
            return False
        if any(map(classifier.is_known_name, names)):
            return True
        if cue is Cue.WEAK:
            return len(names) > 1 and not any(map(classifier.is_common_word, names))
        if len(names) > 1 and classifier.is_given_name(names[0]):
            return True
        return all(
            classifier.is_given_name(name)
            or classifier.is_surname(name)
            or not classifier.is_common_word(name)
            for name in names
        )

    def _can_start(self, index: int, end: int) -> bool:
        """Say whether the words from ``index`` to ``end`` are a name by themselves."""
        classifier, token = self.classifier, self.words[index]
        if token.is_initial or not classifier.is_spelled_like_name(token):
            return False
        nearest = self.words[index + 1 : min(end, index + 1 + _MAX_NAME_WORDS)]
        rest = [word for word in nearest if word.capital]
        if not rest:
            return self._is_isolated(index)
        following = rest[0]
        if following.is_initial and len(rest) > 1:
            return self._has_middle_initial(token, following, rest[1])
        if classifier.is_common_word(token):
            is_family = classifier.is_surname(following)
            is_family = is_family and not classifier.is_common_word(following)
            return classifier.is_given_name(token) and is_family
        if classifier.is_given_name(token):
            return True
        if classifier.is_rare(token):
            return not classifier.is_common_word(following)
        return classifier.is_known_name(following) and not classifier.is_given_name(
            following
        )

    def _has_middle_initial(self, token: Token, initial: Token, last: Token) -> bool:
        """Recognise "Vanessa P. Hertzog", also of words that no list has."""
        classifier = self.classifier
        if last.is_initial:
            return False
        if classifier.is_common_word(token) and not classifier.is_given_name(token):
            return False
        dotted = self.text[initial.end : initial.end + 1] == "."
        return (
            dotted or classifier.is_known_name(token) or classifier.is_known_name(last)
        )

    def _is_isolated(self, index: int) -> bool:
        """Say whether one capitalised word is a name."""
        classifier, words, token = self.classifier, self.words, self.words[index]
        if len(token.text) < 3:
            return False
        opens = starts_sentence(self.text, token)
        if classifier.is_common_word(token):
            return token.folded in WORDS_THAT_ARE_NAMES and not opens
        if classifier.is_given_name(token):
            return not token.text.isupper() or len(token.text) > 3
        if token.text.isupper() or len(token.text) < 4:
            return False
        before = words[index - 1].folded if index else ""
        if before in _PLACE_PREPOSITIONS:
            return False
        if classifier.is_unambiguous_surname(token) or classifier.is_rare(token):
            return before not in _ARTICLES
        acts = index + 1 < len(words) and words[index + 1].folded in PERSON_VERBS
        if classifier.is_surname(token):
            return acts or not opens
        return acts and token.is_accented

    def find_lower_case(self, start: int, end: int) -> Iterator[Entity]:
        """Yield the names that people write without capitals in chats."""
        index = start
        while index < end:
            following = index + 1
            if not self.words[index].capital and self._is_lower_name(index):
                limit = min(end, index + 3)
                while following < limit and self._is_continued(following):
                    following += 1
                yield self._entity(index, following)
            index = following

    def _is_lower_name(self, index: int) -> bool:
        classifier, token = self.classifier, self.words[index]
        if len(token.text) < 3 or not self._is_prose_token(token):
            return False
        common = classifier.is_common_word(token)
        doubtful = common or (
            token.folded in classifier.lexicon.given_words
            and token.folded not in WORDS_THAT_ARE_NAMES
        )
        if len(token.text) > 3 and classifier.is_given_name(token) and not doubtful:
            return True
        cue = self._cue(index, index + 1)
        if common:
            return cue is Cue.STRONG and token.folded in WORDS_THAT_ARE_NAMES
        return cue is Cue.STRONG or (
            cue is Cue.WEAK and classifier.is_known_name(token)
        )

    def _is_continued(self, index: int) -> bool:
        """Say whether a word in lower case belongs to the name before it."""
        classifier, token = self.classifier, self.words[index]
        return (
            self.text[self.words[index - 1].end : token.start] == " "
            and len(token.text) > 2
            and not classifier.is_common_word(token)
            and (classifier.is_surname(token) or classifier.is_given_name(token))
        )

    def _is_prose_token(self, token: Token) -> bool:
        text = self.text
        before = text[token.start - 1 : token.start] if token.start else " "
        after = text[token.end : token.end + 1] or " "
        following = text[token.end + 1 : token.end + 2] or " "
        possessive = after == "'" and following == "s"
        if possessive or (after in ".:')\"" and not following.isalnum()):
            after = " "
        if before in "(\"'":
            before = " "
        return before not in _NOT_PROSE and after not in _NOT_PROSE
