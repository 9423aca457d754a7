"""Backends that fail: what the caller feels, what memory it takes, what arrives."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import quantiles
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


@frozen
class Felt:
    """What a caller felt of a fault.

    Attributes:
        healthy: How long calls took with a healthy backend: nine deciles, in ns.
        failing: The same, with the failing one.
        flush: How long a flush took while it failed, in seconds.
        arrivals: What arrived in the end.
    """

    healthy: list[float]
    failing: list[float]
    flush: float
    arrivals: Arrivals

    def ratio(self, decile: int) -> float:
        """Return how much longer a decile of the calls took than in health."""
        return self.failing[decile - 1] / self.healthy[decile - 1]


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
    took: list[int] = field(factory=list)

    def call(self, times: int) -> None:
        self.took += self.caller.ask("call", times)

    def settle(self) -> Arrivals:
        """Let the backend recover, and see what arrives."""
        self.backend.ask("recover")
        self.caller.ask("flush", _LAST_FLUSH)
        stats: dict[str, Any] = self.caller.ask("stats")
        arrived: dict[str, int] = self.backend.ask("arrived")
        recorded = stats["recorded"]
        known = {str(UUID(int=number)) for number in range(recorded)}
        if arrived.keys() - known:
            raise RuntimeError("events arrived that nobody recorded")
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


def feel(fault: str, blocks: int, size: int = 25) -> Felt:
    """Make calls with a healthy backend and with a failing one, by turns.

    Args:
        fault: Its name.
        blocks: How many turns each has.
        size: How many calls a turn is.
    """
    with _pair() as healthy, _pair() as failing:
        failing.backend.ask("fail", fault)
        for pair in (healthy, failing):
            pair.caller.ask("call", size)
        for turn in range(blocks):
            order = (healthy, failing) if turn % 2 else (failing, healthy)
            for pair in order:
                pair.call(size)
        flush = failing.caller.ask("flush", FLUSH)
        return Felt(
            quantiles(healthy.took, n=10),
            quantiles(failing.took, n=10),
            flush["seconds"],
            failing.settle(),
        )


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
