"""What travels through the delivery room, and the figures it leaves behind."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from attrs import field, frozen

#: The name of the destination that is not an exporter.
HOME = "libretto"
#: What a prepared message weighs beyond its body: the objects that carry it.
MESSAGE_OVERHEAD = 256


class Item(Protocol):
    """What crosses from the caller's thread: not a message yet, only the makings."""

    @property
    def weight(self) -> int:
        """Roughly how many bytes it holds; it counts towards the bound."""
        ...


@frozen
class Message:
    """One request to Libretto, ready to go.

    Attributes:
        kind: What it is, such as ``"event"``; the sender picks the address by it.
        id: The event's, feedback's or chain's id. Safe to log.
        body: The JSON to post.
        order_key: Messages of one key (a chat, a chain) leave in the order of
            ``put``; None when the order does not matter.
        at: When what it tells of happened, in seconds since the epoch; None if that
            is not known.
        form: 0, or the number of the form in which the body has what the JSON can be
            made of; see `Finishers`.
    """

    kind: str
    id: str
    body: bytes = field(repr=False)
    order_key: str | None = None
    at: float | None = None
    form: int = 0

    @property
    def weight(self) -> int:
        """Roughly how many bytes it holds."""
        return len(self.body) + MESSAGE_OVERHEAD


#: What makes messages to be posted of messages in other forms, by the form's number.
#: Whoever writes them to disk saves the time, and whoever moves them on has it.
Finishers = Mapping[int, Callable[[Message], Message]]


@frozen(kw_only=True)
class Stats:
    """Where everything that was ever put is now.

    At any moment ``recorded == sent + queued + in_flight + spooled +
    sum(dropped.values())``.

    Attributes:
        recorded: Items that were put.
        queued: Items that wait in memory, those that wait for a retry included.
        in_flight: Items that a worker is preparing or sending right now.
        sent: Messages that Libretto accepted.
        retried: Attempts that failed and were put off to be made again.
        dropped: Items that will never arrive, by reason: ``"queue_full"``,
            ``"too_large"``, ``"withheld"`` (by the user's own hook),
            ``"prepare_failed"``, ``"rejected_<status>"``, ``"shutdown"``.
        spooled: Messages that this process wrote to the spool. Their delivery, by
            this or another process, is in ``relayed`` and in the spool's own figures.
        relayed: Messages from the spool that this process got Libretto to accept,
            whoever had put them there.
        unspooled: Messages that could not be written to the spool at once, and stayed
            in memory.
        restarted: Workers that died and were replaced.
        last_error: The last failure: a status or the name of an exception.
        last_error_at: When that was, in seconds since the epoch.
        last_success_at: When Libretto last accepted a message, likewise.
        exporters: The same figures for each exporter, by its name. The ones above are
            Libretto's alone; what was recorded without an API key is not among them.
    """

    recorded: int = 0
    queued: int = 0
    in_flight: int = 0
    sent: int = 0
    retried: int = 0
    dropped: Mapping[str, int] = field(factory=dict)
    spooled: int = 0
    relayed: int = 0
    unspooled: int = 0
    restarted: int = 0
    last_error: str | None = None
    last_error_at: float | None = None
    last_success_at: float | None = None
    exporters: Mapping[str, "Stats"] = field(factory=dict)

    @classmethod
    def total(cls, parts: Iterable["Stats"]) -> "Stats":
        """Add up the figures of several deliveries."""
        total = cls()
        for part in parts:
            newest = max(total, part, key=lambda stats: stats.last_error_at or 0.0)
            dropped = Counter(total.dropped)
            dropped.update(part.dropped)
            exporters = {**total.exporters, **part.exporters}
            for name in total.exporters.keys() & part.exporters.keys():
                both = (total.exporters[name], part.exporters[name])
                exporters[name] = cls.total(both)
            total = cls(
                exporters=exporters,
                dropped=dict(dropped),
                last_error=newest.last_error,
                last_error_at=newest.last_error_at,
                last_success_at=max(
                    filter(None, (total.last_success_at, part.last_success_at)),
                    default=None,
                ),
                **{
                    name: getattr(total, name) + getattr(part, name)
                    for name in _COUNTED
                },
            )
        return total


_COUNTED = (
    "recorded",
    "queued",
    "in_flight",
    "sent",
    "retried",
    "spooled",
    "relayed",
    "unspooled",
    "restarted",
)
