"""Measuring a library in as many fresh processes as it takes."""

import json
import math
import os
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cases import CASES, WHOLE
from .libraries import BARE, LIBRARIES

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
        rounds: How often each subject has its turn. In each, a fresh process measures
            each kind of call.
        blocks: How many pairs of blocks such a process runs.
        starts: How many fresh processes a turn measures the start with.
    """

    rounds: int
    blocks: int
    starts: int


@dataclass(frozen=True)
class Estimate:
    """A median, in µs, and the 95 % interval that it lies in.

    The interval is that of the binomial distribution, which asks nothing of how the
    measurements are spread.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, nanoseconds: Iterable[float]) -> "Estimate":
        """Estimate the median of measurements, in ns."""
        values = sorted(value / 1000 for value in nanoseconds)
        rank = max(0, int(len(values) / 2 - 0.98 * math.sqrt(len(values))))
        return cls(statistics.median(values), values[rank], values[-1 - rank])


@dataclass(frozen=True)
class Cost:
    """What a library adds to a call, and what the call takes without it.

    Attributes:
        bare: By the names of `probe.Times`'s fields: the calls without the library.
        added: Likewise, what recording adds to them: the differences within each
            process, since from one to the next a call's time differs by more.
        posts: How many requests brought the events of all calls to the sink.
        openai: The version of openai.
        version: The version of the library.
    """

    bare: dict[str, Estimate]
    added: dict[str, Estimate]
    posts: int
    openai: str
    version: str

    def ratio(self, name: str) -> float:
        """Return how many times as long a recorded call takes."""
        return 1 + self.added[name].median / self.bare[name].median


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


@dataclass
class Samples:
    """What the processes found that measured one kind of call.

    Attributes:
        subject: The library.
        case: The kind of call.
        is_async: Whether an async client makes it.
        results: What each process printed, against the late sink.
        whole: Likewise, against the prompt one, where the whole process is measured.
    """

    subject: Subject
    case: str
    is_async: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    whole: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, sinks: Sinks, plan: Plan) -> None:
        """Have a fresh process measure it once more.

        Raises:
            Failed: A process did not come to its end, or sent nothing.
        """
        self.results.append(self._run(sinks.late, plan))
        if self.case in WHOLE:
            self.whole.append(self._run(sinks.prompt, plan))

    def _run(self, sink: str, plan: Plan) -> dict[str, Any]:
        arguments = [self.case, sink, "--blocks", str(plan.blocks)]
        if self.is_async:
            arguments.append("--is-async")
        result = self.subject.run("probe", *arguments)
        sends = LIBRARIES[self.subject.name].posts and CASES[self.case].events
        if sends and not result["bytes"]:
            raise Failed("it sent nothing")
        return result

    def cost(self) -> Cost:
        """Return what all of them came to."""
        bare, added = _estimates(self.results)
        if self.whole:
            whole_bare, whole_added = _estimates(self.whole)
            bare["process"], added["process"] = (
                whole_bare["process"],
                whole_added["process"],
            )
        return Cost(
            bare=bare,
            added=added,
            posts=sum(result["posts"] for result in self.results),
            openai=self.results[0]["openai"],
            version=self.results[0]["version"],
        )


def _estimates(
    results: Iterable[dict[str, Any]],
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    pairs = [result["pair"] for result in results]
    names = pairs[0][0].keys()
    return (
        {name: Estimate.of(bare[name] for bare, _ in pairs) for name in names},
        {
            name: Estimate.of(recorded[name] - bare[name] for bare, recorded in pairs)
            for name in names
        },
    )


@dataclass(frozen=True)
class Presence:
    """What a library costs before its first recorded call.

    Attributes:
        start: CPU seconds to import and install it, once openai is imported.
        first: CPU seconds that it adds to this and the first client together.
        rss: Bytes, over those of openai alone.
    """

    start: float
    first: float
    rss: float


@dataclass
class Starts:
    """What the processes found that measured how a library starts.

    Attributes:
        subject: The library.
        pairs: What each printed, beside openai alone.
    """

    subject: Subject
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)

    def measure(self, sink: str, plan: Plan) -> None:
        """Have fresh processes measure it once more, in turn with openai alone.

        Raises:
            Failed: A process did not come to its end.
        """
        alone = Subject(BARE, self.subject.python, self.subject.path)
        for _ in range(plan.starts):
            self.pairs.append(
                (alone.run("start", sink), self.subject.run("start", sink))
            )

    def presence(self) -> Presence:
        """Return what all of them came to."""
        pairs = self.pairs
        return Presence(
            start=min(ours["start"] for _, ours in pairs),
            first=min(ours["first"] for _, ours in pairs)
            - min(bare["first"] for bare, _ in pairs),
            rss=statistics.median(ours["rss"] - bare["rss"] for bare, ours in pairs),
        )
