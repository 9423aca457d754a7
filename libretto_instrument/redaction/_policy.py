"""Which parts of a body are not text: ids, enums and the names of models."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Sections whose shape OpenAI's API defines; in the others every key is the caller's.
STRUCTURAL = _words(
    """
    modelParameters promptTemplateChat rawResponse responseMetrics toolCalls tools
    """
)
#: Names that the caller's account and project go by; the server cannot do without them.
_ACCOUNT = _words(
    """
    apiKey projectKey apiName promptTemplateName
    """
)
#: Ids by which records are linked. Ours are UUIDs; the caller's own may say anything.
_LINKS = _words(
    """
    promptEventId feedbackKey feedback_key chainId id
    """
)
_WIRE_KEYS = (
    STRUCTURAL
    | _ACCOUNT
    | _LINKS
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

_TAGS = _words(
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
_TAG = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ID = re.compile(r"[A-Za-z]{1,16}[-_][A-Za-z0-9]{6,}")
_MODEL = re.compile(r"[A-Za-z][\w.:/+-]{0,127}")
_URL_MARK = "://"


def is_structural(key: str) -> bool:
    """Say whether a section of a body has the shape of the API of OpenAI."""
    return key in STRUCTURAL or key == "responseTime"


def is_wire_key(key: object) -> bool:
    """Say whether a key of a body is the wire's own."""
    return key in _WIRE_KEYS


def is_api_key(key: object) -> bool:
    """Say whether a key in a structural section is one of OpenAI's."""
    return key in _API_KEYS


def keeps_whole(key: str, value: object) -> bool:
    """Say whether a top-level value is sent as it is.

    Args:
        key: A key of the body.
        value: What stands under it.
    """
    if key in _ACCOUNT:
        return value is None or isinstance(value, str)
    return (
        key in _LINKS and isinstance(value, str) and _UUID.fullmatch(value) is not None
    )


def keeps_leaf(key: str, value: object) -> bool:
    """Say whether a leaf of a structural section is an id, an enum or a time.

    The value has to look the part: an e-mail address under ``"type"`` is redacted.
    """
    if isinstance(value, str):
        if key == "model":
            return _MODEL.fullmatch(value) is not None and _URL_MARK not in value
        if key in _TAGS:
            return _TAG.fullmatch(value) is not None
        return (
            key in _IDS and (_ID.fullmatch(value) or _UUID.fullmatch(value)) is not None
        )
    return key in _TIMES and isinstance(value, int | float)
