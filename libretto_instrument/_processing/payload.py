"""Builds the payload of a call or a submission. Imported with the first of them."""

from typing import TYPE_CHECKING, Any

from .._capture.build_event import build_event
from .process import Submission

if TYPE_CHECKING:
    from .._events import Payload


def build_payload(item: Any) -> "Payload | None":
    """Return what is to be sent of a call or a submission.

    None for a call that may only be recorded under a template's name, and has none.
    """
    return item.payload if isinstance(item, Submission) else build_event(item)
