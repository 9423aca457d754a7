"""US street lines and post office boxes."""

import re
from collections.abc import Iterator

from .._entities import Entity, find_matches
from .words import WORDS

_STREET_TYPE = WORDS.pattern("STREET_TYPES")
_RARE_TYPE = WORDS.pattern("RARE_STREET_TYPES")
_PLAIN_TYPE = WORDS.pattern("PLAIN_STREET_TYPES")
_DIRECTION = (
    r"(?:[NSEW]\.?|[NS]\.?[EW]\.?|North(?:east|west)?|South(?:east|west)?|East|West)"
)
_UNIT_TYPE = WORDS.pattern("UNIT_TYPES")
_UNIT = rf"(?:,?[ \n]{{1,3}}{_UNIT_TYPE}\.?[ #]{{0,2}}[A-Za-z]?-?\d{{0,5}}[A-Za-z]?\b)"
_STATES = (
    r"(?:A[AEKLPRZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOPST]|N[CDEHJMVY]|O[HKR]"
    r"|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)
_CITY = (
    r"(?:,?[ \n]{1,3}[A-Z][A-Za-z.'-]{1,20}(?: [A-Z][A-Za-z.'-]{1,20}){0,2})?"
    rf",?[ \n]{{1,3}}{_STATES}(?:,?[ \n]{{1,3}}\d{{5}}(?:-\d{{4}})?)?\b"
)

_WORD_OF_STREET = (
    r"(?:[A-Z][\w.'-]{0,24}|\d{1,3}(?:st|nd|rd|th)|(?:de|del|la|of|the|van|las|los))"
)
_SUFFIX = rf"\b\.?(?:[ ](?:[NS]?[EW]|[NS])(?![\w]))?(?i:{_UNIT})?(?:{_CITY})?"
_STREET = re.compile(
    rf"(?<![\w.$#/-])\d{{1,6}}(?:-\d{{1,4}})?[A-Za-z]?,?[ ](?:{_DIRECTION}[ ])?"
    rf"(?:{_WORD_OF_STREET}[ ]){{1,4}}?(?i:{_STREET_TYPE}){_SUFFIX}"
)
_RARE_STREET = re.compile(
    rf"(?<![\w.$#/-])(?!(?:19|20)\d\d[ ])\d{{3,6}}[ ](?:{_DIRECTION}[ ])?"
    rf"(?:[A-Z][\w.'-]{{0,24}}[ ]){{1,2}}?(?=[A-Z])(?i:{_RARE_TYPE}){_SUFFIX}"
)
#: Streets with no type, and those whose type comes first.
_NAMED_STREET = re.compile(
    r"(?<![\w.$#/-])\d{1,6}[ ](?:"
    rf"(?:{_DIRECTION}[ ])?(?:Broadway|Avenue of the Americas|"
    r"(?:Avenue|Ave\.?)[ ][A-Z]\b)"
    r"|(?i:(?:US|State|County|Interstate)[ -]"
    r"(?:Highway|Hwy|Route|Rte|Road|Rd)\.?[ ]\d{1,4})"
    r"|(?i:(?:Highway|Hwy|Route|Rte)\.?[ ]\d{1,4})"
    rf")(?i:{_UNIT})?(?:{_CITY})?"
)
_UNITS_OF_MEASURE = WORDS.pattern("UNITS_OF_MEASURE")
_STOPWORDS = WORDS.pattern("STREET_STOPWORDS")
_PLAIN_STREET = re.compile(
    rf"(?<![\w.$#/-])\d{{1,6}}[ ](?:[nsew]\.?[ ])?(?!{_UNITS_OF_MEASURE}\b)"
    r"(?:[a-z][a-z'-]{1,20}|\d{1,3}(?:st|nd|rd|th))[ ]"
    rf"(?:(?!{_STOPWORDS}\b)[a-z][a-z'-]{{1,20}}[ ])?"
    rf"{_PLAIN_TYPE}\b(?![ ]of\b)(?i:{_UNIT})?"
)
_PO_BOX = re.compile(
    r"\b(?i:p\.?[ ]?o\.?[ ]?box|post office box|postal box)[ ]{0,2}#?[ ]?\d{1,6}\b"
    rf"(?:{_CITY})?"
)
_MILITARY = re.compile(
    r"\b(?:PSC|CMR|Unit|USNS|USS|USCGC|USNV)[ ][A-Za-z0-9]{1,15},?[ ]?"
    r"(?:Box[ ]\d{1,6})?,?[ \n]{1,3}(?:APO|FPO|DPO),?[ ]A[AEP],?[ ]\d{5}(?:-\d{4})?"
)
_UNIT_LINE = re.compile(
    r"(?<![\w-])(?:Apt|Suite|Ste|Apartment)\.?[ ]#?\d{1,5}[A-Za-z]?\b"
)

_LINES = (
    _STREET,
    _RARE_STREET,
    _NAMED_STREET,
    _PLAIN_STREET,
    _MILITARY,
    _UNIT_LINE,
    _PO_BOX,
)


def street_addresses(text: str) -> Iterator[Entity]:
    """Yield US street lines, with the unit and city that follow, and PO boxes."""
    for pattern in _LINES:
        yield from find_matches(pattern, text, "STREET_ADDRESS")
