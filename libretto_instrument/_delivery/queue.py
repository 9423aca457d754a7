"""The queue of one destination: what is not yet delivered, and what goes next.

It has no lock and starts no thread; the pipeline guards it.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from .circuit import Circuit, CircuitBreaker
from .entry import Entry
from .message import Message
from .retry import MAX_BACKOFF, MAX_BACKOFF_FLUSHING, backoff
from .transport import Outcome


@define(eq=False)
class DeliveryQueue:
    """A queue that keeps the order within each key and tries again what failed.

    An entry that was never tried goes before one that is due for a retry, so that a few
    that always fail stop no others.

    Attributes:
        max_batch: At most this many entries are taken at a time.
        max_concurrency: At most this many batches are in flight.
        active: How many batches are in flight.
        bytes: The size of all entries that are in memory only.
        stored_bytes: The size of those that are on disk, too.
        latency: Seconds that a batch takes: a moving average; 0 is unknown.
        ends: How many batches were done.
        last_end: When one was done last, or the first began, by the monotonic clock.
    """

    max_batch: int = 1
    max_concurrency: int = 8
    active: int = 0
    bytes: int = 0
    stored_bytes: int = 0
    latency: float = 0.0
    ends: int = 0
    last_end: float = 0.0
    _expedited_until: float = 0.0
    # What may be dropped, the oldest first: in memory only, and not in flight.
    _waiting: "OrderedDict[Entry, None]" = field(factory=OrderedDict)
    _taken: "dict[Entry, None]" = field(factory=dict)
    # What is on disk, too: waiting or taken.
    _stored: "dict[Entry, None]" = field(factory=dict)
    # Per key in use, its entries in order; the first is ready or in flight.
    _keys: dict[str, deque[Entry]] = field(factory=dict)
    _endpoint_breakers: dict[str | None, CircuitBreaker] = field(factory=dict)
    # The one that was served last at the end.
    _circuits: "OrderedDict[Any, Circuit]" = field(factory=OrderedDict)

    @property
    def queued(self) -> int:
        """How many entries wait in memory only."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many of these have been taken."""
        return len(self._taken)

    @property
    def pending(self) -> int:
        """How many entries are in memory only, waiting or in flight."""
        return len(self._waiting) + len(self._taken)

    @property
    def stored_pending(self) -> int:
        """How many entries are on disk, too, waiting or in flight."""
        return len(self._stored)

    def waiting_entries(self) -> Sequence[Entry]:
        """Return what waits in memory only, oldest first."""
        return list(self._waiting)

    def taken_entries(self) -> Sequence[Entry]:
        """Return what is in flight, and in memory only."""
        return list(self._taken)

    def add(self, entry: Entry, now: float) -> None:
        """Take an entry in."""
        message = entry.payload if isinstance(entry.payload, Message) else None
        endpoint = message.endpoint if message else None
        name = endpoint, message.credential if message else None
        if name not in self._circuits:
            breaker = self._endpoint_breakers.setdefault(endpoint, CircuitBreaker())
            self._circuits[name] = Circuit(name, breaker)
        entry.circuit = self._circuits[name]
        entry.circuit.size += 1
        entry.is_waiting = True
        if entry.stored is None:
            self.bytes += entry.size
            self._waiting[entry] = None
        else:
            self._stored[entry] = None
            self.stored_bytes += entry.size
        if entry.ordering_key is not None:
            line = self._keys.setdefault(entry.ordering_key, deque())
            line.append(entry)
            if len(line) > 1:
                return
        entry.circuit.push(entry, now)

    def take(self, now: float, min_wait: float = 0.0) -> list[Entry]:
        """Hand out what may go now; each entry is to be completed or retried.

        The first has been ready for ``min_wait`` seconds. Entries that failed before go
        in ever smaller batches, until the one that a batch fails for is alone.
        """
        if self.active >= self.max_concurrency:
            return []
        for is_retry in (False, True):
            for circuit in self._circuits.values():
                entry = circuit.take(now, is_retry=is_retry, min_wait=min_wait)
                if entry is None:
                    continue
                batch, limit = [entry], self.max_batch >> (2 * entry.failures)
                while len(batch) < limit and (
                    more := circuit.take(now, is_retry=is_retry, min_wait=0.0)
                ):
                    batch.append(more)
                for each in batch:
                    if each.stored is None:
                        del self._waiting[each]
                        self._taken[each] = None
                self._circuits.move_to_end(circuit.name)
                self.active += 1
                self.last_end = self.last_end or now
                return batch
        return []

    def next_at(self, now: float, min_wait: float = 0.0) -> float:
        """Return when ``take`` has something; infinity if that depends on events."""
        if self.active >= self.max_concurrency:
            return math.inf
        times = (circuit.next_at(now, min_wait) for circuit in self._circuits.values())
        return min(times, default=math.inf)

    # After an attempt

    def note(
        self, batch: Sequence[Entry], outcomes: Sequence[Outcome], now: float
    ) -> None:
        """Tell the breakers how an attempt went."""
        entry = batch[0]
        circuit: Circuit = entry.circuit
        failed = next((outcome for outcome in outcomes if outcome.retry), None)
        is_news = not entry.failures  # That it fails again says nothing of others.
        counts = entry.is_probe or not circuit.is_open
        if entry.is_probe:
            circuit.endpoint_breaker.is_probing = circuit.key_breaker.is_probing = False
        if failed is None:
            circuit.endpoint_breaker.on_success()
            circuit.key_breaker.on_success()
        elif failed.is_connection_error:
            if counts:
                circuit.endpoint_breaker.on_failure(now, self._max_backoff(now))
        else:
            circuit.endpoint_breaker.on_success()
            # For 5xx it holds for this message alone, which may be what is wrong.
            if failed.retry_after is not None and failed.status in (429, None):
                circuit.key_breaker.open_until(now + failed.retry_after)
            elif is_news and counts:
                circuit.key_breaker.on_failure(now, self._max_backoff(now))

    def end(self, latency: float, now: float) -> None:
        """Note that a batch is done, after ``latency`` seconds."""
        self.active -= 1
        self.latency += (latency - self.latency) * (0.2 if self.latency else 1.0)
        self.ends += 1
        self.last_end = now

    def complete(self, entry: Entry, now: float) -> None:
        """Let go of an entry that was taken: it is delivered, or lost."""
        if entry.stored is None:
            del self._taken[entry]
            self.bytes -= entry.size
        else:
            self._release_stored(entry)
        self._remove(entry, now)

    def retry(self, entry: Entry, now: float, after: float | None = None) -> None:
        """Take an entry back, to be tried again after a pause."""
        entry.failures += 1
        entry.is_probe = False
        if after is None:
            after = backoff(entry.failures, self._max_backoff(now))
        entry.is_waiting = True
        if entry.stored is None:
            del self._taken[entry]
            self._waiting[entry] = None
            self._waiting.move_to_end(entry, last=False)
        entry.circuit.push(entry, now + after)

    def drop_oldest(self, now: float) -> Entry | None:
        """Drop the entry that has waited longest in memory, and return it."""
        if not self._waiting:
            return None
        entry, _ = self._waiting.popitem(last=False)
        self.bytes -= entry.size
        self._remove(entry, now)
        return entry

    def drop_stored(self, now: float) -> None:
        """Let go of what waits and is on disk."""
        for entry in [entry for entry in self._stored if entry.is_waiting]:
            self._release_stored(entry)
            self._remove(entry, now)

    def expedite(self, now: float, until: float) -> None:
        """Cut all pauses short, and new ones until a time: a flush waits."""
        self._expedited_until = max(self._expedited_until, until)
        for circuit in self._circuits.values():
            circuit.expedite(now)

    # Inside

    def _max_backoff(self, now: float) -> float:
        return MAX_BACKOFF_FLUSHING if now < self._expedited_until else MAX_BACKOFF

    def _release_stored(self, entry: Entry) -> None:
        del self._stored[entry]
        self.stored_bytes -= entry.size

    def _remove(self, entry: Entry, now: float) -> None:
        if entry.is_waiting:  # What still refers to it shall not hold what it carried.
            entry.is_waiting, entry.payload = False, None
        circuit = entry.circuit
        circuit.size -= 1
        if not circuit.size:  # There may be many API keys.
            del self._circuits[circuit.name]
        if entry.ordering_key is not None:
            line = self._keys[entry.ordering_key]
            was_first = line[0] is entry
            line.remove(entry)
            if not line:
                del self._keys[entry.ordering_key]
            elif was_first:
                line[0].circuit.push(line[0], now)
