"""Counts what happens to messages, and the statistics made of the counts."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping

from attrs import asdict, define, evolve, field, fields, frozen


@frozen(kw_only=True)
class Stats:
    """Where everything is that was ever accepted for delivery.

    At any moment ``accepted == sent + queued + in_flight + spooled +
    sum(dropped.values())``.

    Attributes:
        accepted: Reports taken for delivery.
        queued: Reports that wait in memory, those that wait for a retry included.
        in_flight: Reports that a worker is preparing or sending right now.
        sent: Reports that Libretto accepted.
        retried: Attempts that failed and will be made again.
        dropped: Reports that will never arrive, by reason: ``"queue_full"``,
            ``"too_large"``, ``"withheld"`` (by the user's own hook),
            ``"prepare_failed"``, ``"rejected_<status>"``, ``"shutdown"``.
        spooled: Reports that this process wrote to the spool. Their delivery, by this
            or another process, is in ``relayed`` and in the spool's own statistics.
        relayed: Reports from the spool that this process got Libretto to accept,
            whichever process had written them.
        spool_failures: Reports that could not be written to the spool at once, and
            stayed in memory.
        workers_restarted: Worker threads that died and were replaced.
        last_error: The last failure: a status or the name of an exception.
        last_error_at: When that was, in seconds since the epoch.
        last_success_at: When Libretto last accepted a report, likewise.
        exporters: The same for each exporter, by its name. The numbers above are
            Libretto's alone; what was recorded without an API key is not among them.
    """

    accepted: int = 0
    queued: int = 0
    in_flight: int = 0
    sent: int = 0
    retried: int = 0
    dropped: Mapping[str, int] = field(factory=dict)
    spooled: int = 0
    relayed: int = 0
    spool_failures: int = 0
    workers_restarted: int = 0
    last_error: str | None = None
    last_error_at: float | None = None
    last_success_at: float | None = None
    exporters: Mapping[str, "Stats"] = field(factory=dict)

    @classmethod
    def sum(cls, parts: Iterable["Stats"]) -> "Stats":
        """Add up the statistics of several pipelines."""
        found = list(parts)
        newest = max(found, key=lambda part: part.last_error_at or 0.0, default=cls())
        successes = [part.last_success_at for part in found if part.last_success_at]
        names = dict.fromkeys(name for part in found for name in part.exporters)
        return cls(
            **{name: sum(getattr(part, name) for part in found) for name in _COUNTS},
            dropped=dict(sum((Counter(part.dropped) for part in found), Counter())),
            last_error=newest.last_error,
            last_error_at=newest.last_error_at,
            last_success_at=max(successes, default=None),
            exporters={
                name: cls.sum(
                    part.exporters[name] for part in found if name in part.exporters
                )
                for name in names
            },
        )


_COUNTS = [each.name for each in fields(Stats) if each.type is int]


@define
class Counters:
    """The counts of one destination; the pipeline's lock guards them.

    Attributes:
        relay_rejected: Messages from the store that were rejected, by reason, whichever
            process had written them.
    """

    sent: int = 0
    retried: int = 0
    spooled: int = 0
    relayed: int = 0
    spool_failures: int = 0
    dropped: Counter[str] = field(factory=Counter)
    relay_rejected: Counter[str] = field(factory=Counter)
    last_error: str | None = None
    last_error_at: float | None = None
    last_success_at: float | None = None

    def count_delivered(self, *, is_stored: bool) -> None:
        """Count a message as accepted by the destination."""
        if is_stored:
            self.relayed += 1
        else:
            self.sent += 1
        self.last_success_at = time.time()

    def note_error(self, error: str) -> None:
        """Remember the last failure."""
        self.last_error, self.last_error_at = error, time.time()

    def stats(self, queued: int, in_flight: int, spooled: int) -> Stats:
        """Return the counts, with what is on its way and not counted yet."""
        spooled += self.spooled
        done = self.sent + spooled + self.dropped.total()
        counts = asdict(self, filter=lambda each, _: each.name != "relay_rejected")
        return Stats(
            **counts | {"dropped": dict(self.dropped), "spooled": spooled},
            accepted=queued + in_flight + done,
            queued=queued,
            in_flight=in_flight,
        )

    def relay_stats(self) -> Stats:
        """Return a relay's counts: of what it read from the store, as accepted."""
        return evolve(
            self.stats(0, 0, 0),
            accepted=self.relayed + self.relay_rejected.total(),
            sent=self.relayed,
            dropped=dict(self.relay_rejected),
        )
