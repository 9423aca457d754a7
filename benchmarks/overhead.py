"""What recording adds to calls of openai: time, memory and disk, in Markdown.

    python benchmarks/overhead.py            each case, in an environment made for it
    python benchmarks/overhead.py --peers    and other libraries, side by side
    python benchmarks/overhead.py --quick    a first look, in this environment

Each case runs in fresh processes in which bare and recorded calls take turns, block by
block. OpenAI is a transport in memory; the telemetry goes to a server on loopback, in
another process. Times of a thread or of a process are its CPU's. A block's figure is
its calls' 10th percentile, and what is added is the median difference between
neighbouring blocks.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench import machine, tables, venvs
from bench.cases import CASES
from bench.libraries import BARE, OURS
from bench.peers import PEERS
from bench.runs import Cost, Failed, Plan, Presence, Sinks, Subject, cost, presence
from bench.sink import running_sink
from bench.venvs import NotInstalled

_QUICK = Plan(processes=1, blocks=4, starts=2)
_FULL = Plan(processes=3, blocks=8, starts=7)
_QUICK_CASES = ("alone", "chat", "stream", "disabled")
_PEERS_CASES = ("chat", "stream")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a minute, and less exact")
    parser.add_argument("--peers", action="store_true", help="other libraries, too")
    parser.add_argument(
        "--latency",
        type=float,
        default=20,
        metavar="MS",
        help="how late the telemetry's server answers while the caller's thread is "
        "measured, in ms (default: 20)",
    )
    parser.add_argument(
        "--case", action="append", choices=CASES, help="only this; may be repeated"
    )
    wanted = parser.parse_args()
    plan = _QUICK if wanted.quick else _FULL
    cases = list(wanted.case or (_QUICK_CASES if wanted.quick else CASES))
    if wanted.peers:
        cases += [case for case in _PEERS_CASES if case not in cases]

    busy = machine.load()
    size = None
    if wanted.quick:
        subject = Subject(OURS, Path(sys.executable), str(venvs.ROOT))
    else:
        venvs.interpreter(BARE)
        subject = Subject(OURS, venvs.interpreter(OURS))
        size = venvs.size(OURS) - venvs.size(BARE)

    with running_sink(wanted.latency) as late, running_sink() as prompt:
        sinks = Sinks(late, prompt)
        measured = {}
        for case in cases:
            for is_async in (False, True):
                _say(f"{case}{', async' if is_async else ''} …")
                measured[case, is_async] = cost(
                    subject, case, sinks, plan, is_async=is_async
                )
        _say("start …")
        present = presence(subject, sinks.prompt, plan)
        versions = next(iter(measured.values()))
        print(f"{machine.describe()}, openai {versions.openai}; {busy}\n")
        _print(tables.ours(measured, present, size))
        if wanted.peers:
            own = tables.Standing(
                name=OURS,
                chat=measured["chat", False],
                stream=measured["stream", False],
                present=present,
                size=None if wanted.quick else venvs.size(OURS),
            )
            print()
            known: list[tables.Standing] = []
            _print(tables.peers(_standings(own, sinks, plan, known)))
            print(f"\n{tables.comparison(known)}")


def _standings(
    own: tables.Standing, sinks: Sinks, plan: Plan, known: list[tables.Standing]
) -> Iterator[tables.Standing | tuple[str, str]]:
    """Yield what each library comes to, and keep it in ``known``."""
    known.append(own)
    yield own
    for name in PEERS:
        try:
            peer = Subject(name, venvs.interpreter(name))
        except NotInstalled as exc:
            yield name, f"not installed: {exc}"
            continue
        known.append(_standing(peer, sinks, plan))
        yield known[-1]


def _standing(subject: Subject, sinks: Sinks, plan: Plan) -> tables.Standing:
    def measured(case: str) -> Cost | Failed:
        _say(f"{subject.name}, {case} …")
        try:
            return cost(subject, case, sinks, plan, is_async=False)
        except Failed as exc:
            return exc

    present: Presence | Failed
    try:
        present = presence(subject, sinks.prompt, plan)
    except Failed as exc:
        present = exc
    return tables.Standing(
        name=subject.name,
        chat=measured("chat"),
        stream=measured("stream"),
        present=present,
        size=venvs.size(subject.name),
    )


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
