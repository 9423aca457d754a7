"""Keys that say what their value is, where the value alone does not show it."""

import re

#: How keys end that say what stands under them, what it is, and how many digits it
#: takes to believe them. In keys everything but letters and digits is taken out first.
_ENDINGS = (
    (
        r"(?:first|last|full|middle|maiden|sur|fore|given|family|customer|patient|client"
        r"|cardholder|contact|person)name",
        "PERSON",
        0,
    ),
    (r"(?:ssn|socialsecurity(?:number|no)?)", "US_SSN", 4),
    (r"(?:phone|mobile|fax|^tel|^cell)(?:number|no)?", "PHONE_NUMBER", 7),
    (r"(?:^|credit|debit)card(?:number|no)?|cardnumber", "CREDIT_CARD", 12),
    (
        r"^(?:street|mailing|home|billing|shipping|postal)?address(?:line)?\d?",
        "STREET_ADDRESS",
        1,
    ),
    (
        r"password|passwd|passphrase|(?:api|secret|private|access)key|authorization"
        r"|clientsecret|(?:access|auth|refresh|session|bearer|api|secret)token|cookie",
        "SECRET",
        0,
    ),
)
_SAYING = tuple(
    (re.compile(rf"(?:{ending})$"), entity, digits)
    for ending, entity, digits in _ENDINGS
)
_LONGEST_SAID = 200
_JOINTS = re.compile(r"[^a-z0-9]+")


def said_by(key: str | None, value: str) -> str | None:
    """Return the entity that a key says its value is.

    Args:
        key: The key, such as ``"customerFirstName"`` or ``"card-number"``; None for the
            item of a list.
        value: A text, or a number as text.

    Returns:
        The entity, or None where the key says nothing or the value contradicts it.
    """
    if key is None or not value or len(value) > _LONGEST_SAID:
        return None
    plain = _JOINTS.sub("", key.lower())
    for pattern, entity, digits in _SAYING:
        if pattern.search(plain):
            if entity == "PERSON" and not any(map(str.isalpha, value)):
                return None
            return entity if sum(map(str.isdigit, value)) >= digits else None
    return None
