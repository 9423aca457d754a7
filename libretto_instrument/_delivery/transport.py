"""The seam to the network: messages go in, an outcome for each comes out."""

from collections.abc import Sequence
from typing import Protocol

from attrs import define, field, frozen

from .message import Message


@frozen
class Outcome:
    """The result of one attempt to send a message.

    Attributes:
        delivered: Whether the destination has it.
        retry: Whether another attempt may help. Without it, an undelivered message is
            rejected for good.
        status: The HTTP status, if there was an answer.
        error: A status, or the name of an exception; never anything that was sent.
        retry_after: For how many seconds the server asked not to be sent more.
        is_connection_error: The server could not be reached, or did not answer: it is
            not this message that it chokes on.
    """

    delivered: bool
    retry: bool = False
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    is_connection_error: bool = False


class Transport(Protocol):
    """Sends messages to one destination."""

    @property
    def max_batch(self) -> int:
        """At most this many messages are given to one ``send``."""
        ...

    @property
    def max_concurrency(self) -> int:
        """At most this many threads call ``send`` at a time."""
        ...

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Try once to deliver the messages, no two of which have one ordering key.

        Args:
            messages: What to send: at least one.
            timeout: Give up after this many seconds, if that is sooner than usual.

        Returns:
            An outcome for each message.
        """
        ...

    def close(self) -> None:
        """Release connections and files. A later ``send`` may open them again."""
        ...


@define
class MemoryTransport:
    """Keeps the messages it is given, for tests.

    Attributes:
        messages: Everything sent, in the order in which it was sent.
        is_closed: Whether ``close`` was called.
        max_batch: As for `Transport`.
        max_concurrency: As for `Transport`.
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
