"""What an exporter that is down does to one that is well, in Markdown.

    python benchmarks/exporters.py            500 calls a second, 3 times 5 seconds each
    python benchmarks/exporters.py --spool    by way of the disk
    python benchmarks/exporters.py --quick    once 2 seconds each

The one that is well writes JSON lines to a file. Measured is how many of the calls it
has when the load ends, and how old a call is, from its end, when it is in the file:
without a neighbour, beside one that fails at each attempt, beside one that never comes
back, and beside a Libretto that refuses connections. They take turns, in one run.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, time
from typing import Any

from attrs import define, field
from bench import canned, machine
from bench.load import CASE, offer
from bench.tables import table

import libretto_instrument as libretto
from libretto_instrument import Stats
from libretto_instrument.exporters import ExportError, ExportRecord, JsonLinesExporter

#: How long what is left at the end of a load may take, in seconds.
_PATIENCE = 60.0


class Timed(JsonLinesExporter):
    """A file of JSON lines that notes how old each report is when it is there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.ages: list[float] = []

    def export(self, reports: Sequence[ExportRecord]) -> None:
        super().export(reports)
        now = time()
        self.ages.extend(now - report.timestamp for report in reports)


class Dead:
    """An exporter that takes nothing."""

    name = "dead"

    def export(self, reports: Sequence[ExportRecord]) -> None:
        raise ExportError("away")

    def close(self) -> None:
        """Nothing is open."""


class Stuck(Dead):
    """One that does not come back before it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def export(self, reports: Sequence[ExportRecord]) -> None:
        self.let_go.wait()
        raise ExportError("away")


@define
class Row:
    """What was measured beside one neighbour, all rounds together.

    Attributes:
        offered: How many calls were made.
        seconds: How long the loads lasted.
        delivered: How many of them were in the file when the load ended.
        later: How many were in it in the end.
        ages: How old each was then, in seconds.
        counted: Whether `stats()` was right, for both.
    """

    offered: int = 0
    seconds: float = 0.0
    delivered: int = 0
    later: int = 0
    ages: list[float] = field(factory=list)
    counted: bool = True

    def cells(self, title: str) -> list[str]:
        """Return the row of the table."""
        cuts = statistics.quantiles(self.ages, n=100)
        return [
            title,
            f"{self.offered / self.seconds:,.0f}/s",
            f"{self.delivered / self.seconds:,.0f}/s",
            f"{self.later:,} of {self.offered:,}",
            f"{cuts[49] * 1000:.1f} ms",
            f"{cuts[98] * 1000:.1f} ms",
            "yes" if self.counted else "**no**",
        ]


NEIGHBOURS = {
    "none": "nobody",
    "dead": "an exporter that fails each time",
    "stuck": "an exporter that never comes back",
    "libretto": "a Libretto that refuses connections",
}


def measure(row: Row, neighbour: str, rate: float, seconds: float, disk: bool) -> None:
    """Make one load beside one neighbour, and add it to the row."""
    with _installed(neighbour, disk) as well:
        create = canned.client(CASE.answer).chat.completions.create
        before = libretto.stats()
        began = monotonic()
        offered, _ = offer(create, rate, seconds)
        row.seconds += monotonic() - began
        row.offered += offered
        row.delivered += len(well.ages)
        deadline = monotonic() + _PATIENCE
        while len(well.ages) < offered and monotonic() < deadline:
            threading.Event().wait(0.01)
        row.later += len(well.path.read_text().splitlines())
        row.ages += well.ages
        # A moment, as what is in the file is counted right after.
        threading.Event().wait(0.5)
        row.counted = row.counted and _is_right(before, offered, neighbour)


def _is_right(before: Stats, offered: int, neighbour: str) -> bool:
    """Say whether all calls are counted, for the one that is well and its neighbour."""
    now = libretto.stats()
    well = _made(now.exporters["jsonl"], before.exporters.get("jsonl"))
    right = well == (offered, offered)
    if neighbour == "libretto":
        right = right and _made(now, before) == (offered, 0)
    elif neighbour != "none":
        down = _made(now.exporters["dead"], before.exporters.get("dead"))
        right = right and down == (offered, 0)
    return right and all(map(_adds_up, (now, *now.exporters.values())))


def _made(now: Stats, before: Stats | None) -> tuple[int, int]:
    """Return how many calls were recorded and how many delivered since."""
    was = before or Stats()
    return (
        now.recorded - was.recorded,
        now.relayed + now.sent - was.relayed - was.sent,
    )


def _adds_up(stats: Stats) -> bool:
    settled = stats.sent + stats.spooled + sum(stats.dropped.values())
    return stats.recorded == settled + stats.queued + stats.in_flight


@contextmanager
def _installed(neighbour: str, disk: bool) -> Iterator[Timed]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        well = Timed(Path(folder) / "well.jsonl")
        stuck = Stuck()
        beside = {"dead": [Dead()], "stuck": [stuck]}.get(neighbour, [])
        options: dict[str, Any] = {}
        if neighbour == "libretto":
            options["api_key"] = "bench"
        if disk:
            options["spool_dir"] = Path(folder) / "spool"
        libretto.install(
            prompt_template_name="bench", exporters=[*beside, well], **options
        )
        try:
            yield well
        finally:
            stuck.let_go.set()
            libretto.shutdown(0)
            libretto.uninstall()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="once 2 seconds each")
    parser.add_argument("--rate", type=float, default=500, help="calls a second")
    parser.add_argument("--spool", action="store_true", help="by way of the disk")
    wanted = parser.parse_args()
    rounds, seconds = (1, 2.0) if wanted.quick else (3, 5.0)

    # A port of this machine without a listener.
    os.environ["LIBRETTO_API_PREFIX"] = "http://127.0.0.1:9"
    canned.make_ahead(CASE.answer, CASE.request())
    print(f"{machine.describe()}; {machine.load()}\n")
    measure(Row(), "none", wanted.rate, 0.5, wanted.spool)
    rows = {neighbour: Row() for neighbour in NEIGHBOURS}
    for number in range(rounds):
        for neighbour, row in rows.items():
            print(f"{number + 1}: {NEIGHBOURS[neighbour]} …", file=sys.stderr)
            measure(row, neighbour, wanted.rate, seconds, wanted.spool)
    headings = [
        "beside",
        "offered",
        "delivered meanwhile",
        "delivered in the end",
        "age, median",
        "age, 99 %",
        "counted right",
    ]
    cells = [row.cells(NEIGHBOURS[neighbour]) for neighbour, row in rows.items()]
    print("\n".join(table(headings, cells)))


if __name__ == "__main__":
    main()
