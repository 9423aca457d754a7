"""API keys, tokens, passwords, private keys and the addresses of cryptocurrencies."""

import re
from collections.abc import Iterator

from stdnum import bitcoin

from .._entities import Entity, find_matches

#: Keys that their maker gave a recognisable shape.
_TOKEN_FORMATS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic and those who follow them
    r"|(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[0-9A-Z]{16}(?![0-9A-Z])"  # AWS key ids
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"
    r"|glpat-[\w-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{16,}"
    r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|dop_v1_[0-9a-f]{64}"
    r"|SG\.[\w-]{16,32}\.[\w-]{16,64}"
    r"|(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"  # JSON web tokens
    r")"
)
_AUTHORIZATION = re.compile(
    r"\b(?:bearer|basic|token|negotiate)[ \t]+(?P<value>[A-Za-z0-9._~+/=-]{16,})",
    re.IGNORECASE,
)
#: A value that is said to be secret. Requiring the separator keeps prose out.
_ASSIGNMENT = re.compile(
    r"(?:api[ _-]?key|secret[ _-]?(?:access[ _-]?)?key|client[ _-]?secret"
    r"|(?:access|auth|refresh|session|bearer|secret)[ _-]?token|private[ _-]?key"
    r"|passw(?:or)?d|passphrase|pwd)"
    r"[\"']?[ \t]{0,3}(?::|=>|=|\bis\b)[ \t]{0,3}"
    r"(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]{4,200})(?P=quote)|(?P<plain>[^\s\"'<>,;{}()]{4,200}))",
    re.IGNORECASE,
)
_PEM = "-----BEGIN "
_PEM_HEAD = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=_-])")

_ETHEREUM = re.compile(r"(?<![A-Za-z0-9])0x[0-9a-fA-F]{40}(?![0-9a-fA-F])")
_BITCOIN = re.compile(
    r"(?<![A-Za-z0-9])(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[0-9a-z]{11,71}|BC1[0-9A-Z]{11,71})"
    r"(?![A-Za-z0-9])"
)


def secrets(text: str) -> Iterator[Entity]:
    """Yield what opens a door: keys by their shape, and values that are named so."""
    yield from _pem_blocks(text)
    yield from find_matches(_TOKEN_FORMATS, text, "SECRET")
    yield from find_matches(
        _AUTHORIZATION, text, "SECRET", _AUTHORIZATION.groupindex["value"]
    )
    for match in _ASSIGNMENT.finditer(text):
        group = "quoted" if match["quoted"] else "plain"
        if group == "quoted" or _is_high_entropy(match[group]):
            yield Entity(match.start(group), match.end(group), "SECRET")
    if "aws" in text.lower():
        for match in _AWS_SECRET.finditer(text):
            if _has_mixed_classes(match.group()):
                yield Entity(match.start(), match.end(), "SECRET")


def _pem_blocks(text: str) -> Iterator[Entity]:
    """Yield private key blocks; one with no end runs to the end of the text."""
    position = text.find(_PEM)
    while position >= 0:
        head = _PEM_HEAD.match(text, position)
        end = position + len(_PEM)
        if head:
            tail = _PEM_END.search(text, head.end())
            end = tail.end() if tail else len(text)
            yield Entity(position, end, "SECRET")
        position = text.find(_PEM, end)


#: Code that gets a secret from elsewhere: ``process.env.API_KEY``.
_REFERENCE = re.compile(r"[A-Za-z_$]+(?:\.[A-Za-z_]+)+\W*")


def _is_high_entropy(value: str) -> bool:
    """Tell a password from the word of a sentence ("the password is wrong")."""
    if _REFERENCE.fullmatch(value):
        return False
    return any(c.isdigit() for c in value) or any(not c.isalnum() for c in value[:-1])


def _has_mixed_classes(value: str) -> bool:
    """Tell a random string from a hash in hexadecimal or a long word."""
    return (
        any(c.isdigit() for c in value)
        and any(c.isupper() for c in value)
        and any(c.islower() for c in value)
    )


def crypto(text: str) -> Iterator[Entity]:
    """Yield the addresses of Bitcoin (whose checksum holds) and Ethereum wallets."""
    yield from find_matches(_ETHEREUM, text, "CRYPTO")
    for match in _BITCOIN.finditer(text):
        if bitcoin.is_valid(match.group()):
            yield Entity(match.start(), match.end(), "CRYPTO")
