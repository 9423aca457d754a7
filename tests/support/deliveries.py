"""Items and transports for tests of delivery that need no event and no network."""

import json
import threading
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from libretto_instrument._delivery import Message, Outcome

DELIVERED = Outcome(delivered=True, status=200)
FAILED = Outcome(delivered=False, retry=True, status=503, error="HTTP 503")
UNREACHABLE = Outcome(
    delivered=False, retry=True, error="ConnectionError", is_connection_error=True
)
REJECTED = Outcome(delivered=False, status=400, error="HTTP 400")


@frozen
class Parcel:
    """An item that knows what it will become."""

    id: str
    ordering_key: str | None = None
    kind: str = "event"
    size_bytes: int = 100
    endpoint: str | None = "https://libretto.test/event"
    credential: str | None = "key"


def prepare(parcel: Parcel) -> Message:
    """Make the message of a parcel."""
    body = json.dumps({"promptEventId": parcel.id, "chatId": parcel.ordering_key})
    return Message(
        parcel.kind,
        parcel.id,
        body.encode(),
        parcel.ordering_key,
        endpoint=parcel.endpoint,
        credential=parcel.credential,
    )


@define(eq=False)
class ScriptedTransport:
    """A transport whose outcomes the test decides.

    Attributes:
        decide: Called with the message and how often it was tried before.
        attempts: The ids of the messages, in the order in which sending began.
        delivered: The ids of those delivered.
        batches: How many messages each `send` was given.
        peak: The highest number of sends that there ever were at once.
        peak_of_key: Likewise, for any one ordering key.
        is_closed: Whether ``close`` was called.
    """

    decide: Callable[[Message, int], Outcome] = lambda message, tries: DELIVERED
    max_batch: int = 1
    max_concurrency: int = 8
    attempts: list[str] = field(factory=list)
    delivered: list[str] = field(factory=list)
    batches: list[int] = field(factory=list)
    peak: int = 0
    peak_of_key: int = 0
    is_closed: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)
    _active: list[str | None] = field(factory=list)

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> list[Outcome]:
        with self._lock:
            self.batches.append(len(messages))
        return [self._send(message) for message in messages]

    def _send(self, message: Message) -> Outcome:
        key = message.ordering_key
        with self._lock:
            tries = self.attempts.count(message.id)
            self.attempts.append(message.id)
            self._active.append(key)
            self.peak = max(self.peak, len(self._active))
            if key is not None:
                self.peak_of_key = max(self.peak_of_key, self._active.count(key))
        try:
            outcome = self.decide(message, tries)
        finally:
            with self._lock:
                self._active.remove(key)
        if outcome.delivered:
            with self._lock:
                self.delivered.append(message.id)
        return outcome

    def close(self) -> None:
        self.is_closed = True


@define(eq=False)
class HeldTransport:
    """A transport that holds every message until it is released.

    Attributes:
        began: Released once for each send that begins.
        let_go: Set to let all sends through.
    """

    max_batch: int = 1
    max_concurrency: int = 8
    began: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(factory=threading.Event)
    delivered: list[str] = field(factory=list)

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> list[Outcome]:
        self.began.release()
        self.let_go.wait(30)
        self.delivered += [message.id for message in messages]
        return [DELIVERED] * len(messages)

    def close(self) -> None:
        """Nothing is open."""


@define
class MemoryTransport:
    """A transport that keeps the messages it is given.

    Attributes:
        messages: Everything sent, in the order in which it was sent.
        is_closed: Whether ``close`` was called.
    """

    messages: list[Message] = field(factory=list)
    is_closed: bool = False
    max_batch: int = 1
    max_concurrency: int = 8

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Keep the messages and call them delivered."""
        self.messages.extend(messages)
        return [Outcome(delivered=True)] * len(messages)

    def close(self) -> None:
        """Note that nothing more will be sent."""
        self.is_closed = True
