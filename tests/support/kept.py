"""The rest of the library, as capture sees it, reduced to a list."""

from typing import Any

from libretto_instrument._capture.build_event import build_event
from libretto_instrument._capture.record import CallRecord
from libretto_instrument._config.config import LibrettoConfig
from libretto_instrument._config.fields import Overrides
from libretto_instrument._config.scope import current
from libretto_instrument._config.settings import CallSettings, merge_layers


class Kept:
    """A recorder that keeps finished calls; unlike a flush, it ends no streams.

    Attributes:
        calls: The calls, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def settings(
        self, config: LibrettoConfig | None, given: Overrides | None
    ) -> CallSettings | None:
        """Record every call, under a made-up name."""
        frame = current()
        scoped = frame.fields if frame is not None else {}
        name = {"api_key": "testing", "prompt_template_name": "kept"}
        return CallSettings(**merge_layers(name, scoped, given or {}))

    def submit(self, call: CallRecord) -> None:
        """Keep a finished call."""
        self.calls.append(call)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that the calls amount to, as they go over the wire."""
        return [event.to_json() for event in map(build_event, self.calls) if event]

    @property
    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events
        return event
