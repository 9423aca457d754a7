"""Which parts of a body are not text, and what a key says of its value."""

import re
from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Sections whose shape OpenAI's API defines; in the others every key is the caller's.
STRUCTURAL_KEYS = _words(
    "modelParameters promptTemplateChat rawResponse responseMetrics responseTime"
    " toolCalls tools"
)
#: Names that the caller's account and project go by; the server cannot do without them.
_ACCOUNT_KEYS = _words("apiKey projectKey apiName promptTemplateName")
#: Ids by which records are linked. Ours are UUIDs; the caller's own may say anything.
_ID_FIELDS = _words("promptEventId feedbackKey feedback_key chainId id")
_WIRE_KEYS = (
    STRUCTURAL_KEYS
    | _ACCOUNT_KEYS
    | _ID_FIELDS
    | _words(
        "better_response chatId context is_deleted params prompt promptTemplateText"
        " rating response responseErrors result"
    )
)
#: Parts of OpenAI's API whose own keys are OpenAI's, too. What stands under any other
#: key, such as ``metadata`` or ``parameters``, is keyed by the caller.
_API_CONTAINERS = _words(
    """
    annotations audio choices completion_tokens_details content custom data delta error
    file file_citation format function function_call image_url incomplete_details input
    input_audio input_tokens_details json_schema message messages output
    output_tokens_details prediction prompt_tokens_details reasoning reasoning_details
    refusal response_format results stream_options summary text thinking tool_calls
    tool_choice tools url_citation usage
    """
)
#: Keys of OpenAI's API that are kept where they have its meaning, even when the time is
#: over: a body without them says nothing.
_API_KEYS = _API_CONTAINERS | _words(
    """
    arguments completion_tokens created created_at description finish_reason id index
    input_tokens instructions metadata model modelProvider modelType n name object
    output_tokens parameters prompt_tokens properties required role seed service_tier
    status stop stream system_fingerprint temperature tool_call_id top_p total_tokens
    type user
    """
)
_ENUM_FIELDS = _words(
    """
    detail effort encoding_format finish_reason modality modelProvider modelType object
    reasoning_effort role service_tier status stop_reason system_fingerprint tool_choice
    truncation type verbosity voice
    """
)
_ID_KEYS = _words(
    "call_id id item_id previous_response_id request_id response_id tool_call_id"
)
_TIME_FIELDS = _words(
    "completed_at created created_at expires_at responseTime updated_at"
)

_UUID = re.compile(
    r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|(?!\d{32})[0-9A-Fa-f]{32}"
)
_ENUM_VALUE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
#: Ids as APIs make them: a known prefix and random letters and digits.
_API_ID = re.compile(
    r"(?:chatcmpl|cmpl|call|resp|msg|fc|rs|ws|fs|ci|ig|mcpl?|ctc|toolu|file|asst|thread"
    r"|run|step|req|gen|conv|item|audio)[-_](?=[A-Za-z0-9]*[A-Za-z])(?!\w*\d{7})"
    r"[A-Za-z0-9]{6,}"
)
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
        r"password|passwd|passphrase|(?:^|db|user|root|admin)(?:pass|pwd)|credential"
        r"|(?:api|secret|private|access)key|authorization|clientsecret|cookie"
        r"|(?:access|auth|refresh|session|bearer|api|secret)token",
        "SECRET",
        0,
    ),
    (r"secret|^token|^pin(?:code)?|^cvv2?|^cvc2?|^otp", "SECRET", 3),
)
_KEY_PATTERNS = tuple(
    (re.compile(rf"(?:{ending})(?:e?s)?$"), entity, digits)
    for ending, entity, digits in _KEY_SUFFIXES
)
_MAX_KEY = 64
_KEY_SEPARATORS = re.compile(r"[^a-z0-9]+")
#: Keys that say nothing of their value; the key above them does.
_CARRIERS = _words(
    """
    const content default enum example examples family first formatted full given items
    last line1 line2 middle number raw text value values
    """
)
#: The key by which a message's ``name`` is judged.
PARTICIPANT = "participant_name"
_IDENTIFIER = re.compile(
    r"(?:name|user|login|handle|file|path|author|owner|sender|recipient|assignee|id"
    r"|identifier|cachekey)$"
)
_RANDOM = re.compile(r"[A-Za-z]\d+[A-Za-z]")
_WORD_IN_IDENTIFIER = re.compile(r"[^\W\d_][^\W\d_A-Z]*")


