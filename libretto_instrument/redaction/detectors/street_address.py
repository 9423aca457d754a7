"""US street lines and post office boxes."""

import re
from collections.abc import Iterator

from .._entities import Entity, alternation, find_matches

_STREET_TYPE = alternation(
    "street st avenue ave av road rd boulevard blvd lane ln drive dr court ct place"
    " pl square sq terrace ter trail trl parkway pkwy highway hwy circle cir way alley"
    " aly plaza plz crescent cres turnpike tpke expressway expy freeway fwy broadway"
    " close mews bypass"
)
#: The other suffixes of the U.S. Postal Service. "3 Key Points" and "2024 Ford Fields"
#: are no addresses, so these need a house number of three digits that is no year.
_RARE_TYPE = alternation(
    "bend bluffs? branch bridge brooks? burgs? camp canyon cape causeway center"
    " cliffs? club common corners? course courts coves? creek crest crossing crossroad"
    " curve dale dam divide drives estates? extensions? falls ferry fields? flats?"
    " fords? forest forges? forks? fort gardens? gateway glens? greens? groves?"
    " harbors? haven heights hills? hollow inlet islands? isle junctions? keys?"
    " knolls? lakes? land landing light locks? lodge loop mall manors? meadows? mills?"
    " mission motorway mount mountain neck orchard oval overpass park pass passage"
    " paths? pike pine plains? points? ports? prairie radial ramp ranch rapids? rest"
    " ridges? river roads route row runs? shoals? shores? skyway springs? spurs?"
    " squares station stravenue stream summit throughway trace track trafficway tunnel"
    " underpass unions? valleys? via views? ville villages? vista walks? ways wells?"
)
#: The types that are told from ordinary words without capitals.
_PLAIN_TYPE = alternation(
    "street st avenue ave road rd boulevard blvd lane ln drive dr pkwy hwy"
)
_DIRECTION = alternation(
    r"[NSEW]\.? [NS]\.?[EW]\.? North South East West"
    r" North(?:east|west) South(?:east|west)"
)
_UNIT_TYPE = alternation(
    "apt apartment suite ste unit floor fl room rm bldg building lot #"
)
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
_UNITS_OF_MEASURE = alternation(
    r"minutes? mins? hours? hrs? days? weeks? months? years? miles? more km"
    r" kilomet\w+ of on in"
)
_STOPWORDS = alternation(
    "of on in the a an to and for from off down per by this that my"
)
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
