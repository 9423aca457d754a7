"""API keys, tokens, passwords, private keys and the addresses of cryptocurrencies."""

import re
from collections.abc import Iterator

from stdnum import bitcoin

from .._entities import Entity, alternation, find_matches
from .._normalize import text_of_base64

#: Where a token may be: a long run of the characters that tokens are made of.
_CANDIDATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~$:+/=-]{14,}")
#: Prefixes that vendors give their tokens; 16 characters or more follow.
_TOKEN_PREFIXES = alternation(
    r"""
    sk- pk-lf- gsk_ xai- pplx- r8_ hf_ api_org_ lsv2_(?:pt|sk)_ fw_ tvly- nvapi- pcsk_
    gh[pousr]_ github_pat_ gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|sa|c)[-_]
    xox[abeoprs]- xapp- [srp]k_(?:live|test|prod)_ whsec_ rzp_(?:live|test)_
    sq0[a-z]{3}- shp(?:at|ca|pa|ss)_ xkeysib- npm_ pypi- rubygems_ dckr_pat_ do[opr]_v1_
    sbp_ napi_ pscale_(?:tkn|pw|oauth)_ dp\.(?:pt|st|ct|sa|scim|audit)\. hv[sbr]\. pul-
    glsa_ NRAK- NRII- sntry[su]_ lin_(?:api|oauth)_ ntn_ figd_ PMAK- ATATT3 ATCTT3 ATBB
    GOCSPX- ya29\. AGE-SECRET-KEY-1 ops_eyJ AKCp CFPAT- EZ[AT]K FLWSECK
    shippo_(?:live|test)_ aio_ tfp_ fio-u- duffel_(?:live|test)_ dt0[cs]01\. pnu_ rdme_
    sgp_ sha256~ zpka_ ph[cx]_ secret_ nfp_ rnd_ HRKU- fo1_ fm\d_ sl\.[ABu]\.
    """
)
#: Tokens of a fixed form.
_TOKEN_FORMATS = re.compile(
    rf"(?<![A-Za-z0-9])(?:{_TOKEN_PREFIXES}(?=[\w.=+/~-]*\d)[\w.=+/~-]{{16,}}"
    r"|(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Z])"  # AWS
    r"|ABSK[A-Za-z0-9+/]{60,}={0,2}|LTAI[A-Za-z0-9]{12,24}|AKID[A-Za-z0-9]{24,36}"
    r"|AIza[\w-]{35}|(?<![\w/])1//0[\w-]{40,}"  # Google
    r"|SG\.[\w-]{16,32}\.[\w-]{16,64}"  # SendGrid
    r"|(?:AC|SK|key-)[0-9a-f]{32}(?![0-9a-f])"  # Twilio, Mailgun
    r"|[0-9a-f]{32}-us\d{1,2}(?!\d)|dapi[0-9a-f]{32}"  # Mailchimp, Databricks
    r"|\d{8,10}:AA[\w-]{32,35}|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,40}"  # bots
    r"|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}"
    r"|[A-Za-z0-9_~.]{3}\dQ~[\w~.-]{31,34}|EAA[A-Za-z0-9]{60,}"  # Azure, Facebook
    r"|access-(?:sandbox|development|production)-[0-9a-f-]{36}"  # Plaid
    r"|(?<![\w-])(?:[ps]k\.)?eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"  # JSON web tokens
    r")"
)
_AUTHORIZATION = re.compile(
    r"\b(?:bearer|token|negotiate|apikey)[ \t]{1,4}(?P<value>[A-Za-z0-9._~+/=-]{12,})"
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
    rf"(?:{_ASSIGN}|[\"']?[ \t]{{1,3}}(?P<told>is|was)[ \t]{{1,3}}:?[ \t]{{0,2}})"
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
#: What makes a key or a token one that opens something.
_QUALIFIER = re.compile(
    r"(?:api|app|access|account|auth|authorization|client|consumer|encryption|master"
    r"|private|secret|service|shared|signing|storage|subscription|webhook|bot|refresh"
    r"|session|bearer)[ _-]?(?:access[ _-]?)?$",
    re.IGNORECASE,
)
#: A variable of an environment: ``DB_PASS=…``, ``STRIPE_KEY: …``.
_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]*_$")
_MAX_NAME = 32

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
    """Yield what opens a door: keys by their form, and values that are named so."""
    yield from _pem_blocks(text)
    for candidate in _CANDIDATE.finditer(text):
        for match in _TOKEN_FORMATS.finditer(text, *candidate.span()):
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
    yield from find_matches(_COOKIE, text, "SECRET", 1)
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
        if match["told"]:
            return _is_random(value)
        return match["quoted"] is not None or _is_high_entropy(value)
    if match["told"]:
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


def _is_high_entropy(value: str) -> bool:
    """Tell a password from a word: it has a digit or a mark inside."""
    return any(c.isdigit() for c in value) or any(not c.isalnum() for c in value[:-1])


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
