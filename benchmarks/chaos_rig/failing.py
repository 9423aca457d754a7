"""Backends that fail: what the caller feels, what memory it takes, what arrives."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from math import sqrt
from statistics import median, quantiles
from typing import Any
from uuid import UUID

from attrs import define, field, frozen

from .peers import Peer

#: What the backend does, by the name of its fault.
FAULTS = {
    "none": "answers well (for comparison)",
    "refuse": "refuses connections",
    "hang": "never answers",
    "slow": "answers after 0.5 s",
    "400": "answers 400",
    "401": "answers 401",
    "413": "answers 413",
    "429": "answers 429, Retry-After: 1",
    "500": "answers 500",
    "half": "breaks off in its answer",
    "garbage": "answers what is not HTTP",
    "redirect": "sends elsewhere",
    "endless": "answers without end",
    "refuse --small": "refuses connections, with the queue full",
}

#: How long `flush` may take while the backend fails, and once it has recovered.
FLUSH, _LAST_FLUSH = 1.0, 120.0


@frozen
class Arrivals:
    """What became of an application's events once the backend had recovered.

    Attributes:
        recorded: How many there were.
        arrived: How many of these are with the backend.
        repeated: How many of these came more than once.
        dropped: How many the application says it has dropped, by reason.
        missing: How many are neither there nor said to be dropped.
    """

    recorded: int
    arrived: int
    repeated: int
    dropped: Mapping[str, int]
    missing: int


@define
class Calls:
    """How long calls took, in turns.

    Attributes:
        took: Of each turn, how long each of its calls took, in ns.
        cpu: Of each turn, the CPU time of the caller's thread, in ns.
    """

    took: list[list[int]] = field(factory=list)
    cpu: list[int] = field(factory=list)

    def percentile(self, percent: int) -> float:
        """Return a percentile of all the calls, in ns."""
        return quantiles(chain.from_iterable(self.took), n=100)[percent - 1]

    @property
    def typical(self) -> list[float]:
        """The median call of each turn, in ns."""
        return list(map(median, self.took))


@frozen
class Ratio:
    """How much longer something takes than something else that was done beside it.

    Each turn gives one ratio, of things done within a second, so that what slows the
    machine down for longer than that slows both. The median of the turns does not mind
    a few that something hit on one side only.

    Attributes:
        typical: The median of the turns.
        low: Below this the true one is in one case of forty.
        high: And above this.
    """

    typical: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Ratio":
        """Compare what was done in turns."""
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        # The interval of the median by the sign test: each difference from the true
        # median is positive or negative with equal chance.
        last = len(ratios) - 1
        apart = 0.98 * sqrt(len(ratios))
        low, high = round(last / 2 - apart), round(last / 2 + apart)
        return cls(median(ratios), ratios[max(low, 0)], ratios[min(high, last)])


@frozen
class Felt:
    """What a caller felt of a fault.

    Attributes:
        bare: The calls that were not recorded.
        healthy: The calls with a healthy backend.
        failing: The calls with the failing one.
        flush: How long a flush took while it failed, in seconds.
        arrivals: What arrived in the end.
    """

    bare: Calls
    healthy: Calls
    failing: Calls
    flush: float
    arrivals: Arrivals

    @property
    def slower(self) -> Ratio:
        """How much longer a call takes with the failing backend."""
        return Ratio.of(self.failing.typical, self.healthy.typical)

    @property
    def busier(self) -> Ratio:
        """How much more CPU the caller's thread needs with the failing backend."""
        return Ratio.of(self.failing.cpu, self.healthy.cpu)


@frozen
class Held:
    """What an application held whose backend was down.

    Attributes:
        offered: How many events it was given.
        memory: How much it held before the first, and then ten times, in bytes.
        arrivals: What arrived in the end.
    """

    offered: int
    memory: list[int]
    arrivals: Arrivals


@define
class _Pair:
    """An application, and the backend that it reports to."""

    backend: Peer
    caller: Peer

    def call(self, times: int, into: Calls, *, recorded: bool = True) -> None:
        """Make calls, and note how long they took."""
        felt = self.caller.ask("feel", times, recorded)
        into.took.append(felt["took"])
        into.cpu.append(felt["cpu"])

    def recover(self) -> None:
        """Let the backend recover, and everything arrive."""
        self.backend.ask("recover")
        self.caller.ask("flush", _LAST_FLUSH)

    def settle(self) -> Arrivals:
        """Let the backend recover, and see what arrives."""
        self.recover()
        stats: dict[str, Any] = self.caller.ask("stats")
        arrived: dict[str, int] = self.backend.ask("arrived")
        recorded = stats["accepted"]
        known = {str(UUID(int=number)) for number in range(recorded)}
        if arrived.keys() - known:
            raise RuntimeError("events arrived that were not recorded")
        return Arrivals(
            recorded,
            len(arrived),
            sum(times > 1 for times in arrived.values()),
            stats["dropped"],
            recorded - len(arrived) - sum(stats["dropped"].values()),
        )


@contextmanager
def _pair(*arguments: str) -> Iterator[_Pair]:
    with (
        Peer("backend") as backend,
        Peer("caller", *arguments, LIBRETTO_API_PREFIX=backend.ask("url")) as caller,
    ):
        yield _Pair(backend, caller)


def feel(fault: str, turns: int, size: int = 25) -> Felt:
    """Make calls bare, with a healthy backend and with a failing one, by turns.

    All are made by one process, on one thread: from one process to the next, the same
    call's time differs by more than what is to be seen here.

    Args:
        fault: Its name.
        turns: How many turns each has.
        size: How many calls a turn is.
    """
    bare, healthy, failing = Calls(), Calls(), Calls()
    fault, *options = fault.split(maxsplit=1)
    flush = 0.0
    with _pair(*options) as pair:

        def well() -> None:
            pair.call(size, healthy)

        def alone() -> None:
            pair.call(size, bare, recorded=False)

        def ill() -> None:
            nonlocal flush
            pair.backend.ask("fail", fault)
            pair.call(size, failing)
            if len(failing.took) == turns:
                flush = pair.caller.ask("flush", FLUSH)["seconds"]

        states = [well, alone, ill]
        for _ in range(turns):
            random.shuffle(states)
            for state in states:
                pair.recover()
                state()
        return Felt(bare, healthy, failing, flush, pair.settle())


def hold(fault: str, offered: int) -> Held:
    """Offer many events to an application whose backend is down.

    Args:
        fault: How it is down.
        offered: How many.
    """
    with _pair("--ahead") as pair:
        pair.backend.ask("fail", fault)
        memory = [pair.caller.ask("memory")]
        memory += [pair.caller.ask("offer", offered // 10) for _ in range(10)]
        return Held(offered // 10 * 10, memory, pair.settle())
