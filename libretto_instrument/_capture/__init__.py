"""The one room that knows openai: patching it, and keeping what its calls bring.

It hands finished calls to a `Recorder` and knows nothing of what becomes of them. Most
of it is imported only when openai's own resources are.
"""

import sys

from .feedback_keys import feedback_key
from .patching import TARGETS, Target, is_patched, patch, unpatch

__all__ = [
    "TARGETS",
    "Target",
    "feedback_key",
    "is_patched",
    "patch",
    "settle",
    "unpatch",
]


def settle(*, everything: bool = False) -> None:
    """End the answers whose loops were left, or all of them: nobody reads them on."""
    recording = sys.modules.get(f"{__name__}.stream_state")
    if recording is not None:
        recording.settle(everything=everything)
