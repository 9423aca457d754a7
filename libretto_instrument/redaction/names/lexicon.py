"""The word lists behind person-name detection.

Given names come from the U.S. Social Security Administration, surnames from the U.S.
Census Bureau's 1990 count: works of the U.S. government, in the public domain. The
frequent words of English come from SCOWL and the place names from the tz database.
``data/README.md`` says more; ``tools/build_names.py`` builds the files.
"""

import gzip
import re
import unicodedata
from functools import cache
from importlib import resources

from attrs import fields, frozen


@frozen
class Lexicon:
    """Lists of words in lower case and without accents.

    ``given_words`` are the given names that are English words, too; ``rare_given`` are
    those that some people bear; ``places`` are countries and large cities.
    """

    given: frozenset[str]
    given_words: frozenset[str]
    rare_given: frozenset[str]
    surnames: frozenset[str]
    words: frozenset[str]
    places: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """Load the lists, about 54,000 words, on the first call."""
    return Lexicon(*map(_load, (f.name for f in fields(Lexicon))))


def _load(name: str) -> frozenset[str]:
    """Read a list, each line of which starts with how much it shares with the last."""
    path = resources.files(__package__).joinpath("data", f"{name}.txt.gz")
    words = []
    word = ""
    for line in gzip.decompress(path.read_bytes()).decode("ascii").split("\n"):
        word = word[: int(line[0])] + line[1:]
        words.append(word)
    return frozenset(words)


#: Letters that do not decompose into a Latin letter and an accent.
_LETTER_FOLDS = str.maketrans(
    {"ß": "ss", "þ": "th", "æ": "ae", "œ": "oe"}
    | dict(zip("øłđð\u0131", "olddi", strict=True))
)


def casefold_ascii(word: str) -> str:
    """Return ``word`` in lower case and without accents."""
    word = word.lower()
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word.translate(_LETTER_FOLDS))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


#: How surnames end in languages that the census lists few of. Each ending is long or
#: odd enough that frequent English words and places do not share it.
_SURNAME_ENDING = re.compile(
    r"[a-z]{2,}(?:son|(?:[bdfgklmnprt]s|er)sen|dottir|enko|czuk|chuk|escu|shvili|[ai]dze"
    r"|oglu|poulos|akis|idis|[aeiou]vic|[knz]ic|ovich|evich|[a-z]ski|[a-z]ska|wicz|czyk"
    r"|[oe]va?|[oe]vsky|[oe]vska|[aei]nen|kvist|qvist|quist|stro?m|gren|gaard|guez|nez"
    r"|[lrm]ez|eira|inho|etti|elli|ucci|ielli|mann|stein|bauer|meyer|huber|yama|moto)"
)
_DISTINCT_SURNAME_ENDING = re.compile(
    r"[a-z]{2,}(?:sson|[bdfgklmnprt]sen|dottir|enko|czuk|escu|shvili|[ai]dze|oglu|poulos"
    r"|[oe]vic|[oe]vich|[oe]wski|[oe]wska|wicz|czyk|ovsky|evsky|kvist|qvist|quist|guez"
    r"|[kmnrt]ova?)"
)


def ends_like_surname(folded: str) -> bool:
    """Say whether a word ends the way surnames do in some language."""
    return len(folded) >= 5 and _SURNAME_ENDING.fullmatch(folded) is not None


def is_unambiguous_surname(folded: str) -> bool:
    """Say whether a word ends the way only surnames do."""
    return len(folded) >= 6 and _DISTINCT_SURNAME_ENDING.fullmatch(folded) is not None
