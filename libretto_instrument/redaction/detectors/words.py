"""The words that the detectors look for, read from ``data/words.txt``."""

from .._words import WordLists

WORDS = WordLists.load(__package__, "words")
