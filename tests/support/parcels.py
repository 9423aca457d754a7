"""Items and senders for tests of the delivery that need no event and no network."""

import json
import threading
from collections.abc import Callable

from attrs import define, field, frozen

from libretto_instrument.delivery import Message, Outcome

DELIVERED = Outcome(delivered=True, status=200)
FAILED = Outcome(delivered=False, retry=True, status=503, error="HTTP 503")
REJECTED = Outcome(delivered=False, status=400, error="HTTP 400")


@frozen
class Parcel:
    """An item that knows what it will become."""

    id: str
    order_key: str | None = None
    kind: str = "event"
    weight: int = 100


def prepare(parcel: Parcel) -> Message:
    """Make the message of a parcel."""
    body = json.dumps({"promptEventId": parcel.id, "chatId": parcel.order_key})
    return Message(parcel.kind, parcel.id, body.encode(), parcel.order_key)


@define(eq=False)
class ScriptedSender:
    """A sender whose outcomes the test decides.

    Attributes:
        decide: Called with the message and how often it was tried before.
        attempts: The ids of the messages, in the order in which sending began.
        delivered: The ids of those delivered.
        busiest: The highest number of sends that there ever were at once.
        busiest_lane: Likewise, for any one order key.
    """

    decide: Callable[[Message, int], Outcome] = lambda message, tries: DELIVERED
    attempts: list[str] = field(factory=list)
    delivered: list[str] = field(factory=list)
    busiest: int = 0
    busiest_lane: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)
    _under_way: list[str | None] = field(factory=list)

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        with self._lock:
            tries = self.attempts.count(message.id)
            self.attempts.append(message.id)
            key = message.order_key
            self._under_way.append(key)
            self.busiest = max(self.busiest, len(self._under_way))
            if key is not None:
                lane = self._under_way.count(key)
                self.busiest_lane = max(self.busiest_lane, lane)
        try:
            outcome = self.decide(message, tries)
        finally:
            with self._lock:
                self._under_way.remove(key)
        if outcome.delivered:
            with self._lock:
                self.delivered.append(message.id)
        return outcome

    def close(self) -> None:
        """Nothing is open."""


@define(eq=False)
class HeldSender:
    """A sender that holds every message until it is let go.

    Attributes:
        began: Released once for each send that begins.
        let_go: Set to let all sends through.
    """

    began: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(factory=threading.Event)
    delivered: list[str] = field(factory=list)

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        self.began.release()
        self.let_go.wait(30)
        self.delivered.append(message.id)
        return DELIVERED

    def close(self) -> None:
        """Nothing is open."""
