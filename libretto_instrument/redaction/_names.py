"""Names of persons: by the words around them, and by the words they are made of."""

from collections.abc import Iterator

from ._findings import Finding
from ._lexicon import lexicon
from ._name_leads import Lead, lead
from ._name_tokens import Judge, Token, organisation, runs, sentence_start, tokens
from ._name_words import NAMES_AMONG_WORDS, PERSON_VERBS, PLACE_PREFIXES, TITLES

#: In words, particles and initials included.
_LONGEST_NAME = 5
_ARTICLES = frozenset(("the", "a", "an"))
#: Before a word that could be a name or a place, these speak for the place.
_PLACE_AFTER = frozenset(("in", "at", "near", "from", "into", "through"))
#: Neighbours with which a word in lower case is code, a path or a placeholder.
_NOT_PROSE = frozenset("_/\\@#$={}[]<>|:&+*%~^`.-'\"()")


def person_names(text: str) -> Iterator[Finding]:
    """Yield names of persons.

    A name is found by what stands before it (a greeting, a closing, a title, "my name
    is", a label), or by its words: a common given name, a given name with a surname, a
    middle initial.
    """
    words = tokens(text)
    judge = Judge(text, lexicon())
    position = 0
    for first, behind in runs(text, words):
        yield from _lower_case(words, position, first, judge)
        position = behind
        yield from _capitalised(words, first, behind, judge)
    yield from _lower_case(words, position, len(words), judge)


def _finding(words: list[Token], first: int, behind: int) -> Finding:
    return Finding(words[first].start, words[behind - 1].end, "PERSON")


def _capitalised(
    words: list[Token], first: int, behind: int, judge: Judge
) -> Iterator[Finding]:
    """Yield the names in a run of capitalised words."""
    while words[first].folded in TITLES and behind - first > 1:
        first += 1
    if _is_elsewhere(words, first, behind, judge):
        return
    strength = lead(judge.text, words, first, behind)
    if strength is not Lead.NONE and _fits(words[first:behind], strength, judge):
        yield _finding(words, first, behind)
        return
    index = first
    while index < behind:
        end = index + 1
        if _starts_name(words, index, behind, judge):
            end = min(behind, index + _LONGEST_NAME)
            yield _finding(words, index, end)
        index = end


def _is_elsewhere(words: list[Token], first: int, behind: int, judge: Judge) -> bool:
    """Say whether a run names a title, a place or an organisation."""
    before = words[first - 1].text if first else ""
    return (
        words[first].folded in TITLES
        or words[first].folded in PLACE_PREFIXES
        or before in ("New", "St", "Saint")
        or any(map(organisation, words[first:behind]))
        or _followed_by_organisation(words, behind, judge)
    )


def _followed_by_organisation(words: list[Token], behind: int, judge: Judge) -> bool:
    """Say whether the word after a run makes it an organisation: "Baker & Sons"."""
    if behind >= len(words):
        return False
    gap = judge.text[words[behind - 1].end : words[behind].start]
    return gap == " & " or (
        gap in (" ", ", ") and words[behind].capital and organisation(words[behind])
    )


def _fits(names: list[Token], strength: Lead, judge: Judge) -> bool:
    """Say whether words that are announced as a name can be one."""
    if len(names) > _LONGEST_NAME or not all(map(judge.spelled_like_name, names)):
        return False
    if any(judge.known(name) for name in names):
        return True
    if strength is Lead.WEAK:
        return len(names) > 1 and not any(map(judge.ordinary, names))
    return (len(names) > 1 and judge.given(names[0])) or not any(
        judge.ordinary(name) and not (judge.given(name) or judge.surname(name))
        for name in names
    )


