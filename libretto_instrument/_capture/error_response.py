"""Recovers the response from an exception that openai raised while parsing it.

Reading a structured answer can fail: it was cut at the token limit, or does not fit its
schema. The call was billed all the same, and its answer says why it failed.
"""

from traceback import walk_tb
from typing import Any

#: The fields by which the models of answers are known.
_ANSWER_FIELDS = {"choices", "output", "answers"}


def response_from_exception(exc: BaseException) -> Any:
    """Return the response model that ``exc`` is about, or None.

    Some errors carry it. With the others it is still held by the function of openai's
    that they passed through.
    """
    carried = getattr(exc, "completion", None)
    if _is_answer(carried):
        return carried
    for frame, _ in walk_tb(exc.__traceback__):
        if str(frame.f_globals.get("__name__")).startswith("openai."):
            for value in frame.f_locals.values():
                if _is_answer(value):
                    return value
    return None


def _is_answer(value: Any) -> bool:
    kind = type(value)
    return (
        kind.__module__.startswith("openai.types.")
        and hasattr(kind, "model_dump")
        and not _ANSWER_FIELDS.isdisjoint(getattr(kind, "model_fields", ()))
    )
