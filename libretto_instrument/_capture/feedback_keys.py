"""Which feedback key belongs to which response.

A model carries its key in ``model_extra``. What cannot carry it, or was asked not to
(``annotate_responses=False``), is remembered here for as long as it lives.
"""

import weakref
from inspect import getattr_static
from typing import Any

FEEDBACK_KEY_FIELD = "libretto_feedback_key"

_keys_by_response: dict[int, tuple["weakref.ref[Any]", str]] = {}


def annotate(response: Any, key: str) -> None:
    """Put ``key`` into the response: the one change ever made to one."""
    # What `model_extra` returns, which is a function more on the caller's thread.
    extra = getattr(response, "__pydantic_extra__", None)
    if type(extra) is dict:
        extra[FEEDBACK_KEY_FIELD] = key
    else:
        remember(response, key)


def remember(response: Any, key: str) -> None:
    """Keep ``key`` beside the response, without a mark on it."""
    identity = id(response)

    def forget(_: object) -> None:
        _keys_by_response.pop(identity, None)

    try:
        _keys_by_response[identity] = (weakref.ref(response, forget), key)
    except TypeError:
        return  # A plain string, say: it can neither carry a key nor be remembered.


def feedback_key(response: Any) -> str | None:
    """Return the feedback key of a recorded response, or None.

    Args:
        response: What a recorded call returned, in any endpoint: a completion, a parsed
            completion, a stream (known before its first chunk), a raw response, or the
            helper stream of ``.stream()``.
    """
    key = _own_key(response)
    if key is None:
        # openai's helper streams hold the stream that they read.
        inner = getattr_static(response, "_raw_stream", None)
        key = None if inner is None else _own_key(inner)
    return key


def _own_key(response: Any) -> str | None:
    """Return the key that a response carries or that is kept beside it.

    The attribute is read without ``__getattr__``: a mock would make one up.
    """
    entry = _keys_by_response.get(id(response))
    if entry is not None and entry[0]() is response:
        return entry[1]
    try:
        extra = object.__getattribute__(response, "__pydantic_extra__")
    except AttributeError:
        return None
    key = extra.get(FEEDBACK_KEY_FIELD) if type(extra) is dict else None
    return key if isinstance(key, str) else None
