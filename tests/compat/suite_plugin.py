"""A pytest plugin for openai's own test suite: records every call, and keeps outcomes.

``LIBRETTO_SUITE`` is ``bare``, ``recorded`` or ``annotated``; ``LIBRETTO_OUTCOMES`` is
the file to write the outcomes to, as JSON.
"""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

MODE = os.environ["LIBRETTO_SUITE"]

_outcomes: dict[str, str] = {}
_recording = ExitStack()
_events: Any = ()


def pytest_configure() -> None:
    """Record from here on, and let no fault of ours be swallowed."""
    global _events
    if MODE == "bare":
        return
    from libretto_instrument._util import errors
    from libretto_instrument.testing import capture_events

    errors.reraise = True
    _events = _recording.enter_context(
        capture_events(annotate_responses=MODE == "annotated")
    )


def pytest_runtest_logreport(report: Any) -> None:
    """Keep the worst of a test's set-up, its run and its teardown."""
    if report.failed or _outcomes.get(report.nodeid) in (None, "passed"):
        _outcomes[report.nodeid] = report.outcome


def pytest_unconfigure() -> None:
    """Write down what came of each test, and how many calls were recorded."""
    done = {"outcomes": _outcomes, "events": len(_events)}
    Path(os.environ["LIBRETTO_OUTCOMES"]).write_text(json.dumps(done), "utf-8")
    _recording.close()
