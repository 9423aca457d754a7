"""What a fleet costs, by a formula, and how far a small real fleet bears it out.

    python benchmarks/fleet.py                        1,000 hosts, 2,000 calls/s each
    python benchmarks/fleet.py --hosts 20 --rate 300  another fleet
    python benchmarks/fleet.py --quick                a first look

A small fleet of processes makes calls of two sizes; what a byte and a call cost follows
from these. Then it makes calls of ten recorded sizes, and is compared with what the
formula says of it. Both take turns with a fleet that records nothing. What many more
hosts cost is the formula's alone; their backend is taken to cost a call no more.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine, sink, venvs
from bench.host import ANSWER_BYTES, REQUEST_BYTES
from bench.libraries import BARE, OURS
from bench.runs import Subject
from bench.sink import running_sink
from bench.tables import table

#: The deciles that the costs of a call and of a byte are taken from.
_SMALL, _LARGE = 1, 9
#: The small fleet: processes, calls a second of each, and the backend's latency in ms.
_PROCESSES, _RATE, _LATENCY = 4, 100, 20
_MODES = ("on", "spool only")
#: What the formula may be wrong by.
_TOLERANCE = 0.2


@dataclass(frozen=True)
class Line:
    """A cost that grows with the bytes of a call: ``fixed + slope * size``."""

    fixed: float
    slope: float

    @classmethod
    def through(cls, small: float, large: float) -> "Line":
        """Return the line through what the small and the large size cost."""
        slope = (large - small) / (_bytes([_LARGE]) - _bytes([_SMALL]))
        return cls(small - slope * _bytes([_SMALL]), slope)

    def at(self, size: float) -> float:
        """Return what a call of ``size`` bytes costs."""
        return self.fixed + self.slope * size


@dataclass(frozen=True)
class Parts:
    """What the formula is made of.

    Attributes:
        cpu: CPU seconds of a call in a process that delivers itself.
        writing: Likewise, in a process that leaves the sending to a relay.
        body: Bytes of a POST's body.
        disk: Bytes on disk.
    """

    cpu: Line
    writing: Line
    body: Line
    disk: Line


def _bytes(deciles: Iterable[int]) -> float:
    """Return the mean bytes of a call, its request and its answer."""
    sizes = [REQUEST_BYTES[decile] + ANSWER_BYTES[decile] for decile in deciles]
    return sum(sizes) / len(sizes)


def main() -> None:
    """Measure the parts, compare the small fleet, and print the large one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=2_000, help="calls a second")
    parser.add_argument("--latency", type=float, default=50, metavar="MS")
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    seconds = 3.0 if wanted.quick else 15.0
    subject = Subject(OURS, Path(sys.executable), str(venvs.ROOT))
    print(f"{machine.describe()}; {machine.load()}\n")
    parts = _measure(subject, seconds)
    print(
        "\n".join(
            table(
                ["", "measured", "formula", "off by"], _compare(subject, parts, seconds)
            )
        )
    )
    print()
    print(
        "\n".join(
            table(
                ["", "a host", f"{wanted.hosts:,} hosts"],
                _fleet(parts, wanted.hosts, wanted.rate, wanted.latency / 1_000),
            )
        )
    )


def _run(
    subject: Subject, url: str, mode: str, seconds: float, deciles: Iterable[int]
) -> dict[str, Any]:
    return subject.run(
        "host",
        *(url, mode, "--rate", str(_RATE), "--seconds", str(seconds)),
        *("--deciles", *map(str, deciles)),
    )


@dataclass(frozen=True)
class Load:
    """What a call came to in the small fleet, and how many it made.

    Attributes:
        cpu: CPU seconds that recording added to a call, with its delivery.
        body: Bytes of a POST's body.
        disk: Bytes on disk.
        rate: Calls a second.
    """

    cpu: float
    body: float
    disk: float
    rate: float


