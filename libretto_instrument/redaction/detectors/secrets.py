"""API keys, tokens, passwords, private keys and the addresses of cryptocurrencies."""

import re
from collections.abc import Iterator

from stdnum import bitcoin

from .._entities import Entity, find_matches
from .._normalize import text_of_base64
from .words import WORDS

#: Where a token may be: a long run of the characters that tokens are made of.
_CANDIDATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~$:+/=-]{14,}")
_TOKEN = re.compile(
    rf"(?<![A-Za-z0-9])(?:{WORDS.pattern('TOKEN_PREFIXES')}(?=[\w.=+/~-]*\d)[\w.=+/~-]{{16,}}"
    rf"|{WORDS.pattern('TOKEN_FORMATS')})"
)
_AUTHORIZATION = re.compile(
    r"\b(?:bearer|token|negotiate|apikey|ssws)[ \t]{1,4}"
    r"(?P<value>[A-Za-z0-9._~+/=-]{12,})"
    r"|\bauthorization[\"']?[ \t]{0,3}[:=][ \t\"']{0,4}"
    r"(?:(?!basic\b)[a-z]{1,16}[ \t]{1,4})?(?P<header>[^\s\"',;<>]{6,})(?![ \t]{1,4}<)",
    re.IGNORECASE,
)
_BASIC = re.compile(r"\bbasic[ \t]{1,4}([A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_COOKIE = re.compile(
    r"\b(?:set-)?cookie[\"']?[ \t]{0,3}:[ \t\"']{0,4}([^\s=;]{1,64}=[^\n\"']{4,})",
    re.IGNORECASE,
)
#: User and password on a command line.
_COMMAND = re.compile(
    r"\b(?:curl|wget|https?|xh)\b[^\n|]{0,200}?[ \t](?:-[uaU]|--(?:proxy-)?user)"
    r"[ =\"']{0,3}(?P<user>[^\s:\"']{1,64}:[^\s\"']{1,200})"
    r"|\b(?:mysql\w*|mariadb)\b[^\n|]{0,200}?[ \t]-p(?P<attached>[^\s\d-][^\s]{2,200})"
    r"|\bredis-cli\b[^\n|]{0,200}?[ \t]-a[ \t]+[\"']?(?P<redis>[^\s\"']{3,200})"
    r"|\blogin[ \t]+\S{1,100}\s+password[ \t]+(?P<netrc>\S{3,200})"
    r"|\b(?i:identified[ \t]+by|password)[ \t]+'(?P<sql>[^'\n]{3,200})'"
    r"|\bsshpass[ \t]+-p[ \t]{0,2}[\"']?(?P<ssh>[^\s\"']{3,200})"
    r"|[ \t]--(?:[a-z]{1,16}-)?(?:password|passwd|pass|token|secret|api-?key)[ =][\"']?"
    r"(?P<option>[^\s\"'$<{-][^\s\"']{3,200})"
)

#: What may stand between a name and its value; YAML goes on in the next line.
_ASSIGN = (
    r"[ \t]?[\"']?[ \t]{0,3}(?::=|=>|[:=]|>(?=\S))[ \t]{0,3}"
    r"(?:(?:[|>][+-]?[ \t]{0,3})?\r?\n[ \t]{1,16})?"
)
_VALUE = (
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{4,200})(?P=quote)"
    r"|[\"'`]?(?P<plain>[^\s\"'`<>,;{}()]{4,200}))"
)
#: A value with the last word of its name; a sentence tells it by "is".
_NAMED = re.compile(
    r"(?P<noun>passw(?:or)?d|passphrase|passcode|pwd|key|token|secret|pass|pw|salt|creds)"
    rf"(?:{_ASSIGN}|[\"']?[ \t]{{1,3}}(?P<verb>is|was|-)[ \t]{{1,3}}:?[ \t]{{0,2}}"
    r"|(?P<line>[*_]{0,2}:[*_]{1,2}[ \t]|:?[ \t]{0,3}\r?\n|\t))"
    rf"{_VALUE}",
    re.IGNORECASE,
)
#: Where such a name may end; much faster to search for than `_NAMED`.
_NOUN = re.compile(
    r"[kK][eE][yY]|[tT][oO][kK][eE][nN]|[sS][eE][cC][rR][eE][tT]|[pP][aA][sS][sS]"
    r"|[pP][wW]|[sS][aA][lL][tT]|[cC][rR][eE][dD][sS]"
)
_PASSWORDS = frozenset(("password", "passwd", "passphrase", "passcode", "pwd"))
_SHORT_NAMES = frozenset(("pass", "pw", "secret", "token"))
#: Words before "key" or "token" that make it a credential.
_QUALIFIER = re.compile(
    r"(?:api|app|access|account|auth|authorization|client|consumer|encryption|master"
    r"|private|secret|service|shared|signing|storage|subscription|webhook|bot|refresh"
    r"|session|bearer)[ _-]?(?:access[ _-]?)?$",
    re.IGNORECASE,
)
#: A variable of an environment: ``DB_PASS=…``, ``STRIPE_KEY: …``.
_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]*_$")
_MAX_NAME = 32

