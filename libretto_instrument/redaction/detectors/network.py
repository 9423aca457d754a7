"""E-mail addresses, URLs and IP addresses."""

import ipaddress
import re
from collections.abc import Iterator

from .._entities import Entity, find_matches

_LOCAL_LIMIT = 64
_DOMAIN_LIMIT = 253
#: What may stand before the @ besides letters and digits. Left out of what the standard
#: allows is what separates an address from its surroundings: ``=``, ``&``, ``/``.
_LOCAL_MARKS = frozenset("!#$%'*+-^_`~.")
_DOMAIN = re.compile(
    r"[^\W_](?:[\w-]{0,62}\.){1,8}(?:[^\W\d_]{2,24}|xn--[\w-]{1,59})"
    r"|\[?(?:\d{1,3}\.){3}\d{1,3}\]?"
)

_SPELLED_AT = re.compile(
    r"[ ]?(?:[\[({<][ ]?(?:at|@)[ ]?[\])}>]|_at_)[ ]?", re.IGNORECASE
)
_SPELLED_DOMAIN = re.compile(
    r"[^\W_][\w-]{0,62}(?:[ ]?(?:\.|[\[({<][ ]?(?:dot|\.)[ ]?[\])}>]|_dot_)[ ]?"
    r"[^\W_][\w-]{1,62}){1,5}",
    re.IGNORECASE,
)

#: Addresses with blanks around the @, and as they are read out.
_SPACED = re.compile(
    r"(?<![\w.@-])(?=\w{0,40}[._\d-])[\w.-]{2,64}(?: @ ?|@ |@\r?\n| AT )"
    r"[^\W_](?:[\w-]{0,62}\.){1,8}[^\W\d_]{2,24}"
)
_READ_OUT = re.compile(
    r"\b\w{1,40}(?:(?:\.|[ -]dot[ -])\w{1,40}){0,3}[ -]at"
    r"[ -]\w{1,40}(?:[ -]dot[ -]\w{1,40}){0,3}"
    r"[ -]dot[ -](?:com|org|net|edu|gov|io|info|eu|uk|de|fr|es|it|nl|ch|at|ca|au|in"
    r"|br|us)\b",
    re.IGNORECASE,
)

_SCHEME_URL = re.compile(
    r"(?<![A-Za-z0-9])(?:[a-z][a-z0-9+.-]{1,20}://|mailto:|tel:(?=[+\d]))"
    r"[^\s<>\"'`{}|\\^]{2,}",
    re.IGNORECASE,
)
_WWW_URL = re.compile(
    r"(?<![\w.@/-])www\d?\.[^\W_][\w-]{0,62}\.[^\s<>\"'`{}|\\^]{2,}", re.IGNORECASE
)
#: Top-level domains that are hardly ever the last part of a dotted name in code.
_BARE_HOST = re.compile(
    r"(?:(?<![\w:/.])//|(?<![\w.@/\\-]))(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,5}"
    r"(?:com|org|net|edu|gov|mil|biz|eu|(?:co|org|ac|gov|net|com)\.[a-z]{2}|de|fr|uk|nl|jp|ru|br)"
    r"(?![\w(=\[-]|\.\w)(?::\d{1,5}\b)?(?:[/?#][^\s<>\"'`{}|\\^]*)?",
    re.IGNORECASE,
)
#: Punctuation that ends the sentence around a URL rather than the URL.
_TRAILING = ".,;:!?*_~'\""
_BRACKETS = {")": "(", "]": "["}

_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6_RUN = re.compile(r"(?<![\w:.])[0-9A-Fa-f:.]+(?![\w])")
_IPV6_LIMIT = 45
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\b(?:ver|version|versions|release|build|firmware|revision|section|chapter"
    r"|clause|paragraph|driver)\b\.?:?[ =\"']{0,3}|§ ?|==|[~^]|>=|<=)$",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[Entity]:
    """Yield e-mail addresses, those with tags and with non-Latin letters included."""
    at = text.find("@")
    floor = 0
    while at >= 0:
        start = _local_start(text, at, floor)
        if start < at:
            domain = _DOMAIN.match(text, at + 1, at + 1 + _DOMAIN_LIMIT)
            if domain:
                floor = domain.end()
                yield Entity(start, floor, "EMAIL_ADDRESS")
        at = text.find("@", at + 1)


def spelled_emails(text: str) -> Iterator[Entity]:
    """Yield addresses as people hide them: ``jane [at] example (dot) com``."""
    for match in _SPELLED_AT.finditer(text):
        start = _local_start(text, match.start(), 0)
        domain = _SPELLED_DOMAIN.match(text, match.end())
        if start < match.start() and domain:
            yield Entity(start, domain.end(), "EMAIL_ADDRESS")
    for pattern in (_SPACED, _READ_OUT):
        yield from find_matches(pattern, text, "EMAIL_ADDRESS")


def _local_start(text: str, at: int, floor: int) -> int:
    """Walk back from the @ to where the address starts."""
    start = at
    floor = max(floor, at - _LOCAL_LIMIT)
    while start > floor and (
        text[start - 1].isalnum() or text[start - 1] in _LOCAL_MARKS
    ):
        start -= 1
    while start < at and text[start] in ".'*`":
        start += 1
    return start


def urls(text: str) -> Iterator[Entity]:
    """Yield URLs: with a scheme, with ``www.``, or a bare well-known domain."""
    if ":" in text:
        for match in _SCHEME_URL.finditer(text):
            yield _url(match)
    if "." not in text:
        return
    for pattern in (_WWW_URL, _BARE_HOST):
        for match in pattern.finditer(text):
            yield _url(match)


def _url(match: re.Match[str]) -> Entity:
    """Leave the punctuation of the surrounding sentence out of a URL."""
    url = match.group()
    trailing = _TRAILING
    for closing, opening in _BRACKETS.items():
        if opening not in url:
            trailing += closing
    start = match.start()
    return Entity(start, start + len(url.rstrip(trailing)), "URL")


def ip_addresses(text: str) -> Iterator[Entity]:
    """Yield IPv4 and IPv6 addresses; version and section numbers are neither."""
    for match in _IPV4.finditer(text):
        start, end = match.span()
        if all(int(part) < 256 for part in match.group().split(".")) and not (
            _VERSION_BEFORE.search(text, max(0, start - 24), start)
        ):
            yield Entity(start, end, "IP_ADDRESS")
    if text.count(":") < 2:
        return
    for match in _IPV6_RUN.finditer(text):
        found = _ipv6(match.group())
        if found:
            yield Entity(match.start(), match.start() + len(found), "IP_ADDRESS")


def _ipv6(run: str) -> str:
    """Return the IPv6 address that a run of hexadecimal digits and colons starts with.

    An address needs a digit: ``a::b`` is a path in C++ and Rust.
    """
    run = run.rstrip(".")
    if run.endswith(":") and not run.endswith("::"):
        run = run[:-1]
    if run.count(":") < 2 or len(run) > _IPV6_LIMIT or not any(map(str.isdigit, run)):
        return ""
    try:
        ipaddress.IPv6Address(run)
    except ValueError:
        return ""
    return run
