"""Infers an entity from the key of a value: ``"phone": "467 3395"``."""

import re
from functools import lru_cache

from ._policy import API_ID_KEYS, KEYS

_CARRIERS = KEYS.words("CARRIERS")
_DESCRIPTIONS = KEYS.words("DESCRIPTIONS")
_LABELS = KEYS.words("LABELS")
_LABELLED = KEYS.words("LABELLED")

#: Key suffixes that imply an entity type, with the minimum number of digits required.
#: Everything but letters and digits is taken out of a key first.
_SUFFIXES = (
    (
        r"(?:first|last|full|middle|maiden|sur|fore|given|family|customer|patient|client"
        r"|cardholder|contact|person|vor|nach)name|^prenom|^nomdefamille|^apellidos?"
        r"|^cognome",
        "PERSON",
        0,
    ),
    (r"(?:ssn|socialsecurity(?:number|no)?)(?:last4)?", "US_SSN", 4),
    (
        r"(?:phone|mobile|fax|^tel|^cell)(?:number|no)?|telefono?|^movil|^celular"
        r"|^(?:handy|ruf)nummer",
        "PHONE_NUMBER",
        7,
    ),
    (r"(?:^|credit|debit)card(?:number|no)?|cardnumber", "CREDIT_CARD", 12),
    (r"^iban|bankaccountiban", "IBAN_CODE", 8),
    (
        r"^(?:street|mailing|home|billing|shipping|postal)?address(?:line)?\d?",
        "STREET_ADDRESS",
        1,
    ),
    (
        r"password(?:hash|digest)?|passwd|passphrase|(?:^|db|user|root|admin)(?:pass|pwd)"
        r"|credential|(?:api|secret|private|access)key|authorization|clientsecret|cookie"
        r"|(?:access|auth|refresh|session|bearer|api|secret)token",
        "SECRET",
        0,
    ),
    (r"secret|^token|^pin(?:code)?|^cvv2?|^cvc2?|^otp", "SECRET", 3),
)
_PATTERNS = tuple(
    (re.compile(rf"(?:{suffix})(?:e?s)?$"), entity, digits)
    for suffix, entity, digits in _SUFFIXES
)
_MAX_KEY = 64
_SEPARATORS = re.compile(r"[^a-z0-9]+")
#: Between a key and the one above it that says what both hold: ``home\nphone``.
_BELOW = "\n"
#: The least number of digits in a value that a key further up speaks for.
_MIN_DIGITS_BELOW = 3
#: The key by which a message's ``name`` is judged.
PARTICIPANT = "participant_name"
_IDENTIFIER = re.compile(
    r"(?:name|user|login|handle|file|path|author|owner|sender|recipient|assignee|id"
    r"|identifier|cachekey)$"
)
_RANDOM = re.compile(r"[A-Za-z]\d+[A-Za-z]")
_WORD_IN_IDENTIFIER = re.compile(r"[^\W\d_][^\W\d_A-Z]*")


@lru_cache(4_096)
def _meaning(key: str) -> tuple[str, int] | None:
    """Return what a key is the name of, and how many digits its value needs."""
    if len(key) > _MAX_KEY:
        return None
    plain = _SEPARATORS.sub("", key.lower())
    for pattern, entity, digits in _PATTERNS:
        if pattern.search(plain):
            return entity, digits
    return None


def item_key(parent: str | None, key: str, label: str | None = None) -> str:
    """Return the key by which to judge what stands under ``key``.

    ``parent`` is the key that its object is judged by, and ``label`` what that object
    says that its ``value`` is, if anything.
    """
    if label and key in _LABELLED and _meaning(label):
        return label
    if parent is None:
        return key
    if key in _CARRIERS:
        return parent
    if key in _DESCRIPTIONS or _meaning(key) or not _meaning(parent):
        return key
    return parent if _BELOW in parent else f"{key}{_BELOW}{parent}"


def is_label(key: object, value: object) -> bool:
    """Say whether an item of an object says what the object's ``value`` is."""
    return isinstance(value, str) and key in _LABELS


def paired_key(first: str) -> str | None:
    """Return the key of the second item of a pair: ``["Cookie", "id=12345"]``."""
    return f"{_BELOW}{first}" if _meaning(first) else None


def entity_from_key(key: str | None, value: str) -> str | None:
    """Return the entity that a key, such as ``"card-number"``, says its value is.

    None where the key says nothing or the value, a number as text, contradicts it.
    """
    meaning = _meaning(key) if key and value else None
    if key is None or meaning is None:
        return None
    entity, digits = meaning
    if entity == "PERSON":
        return entity if any(map(str.isalpha, value)) else None
    if _BELOW in key:
        digits = max(digits, _MIN_DIGITS_BELOW)
    return entity if sum(map(str.isdigit, value)) >= digits else None


def label_from_key(key: str) -> str:
    """Return a key as the label before a value: ``customerName`` ends in a word."""
    label = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key[-_MAX_KEY:])
    return f"{label.replace(_BELOW, ' ').lstrip()}: "


def is_identifier_key(key: str) -> bool:
    """Say whether identifiers under a key may spell a name: ``jane_doe.pdf``."""
    plain = _SEPARATORS.sub("", key[-_MAX_KEY:].lower())
    return _IDENTIFIER.search(plain) is not None


def spell_out(identifier: str, key: str) -> str:
    """Return an identifier as words and numbers; an id without its prefix."""
    if key in API_ID_KEYS:
        identifier = re.sub(r"^[A-Za-z]{1,16}[-_]", "", identifier)
    parts: list[str] = []
    for part in re.split(r"[\W_]+", identifier):
        if part.isdigit():
            parts.append(part)
        elif not _RANDOM.search(part):
            parts += map(str.title, _WORD_IN_IDENTIFIER.findall(part))
    return " ".join(parts)
