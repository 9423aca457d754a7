"""Items, which callers put, and messages, which are made of them and sent."""

from typing import Protocol

from attrs import field, frozen

#: The name of the default destination: Libretto itself. Others are exporters' names.
LIBRETTO = "libretto"
#: What a message occupies beyond its body: the objects that carry it.
MESSAGE_OVERHEAD_BYTES = 256


class Item(Protocol):
    """What crosses from the caller's thread: a record that has yet to be prepared."""

    @property
    def size_bytes(self) -> int:
        """Roughly how many bytes it holds; it counts towards the queue's bound."""
        ...

    @property
    def ordering_key(self) -> str | None:
        """Items of one key are delivered in the order of ``put``."""
        ...


@frozen
class Message:
    """One request, ready to be sent.

    Attributes:
        kind: ``"event"``, ``"feedback"`` or ``"chain"``.
        id: The event's, feedback's or chain's id. Safe to log.
        body: The JSON to post.
        ordering_key: Messages of one key (a chat, a chain) are sent in the order of
            ``put``; None when their order does not matter.
        timestamp: When what it reports happened, in seconds since the epoch; None if
            unknown.
        endpoint: The URL to post it to.
        credential: A short hash of the API key: messages of one key are throttled
            together.
    """

    kind: str
    id: str
    body: bytes = field(repr=False)
    ordering_key: str | None = None
    timestamp: float | None = None
    endpoint: str | None = None
    credential: str | None = None

    @property
    def size_bytes(self) -> int:
        """Roughly how many bytes it holds."""
        return len(self.body) + MESSAGE_OVERHEAD_BYTES
