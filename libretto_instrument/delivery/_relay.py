"""From the spool to Libretto, on behalf of any number of processes."""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic

from attrs import evolve, frozen

from .._util import errors
from . import _life
from ._crew import SHORT_NAP
from ._delivery import Delivery, flush_all
from ._message import HOME, Message, Stats
from ._presence import Presence
from ._sender import BatchSender, Outcome, Sender
from ._spool import Spool
from ._spool_deeds import LEASE
from ._spool_values import SpoolStats, Stored

#: So many messages are taken from the spool ahead of being sent.
WINDOW = 256
#: At most so many bytes of them at a time.
WINDOW_BYTES = 8 * 2**20
#: How often claims are renewed and bounds are looked at, in seconds.
HOUSEKEEPING = LEASE / 4
#: How soon the spool is looked at again, in seconds: after much was found, and after
#: little or nothing was. What is written meanwhile is moved and sent in one go:
#: to do so for each message as it comes would disturb those who write.
SOON, LATE = 0.02, 0.5
#: So many messages are much.
_MUCH = WINDOW // 4
#: At the end one destination after the other is waited for, for so long, in seconds.
SLICE = 0.1

_EXPIRED = Outcome(delivered=False, error="claim expired")


@frozen
class _Claimed(Message):
    """A message that remembers where in the spool it is from."""

    stored: Stored | None = None


def _unpack(claimed: Message) -> Message:
    return claimed


class _Accounting:
    """A sender that keeps the spool's books as it sends."""

    def __init__(self, spool: Spool, sender: Sender, destination: str) -> None:
        self._spool = spool
        self._sender = sender
        self._batching = sender if isinstance(sender, BatchSender) else None
        self._destination = destination
        #: Until when what was claimed is ours, by the monotonic clock.
        self.leased_until = 0.0
        #: What is in memory, and of that what is being sent right now.
        self.held: set[tuple[int, str]] = set()
        self.under_way: set[tuple[int, str]] = set()
        # Sent, but the spool could not be told.
        self._settled: dict[tuple[int, str], Outcome] = {}

    def claim(self, limit: int) -> list[_Claimed]:
        """Claim so many messages at most; those that are in memory are left out."""
        claimed = []
        for stored in self._spool.claim(
            limit, WINDOW_BYTES, destination=self._destination
        ):
            # Claimed once more after a sleep that outlasted the claim, one is here.
            if stored.key not in self.held:
                self.held.add(stored.key)
                it = stored.message
                claimed.append(
                    _Claimed(
                        it.kind, it.id, it.body, it.order_key, it.at, stored=stored
                    )
                )
        return claimed

    def release(self) -> None:
        """Give back what was claimed and is not being sent."""
        under_way = {row for row, _ in self.under_way.copy()}
        self._spool.release(under_way, destination=self._destination)

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Send a claimed message, once, while the claim holds."""
        return self._send([message], timeout)[0]

    def _send(
        self, messages: Sequence[Message], timeout: float | None
    ) -> list[Outcome]:
        keys = [_stored(message).key for message in messages]
        self.under_way.update(keys)
        try:
            fresh = [
                message
                for message, key in zip(messages, keys, strict=True)
                if key not in self._settled
            ]
            tried = iter(self._try(fresh, timeout) if fresh else [])
            outcomes = {
                key: self._settled.pop(key) if key in self._settled else next(tried)
                for key in keys
            }
            self._book(messages, outcomes)
            self.held.difference_update(key for key in keys if not outcomes[key].retry)
            return [outcomes[key] for key in keys]
        finally:
            self.under_way.difference_update(keys)

    def _try(
        self, messages: Sequence[Message], timeout: float | None
    ) -> Sequence[Outcome]:
        left = self.leased_until - monotonic()
        if left <= 0:
            # We were asleep for too long: by now another process may have it. It will
            # be claimed again, by whomever.
            return [_EXPIRED] * len(messages)
        limit = left if timeout is None else min(left, timeout)
        if self._batching is not None:
            return self._batching.send_batch(messages, limit)
        return [self._sender.send(message, limit) for message in messages]

    def _book(
        self, messages: Sequence[Message], outcomes: dict[tuple[int, str], Outcome]
    ) -> None:
        """Tell the spool; what it can't be told now is kept, to be told later."""
        stored = map(_stored, messages)
        unbooked = [each for each in stored if _is_final(outcomes[each.key])]
        try:
            delivered = [each for each in unbooked if outcomes[each.key].delivered]
            if delivered:
                self._spool.remove(*delivered)
            unbooked = [each for each in unbooked if not outcomes[each.key].delivered]
            while unbooked:
                reason = outcomes[unbooked[-1].key].error or "refused"
                self._spool.set_aside(unbooked[-1], reason)
                unbooked.pop()
        except (sqlite3.Error, OSError) as exc:
            error = type(exc).__name__
            for each in unbooked:
                self._settled[each.key] = outcomes[each.key]
                outcomes[each.key] = Outcome(delivered=False, retry=True, error=error)

    def close(self) -> None:
        """Let go of connections."""
        self._sender.close()


