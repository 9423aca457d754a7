"""How far a destination has got in one segment, and what was read from it."""

from collections.abc import Iterator

from attrs import define, field, frozen

from .._delivery.message import Message
from .acks import format_segment
from .segment import Head


@frozen(eq=False)
class Stored:
    """A message in the spool that one destination has yet to get.

    Attributes:
        message: The message.
        destination: The destination's name.
        segment: The name of the segment it is in.
        offset: Where it begins there, in bytes.
        stored_at: When it was written, in seconds since the epoch.
    """

    message: Message
    destination: str
    segment: str
    offset: int
    stored_at: float


@define
class Cursor:
    """How far one segment was read.

    Attributes:
        name: The segment.
        offset: Where to read next, after what is in ``again``.
        again: Offsets before that to be read again, in descending order.
        skip: Offsets after that which the destination has got already.
        pending: Offsets handed out, and neither acknowledged nor rejected.
        rejected: Offsets of what the destination refused.
        size: How long the segment was when the directory was listed, in bytes.
        next: The entry that comes next, if it is known.
        damage: How many damaged places were found.
        is_in_damage: Whether nothing but damage was found since the last entry.
        noted: The size up to which the log says that all is done.
    """

    name: str
    offset: int = 0
    again: list[int] = field(factory=list)
    skip: set[int] = field(factory=set)
    pending: set[int] = field(factory=set)
    rejected: set[int] = field(factory=set)
    size: int = 0
    next: Head | None = None
    damage: int = 0
    is_in_damage: bool = False
    noted: int = 0

    def has(self, offset: int) -> bool:
        """Return whether the destination has the entry at an offset."""
        return offset in self.skip or (
            offset < self.offset
            and offset not in self.pending
            and offset not in self.again
        )

    def is_complete(self, size: int) -> bool:
        """Return whether the destination has all of the segment, if of that size."""
        return self.offset >= size and not (self.pending or self.again)

    def format(self) -> Iterator[str]:
        """Return the lines that say so in the log."""
        yield format_segment(self.name, self.offset, self.pending.union(self.again))
        for offset in sorted(self.skip - self.rejected):
            yield f"{self.name} {offset}"
        for offset in sorted(self.rejected):
            yield f"{self.name} {offset} !"
