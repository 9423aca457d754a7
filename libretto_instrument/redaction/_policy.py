"""Which parts of a body are not text: ids, enums and the names of models."""

import re
from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Sections whose shape OpenAI's API defines; in the others every key is the caller's.
STRUCTURAL_KEYS = _words(
    """
    modelParameters promptTemplateChat rawResponse responseMetrics toolCalls tools
    """
)
#: Names that the caller's account and project go by; the server cannot do without them.
_ACCOUNT_KEYS = _words(
    """
    apiKey projectKey apiName promptTemplateName
    """
)
#: Ids by which records are linked. Ours are UUIDs; the caller's own may say anything.
_ID_FIELDS = _words(
    """
    promptEventId feedbackKey feedback_key chainId id
    """
)
_WIRE_KEYS = (
    STRUCTURAL_KEYS
    | _ACCOUNT_KEYS
    | _ID_FIELDS
    | _words(
        """
        better_response chatId context is_deleted params prompt promptTemplateText
        rating response responseErrors responseTime result
        """
    )
)

#: Keys of OpenAI's API that are kept where they have its meaning, even when the time is
#: over: a body without them says nothing.
_API_KEYS = _words(
    """
    annotations arguments audio choices completion_tokens completion_tokens_details
    content created created_at description finish_reason function id index input
    input_tokens instructions logprobs message messages metadata model modelProvider
    modelType n name object output output_tokens parameters prompt_tokens
    prompt_tokens_details properties reasoning refusal required response_format role
    seed service_tier status stop stream system_fingerprint temperature text
    tool_call_id tool_calls tool_choice tools top_p total_tokens type usage user
    """
)

_ENUM_FIELDS = _words(
    """
    detail effort encoding_format finish_reason modality modelProvider modelType object
    reasoning_effort role service_tier status stop_reason system_fingerprint tool_choice
    truncation type verbosity voice
    """
)
_IDS = _words(
    """
    call_id id item_id previous_response_id request_id response_id tool_call_id
    """
)
_TIMES = _words(
    """
    completed_at created created_at expires_at responseTime updated_at
    """
)

_UUID = re.compile(
    r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}"
)
_ENUM_VALUE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ID = re.compile(r"[A-Za-z]{1,16}[-_][A-Za-z0-9]{6,}")
_MODEL = re.compile(r"[A-Za-z][\w.:/+-]{0,127}")
_URL_MARK = "://"

#: Key suffixes that imply an entity type, with the minimum number of digits required.
#: Everything but letters and digits is taken out of a key first.
_KEY_SUFFIXES = (
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
_KEY_PATTERNS = tuple(
    (re.compile(rf"(?:{ending})$"), entity, digits)
    for ending, entity, digits in _KEY_SUFFIXES
)
_MAX_KEY_VALUE = 200
_KEY_SEPARATORS = re.compile(r"[^a-z0-9]+")


def is_structural(key: str) -> bool:
    """Say whether a section of a body has the shape of the API of OpenAI."""
    return key in STRUCTURAL_KEYS or key == "responseTime"


def is_wire_key(key: object) -> bool:
    """Say whether a key of a body is the wire's own."""
    return key in _WIRE_KEYS


def is_api_key(key: object) -> bool:
    """Say whether a key in a structural section is one of OpenAI's."""
    return key in _API_KEYS


def is_logprobs(key: str | None, value: object) -> bool:
    """Say whether a value of a structural section holds log probabilities."""
    return (
        key is not None
        and key.endswith("logprobs")
        and isinstance(value, Mapping | list)
        and bool(value)
    )


def is_exempt_field(key: str, value: object) -> bool:
    """Say whether a top-level value is sent as it is.

    Args:
        key: A key of the body.
        value: What stands under it.
    """
    if key in _ACCOUNT_KEYS:
        return value is None or isinstance(value, str)
    return (
        key in _ID_FIELDS
        and isinstance(value, str)
        and _UUID.fullmatch(value) is not None
    )


def is_exempt_leaf(key: str, value: object) -> bool:
    """Say whether a leaf of a structural section is an id, an enum or a time.

    The value has to look the part: an e-mail address under ``"type"`` is redacted.
    """
    if isinstance(value, str):
        if key == "model":
            return _MODEL.fullmatch(value) is not None and _URL_MARK not in value
        if key in _ENUM_FIELDS:
            return _ENUM_VALUE.fullmatch(value) is not None
        return (
            key in _IDS and (_ID.fullmatch(value) or _UUID.fullmatch(value)) is not None
        )
    return key in _TIMES and isinstance(value, int | float)


def entity_from_key(key: str | None, value: str) -> str | None:
    """Return the entity that a key says its value is.

    Args:
        key: The key, such as ``"customerFirstName"`` or ``"card-number"``; None for the
            item of a list.
        value: A text, or a number as text.

    Returns:
        The entity, or None where the key says nothing or the value contradicts it.
    """
    if key is None or not value or len(value) > _MAX_KEY_VALUE:
        return None
    plain = _KEY_SEPARATORS.sub("", key.lower())
    for pattern, entity, digits in _KEY_PATTERNS:
        if pattern.search(plain):
            if entity == "PERSON" and not any(map(str.isalpha, value)):
                return None
            return entity if sum(map(str.isdigit, value)) >= digits else None
    return None
