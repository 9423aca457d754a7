"""How many events arrive, and what memory they take on the way, in Markdown.

    python benchmarks/throughput.py            2,000 calls a second for 20 seconds
    python benchmarks/throughput.py --spool    by way of the disk
    python benchmarks/throughput.py --relay    by way of the disk and another process
    python benchmarks/throughput.py --quick    for 3 seconds

The backend is a server on loopback, in another process, that answers each event at
once, or as late as one across the net or an overloaded one. More is offered than it
takes: the queue fills, the oldest events are dropped, and the memory must not grow any
further. What is on disk is not dropped.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import machine, venvs
from bench.libraries import OURS
from bench.runs import Subject
from bench.sink import running_sink
from bench.tables import table

#: What at least arrives each second at a backend that answers in 50 ms.
_BUDGET = {50.0: 400}

#: How much more memory the second half of a load may take than the first, in bytes.
_FLAT = 8_000_000


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3 seconds each")
    parser.add_argument("--rate", type=float, default=2_000, help="calls a second")
    parser.add_argument("--seconds", type=float, help="how long the load lasts")
    parser.add_argument(
        "--latency",
        type=float,
        nargs="+",
        default=[0, 50, 200],
        metavar="MS",
        help="how late the backend answers, in ms",
    )
    ways = parser.add_mutually_exclusive_group()
    for mode in ("spool", "relay"):
        ways.add_argument(
            f"--{mode}", dest="mode", action="store_const", const=mode, default="on"
        )
    wanted = parser.parse_args()
    seconds = wanted.seconds or (3 if wanted.quick else 20)
    subject = Subject(OURS, Path(sys.executable), str(venvs.ROOT))
    busy = machine.load()
    print(f"{machine.describe()}; {busy}\n")
    rows = []
    for latency in wanted.latency:
        print(f"{latency:.0f} ms …", file=sys.stderr)
        with running_sink(latency) as sink:
            result = subject.run(
                "load",
                sink,
                wanted.mode,
                "--rate",
                str(wanted.rate),
                "--seconds",
                str(seconds),
            )
        rows.append(_row(latency, result))
    headings = [
        "the backend answers in",
        "offered",
        "delivered",
        "budget",
        "met",
        "lost",
        "the rest, after",
        "memory: idle, half-way, at the end",
        "flat",
    ]
    print("\n".join(table(headings, rows)))


def _row(latency: float, result: Mapping[str, Any]) -> list[str]:
    delivered = result["delivered"] / result["seconds"]
    idle, *loaded = result["memory"]
    half, end = loaded[len(loaded) // 2], loaded[-1]
    budget = _BUDGET.get(latency)
    return [
        f"{latency:.0f} ms",
        f"{result['offered'] / result['seconds']:,.0f}/s",
        f"{delivered:,.0f}/s",
        "" if budget is None else f"≥ {budget}/s",
        "" if budget is None else _verdict(delivered >= budget),
        f"{result['lost']:,} of {result['offered']:,}",
        f"{result['later']:.1f} s",
        " → ".join(f"{one / 1e6:.0f}" for one in (idle, half, end)) + " MB",
        _verdict(end - half <= _FLAT),
    ]


def _verdict(met: bool) -> str:
    return "yes" if met else "**no**"


if __name__ == "__main__":
    main()
