"""A delivery that writes to disk first."""

import sqlite3
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from attrs import evolve

from .._util import errors
from . import _life
from ._background import Background
from ._fan import Fan
from ._message import HOME, Item, Message, Stats
from ._relay import Relay
from ._sender import Sender
from ._spool import Spool
from ._spool_values import SpoolStats

#: How soon a flush asks the spool what is left, first and at the longest, in seconds.
_SOON, _LATE = 0.01, 0.25


class DurableDelivery:
    """A delivery whose messages outlive the process.

    ``keep`` and ``put_message`` write to the spool before they return; ``put`` does so
    as soon as a worker has prepared the item. What can't be written stays in memory and
    goes its usual way. What is on disk is delivered by this process, unless it is told
    to leave that to a relay.
    """

    def __init__(
        self,
        prepare: Callable[[Any], Message | None],
        sender: Sender,
        spool: Spool,
        *,
        prepare_to_keep: Callable[[Any], Message | None] | None = None,
        others: Mapping[str, Sender] | None = None,
        spool_only: bool = False,
        max_events: int = 10_000,
        max_bytes: int = 64 * 2**20,
        exit_timeout: float = 5.0,
        max_in_flight: int = 32,
    ) -> None:
        """Make a delivery that has not started anything yet.

        Args:
            prepare: As for `Delivery`.
            sender: As for `Delivery`; not used with ``spool_only``.
            spool: Where messages are written; closed by ``shutdown``.
            prepare_to_keep: As ``prepare``, but may leave it to the spool's finishers
                to make the JSON; ``prepare`` itself if left out.
            others: What delivers to other destinations, by name; likewise.
            spool_only: Write, and leave the sending to a relay.
            max_events: As for `Delivery`: the bounds of what is in memory.
            max_bytes: Likewise.
            exit_timeout: As for `Delivery`.
            max_in_flight: As for `Delivery`.
        """
        self._spool = spool
        self._prepare_to_keep = prepare_to_keep or prepare
        self._exit_timeout = exit_timeout
        others = others or {}
        # With a relay declared and nobody else named, the relay is to decide.
        self._destinations = {
            True: None if spool_only and not others else (HOME, *others),
            False: tuple(others),
        }
        self._memory = Fan(
            lambda item: item if isinstance(item, Message) else prepare(item),
            {HOME: sender, **others},
            write=lambda message, home: spool.add(message, self._destinations[home]),
            disk_only=spool_only,
            max_events=max_events,
            max_bytes=max_bytes,
            max_in_flight=max_in_flight,
            exit_timeout=exit_timeout,
            drains_at_exit=False,
        )
        self._relay: Relay | None = None
        if not spool_only:
            self._relay = Relay(
                spool, sender, others=others, max_in_flight=max_in_flight
            )
            self._relaying = Background("libretto-relay", self._relay.step)
        self._start_afresh()
        _life.reset_after_fork(self)

    def _start_afresh(self) -> None:
        self._stopped = False
        self._refused = 0
        self._exit_prepared = False
        self._ended = False
        self._relay_started = False

    after_fork_in_child = _start_afresh

    def keep(self, item: Item, *, home: bool = True) -> None:
        """Prepare an item and write it to disk; see ``put_message``."""
        try:
            message = self._prepare_to_keep(item)
        except Exception:
            message = None
        if message is None:
            # The worker finds the same, and counts and tells it.
            self.put(item, home=home)
        else:
            self.put_message(message, item, home=home)

    def put_message(
        self, message: Message, item: Item | None = None, *, home: bool = True
    ) -> None:
        """Write a message to disk; it is there when this returns.

        If it can't be, within the spool's time for busy files, it stays in memory,
        counted as ``unspooled``. It never raises.

        Args:
            message: The message.
            item: What stays in memory, to be prepared; the message itself, which has
                to be finished, if left out.
            home: Whether Libretto is among its destinations.
        """
        item = item or message
        try:
            written = not self._stopped and self._spool.add(
                message, self._destinations[home]
            )
        except Exception as exc:
            self.put(item, home=home)
            errors.log_internal_error(exc, "delivery.put_message")
            return
        if not written:
            self.put(item, home=home)
            return
        try:
            self._after_write()
        except Exception as exc:
            errors.log_internal_error(exc, "delivery.put_message")

    def put(self, item: Item, *, home: bool = True) -> None:
        """Take an item that has yet to be prepared; as for `Fan`."""
        self._memory.put(item, home=home)
        self._after_write()

    def _after_write(self) -> None:
        if not self._exit_prepared:
            self._exit_prepared = True
            _life.drain_at_exit(self)
        if self._relay is not None:
            if not self._relay_started:
                self._relay_started = self._relay.start()
            self._relaying.start()

    def start(self) -> None:
        """Deliver what earlier processes left in the spool, without waiting for news.

        With ``spool_only`` it does nothing.
        """
        if self._relay is not None:
            self._after_write()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put before is delivered, or with ``spool_only``,
        until it is on disk.

        Args:
            timeout: For how many seconds at most.

        Returns:
            Whether it is, and nothing of it was lost since the last flush.
        """
        deadline = monotonic() + timeout
        complete = self._memory.flush(timeout)
        if self._relay is None:
            return complete
        try:
            return self._await_relay(self._relay, deadline) and complete
        except (sqlite3.Error, OSError, MemoryError) as exc:
            errors.warn("spool.flush", "The spool can't be read (%s).", exc)
            return False

    def _await_relay(self, relay: Relay, deadline: float) -> bool:
        spool, pause = self._spool, _SOON
        last_row = spool.newest_of_mine(deadline)
        if last_row is None:
            return False
        while last_row and spool.left_of_mine(last_row):
            left = deadline - monotonic()
            if left <= 0:
                return False
            relay.step()
            relay.hurry(min(left, pause))
            pause = min(pause * 2, _LATE)
        refused, self._refused = self._refused, spool.refused_of_mine()
        return self._refused <= refused

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Deliver what can be delivered in time, then stop for good.

        What is on disk by then stays there, for another process or a relay.

        Args:
            timeout: For how many seconds at most.

        Returns:
            What ``flush`` returned.
        """
        complete = self.flush(timeout)
        self._stopped = True
        self._memory.shutdown(0)
        self._end()
        return complete

    def _end(self) -> None:
        if self._relay is not None and not self._ended:
            self._ended = True
            self._relaying.stop()
            self._relay.close()
        self._spool.close()

    def stats(self) -> Stats:
        """Tell where everything is that was put for Libretto, and for each exporter."""
        stats = self._memory.stats()
        exporters = {
            name: self._with_the_spool(name, its)
            for name, its in stats.exporters.items()
        }
        return evolve(self._with_the_spool(HOME, stats), exporters=exporters)

    def _with_the_spool(self, name: str, stats: Stats) -> Stats:
        # What did not go by way of the memory. What a worker is writing just now may
        # for that moment count as recorded twice; the sum is right all the same.
        written = self._spool.written_for.copy()
        direct = -stats.spooled + sum(
            count
            for destinations, count in written.items()
            if name in (destinations or (HOME,))
        )
        stats = evolve(
            stats,
            recorded=stats.recorded + direct,
            spooled=stats.spooled + direct,
            unspooled=self._spool.missed,
        )
        if self._relay is None:
            return stats
        relayed = self._relay.stats(name)
        newest = max(stats, relayed, key=lambda s: s.last_error_at or 0.0)
        return evolve(
            stats,
            relayed=relayed.sent,
            retried=stats.retried + relayed.retried,
            restarted=stats.restarted + relayed.restarted,
            last_error=newest.last_error,
            last_error_at=newest.last_error_at,
            last_success_at=max(
                filter(None, (stats.last_success_at, relayed.last_success_at)),
                default=None,
            ),
        )

    def spool_stats(self) -> SpoolStats:
        """Count what is in the spool, whoever wrote it."""
        return self._spool.stats()

    def drain_at_exit(self) -> None:
        """Get everything to disk, and as much as possible delivered, at the exit."""
        deadline = monotonic() + self._exit_timeout
        self._memory.drain_at_exit()
        if self._relay is not None and not self._ended:
            self._relaying.stop()
            self._relay.drain(deadline - monotonic(), at_exit=True)
        self._end()
