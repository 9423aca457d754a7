"""The only package that knows openai: it patches it and records its calls.

It hands finished calls to a `Recorder`. Most of it is imported only once openai's
resources are.
"""

import sys

from .feedback_keys import feedback_key
from .patching import TARGETS, Target, is_patched, patch, sees_requests, unpatch

__all__ = [
    "TARGETS",
    "Target",
    "feedback_key",
    "finalize_streams",
    "is_patched",
    "patch",
    "sees_requests",
    "unpatch",
]


def finalize_streams(*, everything: bool = False) -> None:
    """Finish the streams whose loops were left or, with ``everything``, all.

    Likewise background responses that the program stopped asking for, or all.
    """
    state = sys.modules.get(f"{__name__}.stream_state")
    if state is not None:
        state.finalize_streams(everything=everything)
    background = sys.modules.get(f"{__name__}.background")
    if background is not None:
        (background.finish_all if everything else background.expire)()
