"""The seam to the network: a message goes in, an outcome comes out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from attrs import define, field, frozen

from ._message import Message


@frozen
class Outcome:
    """What became of one attempt to send a message.

    Attributes:
        delivered: Whether Libretto has it.
        spooled: Whether it is on disk instead, for others to deliver.
        retry: Whether another attempt may help. Without it, an undelivered message
            is rejected for good.
        status: The HTTP status, when there was an answer.
        error: A status or the name of an exception; never anything that was sent.
        retry_after: For how many seconds the server asked to be left alone.
    """

    delivered: bool
    spooled: bool = False
    retry: bool = False
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None


class Sender(Protocol):
    """Sends one message at a time; called from several threads at once.

    One that is a `BatchSender`, too, is given several messages where there are.
    """

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Try once to deliver the message.

        Args:
            message: What to send.
            timeout: Give up after so many seconds, if that is sooner than usual.
        """
        ...

    def close(self) -> None:
        """Let go of connections. A later ``send`` may open them again."""
        ...


@runtime_checkable
class BatchSender(Sender, Protocol):
    """Sends several messages at a time, or one.

    Attributes:
        max_batch: At most so many.
    """

    max_batch: int

    def send_batch(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Try once to deliver the messages, no two of which have one order key.

        Args:
            messages: What to send.
            timeout: As for ``send``.

        Returns:
            What became of each.
        """
        ...


@define
class MemorySender:
    """Keeps what it is given, for tests.

    Attributes:
        messages: Everything sent, in the order it was sent.
        closed: Whether ``close`` was called.
    """

    messages: list[Message] = field(factory=list)
    closed: bool = False

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Keep the message and call it delivered."""
        self.messages.append(message)
        return Outcome(delivered=True)

    def close(self) -> None:
        """Note that nobody will send any more."""
        self.closed = True
