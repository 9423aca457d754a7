"""What arrived at Libretto, read back from it, beside what should have."""

from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from attrs import define, field, frozen

from ._scenarios import Expected, Scenario

Row = dict[str, Any]

#: More events than one run of the demonstration makes.
_LIMIT = 200

#: Seconds that Libretto may take to answer.
_TIMEOUT = 10.0


@frozen
class Arrivals:
    """What Libretto has of one run.

    Attributes:
        events: The run's events, oldest first: each with its ``event`` as it was
            posted, and its ``rating``.
        results: The results of the latest chains, by chain id.
    """

    events: tuple[Row, ...]
    results: dict[str, Any]


@frozen
class Finding:
    """One expected event.

    Attributes:
        scenario: What should have made it.
        prompt: The prompt template's name that it should have.
        row: The event as it was read back, or None if there is none.
        fault: What is missing from it; ``""`` when nothing is.
    """

    scenario: Scenario
    prompt: str
    row: Row | None
    fault: str


def read_back(url: str, run: str) -> Arrivals:
    """Ask Libretto what it has of a run.

    Args:
        url: Libretto's address.
        run: The run's mark, which each of its events has in its context.

    Raises:
        httpx.HTTPError: If Libretto does not answer.
    """
    with httpx.Client(base_url=url, timeout=_TIMEOUT) as libretto:
        query: dict[str, str | int] = {"context": f"demo_run={run}", "limit": _LIMIT}
        events = _get(libretto, "events", query)
        chains = _get(libretto, "chains", {"limit": _LIMIT})
    results = {row["id"]: row["result"] for row in chains if row["result"]}
    return Arrivals(tuple(reversed(events)), results)


def compare(scenarios: Iterable[Scenario], arrivals: Arrivals) -> list[Finding]:
    """Return what became of each event that the scenarios should have left."""
    left = _Left(list(arrivals.events))
    return [
        finding
        for scenario in scenarios
        for finding in _compare(scenario, left, arrivals.results)
    ]


@define
class _Left:
    """The events that no expectation has claimed yet."""

    rows: list[Row] = field(factory=list)

    def take(self, expected: Expected) -> Row | None:
        """Return the event that fits best, and remove it: one that holds all if any."""
        named = [row for row in self.rows if row["prompt"] == expected.prompt]
        if not named:
            return None
        best = min(named, key=lambda row: len(_lacks(row, expected)))
        self.rows.remove(best)
        return best


def _compare(
    scenario: Scenario, left: _Left, results: dict[str, Any]
) -> Iterator[Finding]:
    taken = [(expected, left.take(expected)) for expected in scenario.expects]
    rows = [row for _, row in taken if row is not None]
    chains = {row["chain_id"] for row in rows}
    for expected, row in taken:
        if row is None:
            yield Finding(scenario, expected.prompt, None, "it did not arrive")
            continue
        lacks = _lacks(row, expected)
        if scenario.rated and row["rating"] is None:
            lacks.append("feedback")
        if scenario.chained and (len(chains) > 1 or not chains & results.keys()):
            lacks.append("the chain's result")
        fault = f"without {', '.join(lacks)}" if lacks else ""
        yield Finding(scenario, expected.prompt, row, fault)


def _lacks(row: Row, expected: Expected) -> list[str]:
    return [key for key in expected.holds if not row["event"].get(key)]


def _get(libretto: httpx.Client, what: str, query: dict[str, str | int]) -> list[Row]:
    answer = libretto.get(f"/api/{what}", params=query)
    answer.raise_for_status()
    rows: list[Row] = answer.json()[what]
    return rows
