"""What the pipeline needs of a store: messages on disk that outlive the process."""

from typing import Any, Protocol

from .message import Message


class Stored(Protocol):
    """A message on disk that one destination has yet to get.

    Attributes:
        message: The message.
        destination: The destination's name.
    """

    @property
    def message(self) -> Message: ...

    @property
    def destination(self) -> str: ...


class Store(Protocol):
    """Messages on disk, with one reader at a time for each destination.

    No method waits for another process. Each call of ``read`` or ``maintain`` works for
    at most about 50 ms.
    """

    def append(self, message: Message, destinations: tuple[str, ...] | None) -> bool:
        """Write a message to disk; on any thread, in signal handlers and finalizers.

        Args:
            message: The message.
            destinations: Who is to get it; None leaves that to the reader.

        Returns:
            Whether it is on disk. It never raises.
        """
        ...

    def try_lead(self, destination: str) -> bool:
        """Become, or stay, the reader for a destination, unless another process is."""
        ...

    def read(self, destination: str, max_messages: int, max_bytes: int) -> list[Any]:
        """Return what was not handed out yet in this process, oldest first.

        It is empty if this process is not the reader.
        """
        ...

    def ack(self, stored: Any) -> None:
        """Note that the destination has the message. It never raises."""
        ...

    def reject(self, stored: Any, reason: str) -> None:
        """Move the message to the destination's dead letters. It never raises."""
        ...

    def release(self, stored: Any) -> None:
        """Take a message back that was not sent: it will be read again."""
        ...

    def maintain(self) -> None:
        """Keep the bounds; to be called about once a second. It never raises."""
        ...

    def own_pending(self, destinations: tuple[str, ...]) -> int:
        """Count the messages that this process wrote and a destination lacks."""
        ...

    def stop_leading(self) -> None:
        """Let other processes read."""
        ...

    def close(self) -> None:
        """Close files; a later ``append`` opens them again."""
        ...

    def reset(self) -> None:
        """Forget, in a forked child, what belongs to the parent."""
        ...
