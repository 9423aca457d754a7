"""From the spool to Libretto, on behalf of any number of processes."""

import sqlite3
import threading
from contextlib import suppress
from time import monotonic

from attrs import frozen

from .. import _guard
from . import _life
from ._delivery import Delivery
from ._message import Message, Stats
from ._presence import Presence
from ._sender import Outcome, Sender
from ._spool import LEASE, Spool
from ._spool_values import Stored

#: So many messages are taken from the spool ahead of being sent.
WINDOW = 256
#: At most so many bytes of them at a time.
WINDOW_BYTES = 8 * 2**20
#: How often claims are renewed and bounds are looked at, in seconds.
HOUSEKEEPING = LEASE / 4
#: How soon an empty spool is looked at again: first, and at the longest, in seconds.
#: What other processes write is found this way.
SOON, LATE = 0.02, 0.5

_EXPIRED = Outcome(delivered=False, error="claim expired")


@frozen
class _Claimed(Message):
    """A message that remembers where in the spool it is from."""

    stored: Stored | None = None


def _unpack(stored: Stored) -> Message:
    message = stored.message
    return _Claimed(
        message.kind, message.id, message.body, message.order_key, stored=stored
    )


class _Accounting:
    """A sender that keeps the spool's books as it sends."""

    def __init__(self, spool: Spool, sender: Sender) -> None:
        self._spool = spool
        self._sender = sender
        #: Until when what was claimed is ours, by the monotonic clock.
        self.leased_until = 0.0
        #: What is in memory, and of that what is being sent right now.
        self.held: set[tuple[int, str]] = set()
        self.under_way: set[tuple[int, str]] = set()
        # Sent, but the spool could not be told.
        self._settled: dict[tuple[int, str], Outcome] = {}

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Send a claimed message, once, while the claim holds."""
        assert isinstance(message, _Claimed)
        assert message.stored is not None
        stored = message.stored
        self.under_way.add(stored.key)
        try:
            outcome = self._settled.pop(stored.key, None) or self._try(message, timeout)
            if not outcome.retry:
                outcome = self._book(stored, outcome)
            if not outcome.retry:
                self.held.discard(stored.key)
            return outcome
        finally:
            self.under_way.discard(stored.key)

    def _try(self, message: Message, timeout: float | None) -> Outcome:
        left = self.leased_until - monotonic()
        if left <= 0:
            # We were asleep for too long: by now another process may have it. It will
            # be claimed again, by whomever.
            return _EXPIRED
        limit = left if timeout is None else min(left, timeout)
        return self._sender.send(message, limit)

    def _book(self, stored: Stored, outcome: Outcome) -> Outcome:
        try:
            if outcome.delivered:
                self._spool.remove(stored)
            elif outcome is not _EXPIRED:
                self._spool.set_aside(stored, outcome.error or "refused")
        except (sqlite3.Error, OSError) as exc:
            self._settled[stored.key] = outcome
            return Outcome(delivered=False, retry=True, error=type(exc).__name__)
        return outcome

    def close(self) -> None:
        """Let go of connections."""
        self._sender.close()


class Relay:
    """Claims messages from a spool and delivers them.

    Several may work on one spool, in one process or in many: what one has claimed the
    others leave alone. A relay that is killed loses its claims after ``LEASE`` seconds.
    """

    def __init__(
        self, spool: Spool, sender: Sender, *, max_in_flight: int = 32
    ) -> None:
        """Make a relay that does nothing yet.

        Args:
            spool: Where the messages are.
            sender: Sends them; closed with the relay.
            max_in_flight: At most so many are sent at the same time.
        """
        self._spool = spool
        self._sender = _Accounting(spool, sender)
        self._delivery = Delivery(
            _unpack,
            self._sender,
            # What is claimed must not be dropped, so the window is the bound.
            max_events=4 * WINDOW,
            max_bytes=2**62,
            max_in_flight=max_in_flight,
            drains_at_exit=False,
        )
        self._housekeeping_at = 0.0
        self._idle_for = SOON
        # One step at a time: the background's own, and those of a flush.
        self._stepping = threading.Lock()
        _life.reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        """Leave what the parent claimed to the parent."""
        self._stepping = threading.Lock()
        self._sender.under_way.clear()
        self._sender.held.clear()

    def step(self) -> float:
        """Claim what there is room for.

        Returns:
            After how many seconds to look again.
        """
        try:
            with self._stepping:
                return self._step()
        except (sqlite3.Error, OSError) as exc:
            _guard.warn(
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
            self._sender.leased_until = now + LEASE
            self._spool.keep_bounds()
            self._housekeeping_at = now + HOUSEKEEPING
        room = WINDOW - self._delivery.stats().queued
        claimed = self._spool.claim(room, WINDOW_BYTES) if room >= WINDOW // 4 else []
        for stored in claimed:
            # Claimed once more after a sleep that outlasted the claim, one is here.
            if stored.key not in self._sender.held:
                self._sender.held.add(stored.key)
                self._delivery.put(stored)
        if claimed:
            self._idle_for = SOON
        else:
            self._idle_for = min(self._idle_for * 1.5, LATE)
        return self._idle_for

    def drain(self, timeout: float, *, at_exit: bool = False) -> bool:
        """Deliver what is in the spool now.

        Args:
            timeout: For how many seconds at most.
            at_exit: Start no more threads.

        Returns:
            Whether nothing that could be claimed is left.
        """
        deadline = monotonic() + timeout
        if at_exit:
            self._delivery.hire_no_more()
        while (left := deadline - monotonic()) > 0:
            self.step()
            if not self._delivery.flush(left):
                if not self._delivery.stats().queued:
                    continue  # Some were refused, and are out of the way.
                return False
            if not self._claim_more():
                return True
        return False

    def _claim_more(self) -> bool:
        before = self._delivery.stats().recorded
        self.step()
        return self._delivery.stats().recorded > before

    def stats(self) -> Stats:
        """Tell what this relay did; ``recorded`` counts what it claimed."""
        return self._delivery.stats()

    def hurry(self, timeout: float) -> None:
        """Cut pauses short for what was claimed, for so many seconds at most."""
        self._delivery.flush(timeout)

    def close(self) -> None:
        """Stop, and leave what was claimed and not sent to others."""
        self._delivery.shutdown(0)
        with suppress(sqlite3.Error, OSError):  # Claims run out by themselves, too.
            under_way = self._sender.under_way.copy()
            self._spool.release(but={row for row, _ in under_way})


def relay(
    spool: Spool,
    sender: Sender,
    stop: threading.Event,
    *,
    drain_timeout: float = 10.0,
    max_in_flight: int = 32,
) -> bool:
    """Deliver what the spool holds and what comes, until told to stop.

    Args:
        spool: The spool.
        sender: Sends the messages; closed at the end.
        stop: Set, by a signal handler for instance, to end the relay.
        drain_timeout: For how many seconds to go on then, to empty the spool.
        max_in_flight: At most so many messages are sent at the same time.

    Returns:
        Whether the spool was left with nothing to send.
    """
    worker = Relay(spool, sender, max_in_flight=max_in_flight)
    presence = Presence(spool.directory)
    try:
        while not stop.wait(worker.step()):
            presence.show()
        return worker.drain(drain_timeout)
    finally:
        presence.end()
        worker.close()
        spool.close()
