"""What recording adds to calls of openai: time, memory and disk, in Markdown.

    python benchmarks/overhead.py            each case, in an environment made for it
    python benchmarks/overhead.py --peers    and other libraries, side by side
    python benchmarks/overhead.py --quick    a first look, in this environment

Each case runs in fresh processes in which bare and recorded calls take turns, block by
block; the libraries take turns, too, round by round. OpenAI is a transport in memory;
the telemetry goes to a server on loopback, in another process. Times of a thread or of
a process are its CPU's. The figure of bare and of recorded calls is their 10th
percentile in a process, and what is added is the median of the processes' differences.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from attrs import define, field
from bench import machine, tables, venvs
from bench.cases import CASES
from bench.libraries import BARE, OURS
from bench.limit import LIMIT
from bench.peers import PEERS
from bench.runs import Cost, Failed, Plan, Samples, Sinks, Starts, Subject
from bench.sink import running_sink
from bench.venvs import NotInstalled

_QUICK = Plan(rounds=1, blocks=4, starts=2)
# Six differences: the least and the greatest hold their median in 97 of 100 runs.
_FULL = Plan(rounds=6, blocks=5, starts=2)
_QUICK_CASES = ("alone", "chat", "stream", "disabled")
_PEERS_CASES = ("chat", "stream")


@define
class Entrant:
    """One library, and what was found of it so far.

    Attributes:
        subject: The library.
        calls: For each kind of call, whether async or not.
        starts: How it starts.
        failures: By the kind of call, or "start": why there is nothing to say.
    """

    subject: Subject
    calls: list[Samples]
    starts: Starts
    failures: dict[tuple[str, bool] | str, Failed] = field(factory=dict)

    @classmethod
    def of(
        cls, subject: Subject, cases: Iterable[str], kinds: Iterable[bool]
    ) -> "Entrant":
        """Return one that is measured by these cases, in these kinds."""
        calls = [
            Samples(subject, case, is_async) for case in cases for is_async in kinds
        ]
        return cls(subject, calls, Starts(subject))

    def take_turn(self, sinks: Sinks, plan: Plan) -> None:
        """Measure everything once more, but for what has failed."""
        for samples in self.calls:
            key = samples.case, samples.is_async
            if key in self.failures:
                continue
            _say(f"{self.subject.name}, {samples.case} …")
            try:
                samples.measure(sinks, plan)
            except Failed as exc:
                self.failures[key] = exc
        if "start" not in self.failures:
            try:
                self.starts.measure(sinks.prompt, plan)
            except Failed as exc:
                self.failures["start"] = exc

    def costs(self) -> dict[tuple[str, bool], Cost | Failed]:
        """Return what each kind of call came to."""
        return {
            key: self.failures.get(key) or samples.cost()
            for samples in self.calls
            for key in [(samples.case, samples.is_async)]
        }

    def standing(self, size: int | None) -> tables.Standing:
        """Return what it came to beside others."""
        costs = self.costs()
        return tables.Standing(
            name=self.subject.name,
            chat=costs["chat", False],
            stream=costs["stream", False],
            present=self.failures.get("start") or self.starts.presence(),
            size=size,
        )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a minute, and less exact")
    parser.add_argument("--peers", action="store_true", help="other libraries, too")
    parser.add_argument(
        "--peer", action="append", choices=PEERS, help="only this; may be repeated"
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=20,
        metavar="MS",
        help="how late the telemetry's server answers while the caller's thread is "
        "measured, in ms (default: 20)",
    )
    parser.add_argument("--rounds", type=int, help="how often each has its turn")
    parser.add_argument(
        "--case", action="append", choices=CASES, help="only this; may be repeated"
    )
    wanted = parser.parse_args()
    plan = _QUICK if wanted.quick else _FULL
    plan = replace(plan, rounds=wanted.rounds or plan.rounds)
    cases = list(wanted.case or (_QUICK_CASES if wanted.quick else CASES))
    peers = list(wanted.peer or (PEERS if wanted.peers else ()))
    if peers:
        cases += [case for case in _PEERS_CASES if case not in cases]

    busy = machine.load()
    if wanted.quick and not peers:
        subject = Subject(OURS, Path(sys.executable), str(venvs.ROOT))
    else:
        venvs.interpreter(BARE)
        subject = Subject(OURS, venvs.interpreter(OURS))
    ours = Entrant.of(subject, cases, (False, True))
    others, absent = _others(peers)
    with running_sink(wanted.latency) as late, running_sink() as prompt:
        for number in range(plan.rounds):
            _say(f"round {number + 1} of {plan.rounds}")
            for entrant in (ours, *others):
                entrant.take_turn(Sinks(late, prompt), plan)
    _report(ours, others, absent, busy)


def _others(peers: Sequence[str]) -> tuple[list[Entrant], list[tuple[str, str]]]:
    """Return other libraries, and why some cannot be measured; last the limit."""
    found, absent = [], []
    for name in (*peers, LIMIT) if peers else ():
        try:
            subject = Subject(name, venvs.interpreter(name))
        except NotInstalled as exc:
            absent.append((name, f"not installed: {exc}"))
            continue
        found.append(Entrant.of(subject, _PEERS_CASES, (False,)))
    return found, absent


def _report(
    ours: Entrant,
    others: Sequence[Entrant],
    absent: Iterable[tuple[str, str]],
    busy: str,
) -> None:
    for failure in ours.failures.values():
        raise failure
    costs = {key: cost for key, cost in ours.costs().items() if isinstance(cost, Cost)}
    versions = next(iter(costs.values()))
    has_size = ours.subject.path is None
    size = venvs.size(OURS) - venvs.size(BARE) if has_size else None
    print(f"{machine.describe()}, openai {versions.openai}; {busy}")
    print("Each with the interval that the median lies in, at 95 %.\n")
    _print(tables.ours(costs, ours.starts.presence(), size))
    if others:
        standings = [
            ours.standing(venvs.size(OURS)),
            *(each.standing(venvs.size(each.subject.name)) for each in others),
        ]
        print()
        _print(tables.peers([*standings, *absent]))
        compared = [each for each in standings if each.name != LIMIT]
        print(f"\n{tables.comparison(compared)}")


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _say(step: str) -> None:
    print(step, file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (Failed, NotInstalled) as exc:
        raise SystemExit(str(exc)) from None