def is_structural(key: object) -> bool:
    """Say whether the keys under a key are those of OpenAI's API."""
    return key in STRUCTURAL_KEYS or key in _API_CONTAINERS


def is_wire_key(key: object) -> bool:
    """Say whether a key of a body is the wire's own."""
    return key in _WIRE_KEYS


def is_api_key(key: object) -> bool:
    """Say whether a key in a structural section is one of OpenAI's."""
    return key in _API_KEYS


def is_logprobs(key: object, value: object) -> bool:
    """Say whether a value of a structural section holds log probabilities."""
    is_named = isinstance(key, str) and key.endswith("logprobs")
    return is_named and isinstance(value, Mapping | list) and bool(value)


def is_exempt_field(key: str, value: object) -> bool:
    """Say whether a top-level value is sent as it is.

    Args:
        key: A key of the body.
        value: What stands under it.
    """
    if key in _ACCOUNT_KEYS:
        return value is None or isinstance(value, str)
    is_id = key in _ID_FIELDS and isinstance(value, str)
    return is_id and _UUID.fullmatch(str(value)) is not None


def is_exempt_leaf(key: str, value: object) -> bool:
    """Say whether a leaf of a structural section is an id, an enum or a time.

    The value has to look the part: an e-mail address under ``"type"`` is redacted.
    """
    if isinstance(value, str):
        if key == "model":
            return _MODEL.fullmatch(value) is not None and _URL_MARK not in value
        if key in _ENUM_FIELDS:
            return _ENUM_VALUE.fullmatch(value) is not None
        return key in _ID_KEYS and (
            (_API_ID.fullmatch(value) or _UUID.fullmatch(value)) is not None
        )
    return key in _TIME_FIELDS and isinstance(value, int | float)


def inherit_key(parent: str | None, key: str) -> str:
    """Return the key by which to judge what stands under ``key``.

    Args:
        parent: The key that its object is judged by, if any.
        key: Its own.
    """
    return parent if parent is not None and key in _CARRIERS else key


def entity_from_key(key: str | None, value: str) -> str | None:
    """Return the entity that a key says its value is.

    Args:
        key: The key, such as ``"customerFirstName"`` or ``"card-number"``; None for the
            item of a list.
        value: A text, or a number as text.

    Returns:
        The entity, or None where the key says nothing or the value contradicts it.
    """
    if key is None or not value or len(key) > _MAX_KEY:
        return None
    plain = _KEY_SEPARATORS.sub("", key.lower())
    for pattern, entity, digits in _KEY_PATTERNS:
        if pattern.search(plain):
            if entity == "PERSON" and not any(map(str.isalpha, value)):
                return None
            return entity if sum(map(str.isdigit, value)) >= digits else None
    return None


def label_from_key(key: str) -> str:
    """Return a key as the label before a value: ``customerName`` ends in a word."""
    label = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key[-_MAX_KEY:])
    return f"{label}: "


def is_identifier_key(key: str) -> bool:
    """Say whether identifiers under a key may spell a name: ``jane_doe.pdf``."""
    plain = _KEY_SEPARATORS.sub("", key[-_MAX_KEY:].lower())
    return _IDENTIFIER.search(plain) is not None


def spell_out(identifier: str, key: str) -> str:
    """Return an identifier as words and numbers; an id without its prefix."""
    if key in _ID_KEYS:
        identifier = re.sub(r"^[A-Za-z]{1,16}[-_]", "", identifier)
    parts: list[str] = []
    for part in re.split(r"[\W_]+", identifier):
        if part.isdigit():
            parts.append(part)
        elif not _RANDOM.search(part):
            parts += map(str.title, _WORD_IN_IDENTIFIER.findall(part))
    return " ".join(parts)
