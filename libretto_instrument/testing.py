"""For the tests of programs that are recorded: events in memory, none sent.

from libretto_instrument.testing import capture_events

def test_greeting():
    with capture_events() as events:
        greet()
    assert events[0]["promptTemplateName"] == "greeting"
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from . import _capture
from ._config.config import ConfigFields, LibrettoConfig, build_config
from ._processing.payload import build_payload
from ._processing.process import process
from ._runtime.install import enable, in_use
from ._runtime.state import runtime
from ._util import errors

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .improve import Case

__all__ = ["CapturedEvents", "capture_events", "cases"]


class CapturedEvents(Sequence[dict[str, Any]]):
    """The bodies of the events recorded so far, oldest first, as Libretto gets them.

    Redactors and hooks run when one looks, and at the end of the block.
    """

    def __init__(self) -> None:
        # Taken anywhere, in finalizers too, so nothing is done to them on the spot.
        self._taken: deque[Any] = deque()
        self._bodies: dict[str, list[dict[str, Any]]] = {
            "event": [],
            "feedback": [],
            "chain": [],
        }
        self._making = threading.RLock()

    @property
    def feedback(self) -> list[dict[str, Any]]:
        """The bodies of the feedback sent."""
        return self._look("feedback")

    @property
    def chain_results(self) -> list[dict[str, Any]]:
        """The bodies of the chain results sent."""
        return self._look("chain")

    def take(self, item: Any) -> None:
        """Keep what would have been sent."""
        self._taken.append(item)

    def catch_up(self) -> None:
        """End the streams that were left, and make the bodies of all that was taken."""
        _capture.finalize_streams()
        with self._making:
            while self._taken:
                self._make(self._taken.popleft())

    def _look(self, kind: str) -> list[dict[str, Any]]:
        self.catch_up()
        return self._bodies[kind]

    def _make(self, item: Any) -> None:
        try:
            report = build_payload(item)
            body = None if report is None else process(report, item.settings)
            if report is not None and body is not None:
                self._bodies[report.kind].append(body)
        except Exception as exc:
            errors.log_internal_error(exc, "testing.make")

    def __len__(self) -> int:
        return len(self._look("event"))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: Any) -> Any:
        return self._look("event")[index]

    def __repr__(self) -> str:
        return f"CapturedEvents({list(self)!r})"


@contextmanager
def capture_events(
    config: LibrettoConfig | None = None, /, **fields: "Unpack[ConfigFields]"
) -> Iterator[CapturedEvents]:
    """Record every openai client's calls in memory for the length of a block.

    Nothing is sent. What the program itself installs stays in force, but for an API key
    and for unnamed prompts, which are made up and allowed where it does not say.

    Args:
        config: Configuration for the block; or give its fields by name.
        **fields: Fields of `LibrettoConfig`, laid over ``config``.

    Yields:
        The events, growing as calls end.
    """
    merged = build_config(config, fields)
    captured = CapturedEvents()
    was_patched = _capture.is_patched()
    try:
        with runtime.borrowed(merged, captured.take):
            enable()
            try:
                yield captured
            finally:
                captured.catch_up()
    finally:
        if not (was_patched or in_use()):
            _capture.unpatch()


def cases(path: "str | os.PathLike[str]", *, prompt: str | None = None) -> "list[Case]":
    """Return the cases of a file that can be replayed, for pytest to parametrize.

    Args:
        path: A file that ``libretto-instrument cases`` wrote, one case a line.
        prompt: Only cases of this prompt.

    Raises:
        OSError: The file can't be read.
        ValueError: A line is not a case, and the message names it; or none can be
            replayed, so that a test would pass without having tested anything.
    """
    from .improve import read_cases

    found = [
        case
        for case in read_cases(Path(path))
        if case.is_replayable and prompt in (None, case.prompt)
    ]
    if not found:
        raise ValueError(f"{path} holds no case that can be replayed.")
    return found