class _BatchAccounting(_Accounting):
    """The same around a sender of batches."""

    def __init__(self, spool: Spool, sender: BatchSender, destination: str) -> None:
        super().__init__(spool, sender, destination)
        self.max_batch = sender.max_batch

    def send_batch(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Send claimed messages; see ``send``."""
        return self._send(messages, timeout)


def _is_final(outcome: Outcome) -> bool:
    return not outcome.retry and outcome is not _EXPIRED


def _stored(message: Message) -> Stored:
    assert isinstance(message, _Claimed)
    assert message.stored is not None
    return message.stored


class _Lane:
    """The way from the spool to one destination."""

    def __init__(
        self, spool: Spool, sender: Sender, destination: str, max_in_flight: int
    ) -> None:
        self.sender = (
            _BatchAccounting(spool, sender, destination)
            if isinstance(sender, BatchSender)
            else _Accounting(spool, sender, destination)
        )
        self.delivery = Delivery(
            _unpack,
            self.sender,
            # What is claimed must not be dropped, so the window is the bound.
            max_events=4 * WINDOW,
            max_bytes=2**62,
            max_in_flight=max_in_flight,
            drains_at_exit=False,
            nap=SHORT_NAP,
        )

    def step(self) -> bool:
        """Claim what there is room for; say whether that, or what is here, is much."""
        room = WINDOW - self.delivery.stats().queued
        if room < _MUCH:
            return True
        claimed = self.sender.claim(room)
        for message in claimed:
            self.delivery.put(message)
        return len(claimed) >= _MUCH

    @property
    def busy(self) -> bool:
        """Whether something of what was claimed has yet to be sent."""
        stats = self.delivery.stats()
        return stats.queued + stats.in_flight > 0


class Relay:
    """Claims messages from a spool and delivers them.

    Several may work on one spool, in one process or in many: what one has claimed the
    others leave alone. A relay that is killed loses its claims after ``LEASE`` seconds.
    Each destination has claims, and a queue, of its own.
    """

    def __init__(
        self,
        spool: Spool,
        sender: Sender,
        *,
        others: Mapping[str, Sender] | None = None,
        max_in_flight: int = 32,
    ) -> None:
        """Make a relay that does nothing yet.

        Args:
            spool: Where the messages are.
            sender: Sends them to Libretto; closed with the relay.
            others: What sends them elsewhere, by the destination's name; likewise.
            max_in_flight: At most so many are sent to Libretto at the same time.
        """
        self._spool = spool
        self._lanes = {HOME: _Lane(spool, sender, HOME, max_in_flight)}
        for name, other in (others or {}).items():
            self._lanes[name] = _Lane(spool, other, name, 1)
        spool.delivers = tuple(self._lanes)
        self._housekeeping_at = 0.0
        # One step at a time: the background's own, and those of a flush.
        self._stepping = threading.Lock()
        _life.reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        """Leave what the parent claimed to the parent."""
        self._stepping = threading.Lock()
        for lane in self._lanes.values():
            lane.sender.under_way.clear()
            lane.sender.held.clear()

    def step(self) -> float:
        """Claim what there is room for.

        Returns:
            After how many seconds to look again.
        """
        try:
            with self._stepping:
                return self._step()
        except (sqlite3.Error, OSError, MemoryError) as exc:
            errors.warn(
                "relay.spool",
                "The spool in %s can't be read now (%s: %s); trying again.",
                self._spool.directory,
                type(exc).__name__,
                exc,
            )
            return LATE

    def _step(self) -> float:
        now = monotonic()
        if now >= self._housekeeping_at:
            self._spool.renew()
            for lane in self._lanes.values():
                lane.sender.leased_until = now + LEASE
            self._spool.keep_bounds()
            self._spool.tidy()
            self._housekeeping_at = now + HOUSEKEEPING
            # The last, lest trouble with that file keep the rest from being done.
            self._spool.adopt()
        much = [lane.step() for lane in self._lanes.values()]
        return SOON if any(much) else LATE

    def drain(self, timeout: float, *, at_exit: bool = False) -> bool:
        """Deliver what is in the spool now.

        Args:
            timeout: For how many seconds at most.
            at_exit: Start no more threads.

        Returns:
            Whether nothing that could be claimed is left.
        """
        deadline = monotonic() + timeout
        lanes = list(self._lanes.values())
        if at_exit:
            for lane in lanes:
                lane.delivery.hire_no_more()
            # What an exporter does on this thread can't be cut short; the spool keeps
            # for the next process what there is nobody else to do.
            home = self._lanes[HOME]
            lanes = [lane for lane in lanes if lane is home or lane.delivery.staffed]
        while monotonic() < deadline:
            claimed = self._claimed()
            self.step()
            busy = [lane.delivery for lane in lanes if lane.busy]
            if not busy and self._claimed() == claimed and not self._take_in():
                return True
            # While one is waited for, the others have only what was claimed for them.
            together = len(lanes) > 1 and all(delivery.staffed for delivery in busy)
            until = monotonic() + SLICE if together else deadline
            flush_all(busy, min(until, deadline))
        return False

    def _take_in(self) -> bool:
        with suppress(sqlite3.Error, OSError):
            return self._spool.take_in()
        return False

    def start(self) -> bool:
        """Have the exporters' workers there; as `Delivery.start`."""
        lanes = [lane for name, lane in self._lanes.items() if name != HOME]
        started = [lane.delivery.start() for lane in lanes]
        return all(started)

    def _claimed(self) -> int:
        return sum(lane.delivery.stats().recorded for lane in self._lanes.values())

    def stats(self, destination: str = HOME) -> Stats:
        """Tell what this relay did; ``recorded`` counts what it claimed."""
        return self._lanes[destination].delivery.stats()

    def stats_of_all(self) -> Stats:
        """Tell what this relay did for Libretto and, apart, for each exporter."""
        exporters = {name: self.stats(name) for name in self._lanes if name != HOME}
        return evolve(self.stats(), exporters=exporters)

    def hurry(self, timeout: float) -> None:
        """Cut pauses short for what was claimed, for so many seconds at most."""
        lanes = self._lanes.values()
        flush_all([lane.delivery for lane in lanes], monotonic() + timeout)

    def close(self) -> None:
        """Stop, and leave what was claimed and not sent to others."""
        for lane in self._lanes.values():
            lane.delivery.shutdown(0)
            with suppress(sqlite3.Error, OSError):  # Claims run out by themselves.
                lane.sender.release()


def relay(
    spool: Spool,
    sender: Sender,
    stop: threading.Event,
    *,
    others: Mapping[str, Sender] | None = None,
    drain_timeout: float = 10.0,
    max_in_flight: int = 32,
    on_start: "Callable[[Callable[[], tuple[Stats, SpoolStats]]], None] | None" = None,
) -> bool:
    """Deliver what the spool holds and what comes, until told to stop.

    Args:
        spool: The spool.
        sender: Sends the messages; closed at the end.
        stop: Set, by a signal handler for instance, to end the relay.
        others: As for `Relay`.
        drain_timeout: For how many seconds to go on then, to empty the spool.
        max_in_flight: At most so many messages are sent at the same time.
        on_start: Called at the beginning with what tells the figures at any moment.

    Returns:
        Whether the spool was left with nothing to send.
    """
    worker = Relay(spool, sender, others=others, max_in_flight=max_in_flight)
    presence = Presence(spool.directory)
    try:
        if on_start is not None:
            on_start(lambda: (worker.stats_of_all(), spool.stats()))
        while not stop.wait(worker.step()):
            presence.show()
        return worker.drain(drain_timeout)
    finally:
        presence.end()
        worker.close()
        spool.close()
