"""What happens to callers and to their events when Libretto or the process fails.

    python benchmarks/chaos.py            everything: ten to twenty minutes
    python benchmarks/chaos.py --quick    shortened: about five, much of it waiting
    python benchmarks/chaos.py --only kill

Printed are tables in Markdown. The backend is a server on loopback, the applications
are processes that call the real openai package, whose transport is in memory. It exits
with 1 if anything was lost, or arrived twice that should have come once.
"""

import argparse
import sys
from collections.abc import Iterable

from bench import machine
from bench.tables import table
from chaos_rig.failing import FAULTS, FLUSH, Arrivals, Felt, Held, Ratio, feel, hold
from chaos_rig.killing import Killed, kill

#: How much longer a call may take than with a healthy backend, and how much longer a
#: flush than its time-out, in seconds.
_SLOWER, _LATE = 1.05, 0.5

#: How much the memory may grow once the queue is full, in bytes; its size, in events.
_FLAT, _QUEUE = 8_000_000, 10_000

#: The ways to be down in which memory could grow.
_DOWN = ("refuse", "hang", "500")

_PARTS = ("caller", "memory", "kill")


def main() -> None:
    """Break things, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    parser.add_argument("--only", choices=_PARTS, help="one part of it")
    wanted = parser.parse_args()
    quick = wanted.quick
    print(f"{machine.describe()}; {machine.load()}")
    whole = True
    for part in [wanted.only] if wanted.only else _PARTS:
        if part == "caller":
            whole &= _callers(8 if quick else 60)
        elif part == "memory":
            whole &= _memory(20_000 if quick else 100_000)
        else:
            whole &= _kills(20 if quick else 200)
    if not whole:
        sys.exit("Something was lost, or came twice; see above.")


def _callers(turns: int) -> bool:
    found: dict[str, Felt] = {}
    for fault, does in FAULTS.items():
        _say(does)
        found[does] = feel(fault, turns)
    headings = [
        "Libretto",
        "a call, µs: bare",
        "healthy",
        "failing",
        "failing / healthy (95 % sure)",
        "by the thread's CPU",
        "99th percentile, µs: bare",
        "healthy",
        "failing",
        f"flush({FLUSH:.0f})",
        "arrived, once recovered",
        "counted as dropped",
        "missing",
        "twice",
        "met",
    ]
    _show(headings, (_felt(does, felt) for does, felt in found.items()))
    return all(_is_whole(felt.arrivals) for felt in found.values())


def _felt(does: str, felt: Felt) -> list[str]:
    kinds = (felt.bare, felt.healthy, felt.failing)
    middle, tail = (
        [f"{calls.percentile(percent) / 1e3:,.0f}" for calls in kinds]
        for percent in (50, 99)
    )
    kept = felt.flush <= FLUSH + _LATE and _is_whole(felt.arrivals)
    return [
        does,
        *middle,
        _ratio(felt.slower),
        _ratio(felt.busier),
        *tail,
        f"{felt.flush:.2f} s",
        *_arrivals(felt.arrivals),
        "perhaps"
        if kept and _unclear(felt.slower)
        else _verdict(kept and felt.slower.typical <= _SLOWER),
    ]


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.typical:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _unclear(ratio: Ratio) -> bool:
    """Tell whether more turns, or a quieter machine, could change the verdict."""
    return ratio.low <= _SLOWER < ratio.high


def _memory(offered: int) -> bool:
    found: dict[str, Held] = {}
    for fault in _DOWN:
        _say(f"{FAULTS[fault]}: {offered:,} events")
        found[FAULTS[fault]] = hold(fault, offered)
    headings = [
        "Libretto",
        "events",
        "memory: idle, with the queue full, at the end",
        "arrived, once recovered",
        "counted as dropped",
        "missing",
        "twice",
        "met",
    ]
    _show(headings, (_held(does, held) for does, held in found.items()))
    return all(_is_whole(held.arrivals) for held in found.values())


def _held(does: str, held: Held) -> list[str]:
    # The first look after the queue was full.
    at = _QUEUE * (len(held.memory) - 1) // held.offered + 1
    idle, full, end = held.memory[0], held.memory[at], held.memory[-1]
    return [
        does,
        f"{held.offered:,}",
        " → ".join(f"{one / 1e6:.0f}" for one in (idle, full, end)) + " MB",
        *_arrivals(held.arrivals),
        _verdict(end - full <= _FLAT and _is_whole(held.arrivals)),
    ]


def _kills(rounds: int) -> bool:
    found: dict[str, Killed] = {}
    for title, writers, relayed in (
        ("an application that delivers by itself", 1, False),
        ("two applications, and a relay", 2, True),
    ):
        _say(f"{title}: {rounds} rounds")
        found[title] = kill(rounds, writers, relayed=relayed)
    headings = [
        "killed",
        "rounds",
        "kills",
        "calls that had returned, events on disk",
        "of these lost",
        "events in memory only",
        "of these lost",
        "arrived of calls not known to have returned",
        "arrived more than once",
        "met",
    ]
    _show(headings, (_killed(title, killed) for title, killed in found.items()))
    return not any(killed.lost for killed in found.values())


def _killed(title: str, killed: Killed) -> list[str]:
    return [
        title,
        f"{killed.rounds:,}",
        f"{killed.kills:,}",
        f"{killed.on_disk:,}",
        f"{killed.lost:,}",
        f"{killed.in_memory:,}",
        f"{killed.gone:,}",
        f"{killed.unannounced:,}",
        f"{killed.repeated:,} (at most {killed.most} times)",
        _verdict(not killed.lost),
    ]


def _arrivals(arrivals: Arrivals) -> list[str]:
    dropped = (f"{many:,} {reason}" for reason, many in arrivals.dropped.items())
    return [
        f"{arrivals.arrived:,} of {arrivals.recorded:,}",
        ", ".join(dropped) or "0",
        f"{arrivals.missing:,}",
        f"{arrivals.repeated:,}",
    ]


def _is_whole(arrivals: Arrivals) -> bool:
    return not arrivals.missing and not arrivals.repeated


def _show(headings: list[str], rows: Iterable[list[str]]) -> None:
    print("", *table(headings, rows), sep="\n", flush=True)


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr)


def _verdict(met: bool) -> str:
    return "yes" if met else "**no**"


if __name__ == "__main__":
    main()