def _load(subject: Subject, mode: str, seconds: float, deciles: Iterable[int]) -> Load:
    """Have the small fleet make calls, bare and then recorded."""
    bare = Subject(BARE, subject.python, subject.path)
    sizes = list(deciles)
    with running_sink(_LATENCY) as url, ThreadPoolExecutor(_PROCESSES) as pool:

        def run(who: Subject) -> dict[str, Any]:
            return _run(who, url, mode, seconds, sizes)

        loops = list(pool.map(run, [bare] * _PROCESSES))
        before = sink.get_counts(url)
        runs = list(pool.map(run, [subject] * _PROCESSES))
        after = sink.get_counts(url)
    calls = sum(each["calls"] for each in runs)
    loop = sum(each["cpu"] for each in loops) / sum(each["calls"] for each in loops)
    posts = after.get("posts", 0) - before.get("posts", 0)
    return Load(
        cpu=sum(each["cpu"] for each in runs) / calls - loop,
        body=(after.get("bytes", 0) - before.get("bytes", 0)) / max(1, posts),
        disk=sum(each["disk"] for each in runs) / calls,
        rate=calls / sum(each["seconds"] for each in runs) * _PROCESSES,
    )


def _measure(subject: Subject, seconds: float) -> Parts:
    found = {
        (mode, decile): _load(subject, mode, seconds, [decile])
        for decile in (_SMALL, _LARGE)
        for mode in _MODES
    }

    def line(mode: str, part: str) -> Line:
        small, large = (getattr(found[mode, size], part) for size in (_SMALL, _LARGE))
        return Line.through(small, large)

    return Parts(
        cpu=line("on", "cpu"),
        writing=line("spool only", "cpu"),
        body=line("on", "body"),
        disk=line("spool only", "disk"),
    )


def _compare(subject: Subject, parts: Parts, seconds: float) -> Iterator[list[str]]:
    """Yield what a small fleet took, beside what the formula says of it."""
    deciles = range(len(REQUEST_BYTES))
    size = _bytes(deciles)
    on, writing = (_load(subject, mode, seconds, deciles) for mode in _MODES)
    for what, load, part, line in (
        ("cores, delivering", on, "cpu", parts.cpu),
        ("bytes/s to Libretto", on, "body", parts.body),
        ("cores, writing", writing, "cpu", parts.writing),
        ("bytes/s on disk", writing, "disk", parts.disk),
    ):
        yield _row(what, getattr(load, part) * load.rate, line.at(size) * load.rate)


def _row(what: str, measured: float, formula: float) -> list[str]:
    off = formula / measured - 1
    met = "" if abs(off) <= _TOLERANCE else " **too much**"
    form = "{:.4f}" if "cores" in what else "{:,.0f}"
    return [what, form.format(measured), form.format(formula), f"{off:+.0%}{met}"]


def _fleet(
    parts: Parts, hosts: int, rate: float, latency: float
) -> Iterator[list[str]]:
    size = _bytes(range(len(REQUEST_BYTES)))
    delivering, writing = parts.cpu.at(size) * rate, parts.writing.at(size) * rate
    connections = math.ceil(rate * latency)
    sent, disk = parts.body.at(size) * rate, parts.disk.at(size) * rate
    rows: list[tuple[str, float, str]] = [
        ("calls a second", rate, "{:,.0f}"),
        ("cores, delivering by themselves", delivering, "{:,.2f}"),
        ("cores, writing for a relay", writing, "{:,.2f}"),
        (f"connections at {latency * 1e3:.0f} ms", connections, "{:,.0f}"),
        ("Mbit/s to Libretto", sent * 8 / 1e6, "{:,.0f}"),
        ("GB on disk for an hour without Libretto", disk * 3_600 / 1e9, "{:,.1f}"),
    ]
    for what, value, form in rows:
        yield [what, form.format(value), form.format(value * hosts)]


if __name__ == "__main__":
    main()
