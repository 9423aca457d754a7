"""Change a prompt and see first what it does: cases and replays.

A case is a recorded call with a target: what its feedback says the model should have
answered, or the recorded answer where it was rated well. A replay makes the calls of
cases again with another template, model or parameters, and compares the answers.
"""

from ._case import Case
from ._cases import cases, read_cases
from ._prepare import replay
from ._replay import Replay
from ._request import ReplayError
from ._results import Answer, Comparison, Result
from ._run import ReplayInterrupt

__all__ = [
    "Answer",
    "Case",
    "Comparison",
    "Replay",
    "ReplayError",
    "ReplayInterrupt",
    "Result",
    "cases",
    "read_cases",
    "replay",
]
