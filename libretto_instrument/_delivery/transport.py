"""The seam to the network: messages go in, an outcome for each comes out."""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

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
