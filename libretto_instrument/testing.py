"""For the tests of programs that are recorded: events in memory, none sent.

from libretto_instrument.testing import capture_events

def test_greeting():
    with capture_events() as events:
        greet()
    assert events[0]["promptTemplateName"] == "greeting"
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from . import capture
from ._config import ConfigFields, LibrettoConfig, config_of
from ._install import enable
from ._outgoing import body_of
from ._runtime import runtime

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["CapturedEvents", "capture_events"]


class CapturedEvents(Sequence[dict[str, Any]]):
    """The bodies of the events recorded so far, oldest first, as Libretto gets them.

    Attributes:
        feedback: The bodies of the feedback sent.
        chain_results: The bodies of the chain results sent.
    """

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.chain_results: list[dict[str, Any]] = []

    def take(self, item: Any) -> None:
        """Keep what would have been sent."""
        report = item.report()
        body = body_of(report, item.settings)
        if body is not None:
            kept = {
                "event": self._events,
                "feedback": self.feedback,
                "chain": self.chain_results,
            }
            kept[report.kind].append(body)

    def __len__(self) -> int:
        capture.settle()
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: Any) -> Any:
        capture.settle()
        return self._events[index]

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
    whole = config_of(config, fields)
    captured = CapturedEvents()
    was_patched = capture.is_patched()
    with runtime.borrowed(whole, captured.take):
        enable()
        try:
            yield captured
        finally:
            capture.settle()
            if not was_patched:
                capture.unpatch()
