"""The protocol of a store: messages on disk that outlive the process."""

from typing import Any, Protocol

from .message import Message


class Store(Protocol):
    """Messages on disk, with one reader at a time for each destination.

    What a reader has read, and no ``ack`` or ``reject`` was called for, its successor
    reads again.

    No method waits for another process or raises, and ``read`` and ``maintain`` work
    for at most about 50 ms. What ``read`` returns has the attribute ``message``.
    """

    def append(self, message: Message, destinations: tuple[str, ...] | None) -> bool:
        """Write a message to disk, on any thread; say whether it is there.

        Args:
            message: The message.
            destinations: Who is to get it; None leaves that to the reader.
        """
        ...

    def try_lead(self, destination: str) -> bool:
        """Become, or stay, the reader for a destination, unless another process is."""
        ...

    def read(self, destination: str, max_messages: int, max_bytes: int) -> list[Any]:
        """Return, to the reader, what was not handed out yet, oldest first."""
        ...

    def ack(self, stored: Any) -> None:
        """Note that the destination has the message."""
        ...

    def reject(self, stored: Any, reason: str) -> None:
        """Move the message to the destination's dead letters."""
        ...

    def maintain(self) -> None:
        """Keep the bounds; to be called about once a second."""
        ...

    def own_pending(self, destinations: tuple[str, ...]) -> int:
        """Count the messages that this process wrote and a destination lacks."""
        ...

    def own_rejected(self, destinations: tuple[str, ...]) -> set[Any]:
        """Return which messages of this process a destination refused, lately."""
        ...

    def close(self) -> None:
        """Let other processes read, and close files; ``append`` opens them again."""
        ...

    def reset(self) -> None:
        """Forget, in a forked child, what belongs to the parent."""
        ...