def _starts_name(words: list[Token], index: int, behind: int, judge: Judge) -> bool:
    """Say whether the words from ``index`` to ``behind`` are a name by themselves."""
    token = words[index]
    if token.initial or not judge.spelled_like_name(token):
        return False
    nearest = words[index + 1 : min(behind, index + 1 + _LONGEST_NAME)]
    rest = [word for word in nearest if word.capital]
    if not rest:
        return _stands_alone(words, index, judge)
    following = rest[0]
    if following.initial and len(rest) > 1:
        return _has_middle_initial(token, following, rest[1], judge)
    if judge.ordinary(token):
        return judge.given(token) and _is_family(following, judge)
    if judge.given(token):
        return True
    if judge.rare(token):
        return not judge.ordinary(following)
    return judge.known(following) and not judge.given(following)


def _is_family(token: Token, judge: Judge) -> bool:
    return judge.surname(token) and not judge.ordinary(token)


def _has_middle_initial(
    token: Token, initial: Token, last: Token, judge: Judge
) -> bool:
    """Recognise "Vanessa P. Hertzog", also of words that no list knows."""
    dotted = judge.text[initial.end : initial.end + 1] == "."
    plain = not judge.ordinary(token) or judge.given(token)
    return (
        plain
        and not last.initial
        and (dotted or judge.known(token) or judge.known(last))
    )


def _stands_alone(words: list[Token], index: int, judge: Judge) -> bool:
    """Say whether one capitalised word is a name."""
    token = words[index]
    if len(token.text) < 3:
        return False
    opens = sentence_start(judge.text, token)
    if judge.ordinary(token):
        return token.folded in NAMES_AMONG_WORDS and not opens
    if judge.given(token):
        return not token.text.isupper() or len(token.text) > 3
    if token.text.isupper() or len(token.text) < 4:
        return False
    before = words[index - 1].folded if index else ""
    if before in _PLACE_AFTER:
        return False
    if judge.plainly_surname(token) or judge.rare(token):
        return before not in _ARTICLES
    acts = index + 1 < len(words) and words[index + 1].folded in PERSON_VERBS
    if judge.surname(token):
        return acts or not opens
    return acts and token.accented


def _lower_case(
    words: list[Token], start: int, end: int, judge: Judge
) -> Iterator[Finding]:
    """Yield the names that people write without capitals in chats."""
    index = start
    while index < end:
        token = words[index]
        behind = index + 1
        if not token.capital and _is_lower_name(words, index, judge):
            while behind < min(end, index + 3) and _continues(words, behind, judge):
                behind += 1
            yield _finding(words, index, behind)
        index = behind


def _is_lower_name(words: list[Token], index: int, judge: Judge) -> bool:
    token = words[index]
    if len(token.text) < 3 or not _in_prose(token, judge):
        return False
    ordinary = judge.ordinary(token)
    doubtful = ordinary or (
        token.folded in judge.lexicon.given_words
        and token.folded not in NAMES_AMONG_WORDS
    )
    if len(token.text) > 3 and judge.given(token) and not doubtful:
        return True
    strength = lead(judge.text, words, index, index + 1)
    if ordinary:
        return strength is Lead.STRONG and token.folded in NAMES_AMONG_WORDS
    return strength is Lead.STRONG or (strength is Lead.WEAK and judge.known(token))


def _continues(words: list[Token], index: int, judge: Judge) -> bool:
    """Say whether a word in lower case belongs to the name before it."""
    token = words[index]
    gap = judge.text[words[index - 1].end : token.start]
    return (
        gap == " "
        and len(token.text) > 2
        and not judge.ordinary(token)
        and (judge.surname(token) or judge.given(token))
    )


def _in_prose(token: Token, judge: Judge) -> bool:
    text = judge.text
    before = text[token.start - 1 : token.start] if token.start else " "
    after = text[token.end : token.end + 1] or " "
    following = text[token.end + 1 : token.end + 2] or " "
    possessive = after == "'" and following == "s"
    if possessive or (after in ".:')\"" and not following.isalnum()):
        after = " "
    if before in "(\"'":
        before = " "
    return before not in _NOT_PROSE and after not in _NOT_PROSE
