"""Which parts of a body are not text: ids, enums, times and OpenAI's own keys."""

import re
from collections.abc import Mapping

from ._words import WordLists

KEYS = WordLists.load(__package__, "keys")
#: The wire's own keys of a body.
WIRE_KEYS = KEYS.words("STRUCTURAL", "ACCOUNT", "RECORD_IDS", "WIRE")
#: Keys under which the keys are those of OpenAI's API.
STRUCTURAL_KEYS = KEYS.words("STRUCTURAL", "API_CONTAINERS")
#: Keys of OpenAI's API, in a structural section.
API_KEYS = KEYS.words("API_CONTAINERS", "API_FIELDS")
#: Those that hold an id.
API_ID_KEYS = KEYS.words("API_IDS")
_ACCOUNT = KEYS.words("ACCOUNT")
_RECORD_IDS = KEYS.words("RECORD_IDS")
_ENUMS = KEYS.words("ENUMS")
_TIMES = KEYS.words("TIMES")

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


def is_logprobs(key: object, value: object) -> bool:
    """Say whether a value of a structural section holds log probabilities."""
    is_named = isinstance(key, str) and key.endswith("logprobs")
    return is_named and isinstance(value, Mapping | list) and bool(value)


def is_exempt_field(key: str, value: object) -> bool:
    """Say whether the value under a key of the body is sent as it is."""
    if key in _ACCOUNT:
        return value is None or isinstance(value, str)
    is_id = key in _RECORD_IDS and isinstance(value, str)
    return is_id and _UUID.fullmatch(str(value)) is not None


def is_exempt_leaf(key: str, value: object) -> bool:
    """Say whether a leaf of a structural section is an id, an enum or a time.

    The value has to look the part: an e-mail address under ``"type"`` is redacted.
    """
    if not isinstance(value, str):
        return key in _TIMES and isinstance(value, int | float)
    if key == "model":
        return _MODEL.fullmatch(value) is not None and "://" not in value
    if key in _ENUMS:
        return _ENUM_VALUE.fullmatch(value) is not None
    return key in API_ID_KEYS and bool(
        _API_ID.fullmatch(value) or _UUID.fullmatch(value)
    )