#: PINs and one-time codes; below, the seed phrases of wallets.
_CODE = re.compile(
    r"\b(?:(?:cvv2?|cvc2?|otp|passcode"
    r"|(?:security|verification|one[ -]time|login|auth\w*)[ -](?:pass)?code)"
    r"(?:[ ](?:is|was))?|pin(?:[ -](?:code|number))?[ ](?:is|was))"
    r"[ \t:=]{1,3}(?P<code>\d{3,8})\b",
    re.IGNORECASE,
)
_MNEMONIC = re.compile(
    r"\b(?:mnemonic|(?:seed|recovery|backup)[ -](?:phrase|words))\b"
    r"[^\n:]{0,20}:?\s{0,3}"
    r"((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})\b",
    re.IGNORECASE,
)
#: The hash of a password, as systems store it.
_HASH = re.compile(
    r"(\$(?:2[abxy]?|apr1|[156y]|argon2\w{1,2}|scrypt|pbkdf2[\w-]*)\$[^\s:\"'<>]{20,200})"
)
_PUTTY = re.compile(
    r"^Private-Lines: \d{1,4}\s(?P<key>(?:[A-Za-z0-9+/=]+\s?)+)", re.MULTILINE
)
#: The signature in an address that Azure signed.
_SIGNATURE = re.compile(r"[?&;]sig=([A-Za-z0-9%+/=_-]{32,})")
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
    """Yield credentials: keys by their format, and values by their names."""
    yield from _pem_blocks(text)
    for candidate in _CANDIDATE.finditer(text):
        for match in _TOKEN.finditer(text, *candidate.span()):
            yield Entity(match.start(), match.end(), "SECRET")
    for pattern in (_AUTHORIZATION, _COMMAND):
        for match in pattern.finditer(text):
            group = match.lastgroup or ""
            is_named = group not in ("value", "header")
            if is_named or _is_random(match[group]):
                yield Entity(match.start(group), match.end(group), "SECRET")
    for match in _BASIC.finditer(text):
        if ":" in (text_of_base64(match[1]) or ""):
            yield Entity(match.start(1), match.end(1), "SECRET")
    for pattern in (_COOKIE, _SIGNATURE, _PUTTY, _CODE, _MNEMONIC, _HASH):
        yield from find_matches(pattern, text, "SECRET", 1)
    yield from _named_values(text)
    if "aws" in text.lower():
        for match in _AWS_SECRET.finditer(text):
            if _has_mixed_classes(match.group()):
                yield Entity(match.start(), match.end(), "SECRET")


def _named_values(text: str) -> Iterator[Entity]:
    """Yield what is called a password, an API key or the like."""
    for noun in _NOUN.finditer(text):
        match = _NAMED.match(text, noun.start())
        if match is None:
            continue
        group = "quoted" if match["quoted"] else "plain"
        if _is_named_secret(match, match[group]):
            yield Entity(match.start(group), match.end(group), "SECRET")


def _is_named_secret(match: re.Match[str], value: str) -> bool:
    if _REFERENCE.fullmatch(value):
        return False
    noun = match["noun"]
    start = match.start()
    before = match.string[max(0, start - _MAX_NAME) : start]
    if noun.lower() in _PASSWORDS or _QUALIFIER.search(before):
        if match["verb"] or match["line"]:
            return _is_random(value)
        # A password that stands bare has a digit or a mark inside; a word does not.
        has_digit = any(map(str.isdigit, value))
        return match["quoted"] is not None or has_digit or not value[:-1].isalnum()
    if match["verb"] or match["line"]:
        return False
    if noun in ("PASS", "PW") and _VARIABLE.search(before):
        return True
    is_short = noun.lower() in _SHORT_NAMES and not before[-1:].isalpha()
    is_variable = noun.isupper() and _VARIABLE.search(before) is not None
    return (is_short or is_variable) and _is_random(value)


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


#: Code that gets a secret from elsewhere: ``process.env.API_KEY``, ``$TOKEN``.
_REFERENCE = re.compile(
    r"[A-Za-z_$]+(?:\.[A-Za-z_]+)+\W*|\$\w+|\$?\{.*|%\w+%|<.*|your[-_ ].*|(.)\1*"
    r"|none|null|true|false|undefined|required|optional|string",
    re.IGNORECASE,
)


def _is_random(value: str) -> bool:
    """Tell a password from a word, a number and a hyphenated word."""
    value = value.rstrip(".!?:")
    has_letter = any(map(str.isalpha, value))
    has_digit = any(map(str.isdigit, value))
    has_mark = any(not c.isalnum() and c not in "-_./'" for c in value)
    return has_letter and (has_digit or has_mark)


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
