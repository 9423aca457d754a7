"""Measuring a library in as many fresh processes as it takes."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cases import CASES, WHOLE
from .libraries import BARE

_HERE = Path(__file__).parent.parent

#: Variables of the user's environment, which must not change what is measured.
_PRIVATE = ("LIBRETTO_", "OPENAI_", "OTEL_", "LANG", "LOGFIRE_", "PYTHON", "COVERAGE_")


class Failed(Exception):  # noqa: N818 - it reads as what it says in a table
    """A measurement failed; the message says why, in a line."""


@dataclass(frozen=True)
class Subject:
    """A library to measure.

    Attributes:
        name: One of `libraries.LIBRARIES`.
        python: The interpreter that has it.
        path: Where it is found if it is not installed there.
    """

    name: str
    python: Path
    path: str | None = None

    def run(self, module: str, *arguments: str, timeout: float = 600) -> dict[str, Any]:
        """Run a module of ours in a fresh process and return what it prints.

        Raises:
            Failed: It did not come to its end.
        """
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_PRIVATE)
        }
        if self.path is not None:
            environment["PYTHONPATH"] = self.path
        try:
            done = subprocess.run(
                [self.python, "-m", f"bench.{module}", self.name, *arguments],
                cwd=_HERE,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"nothing after {timeout:.0f} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            raise Failed(lines[-1])
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        processes: How many fresh processes measure each kind of call.
        blocks: How many pairs of blocks each of them measures.
        starts: How many fresh processes measure the start.
    """

    processes: int
    blocks: int
    starts: int


@dataclass(frozen=True)
class Cost:
    """What a library adds to a call, and what the call takes without it, in µs.

    Attributes:
        bare: By the names of `probe.Block`'s fields: the calls without the library.
        added: Likewise, what recording adds to them.
        posts: How many requests brought the events of all calls to the sink.
        openai: The version of openai.
        version: The version of the library.
    """

    bare: dict[str, float]
    added: dict[str, float]
    posts: int
    openai: str
    version: str

    def ratio(self, name: str) -> float:
        """Return how many times as long a recorded call takes."""
        return 1 + self.added[name] / self.bare[name]


@dataclass(frozen=True)
class Sinks:
    """The addresses of two sinks.

    Attributes:
        late: Answers as late as a backend across the net. The caller's costs are
            measured against it: a backend that answers within microseconds would let
            the worker's load compete with each call's.
        prompt: Answers at once. The whole process's costs are measured against it,
            since waiting costs nothing.
    """

    late: str
    prompt: str


def cost(
    subject: Subject, case: str, sinks: Sinks, plan: Plan, *, is_async: bool
) -> Cost:
    """Measure one kind of call.

    What is added is the median of the differences between neighbouring blocks, so that
    a machine that is faster now and slower then does not show.

    Raises:
        Failed: A process did not come to its end.
    """
    measured = _cost(subject, case, sinks.late, plan, is_async=is_async)
    if case in WHOLE:
        whole = _cost(subject, case, sinks.prompt, plan, is_async=is_async)
        for kept, found in (
            (measured.bare, whole.bare),
            (measured.added, whole.added),
        ):
            kept["process"] = found["process"]
    return measured


def _cost(
    subject: Subject, case: str, sink: str, plan: Plan, *, is_async: bool
) -> Cost:
    arguments = [case, sink, "--blocks", str(plan.blocks)]
    if is_async:
        arguments.append("--is-async")
    results = [subject.run("probe", *arguments) for _ in range(plan.processes)]
    posts = sum(result["posts"] for result in results)
    if not posts and subject.name != BARE and CASES[case].events:
        raise Failed("it sent nothing")
    pairs = [pair for result in results for pair in result["pairs"]]
    names = pairs[0][0].keys()
    return Cost(
        bare={name: _median(bare[name] for bare, _ in pairs) for name in names},
        added={
            name: _median(recorded[name] - bare[name] for bare, recorded in pairs)
            for name in names
        },
        posts=posts,
        openai=results[0]["openai"],
        version=results[0]["version"],
    )


def _median(nanoseconds: Iterable[float]) -> float:
    return statistics.median(nanoseconds) / 1000


@dataclass(frozen=True)
class Presence:
    """What a library takes to be there.

    Attributes:
        start: CPU seconds to import and install it, once openai is imported.
        first: CPU seconds that it adds to this and the first client together.
        rss: Bytes, over those of openai alone.
    """

    start: float
    first: float
    rss: float


def presence(subject: Subject, sink: str, plan: Plan) -> Presence:
    """Measure how a library starts, taking turns with openai alone.

    Raises:
        Failed: A process did not come to its end.
    """
    alone = Subject(BARE, subject.python, subject.path)
    pairs = [
        (alone.run("start", sink), subject.run("start", sink))
        for _ in range(plan.starts)
    ]
    return Presence(
        start=min(ours["start"] for _, ours in pairs),
        first=min(ours["first"] for _, ours in pairs)
        - min(bare["first"] for bare, _ in pairs),
        rss=statistics.median(ours["rss"] - bare["rss"] for bare, ours in pairs),
    )
