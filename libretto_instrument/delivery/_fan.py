"""One way in, several ways out: each destination has a queue, and troubles, of its own.

An item is prepared once. Its message then waits in the queue of each destination; the
queues share it, so what several of them hold takes its memory once.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from attrs import evolve

from . import _life
from ._crew import SHORT_NAP
from ._delivery import Delivery, flush_all
from ._message import HOME, Item, Message, Stats
from ._sender import Outcome, Sender

#: Writes a message, that is for Libretto, too, or not, to disk; says whether it could.
Write = Callable[[Message, bool], bool]


class _Onward:
    """The sender behind the preparation: it passes messages on within the process."""

    def __init__(
        self,
        home: bool,
        queues: Mapping[str, Delivery],
        write: Write | None,
        *,
        disk_only: bool,
    ) -> None:
        self._home = home
        self._queues = [queue for name, queue in queues.items() if home or name != HOME]
        self._write = write
        self._disk_only = disk_only

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Write the message to disk, or else put it into each queue."""
        if self._write is not None:
            if self._write(message, self._home):
                return Outcome(delivered=False, spooled=True)
            if self._disk_only:
                return Outcome(delivered=False, retry=True, error="spool unavailable")
        for queue in self._queues:
            queue.put(message)
        return Outcome(delivered=True)

    def close(self) -> None:
        """Nothing is open."""


class Fan:
    """A delivery to several destinations, none of which waits for another."""

    def __init__(
        self,
        prepare: Callable[[Any], Message | None],
        senders: Mapping[str, Sender],
        *,
        write: Write | None = None,
        disk_only: bool = False,
        max_events: int = 10_000,
        max_bytes: int = 64 * 2**20,
        exit_timeout: float = 5.0,
        max_in_flight: int = 32,
        drains_at_exit: bool = True,
    ) -> None:
        """Make a delivery that has not started anything yet.

        Args:
            prepare: As for `Delivery`; may be given messages, which it leaves alone.
            senders: A sender for each destination, by its name; the one named ``HOME``
                is Libretto's.
            write: Writes messages to disk; only those that it can't write go further.
            disk_only: Try it again then, and send nothing.
            max_events: The bounds, as for `Delivery`, of each destination's queue.
            max_bytes: Likewise.
            exit_timeout: As for `Delivery`, for all destinations together.
            max_in_flight: As for `Delivery`, for Libretto. An exporter is given one
                batch at a time.
            drains_at_exit: As for `Delivery`.
        """
        self._exit_timeout = exit_timeout
        self._drains_at_exit = drains_at_exit
        bounds: dict[str, Any] = {
            "max_events": max_events,
            "max_bytes": max_bytes,
            "exit_timeout": exit_timeout,
            "drains_at_exit": False,
        }
        self._queues = {
            name: Delivery(
                _as_it_is,
                sender,
                destination="Libretto" if name == HOME else f"the exporter {name}",
                max_in_flight=max_in_flight if name == HOME else 1,
                **bounds,
            )
            for name, sender in senders.items()
        }
        # Two ways in, as what is recorded without an API key must not count among
        # what Libretto gets, not even while it waits to be prepared.
        self._entries = {
            home: Delivery(
                prepare,
                _Onward(home, self._queues, write, disk_only=disk_only),
                destination="Libretto and the exporters" if home else "the exporters",
                # One worker keeps the order, and to pass on takes no time.
                max_in_flight=1,
                nap=SHORT_NAP,
                **bounds,
            )
            for home in (True, False)
        }
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        self._started = False
        self._exit_deadline: float | None = None

    after_fork_in_child = _start_afresh

    def put(self, item: Item, *, home: bool = True) -> None:
        """Take an item for every destination; as for `Delivery`.

        Args:
            item: The item, or a message.
            home: Whether Libretto is among the destinations.
        """
        self._entries[home].put(item)
        if not self._started:
            self._start()

    def _start(self) -> None:
        """Have the exporters' workers there before the process ends.

        Then no thread can be started, and what an exporter does can't be cut short, as
        the end of the process must be able to.
        """
        started = [
            queue.start() for name, queue in self._queues.items() if name != HOME
        ]
        self._started = all(started)
        if self._drains_at_exit:
            _life.drain_at_exit(self)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every destination has all that was put for it; as `Delivery`."""
        deadline = monotonic() + timeout
        passed_on = flush_all(self._entries.values(), deadline)
        return flush_all(self._queues.values(), deadline) and passed_on

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Deliver what can be delivered in time, then stop for good; as `Delivery`."""
        complete = self.flush(timeout)
        for delivery in (*self._entries.values(), *self._queues.values()):
            delivery.shutdown(0)
        return complete

    def stats(self) -> Stats:
        """Tell where everything is that was put for Libretto, and for each exporter."""
        exporters = {name: self.stats_of(name) for name in self._queues if name != HOME}
        return evolve(self.stats_of(HOME), exporters=exporters)

    def stats_of(self, name: str) -> Stats:
        """Tell where everything is that was put for one destination."""
        # What is passed on just now may for that moment count as recorded twice; the
        # sum is right all the same.
        parts = [
            evolve(stats, recorded=stats.recorded - stats.sent, sent=0)
            for home, entry in self._entries.items()
            if home or name != HOME
            for stats in (evolve(entry.stats(), last_success_at=None),)
        ]
        return Stats.total([*parts, self._queues[name].stats()])

    def drain_at_exit(self) -> None:
        """Deliver what is left as the interpreter exits; as `Delivery`."""
        now = monotonic()
        if self._exit_deadline is None:
            self._exit_deadline = now + self._exit_timeout
        everything = (*self._entries.values(), *self._queues.values())
        for delivery in everything:
            delivery.hire_no_more()
        if now > self._exit_deadline or not any(map(_is_busy, everything)):
            return
        if not self.flush(self._exit_deadline - now):
            for delivery in everything:
                delivery.tell_what_is_left()


def _as_it_is(item: Any) -> Message:
    message: Message = item
    return message


def _is_busy(delivery: Delivery) -> bool:
    stats = delivery.stats()
    return stats.queued + stats.in_flight > 0
