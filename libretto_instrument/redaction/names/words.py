"""The small sets of words behind name detection, read from ``data/cues.txt``."""

from importlib import resources


def _load() -> dict[str, frozenset[str]]:
    path = resources.files(__package__).joinpath("data", "cues.txt")
    sets: dict[str, list[str]] = {}
    words: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            words = sets.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words.extend(word.replace("_", " ") for word in line.split())
    return {name: frozenset(words) for name, words in sets.items()}


_SETS = _load()
TITLES = _SETS["TITLES"]
ABBREVIATED_TITLES = _SETS["ABBREVIATED_TITLES"]
GREETINGS = _SETS["GREETINGS"]
CLOSINGS = _SETS["CLOSINGS"]
STRONG_INTRODUCTIONS = _SETS["STRONG_INTRODUCTIONS"]
WEAK_INTRODUCTIONS = _SETS["WEAK_INTRODUCTIONS"]
LABELS = _SETS["LABELS"]
PARTICLES = _SETS["PARTICLES"]
ORGANISATION_WORDS = _SETS["ORGANISATION_WORDS"]
STREET_WORDS = _SETS["STREET_WORDS"]
AMBIGUOUS_NAMES = _SETS["AMBIGUOUS_NAMES"]
PLACE_PREFIXES = _SETS["PLACE_PREFIXES"]
NEVER_NAMES = _SETS["NEVER_NAMES"]
WORDS_THAT_ARE_NAMES = _SETS["WORDS_THAT_ARE_NAMES"]
PERSON_VERBS = _SETS["PERSON_VERBS"]
