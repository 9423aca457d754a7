"""What comes out of a spool."""

from attrs import field, frozen

from ._message import HOME, Message


@frozen
class Stored:
    """A message that was claimed from the spool.

    Attributes:
        row: Its place in the spool.
        message: The message.
        destination: Where it is to be sent by who claimed it.
    """

    row: int
    message: Message
    destination: str = HOME

    @property
    def key(self) -> tuple[int, str]:
        """Tells it from all others, as the row does not: once free, it is reused."""
        return self.row, self.message.id

    @property
    def weight(self) -> int:
        """Roughly how many bytes it holds."""
        return self.message.weight


@frozen
class Refused:
    """A message that a destination refused and that was kept for inspection.

    Attributes:
        row: Its number, for ``retry`` and ``discard``.
        reason: Why, such as ``"HTTP 413"``.
        stored_at: When it was written, in seconds since the epoch.
        refused_at: When it was refused, likewise.
        message: The message.
        destination: Where it was refused.
    """

    row: int
    reason: str
    stored_at: float
    refused_at: float
    message: Message = field(repr=False)
    destination: str = HOME


@frozen(kw_only=True)
class SpoolStats:
    """What is in a spool, over all the processes that share it.

    Attributes:
        waiting: Messages that some destination has yet to be sent.
        waiting_for: Messages to be sent, by destination.
        claimed: Those among them that some process is sending.
        aside: Messages that were refused, kept for inspection.
        lost: Messages that will never arrive, by reason: ``"spool_full"`` and
            ``"spool_expired"`` were pushed out by the bounds, ``"spool_damaged"`` could
            not be read.
        oldest_at: When the oldest one waiting was written, in seconds since the epoch.
        size: The bytes in use.
    """

    waiting: int
    waiting_for: dict[str, int]
    claimed: int
    aside: int
    lost: dict[str, int]
    oldest_at: float | None
    size: int
