"""The rest of the library, as capture sees it, reduced to a list."""

from typing import Any

from libretto_instrument._capture.call import Call
from libretto_instrument._capture.packing import unpack
from libretto_instrument._config.config import LibrettoConfig
from libretto_instrument._config.fields import Overrides
from libretto_instrument._config.scope import current
from libretto_instrument._config.settings import CallSettings, merge_layers
from libretto_instrument._util.json import encode


class Kept:
    """A recorder that keeps finished calls; unlike a flush, it ends no streams.

    Attributes:
        calls: The calls, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def settings(
        self, config: LibrettoConfig | None, given: Overrides | None
    ) -> CallSettings | None:
        """Record every call, under a made-up name."""
        frame = current()
        scoped = frame.fields if frame is not None else {}
        name = {"api_key": "testing", "prompt_template_name": "kept"}
        return CallSettings(**merge_layers(name, scoped, given or {}))

    def submit(self, call: Call) -> None:
        """Keep a finished call."""
        self.calls.append(call)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that the calls amount to, as they go over the wire.

        So all tests that look at one see to it that it is the same by way of a disk.
        """
        events = [call.report().to_wire() for call in self.calls]
        for call, event in zip(self.calls, events, strict=True):
            makings = call.makings()
            if makings is not None:
                made, _ = unpack(makings.data, event["promptEventId"])
                assert encode(made.to_wire()) == encode(event)
        return events

    @property
    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events
        return event
