"""The one room that knows openai: patching it, and keeping what its calls bring.

It hands finished calls to a `Recorder` and knows nothing of what becomes of them.
"""

from ._call import Call, Recorder
from ._keys import feedback_key
from ._recording import settle
from ._targets import TARGETS, Target, is_patched, patch, unpatch

__all__ = [
    "TARGETS",
    "Call",
    "Recorder",
    "Target",
    "feedback_key",
    "is_patched",
    "patch",
    "settle",
    "unpatch",
]
